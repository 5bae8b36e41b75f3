// The model's probability map back onto the pixels of the label, so that measures are always at the label's own resolution.
// Bilinear, with pixel centres at half coordinates; the geometry is that of `modelRegion` in deploy/bundle.ts.
import { type ModelInput, modelRegion } from '../../deploy/bundle.ts'

export interface Resampled {
  /** The part of the label that the model saw, in label pixels: all of it with `letterbox`, the middle with `crop`. */
  x: number
  y: number
  width: number
  height: number
  /** [height, width, channels], row by row. Overwritten by the next call of the same resampler. */
  values: Float32Array
}

export type Resampler = (map: Float32Array) => Resampled

interface Axis {
  /** First label pixel that the model saw, and how many there are. */
  start: number
  count: number
  /** For each of them, the model pixels on both sides of it and the share of the second. */
  before: Int32Array
  after: Int32Array
  share: Float32Array
}

/** How the label's pixels lie between the model's, along one axis. Lengths in pixels. */
function axis(label: number, region: { start: number; length: number }, model: number): Axis {
  const start = Math.max(0, region.start)
  const count = Math.min(label, region.start + region.length) - start
  const scale = model / region.length
  // Model pixels whose centre lies in a letterbox's bar never count: the picture's own edge pixels are repeated instead.
  const first = Math.max(0, Math.ceil(-region.start * scale - 0.5))
  const last = Math.max(first, Math.min(model - 1, Math.floor((label - region.start) * scale - 0.5)))
  const before = new Int32Array(count)
  const after = new Int32Array(count)
  const share = new Float32Array(count)
  for (let i = 0; i < count; i++) {
    const position = Math.min(last, Math.max(first, (start + i + 0.5 - region.start) * scale - 0.5))
    const floor = Math.floor(position)
    before[i] = floor
    after[i] = Math.min(last, floor + 1)
    share[i] = position - floor
  }
  return { start, count, before, after, share }
}

/**
 * Makes the function that takes a map [input.height, input.width, channels] to the pixels of a label of the given size.
 * Its tables and memory are made once and used for every picture: 480 x 360 from 256 x 192 takes about a millisecond.
 * A label smaller than the map is sampled, not averaged. Throws where a map has another size.
 */
export function makeResampler(
  label: { width: number; height: number },
  input: Pick<ModelInput, 'width' | 'height' | 'fit'>,
  channels: number,
): Resampler {
  const region = modelRegion(label, input)
  const columns = axis(label.width, { start: region.x, length: region.width }, input.width)
  const rows = axis(label.height, { start: region.y, length: region.height }, input.height)
  const stride = columns.count * channels
  const widened = new Float32Array(input.height * stride)
  const values = new Float32Array(rows.count * stride)

  function widen(map: Float32Array) {
    const { count, before, after, share } = columns
    for (let y = 0; y < input.height; y++) {
      const from = y * input.width * channels
      const to = y * stride
      for (let x = 0; x < count; x++) {
        const left = from + before[x]! * channels
        const right = from + after[x]! * channels
        for (let c = 0; c < channels; c++) {
          const value = map[left + c]!
          widened[to + x * channels + c] = value + share[x]! * (map[right + c]! - value)
        }
      }
    }
  }

  return (map) => {
    if (map.length !== input.width * input.height * channels)
      throw new Error(
        `Expected a map of ${input.width} x ${input.height} with ${channels} channel(s), ${input.width * input.height * channels} numbers, found ${map.length}`,
      )
    widen(map)
    for (let y = 0; y < rows.count; y++) {
      const above = rows.before[y]! * stride
      const below = rows.after[y]! * stride
      const share = rows.share[y]!
      const to = y * stride
      for (let i = 0; i < stride; i++) {
        const value = widened[above + i]!
        values[to + i] = value + share * (widened[below + i]! - value)
      }
    }
    return { x: columns.start, y: rows.start, width: columns.count, height: rows.count, values }
  }
}
