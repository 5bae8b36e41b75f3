// Bilinear enlargement about pixel centres, as GStreamer's videoscale does it. libvips' own enlarging with the linear kernel
// is off by up to half a pixel, and shifts the other axis too; its reducing is right.
import type { Size } from './fit-geometry.ts'

interface Taps {
  /** For each place of the result: the two places of the source between which it lies. */
  low: Int32Array
  high: Int32Array
  /** Share of the higher one, 0 to 1. */
  share: Float32Array
}

/** Where the places of a longer row lie in a shorter one; beyond its ends the last one is repeated. */
function tapsFor(from: number, to: number): Taps {
  const taps: Taps = { low: new Int32Array(to), high: new Int32Array(to), share: new Float32Array(to) }
  for (let i = 0; i < to; i++) {
    const at = Math.min(from - 1, Math.max(0, ((i + 0.5) * from) / to - 0.5))
    taps.low[i] = Math.floor(at)
    taps.high[i] = Math.min(from - 1, Math.floor(at) + 1)
    taps.share[i] = at - Math.floor(at)
  }
  return taps
}

/** RGB pixels [from.height, from.width, 3] enlarged to `to`; an axis of the same length stays as it is. */
export function enlarge(pixels: Uint8Array, from: Size, to: Size): Uint8Array {
  const across = tapsFor(from.width, to.width)
  const down = tapsFor(from.height, to.height)
  const result = new Uint8Array(3 * to.width * to.height)
  for (let y = 0, out = 0; y < to.height; y++) {
    const upper = down.low[y]! * from.width
    const lower = down.high[y]! * from.width
    const v = down.share[y]!
    for (let x = 0; x < to.width; x++) {
      const left = across.low[x]!
      const right = across.high[x]!
      const u = across.share[x]!
      for (let c = 0; c < 3; c++, out++) {
        const top = pixels[3 * (upper + left) + c]! * (1 - u) + pixels[3 * (upper + right) + c]! * u
        const bottom = pixels[3 * (lower + left) + c]! * (1 - u) + pixels[3 * (lower + right) + c]! * u
        result[out] = top * (1 - v) + bottom * v + 0.5
      }
    }
  }
  return result
}
