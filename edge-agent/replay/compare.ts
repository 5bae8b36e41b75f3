// Two replays of the same frames, beside each other: how much of their masks agrees. Masks of different sizes, or of another
// part of the picture, are compared where both look, on the pixels of the first.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { decodeMask } from '../../deploy/mask-png.ts'
import { type Replayed, readReplay } from './replayed.ts'

export interface FrameAgreement {
  name: string
  /** Share of the pixels whose class is the same. */
  agreement: number
  /** Intersection over union of the two roads; 1 where neither has any. */
  roadIou: number
}

export interface Comparison {
  /** Over all pixels of all frames. */
  agreement: number
  roadIou: number
  frames: FrameAgreement[]
  /** Frames that only one of the two has. */
  missing: string[]
}

interface Counts {
  pixels: number
  same: number
  both: number
  either: number
}

const ratio = (part: number, whole: number) => (whole === 0 ? 1 : part / whole)

/** Compares the replays in two folders. Throws where one of them is none. */
export async function compareReplays(dir: string, other: string): Promise<Comparison> {
  const [a, b] = [await readReplay(dir), await readReplay(other)]
  const sameClasses = a.classes.join() === b.classes.join()
  const total: Counts = { pixels: 0, same: 0, both: 0, either: 0 }
  const frames: FrameAgreement[] = []
  const missing = [...b.frames.keys()].filter((name) => !a.frames.has(name))
  for (const [name, mine] of a.frames) {
    const theirs = b.frames.get(name)
    if (!theirs) {
      missing.push(name)
      continue
    }
    const counts = countAgreement(await openFrame(dir, mine, a), await openFrame(other, theirs, b), sameClasses)
    for (const key of ['pixels', 'same', 'both', 'either'] as const) total[key] += counts[key]
    frames.push({ name, agreement: ratio(counts.same, counts.pixels), roadIou: ratio(counts.both, counts.either) })
  }
  return { agreement: ratio(total.same, total.pixels), roadIou: ratio(total.both, total.either), frames, missing }
}

interface Mask {
  width: number
  height: number
  ids: Uint8Array
  region: readonly [number, number, number, number]
  road: number
}

async function openFrame(dir: string, { mask, region }: Replayed, { road }: { road: number }): Promise<Mask> {
  return { ...decodeMask(await readFile(join(dir, mask))), region, road }
}

function countAgreement(a: Mask, b: Mask, sameClasses: boolean): Counts {
  const [columns, rows] = [placesIn(acrossOf(a), acrossOf(b)), placesIn(downOf(a), downOf(b))]
  const counts: Counts = { pixels: 0, same: 0, both: 0, either: 0 }
  for (let y = 0; y < a.height; y++) {
    const row = rows[y]!
    if (row < 0) continue
    for (let x = 0; x < a.width; x++) {
      const column = columns[x]!
      if (column < 0) continue
      const [mine, theirs] = [a.ids[y * a.width + x]!, b.ids[row * b.width + column]!]
      const [road, roadToo] = [mine === a.road, theirs === b.road]
      counts.pixels++
      if (sameClasses ? mine === theirs : road === roadToo) counts.same++
      if (road && roadToo) counts.both++
      if (road || roadToo) counts.either++
    }
  }
  return counts
}

/** A mask along one axis of the camera's picture: `size` pixels over `length` of the camera's from `start`. */
interface Axis {
  start: number
  length: number
  size: number
}
const acrossOf = ({ region: [start, , length], width: size }: Mask): Axis => ({ start, length, size })
const downOf = ({ region: [, start, , length], height: size }: Mask): Axis => ({ start, length, size })

/** For each pixel of `a` the one of `b` that holds its middle; -1: none. */
const placesIn = (a: Axis, b: Axis) =>
  Int32Array.from({ length: a.size }, (_, at) => {
    const camera = a.start + ((at + 0.5) * a.length) / a.size
    const place = Math.floor(((camera - b.start) * b.size) / b.length)
    return place < 0 || place >= b.size ? -1 : place
  })
