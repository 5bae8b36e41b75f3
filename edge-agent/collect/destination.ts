// Where frames are exported to: a folder or S3. A file appears as a whole or not at all. To S3 they go one after the other,
// at most so fast in the mean.
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { below, openS3, parseS3, put, readText, sizesBelow, uriOf } from '../../deploy/s3.ts'

export interface Destination {
  /** Keys of what is there. */
  list(): Promise<Set<string>>
  read(key: string): Promise<string | undefined>
  put(key: string, bytes: string | Uint8Array): Promise<void>
  /** How the manifest names it. */
  ref(key: string): string
  /** What to do with it next, for a person. */
  hint(manifest: string): string
}

export interface DestinationSettings {
  device: string
  /** 0: as fast as it goes. */
  kibPerSecond: number
  region?: string
}

/** Opens a place, whose files go into a folder of the device's name. Throws where it is none. */
export const openDestination = async (to: string, settings: DestinationSettings): Promise<Destination> =>
  to.startsWith('s3://') ? openBucket(to, settings) : openFolder(join(to, settings.device))

function openFolder(folder: string): Destination {
  return {
    async list() {
      const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
      const files = entries.filter((entry) => entry.isFile())
      return new Set(files.map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/')))
    },
    read: (key) => readFile(join(folder, key), 'utf8').catch(() => undefined),
    async put(key, bytes) {
      const path = join(folder, key)
      await mkdir(dirname(path), { recursive: true })
      await writeFile(`${path}.tmp`, bytes)
      await rename(`${path}.tmp`, path)
    },
    ref: (key) => key,
    hint: (manifest) => ` in ${folder}. To train on: --data groundtruth:${join(folder, manifest)}`,
  }
}

async function openBucket(to: string, { device, kibPerSecond, region }: DestinationSettings): Promise<Destination> {
  const place = below(parseS3(to, '--to'), device)
  const s3 = await openS3(region)
  let freeMs = 0
  return {
    async list() {
      const keys = await sizesBelow(s3, place)
      return new Set([...keys.keys()].map((key) => key.slice(place.key.length + 1)))
    },
    read: (key) => readText(s3, below(place, key)),
    async put(key, bytes) {
      await sleep(Math.max(0, freeMs - performance.now()))
      const began = performance.now()
      await put(s3, below(place, key), bytes)
      if (kibPerSecond > 0) freeMs = began + (1000 * Buffer.byteLength(bytes)) / 1024 / kibPerSecond
    },
    ref: (key) => uriOf(below(place, key)),
    hint: () => '\nIt is the input of an adjustment job for semantic segmentation.',
  }
}
