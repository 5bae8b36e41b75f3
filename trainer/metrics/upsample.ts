// The model's probability map back onto the pixels of the label, so that measures are always at the label's own resolution.
// Bilinear, with pixel centres at half coordinates; the geometry is the one by which the picture came in, deploy/fit-geometry.ts.
import type { ModelInput } from '../../deploy/bundle.ts'
import { fitGeometry, type Rectangle, type Size } from '../../deploy/fit-geometry.ts'

/** Its place: the part of the label that the model saw, in label pixels; all of it with `letterbox`, the middle with `crop`. */
export interface Resampled extends Rectangle {
  /** [height, width, channels], row by row. Overwritten by the next call of the same resampler. */
  values: Float32Array
}

export type Resampler = (map: Float32Array) => Resampled

interface Axis {
  /** Label pixels that the model saw. */
  count: number
  /** For each of them, the model pixels on both sides of it and the share of the second. */
  before: Int32Array
  after: Int32Array
  share: Float32Array
}

interface Span {
  start: number
  length: number
}

/** How `count` pixels of the label lie between those of the model in `target`, along one axis. */
function axis(count: number, target: Span): Axis {
  const before = new Int32Array(count)
  const after = new Int32Array(count)
  const share = new Float32Array(count)
  // A letterbox's bars lie outside the target and never count: the picture's own edge pixels are repeated instead.
  const last = target.start + target.length - 1
  for (let i = 0; i < count; i++) {
    const centre = target.start + ((i + 0.5) * target.length) / count - 0.5
    const position = Math.min(last, Math.max(target.start, centre))
    before[i] = Math.floor(position)
    after[i] = Math.min(last, before[i]! + 1)
    share[i] = position - before[i]!
  }
  return { count, before, after, share }
}

/**
 * Makes the function that takes a map [input.height, input.width, channels] to the pixels of a label of the given size.
 * Its tables and memory are made once and used for every picture: 480 x 360 from 256 x 192 takes about a millisecond.
 * A label smaller than the map is sampled, not averaged. Throws where a map has another size.
 */
export function makeResampler(label: Size, input: Pick<ModelInput, 'width' | 'height' | 'fit'>, channels: number): Resampler {
  const { source, target } = fitGeometry(label, input)
  const columns = axis(source.width, { start: target.x, length: target.width })
  const rows = axis(source.height, { start: target.y, length: target.height })
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
    return { ...source, values }
  }
}
