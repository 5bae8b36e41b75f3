// A file of known size and hash from http, https or S3: goes on where it broke off, within a limit, and is there whole or not at
// all. What breaks off may be tried again; what is another file than the signed one is refused.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { ReleaseRefused } from '../../deploy/release.ts'
import { sizeOf } from './store.ts'

export interface Wanted {
  /** Below the folder that it is fetched from. */
  file: string
  bytes: number
  sha256: string
}

export interface Fetching {
  /** Ends with "/". */
  folder: URL
  signal: AbortSignal
  /** In the mean; 0: as fast as it goes. */
  kibPerSecond(): number
  /** So many bytes more are on disk. */
  arrived(bytes: number): void
}

/** A server that sends nothing for so long is given up. */
const silenceMs = 30_000
/** A manifest lists some files and says how it was trained. */
export const longestManifest = 1024 * 1024

/** The folder that an offer names. Throws `ReleaseRefused` where nothing can be fetched from it. */
export function folderUrl(text: string | undefined): URL {
  if (text === undefined || !URL.canParse(text))
    throw new ReleaseRefused(`Expected the address of a folder, found ${text ?? 'none'}`)
  const url = new URL(text)
  if (!['http:', 'https:', 's3:'].includes(url.protocol))
    throw new ReleaseRefused(`Expected an address of http, https or s3, found ${url.protocol}`)
  if (!url.pathname.endsWith('/')) url.pathname += '/'
  return url
}

/** Fetches a short file whole. */
export async function fetchSmall(file: string, from: Pick<Fetching, 'folder' | 'signal'>): Promise<Buffer> {
  const { body } = await openRemote(file, 0, from)
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of body) {
    bytes += part.length
    if (bytes > longestManifest) throw new ReleaseRefused(`${file} is longer than ${longestManifest} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts)
}

/** Fetches `wanted` to `path`; what a try before left in `path`.part is not fetched again. */
export async function download(wanted: Wanted, path: string, from: Fetching): Promise<void> {
  const part = `${path}.part`
  let have = await sizeOf(part)
  if (have > wanted.bytes) {
    await rm(part)
    have = 0
  }
  if (have < wanted.bytes || wanted.bytes === 0) {
    const remote = await openRemote(wanted.file, have, from)
    if (remote.total !== undefined && remote.total !== wanted.bytes)
      throw new ReleaseRefused(`${wanted.file} has ${remote.total} bytes where it is offered, the signed one ${wanted.bytes}`)
    const file = await open(part, remote.offset ? 'a' : 'w')
    try {
      let at = remote.offset
      const pace = paced(from)
      for await (const chunk of remote.body) {
        at += chunk.length
        if (at > wanted.bytes) throw new ReleaseRefused(`${wanted.file} is longer where it is offered than the signed one`)
        await file.writeFile(chunk)
        from.arrived(chunk.length)
        await pace(chunk.length)
      }
      await file.sync()
      if (at < wanted.bytes) throw new Error(`${wanted.file} broke off after ${at} of ${wanted.bytes} bytes`)
    } finally {
      await file.close()
    }
  }
  const resumed = have > 0
  await keepWhole(wanted, path).catch((error: Error) => {
    // What lay there since before a power cut need not be what was written.
    throw resumed && error instanceof ReleaseRefused ? new Error(`${error.message}; it is fetched anew`) : error
  })
}

/** Gives a file its name once all of it is there. Throws `ReleaseRefused`, and removes it, where it is another one. */
export async function keepWhole({ file, sha256 }: Wanted, path: string): Promise<void> {
  const part = `${path}.part`
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(part)) hash.update(chunk as Buffer)
  const found = hash.digest('hex')
  if (found !== sha256) {
    await rm(part)
    throw new ReleaseRefused(`${file} is not the signed one: expected sha256 ${sha256}, found ${found}`)
  }
  await rename(part, path)
}

interface Remote {
  body: AsyncIterable<Buffer>
  /** Where the body begins: 0 where the server does not know how to go on. */
  offset: number
  /** Bytes of the whole file, where it says so. */
  total: number | undefined
}

async function openRemote(
  file: string,
  offset: number,
  { folder, signal }: Pick<Fetching, 'folder' | 'signal'>,
): Promise<Remote> {
  if (folder.protocol === 's3:') return openS3Object(file, offset, folder, signal)
  const url = new URL(file.split('/').map(encodeURIComponent).join('/'), folder)
  url.search = folder.search // such as the signature of a folder
  const silence = new AbortController()
  let timer = setTimeout(() => silence.abort(), silenceMs)
  const all = AbortSignal.any([signal, silence.signal])
  const where = `${folder.protocol}//${folder.host}${url.pathname}`
  const fault = (error: unknown) => {
    const { message, cause } = error as Error
    const why = silence.signal.aborted
      ? `nothing came for ${silenceMs / 1000} s`
      : cause instanceof Error
        ? cause.message
        : message
    return new Error(`${where} cannot be fetched: ${why}`, { cause: error })
  }
  const answer = await fetch(url, {
    signal: all,
    headers: { 'accept-encoding': 'identity', ...(offset && { range: `bytes=${offset}-` }) },
  }).catch((error: unknown) => {
    clearTimeout(timer)
    throw fault(error)
  })
  if (!answer.ok || !answer.body) {
    clearTimeout(timer)
    await answer.body?.cancel().catch(() => {})
    throw new Error(`${where} cannot be fetched: ${answer.status} ${answer.statusText}`)
  }
  const goesOn = answer.status === 206
  const range = /\/(\d+)$/.exec(answer.headers.get('content-range') ?? '')?.[1]
  const length = goesOn ? range : answer.headers.get('content-length')
  async function* chunks() {
    try {
      for await (const chunk of answer.body as unknown as AsyncIterable<Uint8Array>) {
        clearTimeout(timer)
        yield Buffer.from(chunk)
        timer = setTimeout(() => silence.abort(), silenceMs)
      }
    } catch (error) {
      throw fault(error)
    } finally {
      clearTimeout(timer)
    }
  }
  return { body: chunks(), offset: goesOn ? offset : 0, total: length ? Number(length) : undefined }
}

/** With the credentials that the machine has, as every AWS tool finds them. */
async function openS3Object(file: string, offset: number, folder: URL, signal: AbortSignal): Promise<Remote> {
  const { openRange } = await import('../../deploy/s3.ts') // loaded where it is used
  const { body, total } = await openRange({ bucket: folder.host, key: `${folder.pathname.slice(1)}${file}` }, offset, signal)
  return { body: Readable.from(body), offset, total }
}

/** Waits as long as a limit asks for. */
function paced({ kibPerSecond, signal }: Pick<Fetching, 'kibPerSecond' | 'signal'>) {
  let aheadMs = 0
  let lastMs = performance.now()
  return async (bytes: number) => {
    const limit = kibPerSecond()
    const nowMs = performance.now()
    aheadMs = limit ? Math.max(0, aheadMs - (nowMs - lastMs)) + (1000 * bytes) / 1024 / limit : 0
    lastMs = nowMs
    if (aheadMs > 20) await delay(aheadMs, undefined, { signal })
  }
}
