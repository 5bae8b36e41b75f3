// Two replays of the same frames, beside each other: how much of their masks agrees. Masks of different sizes, or of another
// part of the picture, are compared where both look, on the pixels of the first.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { decodeMask } from '../../deploy/mask-png.ts'
import { addCounts, type Counts, countAgreement, noCounts, type PlacedMask, ratio } from '../facts/agreement.ts'
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

/** Compares the replays in two folders. Throws where one of them is none. */
export async function compareReplays(dir: string, other: string): Promise<Comparison> {
  const [a, b] = [await readReplay(dir), await readReplay(other)]
  const sameClasses = a.classes.join() === b.classes.join()
  let total: Counts = noCounts
  const frames: FrameAgreement[] = []
  const missing = [...b.frames.keys()].filter((name) => !a.frames.has(name))
  for (const [name, mine] of a.frames) {
    const theirs = b.frames.get(name)
    if (!theirs) {
      missing.push(name)
      continue
    }
    const counts = countAgreement(await openFrame(dir, mine, a), await openFrame(other, theirs, b), sameClasses)
    total = addCounts(total, counts)
    frames.push({ name, agreement: ratio(counts.same, counts.pixels), roadIou: ratio(counts.both, counts.either) })
  }
  return { agreement: ratio(total.same, total.pixels), roadIou: ratio(total.both, total.either), frames, missing }
}

async function openFrame(dir: string, { mask, region }: Replayed, { road }: { road: number }): Promise<PlacedMask> {
  return { ...decodeMask(await readFile(join(dir, mask))), region, road }
}
