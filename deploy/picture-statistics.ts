// What a picture looks like, in a few numbers: light, colour, contrast, sharpness. The trainer puts them of its pictures into
// the bundle, and the agent compares those of its cameras with them.

/** Names of the numbers, in their order. */
export const looks = ['red', 'green', 'blue', 'contrast', 'colourfulness', 'edges', 'dark', 'bright', 'upper', 'lower'] as const

export interface Part {
  left: number
  right: number
  top: number
  bottom: number
}

/** Luma below and above which a pixel is dark or bright, of 255. */
const [darkBelow, brightAbove] = [40, 215]

/** The numbers of a part of `rgb` [height, width, 3]: columns from `left` to before `right`, rows likewise. All 0 to 1. */
export function lookOf(rgb: Uint8Array, width: number, { left, right, top, bottom }: Part): number[] {
  const pixels = (right - left) * (bottom - top)
  const middle = (top + bottom) / 2
  let [red, green, blue, sum, squares, colour, edges, dark, bright, upper] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
  const above = new Float32Array(right - left)
  for (let y = top; y < bottom; y++) {
    let [before, row] = [-1, 0]
    for (let x = left, at = 3 * (y * width + left); x < right; x++, at += 3) {
      const [r, g, b] = [rgb[at]!, rgb[at + 1]!, rgb[at + 2]!]
      const luma = 0.299 * r + 0.587 * g + 0.114 * b
      red += r
      green += g
      blue += b
      row += luma
      squares += luma * luma
      colour += Math.max(r, g, b) - Math.min(r, g, b)
      if (before >= 0) edges += Math.abs(luma - before)
      if (y > top) edges += Math.abs(luma - above[x - left]!)
      if (luma < darkBelow) dark++
      if (luma > brightAbove) bright++
      above[x - left] = before = luma
    }
    sum += row
    if (y < middle) upper += row
  }
  const mean = sum / pixels
  const half = (Math.ceil(middle) - top) * (right - left)
  const levels = [red, green, blue].map((total) => total / pixels / 255)
  return [
    ...levels,
    Math.sqrt(Math.max(0, squares / pixels - mean * mean)) / 255,
    colour / pixels / 255,
    edges / pixels / 255,
    dark / pixels,
    bright / pixels,
    upper / half / 255,
    (sum - upper) / (pixels - half || 1) / 255,
  ]
}
