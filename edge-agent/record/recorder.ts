// Masks and facts to MCAP files in a folder that stays within its bounds. Off by default. Nothing waits for the disk: what it
// cannot take in time is dropped and counted. Pictures are recorded with the masks of the same frames, as they come.
import { mkdir, readdir, rm, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Log } from '../log.ts'
import type { Output } from '../publish/output.ts'
import { rateLimit } from '../publish/rate-limit.ts'
import type { Config } from '../settings/config.ts'
import type { CameraStatus, OutputStats } from '../wire.ts'
import { createMcap, type McapFile, repairMcap, sizeOf } from './mcap-file.ts'
import { imageMessage, type Kind } from './recording.ts'

/** A file holds at most so much, and an eighth of all that may be kept; and at most so long. */
const largestFileMib = 64
const longestFileMs = 3_600_000
/** What may wait for the disk. */
const longestQueueBytes = 8 * 1024 * 1024
/** After a fault, such as a full disk. */
const pauseAfterFaultMs = 30_000
/** A file is begun where so much of it has a place: a full disk would get one stump after the other. */
const leastRoomMib = 8
const MiB = 1024 * 1024

interface Item {
  kind: Kind
  camera: string | undefined
  micros: number
  bytes: number
  json(): unknown
}

export interface Recorder extends Output {
  /** Empty while it is off. */
  counts(): Pick<OutputStats, 'recorder'>
}

/** The folder of the settings, or one below that of the agent's state. */
export const recordingsFolder = ({ record }: Pick<Config, 'record'>, state: string) =>
  record.folder ?? join(state, 'recordings')

/** Records while the settings say so, into their folder or into one below `state`. */
export function makeRecorder(config: Config, state: string, log: Log, pauseMs = pauseAfterFaultMs): Recorder {
  let settings = config.record
  let limits = new Map<string, () => boolean>()
  const statuses = new Map<string, CameraStatus>()
  let queue: Item[] = []
  let queued = 0
  const dropped = { slow_disk: 0, fault: 0 }
  let working: Promise<void> | undefined
  let file: McapFile | undefined
  let openedMs = 0
  let brokenUntilMs = Number.NEGATIVE_INFINITY
  let repaired: string | undefined
  let fault = ''
  let closed = false

  const folderOf = () => recordingsFolder({ record: settings }, state)

  function put(kind: Kind, camera: string | undefined, micros: number, bytes: number, json: () => unknown) {
    if (!settings.enabled || closed) return
    if (performance.now() < brokenUntilMs) return void dropped.fault++
    if (queued + bytes > longestQueueBytes) return void dropped.slow_disk++
    queue.push({ kind, camera, micros, bytes, json })
    queued += bytes
    working ??= work()
  }

  async function work() {
    try {
      for (let item = queue[0]; item; item = queue[0]) {
        await write(item)
        queued -= item.bytes
        queue.shift()
      }
      if (!settings.enabled || closed) await endFile()
    } catch (error) {
      const { message } = error as Error
      if (message !== fault) log.error(`recording pauses, and tries again every ${pauseMs / 1000} s: ${message}`)
      fault = message
      brokenUntilMs = performance.now() + pauseMs
      dropped.fault += queue.length
      queue = []
      queued = 0
      await endFile().catch(() => {}) // a full disk takes no index either
      repaired = undefined // so that it is looked at when there is room again
    } finally {
      working = undefined
    }
  }

  async function write({ kind, camera, micros, json }: Item) {
    const most = Math.min(largestFileMib, settings.max_mib / 8) * MiB
    const over =
      file && (file.bytes() > most || performance.now() - openedMs > longestFileMs || dirname(file.path) !== folderOf())
    if (over) await endFile()
    file ??= await openFile(most)
    await file.add(kind, camera, micros, json())
  }

  async function openFile(most: number): Promise<McapFile> {
    const folder = folderOf()
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await prune(folder, most)
    const { bavail, bsize } = await statfs(folder)
    const room = Math.min(most, leastRoomMib * MiB)
    if (bavail * bsize < room) throw new Error(`the disk of ${folder} is full: expected ${room / MiB} MiB free for a file`)
    if (repaired !== folder) await repairAll(folder)
    repaired = folder
    const made = await createMcap(join(folder, `${new Date().toISOString().replace(/[:.]/g, '-')}.mcap`))
    openedMs = performance.now()
    file = made // so that it is ended even where the next line fails
    if (fault) log.warn('recording goes on')
    fault = ''
    // Each file says how its cameras were when it began.
    for (const status of statuses.values()) await made.add('status', status.camera, Date.now() * 1000, status)
    return made
  }

  const recordings = async (folder: string) => {
    const names = (await readdir(folder)).filter((name) => name.endsWith('.mcap')).sort()
    return (await Promise.all(names.map((name) => sizeOf(join(folder, name))))).filter((found) => found !== undefined)
  }

  /** Files that a crash left without an index get one. */
  async function repairAll(folder: string) {
    for (const { path } of await recordings(folder)) {
      const done = await repairMcap(path)
      if (done !== 'whole') log.warn(`the recording ${path} was not finished and is ${done}`)
    }
  }

  /** Makes room for one more file: the oldest go. */
  async function prune(folder: string, room: number) {
    const files = await recordings(folder)
    let whole = files.reduce((sum, { size }) => sum + size, room)
    for (const { path, size, mtimeMs } of files) {
      if (whole <= settings.max_mib * MiB && Date.now() - mtimeMs <= settings.max_hours * 3_600_000) continue
      await rm(path, { force: true })
      whole -= size
    }
  }

  async function endFile() {
    const ending = file
    file = undefined
    await ending?.end()
  }

  const limitOf = (camera: string) => {
    const limit = limits.get(camera) ?? rateLimit(settings.masks_per_second)
    limits.set(camera, limit)
    return limit
  }

  return {
    mask({ result, mask, picture }) {
      if (!settings.enabled) return
      const due = limitOf(result.camera)()
      const pictured = settings.pictures && picture.length > 0 // these are few, and would seldom be the ones that are due
      if (!due && !pictured) return
      const { camera, captured_us } = result
      put('mask', camera, captured_us, mask.length, () => imageMessage(camera, captured_us, 'png', mask))
      put('result', camera, captured_us, 1024, () => result)
      if (pictured)
        put('picture', camera, captured_us, picture.length, () => imageMessage(camera, captured_us, 'jpeg', picture))
    },
    status(status) {
      statuses.set(status.camera, status)
      put('status', status.camera, Date.now() * 1000, 256, () => status)
    },
    event: (event) => put('event', event.camera, event.at_us, 256, () => event),
    stats: (stats) => put('stats', undefined, stats.at_us, 1024, () => stats),
    settings(changed) {
      if (changed.record.masks_per_second !== settings.masks_per_second) limits = new Map()
      settings = changed.record
      for (const known of [...statuses.keys(), ...limits.keys()])
        if (!changed.cameras.some(({ name }) => name === known)) {
          statuses.delete(known)
          limits.delete(known)
        }
      if (!settings.enabled) working ??= work()
    },
    counts: () => (settings.enabled ? { recorder: { dropped: { ...dropped } } } : {}),
    async close() {
      closed = true
      working ??= work()
      await working
    },
  }
}
