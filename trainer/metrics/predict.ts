// From the model's probability map to the class of every pixel of the picture: resampled first, then the largest taken, so
// that boundaries are finer than the model's own pixels.
import type { ModelInput } from '../../deploy/bundle.ts'
import type { Rectangle, Size } from '../../deploy/fit-geometry.ts'
import type { ClassIds } from '../data/dataset.ts'
import { ignore } from '../data/dataset.ts'
import { makeResampler, type Resampler } from './upsample.ts'

export interface Classes {
  classes: readonly { name: string }[]
  /** The class id that is road. */
  road: number
  /** Of two classes: the probability from which a pixel is road; left out, where road is the more probable one. */
  threshold?: number | undefined
}

export interface Predicted {
  /** The part of the picture that the model saw, in picture pixels. */
  seen: Rectangle
  /** Within `seen`, row by row: the class, which is the most probable one but for a threshold, and the probability of road (overwritten by the next call). */
  classIds: Uint8Array
  road: Float32Array
  /** The class of every pixel of the picture; 255 (`ignore`) where the model did not see it. */
  whole: ClassIds
}

/**
 * `size`: of the picture. `probability`: [input.height, input.width, classes], adding up to 1 in each pixel; with two classes
 * the probability of road alone, [input.height, input.width], is enough. Throws where that is not its length.
 */
export type Predict = (size: Size, probability: Float32Array, input: Pick<ModelInput, 'width' | 'height' | 'fit'>) => Predicted

/** The most probable class of each pixel of [pixels, classes]; the lowest id where several are equal, as tf.argMax. */
function argMax(probability: Float32Array, classes: number): Uint8Array {
  const ids = new Uint8Array(probability.length / classes)
  for (let i = 0, at = 0; i < ids.length; i++, at += classes) {
    let best = 0
    for (let c = 1; c < classes; c++) if (probability[at + c]! > probability[at + best]!) best = c
    ids[i] = best
  }
  return ids
}

/** The same for two classes, from the probability of road. */
export function roadOrNot(probability: Float32Array, road: number, threshold?: number): Uint8Array {
  // As the graph compares, in single precision.
  const from = Math.fround(threshold ?? 0.5)
  const ids = new Uint8Array(probability.length)
  for (let i = 0; i < ids.length; i++) {
    const p = probability[i]!
    ids[i] = p > from || (p === from && threshold !== undefined) ? road : 1 - road
  }
  return ids
}

/** One channel of [pixels, channels]. */
function channel(values: Float32Array, channels: number, index: number): Float32Array {
  if (channels === 1) return values
  const one = new Float32Array(values.length / channels)
  for (let i = 0, at = index; i < one.length; i++, at += channels) one[i] = values[at]!
  return one
}

/** Puts the part of a picture into all of it, which holds something else so far. */
function paste<T extends Uint8Array | Float32Array>(inside: T, whole: T, width: number, part: Rectangle): T {
  if (inside.length === whole.length) return inside
  for (let y = 0; y < part.height; y++)
    whole.set(inside.subarray(y * part.width, (y + 1) * part.width), (part.y + y) * width + part.x)
  return whole
}

/** The probability of road of every pixel of the picture, 0 where the model did not see it. May be overwritten by the next prediction. */
export const roadOfWhole = ({ seen, road }: Predicted, { width, height }: Size): Float32Array =>
  paste(road, new Float32Array(width * height), width, seen)

/** Makes the function that predicts; it keeps the tables of each size it has met. */
export function startPredicting({ classes, road, threshold }: Classes): Predict {
  const resamplers = new Map<string, Resampler>()

  return (size, probability, input) => {
    const pixels = input.width * input.height
    const given = probability.length / pixels
    const two = classes.length === 2
    if (given !== classes.length && !(given === 1 && two))
      throw new Error(
        `Expected ${classes.length} probabilities for each of ${input.width} x ${input.height} pixels, ${pixels * classes.length} numbers, found ${probability.length}`,
      )
    // With two classes one channel tells all, in half the time.
    const channels = two ? 1 : classes.length
    const key = [size.width, size.height, input.width, input.height, input.fit].join()
    const resample = resamplers.get(key) ?? makeResampler(size, input, channels)
    resamplers.set(key, resample)
    const { values, ...seen } = resample(two ? channel(probability, given, given === 1 ? 0 : road) : probability)
    const classIds = two ? roadOrNot(values, road, threshold) : argMax(values, channels)
    const ids = paste(classIds, new Uint8Array(size.width * size.height).fill(ignore), size.width, seen)
    const whole = { width: size.width, height: size.height, ids }
    return { seen, classIds, road: two ? values : channel(values, channels, road), whole }
  }
}
