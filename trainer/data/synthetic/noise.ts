// Tiling noise, drawn once and sampled with mip levels: textures of asphalt, grass, clouds and the shape of hills.
import { mix } from '../random.ts'

/** A square of noise that repeats; `levels[0]` is `size` wide, each further one half of that. Values around 0.5. */
export interface Tile {
  size: number
  levels: Float32Array[]
}

/**
 * Fractal noise on a tile: `octaves` of smooth value noise, the first with `cells` cells along a side, each further one
 * twice as fine and `gain` times as strong. Values are spread to fill 0 to 1.
 */
export function makeTile(seed: number, size: number, cells: number, octaves: number, gain = 0.5): Tile {
  const whole = new Float32Array(size * size)
  let amplitude = 1
  for (let octave = 0; octave < octaves; octave++) {
    const count = cells << octave
    const lattice = Float32Array.from(
      { length: count * count },
      (_, at) => (mix(at * 2654435761 + mix(seed + octave)) >>> 8) / 2 ** 24,
    )
    for (let y = 0; y < size; y++) {
      const fy = (y * count) / size
      const y0 = Math.floor(fy)
      const ty = fade(fy - y0)
      const rowA = (y0 % count) * count
      const rowB = ((y0 + 1) % count) * count
      for (let x = 0; x < size; x++) {
        const fx = (x * count) / size
        const x0 = Math.floor(fx)
        const tx = fade(fx - x0)
        const x1 = (x0 + 1) % count
        const a = lattice[rowA + x0]! + (lattice[rowA + x1]! - lattice[rowA + x0]!) * tx
        const b = lattice[rowB + x0]! + (lattice[rowB + x1]! - lattice[rowB + x0]!) * tx
        whole[y * size + x]! += amplitude * (a + (b - a) * ty)
      }
    }
    amplitude *= gain
  }
  let least = Number.POSITIVE_INFINITY
  let most = Number.NEGATIVE_INFINITY
  for (const value of whole) {
    least = Math.min(least, value)
    most = Math.max(most, value)
  }
  for (let at = 0; at < whole.length; at++) whole[at] = (whole[at]! - least) / (most - least)
  const levels: Float32Array[] = [whole]
  for (let side = size >> 1; side >= 1; side >>= 1) levels.push(halve(levels.at(-1)!, side))
  return { size, levels }
}

const fade = (t: number) => t * t * t * (t * (6 * t - 15) + 10)

function halve(finer: Float32Array, side: number): Float32Array {
  const coarser = new Float32Array(side * side)
  const wide = side * 2
  for (let y = 0; y < side; y++)
    for (let x = 0; x < side; x++) {
      const at = 2 * y * wide + 2 * x
      coarser[y * side + x] = (finer[at]! + finer[at + 1]! + finer[at + wide]! + finer[at + wide + 1]!) / 4
    }
  return coarser
}

/** Noise at (u, v), 1 being the tile's side, averaged over about `footprint` of the side. */
export function sampleTile(tile: Tile, u: number, v: number, footprint = 0): number {
  const level = Math.log2(Math.max(footprint * tile.size, 1))
  const last = tile.levels.length - 1
  if (level >= last) return tile.levels[last]![0]!
  const fine = level | 0
  const share = level - fine
  const a = bilinear(tile.levels[fine]!, tile.size >> fine, u, v)
  return share < 0.01 ? a : a + (bilinear(tile.levels[fine + 1]!, tile.size >> (fine + 1), u, v) - a) * share
}

function bilinear(values: Float32Array, side: number, u: number, v: number): number {
  const x = (u - Math.floor(u)) * side
  const y = (v - Math.floor(v)) * side
  const x0 = x | 0
  const y0 = y | 0
  const tx = x - x0
  const ty = y - y0
  const mask = side - 1
  const xa = x0 & mask
  const xb = (x0 + 1) & mask
  const rowA = (y0 & mask) * side
  const rowB = ((y0 + 1) & mask) * side
  const a = values[rowA + xa]! + (values[rowA + xb]! - values[rowA + xa]!) * tx
  const b = values[rowB + xa]! + (values[rowB + xb]! - values[rowB + xa]!) * tx
  return a + (b - a) * ty
}

/** 0 below `low`, 1 above `high`, smooth between. */
export function smooth(low: number, high: number, value: number): number {
  const t = Math.min(1, Math.max(0, (value - low) / (high - low)))
  return t * t * (3 - 2 * t)
}

/** A number in [0, 1) that depends on a whole number and a seed. */
export const hash = (value: number, seed: number): number => (mix(Math.imul(value | 0, 0x9e3779b1) ^ mix(seed)) >>> 8) / 2 ** 24
