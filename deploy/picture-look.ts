// What a picture looks like in ten numbers of light, colour, contrast and sharpness, and how far that is from what a model was
// trained on. The trainer puts examples of its pictures into the bundle, chosen so that each training picture is near one of
// them (farthest point first: Gonzalez 1985); what no example resembles is new to the model.
import type { Manifest } from './bundle.ts'

type Looks = NonNullable<Manifest['looks']>

export const numbers = ['red', 'green', 'blue', 'contrast', 'colour', 'edges', 'dark', 'bright', 'upper', 'lower'] as const

/** Luma of 255 below and above which a pixel is dark or bright. */
const [darkBelow, brightAbove] = [40, 215]
/** Enough for a drive by day, one at dusk and scenes of another kind; twice as many tell no more apart. */
const mostExamples = 48
/** A number that never varies in training may do so a little. */
const leastDeviation = 0.01
/** Of pictures that are all alike, those that are as good as that count as near. */
const leastNear = 0.05
/** Pictures that are strange themselves do not widen what counts as near. */
const nearShare = 0.99

/** Columns from `left` to before `right`, rows likewise. */
export interface Part {
  left: number
  right: number
  top: number
  bottom: number
}

/** The numbers of a part of `rgb` [height, width, 3], in the order of their names, all 0 to 1. */
export function lookOf(rgb: Uint8Array, width: number, { left, right, top, bottom }: Part): number[] {
  const across = right - left
  const pixels = across * (bottom - top)
  const middle = Math.ceil((top + bottom) / 2)
  let [red, green, blue, sum, squares, colour, edges, dark, bright, upper] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
  const above = new Float64Array(across)
  for (let y = top; y < bottom; y++) {
    if (y === middle) upper = sum
    let before = -1
    for (let x = 0, at = 3 * (y * width + left); x < across; x++, at += 3) {
      const r = rgb[at]!
      const g = rgb[at + 1]!
      const b = rgb[at + 2]!
      const luma = 0.299 * r + 0.587 * g + 0.114 * b
      red += r
      green += g
      blue += b
      sum += luma
      squares += luma * luma
      colour += Math.max(r, g, b) - Math.min(r, g, b)
      if (before >= 0) edges += Math.abs(luma - before)
      if (y > top) edges += Math.abs(luma - above[x]!)
      if (luma < darkBelow) dark++
      if (luma > brightAbove) bright++
      above[x] = before = luma
    }
  }
  const mean = sum / pixels
  const halves = [upper / ((middle - top) * across), (sum - upper) / ((bottom - middle) * across)]
  const contrast = Math.sqrt(Math.max(0, squares / pixels - mean * mean))
  const levels = [red / pixels, green / pixels, blue / pixels, contrast, colour / pixels, edges / pixels]
  return [...levels.map((level) => level / 255), dark / pixels, bright / pixels, ...halves.map((level) => level / 255)]
}

/** What a bundle says of the pictures that it was trained on, from their looks. */
export function summariseLooks(looks: readonly (readonly number[])[]): Looks {
  const mean = numbers.map((_, i) => looks.reduce((sum, look) => sum + look[i]!, 0) / looks.length)
  const deviation = numbers.map((_, i) =>
    Math.max(leastDeviation, Math.sqrt(looks.reduce((sum, look) => sum + (look[i]! - mean[i]!) ** 2, 0) / looks.length)),
  )
  const off = looks.map((look) => between(look, mean, deviation))
  const chosen = [off.indexOf(Math.min(...off))]
  let nearest = looks.map((look) => between(look, looks[chosen[0]!]!, deviation))
  while (chosen.length < Math.min(mostExamples, looks.length / 2)) {
    const next = nearest.indexOf(Math.max(...nearest))
    chosen.push(next)
    nearest = nearest.map((distance, i) => Math.min(distance, between(looks[i]!, looks[next]!, deviation)))
  }
  const others = nearest.filter((_, i) => !chosen.includes(i)).sort((a, b) => a - b)
  const near = others[Math.min(others.length - 1, Math.floor(nearShare * others.length))] ?? 0
  return {
    numbers: [...numbers],
    pictures: looks.length,
    mean: mean.map(short),
    deviation: deviation.map(short),
    examples: chosen.map((i) => looks[i]!.map(short)),
    near: short(Math.max(near, leastNear)),
  }
}

/** How strange a look is: its distance to the nearest example, where 1 is as far as 99 % of the training pictures are at most. */
export function strangeness({ examples, deviation, near }: Looks, look: readonly number[]): number {
  return Math.min(...examples.map((example) => between(look, example, deviation))) / near
}

/** Distance in deviations, the root of the mean square over the numbers. */
const between = (a: readonly number[], b: readonly number[], deviation: readonly number[]) =>
  Math.sqrt(a.reduce((sum, value, i) => sum + ((value - b[i]!) / deviation[i]!) ** 2, 0) / a.length)

const short = (value: number) => Number(value.toFixed(4))
