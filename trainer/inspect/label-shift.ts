// Whether a label lies where its picture has it. Borders of labels lie on edges of pictures: the label is moved about over the
// picture's gradients, and where they are largest on its borders it belongs.
import type { Size } from '../../deploy/fit-geometry.ts'
import { ignore } from '../data/dataset.ts'

/** Pictures are this wide here: a pixel is 2 of CamVid's 480. */
export const shiftWidth = 240
/** How far labels are moved, and from where on it is a shift and not a matter of taste, in these pixels. */
const [farthest, tolerated] = [10, 2]
/** Fewer border pixels say nothing. */
const leastBorder = 60
/**
 * By how many standard deviations of all moves' scores the best must beat those near the label's own place. Of CamVid's 468
 * labels it suspects none by the borders of all classes and 6 by the road's alone; moved by 12 of 480 pixels, to the right or
 * down, all by those of all classes, and of ten 7 and 9 by the road's.
 */
const leastGain = 1

/** Where the label would fit better, as shares of the picture's width: to the right and down. */
export interface Shift {
  right: number
  down: number
}

/**
 * The move by which a label fits its picture clearly better, or nothing. `grey`: the picture in levels, [height, width], and
 * `ids`: the label at its size.
 */
export function labelShift(grey: Uint8Array, ids: Uint8Array, { width, height }: Size): Shift | undefined {
  const { across, down } = gradients(grey, width, height)
  const beside: number[] = []
  const above: number[] = []
  for (let y = farthest; y < height - farthest - 1; y++)
    for (let x = farthest; x < width - farthest - 1; x++) {
      const at = y * width + x
      const differs = (other: number) => ids[at] !== ignore && ids[other] !== ignore && ids[at] !== ids[other]
      if (differs(at + 1)) beside.push(at)
      if (differs(at + width)) above.push(at)
    }
  const border = beside.length + above.length
  if (border < leastBorder) return undefined

  const scores: { x: number; y: number; score: number }[] = []
  for (let y = -farthest; y <= farthest; y++)
    for (let x = -farthest; x <= farthest; x++) {
      const move = y * width + x
      let sum = 0
      for (const at of beside) sum += across[at + move]!
      for (const at of above) sum += down[at + move]!
      scores.push({ x, y, score: sum / border })
    }
  const best = largest(scores)
  const own = largest(scores.filter(({ x, y }) => Math.abs(x) <= tolerated && Math.abs(y) <= tolerated))
  const mean = scores.reduce((sum, { score }) => sum + score, 0) / scores.length
  const deviation = Math.sqrt(scores.reduce((sum, { score }) => sum + (score - mean) ** 2, 0) / scores.length)
  if (best.score - own.score <= leastGain * deviation) return undefined
  return { right: best.x / width, down: best.y / width }
}

const largest = <T extends { score: number }>(list: readonly T[]) => list.reduce((a, b) => (b.score > a.score ? b : a))

/** Differences to the next pixel on the right and below, pressed into 0 to 1 so that a few strong edges do not decide alone. */
function gradients(grey: Uint8Array, width: number, height: number) {
  const across = new Float32Array(grey.length)
  const down = new Float32Array(grey.length)
  let sum = 0
  for (let at = 0; at < grey.length; at++) {
    if ((at + 1) % width > 0) across[at] = Math.abs(grey[at + 1]! - grey[at]!)
    if (at + width < width * height) down[at] = Math.abs(grey[at + width]! - grey[at]!)
    sum += across[at]! + down[at]!
  }
  // Twice the mean of both: an edge of ordinary strength is a half.
  const ordinary = sum / grey.length + 1e-6
  for (const each of [across, down]) for (let at = 0; at < each.length; at++) each[at] = each[at]! / (each[at]! + ordinary)
  return { across, down }
}
