// Files to and from S3.
import { createWriteStream } from 'node:fs'
import { mkdir, readdir, readFile, rename, stat } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { GetObjectCommand, PutObjectCommand, paginateListObjectsV2, S3Client } from '@aws-sdk/client-s3'
import { mapBounded } from './each.ts'

const filesAtOnce = 8

export interface Place {
  bucket: string
  /** Without a slash at its beginning or end. */
  key: string
}

/** The parts of s3://BUCKET/KEY. Throws, naming `option`, where it is none. */
export function parseS3(uri: string, option: string): Place {
  const { bucket, key } = /^s3:\/\/(?<bucket>[a-z0-9][a-z0-9.-]+)(?:\/(?<key>.*?))?\/*$/.exec(uri)?.groups ?? {}
  if (!bucket) throw new Error(`${option}: expected s3://BUCKET/PREFIX, found ${uri}`)
  return { bucket, key: key ?? '' }
}

export const uriOf = ({ bucket, key }: Place): string => `s3://${[bucket, key].filter((part) => part !== '').join('/')}`

export const below = ({ bucket, key }: Place, ...more: string[]): Place => ({
  bucket,
  key: [key, ...more].filter((part) => part !== '').join('/'),
})

export interface LocalFile {
  path: string
  /** Below the place it goes to. */
  key: string
  bytes: number
  /** What is uploaded in place of the file. */
  content?: string
}

/** All files below a folder; hidden ones are left out. */
export async function filesBelow(dir: string): Promise<LocalFile[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true })
  const paths = entries.filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name))
  const keys = paths.map((path) => ({ path, key: relative(dir, path).split(sep).join('/') }))
  const shown = keys.filter(({ key }) => !/(^|\/)\./.test(key)).sort((a, b) => (a.key < b.key ? -1 : 1))
  return mapBounded(shown, filesAtOnce, async (file) => ({ ...file, bytes: (await stat(file.path)).size }))
}

const types: Record<string, string> = {
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  png: 'image/png',
  json: 'application/json',
  html: 'text/html; charset=utf-8',
}

/**
 * A client for S3. Region and credentials are found as every AWS tool finds them. Throws what is missing: a region, or
 * credentials where they will be needed.
 */
export async function openS3(region: string | undefined, { needed = true } = {}): Promise<S3Client> {
  // It warns of coming versions on Node 20; ours are pinned.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true'
  const s3 = new S3Client(region ? { region } : {})
  await s3.config.region().catch((cause: unknown) => {
    throw new Error('Expected a region of AWS, found none: name it by --region or AWS_REGION, for example eu-west-1', { cause })
  })
  if (needed)
    await s3.config.credentials().catch((cause: unknown) => {
      throw new Error(
        'Expected credentials of AWS, found none: aws configure or aws sso login, or set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
        { cause },
      )
    })
  return s3
}

/** Sizes of all objects below a place, by their keys. */
export async function sizesBelow(s3: S3Client, { bucket, key }: Place): Promise<Map<string, number>> {
  const sizes = new Map<string, number>()
  for await (const page of paginateListObjectsV2({ client: s3 }, { Bucket: bucket, Prefix: key && `${key}/` }))
    for (const { Key, Size } of page.Contents ?? []) sizes.set(Key!, Size!)
  return sizes
}

/** Writes an object, with the type that its ending says. */
export async function put(s3: S3Client, { bucket, key }: Place, body: string | Uint8Array): Promise<void> {
  const type = types[key.slice(key.lastIndexOf('.') + 1).toLowerCase()]
  await s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body, ...(type && { ContentType: type }) }))
}

/** Uploads files; those that are there with the same size are left, so that an upload that broke off goes on. */
export async function upload(s3: S3Client, files: readonly LocalFile[], to: Place, say: (line: string) => void): Promise<void> {
  const there = await sizesBelow(s3, to)
  const missing = files.filter(({ key, bytes }) => there.get(below(to, key).key) !== bytes)
  const whole = missing.reduce((sum, { bytes }) => sum + bytes, 0)
  const before = files.length - missing.length
  say(`${missing.length} files, ${megabytes(whole)}, to ${uriOf(to)}${before > 0 ? ` (${before} are there)` : ''}`)
  let [done, tenths] = [0, 0]
  await mapBounded(missing, filesAtOnce, async ({ path, key, bytes, content }) => {
    await put(s3, below(to, key), content ?? (await readFile(path)))
    done += bytes
    const now = Math.floor((10 * done) / whole)
    if (now > tenths && now < 10) say(`  ${megabytes(done)} of ${megabytes(whole)}`)
    tenths = now
  })
}

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`

/** The text of an object; undefined where there is none. */
export async function readText(s3: S3Client, place: Place): Promise<string | undefined> {
  return (await get(s3, place))?.transformToString()
}

async function get(s3: S3Client, { bucket, key }: Place) {
  const answer = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key })).catch((error: Error) => {
    if (error.name === 'NoSuchKey') return undefined
    throw error
  })
  return answer?.Body
}

/** Downloads an object, which appears at `path` as a whole or not at all. False where there is none. */
export async function download(s3: S3Client, place: Place, path: string): Promise<boolean> {
  const body = await get(s3, place)
  if (!body) return false
  await mkdir(dirname(path), { recursive: true })
  await pipeline(body as Readable, createWriteStream(`${path}.tmp`))
  await rename(`${path}.tmp`, path)
  return true
}

let reader: Promise<S3Client> | undefined

/** An object from a byte on, and its whole size. Region and credentials are the machine's. */
export async function openRange(
  { bucket, key }: Place,
  offset: number,
  signal: AbortSignal,
): Promise<{ body: Readable; total: number | undefined }> {
  reader ??= openS3(undefined).catch((error: unknown) => {
    reader = undefined
    throw error
  })
  const range = offset ? { Range: `bytes=${offset}-` } : {}
  const answer = await (await reader).send(new GetObjectCommand({ Bucket: bucket, Key: key, ...range }), {
    abortSignal: signal,
  })
  const total = Number(/\/(\d+)$/.exec(answer.ContentRange ?? '')?.[1] ?? answer.ContentLength)
  return { body: answer.Body as Readable, total: Number.isFinite(total) ? total : undefined }
}
