// The folder of kept frames: one folder a frame with its picture, mask and facts, which appears as a whole or not at all. It
// stays below its size: the oldest frames go first, those that somebody has marked to keep last of all.
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { MaskMessage, Result } from '../wire.ts'

/** Where they are, in the folder of the agent's state. */
export const hardFramesFolder = (state: string) => join(state, 'hard-frames')

export const reasons = ['unsure', 'flicker', 'drift', 'operator', 'random'] as const
export type Reason = (typeof reasons)[number]

export interface KeptFrame {
  /** Time, camera, number and reason; sorts by time. */
  id: string
  camera: string
  reason: Reason
  captured_us: number
  bytes: number
  /** Marked to stay. */
  keep: boolean
}

/** facts.json. */
export interface FrameFacts {
  reason: Reason
  /** What spoke for it, such as a number past its threshold. */
  detail: string
  /** By class id, as the bundle names and paints them. */
  classes: { name: string; colour: string }[]
  result: Result
}

export const frameFiles = { picture: 'picture.jpg', mask: 'mask.png', facts: 'facts.json' } as const
const keepFile = 'keep'
const unfinished = '.new-'
const leftoverMs = 60_000
const day = 86_400_000_000

export interface FrameStore {
  /** The newest first. */
  list(): KeptFrame[]
  /** Frames of that reason in the day (UTC) of a time. */
  countOn(micros: number, reason: Reason): number
  /** Keeps a frame, where it needs be in place of older ones. Throws where there is no room or the disk does not take it. */
  add(message: MaskMessage, facts: Omit<FrameFacts, 'result'>, mostBytes: number): Promise<KeptFrame>
  /** A file of a frame; undefined where there is none. */
  read(id: string, file: keyof typeof frameFiles): Promise<Buffer | undefined>
  /** Marks a frame to stay. False where there is none. */
  keep(id: string): Promise<boolean>
  /** Removes a frame. False where there is none. */
  discard(id: string): Promise<boolean>
}

/** Opens the folder, which need not be there, and looks through what it holds. */
export async function openFrameStore(folder: string): Promise<FrameStore> {
  const frames = new Map<string, KeptFrame>()
  for (const name of await readdir(folder).catch((): string[] => [])) {
    if (name.startsWith(unfinished)) await removeLeftover(join(folder, name))
    const known = readId(name)
    const found = known && (await look(join(folder, name)))
    if (found) frames.set(name, { id: name, ...known, ...found })
  }

  const remove = async (id: string) => {
    frames.delete(id)
    await rm(join(folder, id), { recursive: true, force: true })
  }

  /** Oldest frames go until there is room. */
  async function makeRoom(bytes: number, most: number) {
    let whole = [...frames.values()].reduce((sum, frame) => sum + frame.bytes, bytes)
    for (const { id, bytes, keep } of [...frames.values()].sort(byTime)) {
      if (whole <= most) return
      if (keep) continue
      await remove(id)
      whole -= bytes
    }
    if (whole > most)
      throw new Error(`no room within ${Math.round(most / 1024 / 1024)} MiB: all kept frames are marked to stay`)
  }

  return {
    list: () => [...frames.values()].sort(byTime).reverse(),
    countOn: (micros, reason) =>
      [...frames.values()].filter(
        (frame) => frame.reason === reason && Math.floor(frame.captured_us / day) === Math.floor(micros / day),
      ).length,
    async add({ result, mask, picture }, facts, mostBytes) {
      const json = Buffer.from(`${JSON.stringify({ ...facts, result } satisfies FrameFacts, null, 2)}\n`)
      const { camera, captured_us } = result
      const id = writeId(result, facts.reason)
      const bytes = picture.length + mask.length + json.length
      await mkdir(folder, { recursive: true, mode: 0o700 })
      await makeRoom(bytes, mostBytes)
      const made = join(folder, unfinished + id)
      await rm(made, { recursive: true, force: true })
      await mkdir(made, { mode: 0o700 })
      try {
        await writeFile(join(made, frameFiles.picture), picture, { mode: 0o600, flush: true })
        await writeFile(join(made, frameFiles.mask), mask, { mode: 0o600, flush: true })
        await writeFile(join(made, frameFiles.facts), json, { mode: 0o600, flush: true })
        await rename(made, join(folder, id))
      } catch (error) {
        await rm(made, { recursive: true, force: true })
        throw error
      }
      const frame: KeptFrame = { id, camera, reason: facts.reason, captured_us, bytes, keep: false }
      frames.set(id, frame)
      return frame
    },
    async read(id, file) {
      if (!frames.has(id)) return undefined
      return readFile(join(folder, id, frameFiles[file])).catch(() => undefined)
    },
    async keep(id) {
      const frame = frames.get(id)
      if (!frame) return false
      if (!frame.keep) await (await open(join(folder, id, keepFile), 'a', 0o600)).close()
      frames.set(id, { ...frame, keep: true })
      return true
    },
    async discard(id) {
      const known = frames.has(id)
      if (known) await remove(id)
      return known
    },
  }
}

/** What a crash left; the agent may be writing another one at this moment. */
async function removeLeftover(dir: string) {
  const { mtimeMs } = await stat(dir).catch(() => ({ mtimeMs: Date.now() }))
  if (Date.now() - mtimeMs > leftoverMs) await rm(dir, { recursive: true, force: true })
}

const byTime = (a: KeptFrame, b: KeptFrame) => a.captured_us - b.captured_us || (a.id < b.id ? -1 : 1)

/** What is in a frame's folder; undefined where it is none, or is being removed at this moment. */
async function look(dir: string): Promise<{ bytes: number; keep: boolean } | undefined> {
  const names = await readdir(dir).catch(() => undefined)
  if (!names) return undefined
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(dir, name)).catch(() => undefined))?.size ?? 0))
  return { bytes: sizes.reduce((sum, size) => sum + size, 0), keep: names.includes(keepFile) }
}

/** `<microseconds>.<camera>.<frame>.<reason>`; a camera's name may be anything that a topic may hold. */
const writeId = ({ captured_us, camera, frame }: Result, reason: Reason) =>
  [captured_us, encodeURIComponent(camera).replaceAll('.', '%2E'), frame, reason].join('.')

function readId(id: string): Pick<KeptFrame, 'camera' | 'reason' | 'captured_us'> | undefined {
  const [micros, camera, frame, named, ...more] = id.split('.')
  const reason = reasons.find((known) => known === named)
  if (!/^\d+$/.test(micros!) || !camera || !/^\d+$/.test(frame ?? '') || !reason || more.length > 0) return undefined
  try {
    return { captured_us: Number(micros), camera: decodeURIComponent(camera), reason }
  } catch {
    return undefined
  }
}
