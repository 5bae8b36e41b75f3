// All measures of a model on labelled pictures, in one accumulator: the training loop and `evaluate` both use it,
// so their numbers mean the same.
import type { ModelInput } from '../../deploy/bundle.ts'
import type { ClassIds } from '../data/dataset.ts'
import { ignore } from '../data/dataset.ts'
import { startConfusion } from './confusion.ts'
import { startRoadCounts } from './kitti-road.ts'
import { makeResampler, type Resampler } from './upsample.ts'

/** Measures at the labels' own resolution. Shares are 0 to 1, and NaN where there was nothing to measure. */
export interface Measures {
  pictures: number
  /** Labelled pixels that counted. */
  pixels: number
  /** Share of the labelled pixels that the model saw; the others (outside the crop) do not count in the rest. */
  covered: number
  /** From the most probable class of each pixel; see confusion.ts. */
  road_iou: number
  mean_iou: number
  weighted_iou: number
  pixel_accuracy: number
  class_accuracy: number
  /** KITTI's road measures; precision to fnr are at `threshold`, the one of the largest F; see kitti-road.ts. */
  max_f: number
  ap: number
  precision: number
  recall: number
  fpr: number
  fnr: number
  threshold: number
  /** By class name; classes that are neither in the truth nor predicted are left out. */
  iou: Record<string, number>
}

export interface PictureMeasures {
  name: string
  /** NaN where the picture has no road and none was predicted. */
  road_iou: number
  pixel_accuracy: number
}

export interface Scored {
  name: string
  /** The label, at its own size. */
  truth: ClassIds
  /**
   * What the model said, [input.height, input.width, classes]: probabilities that add up to 1 in each pixel.
   * With two classes the probability of road alone, [input.height, input.width], is enough.
   */
  probability: Float32Array
  input: Pick<ModelInput, 'width' | 'height' | 'fit'>
}

/** The most probable class of every label pixel; 255 (`ignore`) where the model did not see it. */
export type Prediction = ClassIds

export interface Measuring {
  /** Counts one picture and returns the prediction at the label's size. Throws, naming the picture, where sizes do not fit. */
  add(scored: Scored): Prediction
  result(): Measures
  /** In the order they were added. */
  pictures(): PictureMeasures[]
}

export interface Classes {
  classes: readonly { name: string }[]
  /** The class id that is road. */
  road: number
}

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
function roadOrNot(probability: Float32Array, road: number): Uint8Array {
  const ids = new Uint8Array(probability.length)
  for (let i = 0; i < ids.length; i++) {
    const isRoad = road === 0 ? probability[i]! >= 0.5 : probability[i]! > 0.5
    ids[i] = isRoad ? road : 1 - road
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

interface Rectangle {
  x: number
  y: number
  width: number
  height: number
}

/** The part of a picture, one byte a pixel; the very same bytes where it is all of it. */
function cut(ids: Uint8Array, width: number, part: Rectangle): Uint8Array {
  if (part.width * part.height === ids.length) return ids
  const inside = new Uint8Array(part.width * part.height)
  for (let y = 0; y < part.height; y++) {
    const from = (part.y + y) * width + part.x
    inside.set(ids.subarray(from, from + part.width), y * part.width)
  }
  return inside
}

/** Reverse of `cut`: `ignore` around the part. */
function paste(inside: Uint8Array, size: { width: number; height: number }, part: Rectangle): Uint8Array {
  if (inside.length === size.width * size.height) return inside
  const ids = new Uint8Array(size.width * size.height).fill(ignore)
  for (let y = 0; y < part.height; y++)
    ids.set(inside.subarray(y * part.width, (y + 1) * part.width), (part.y + y) * size.width + part.x)
  return ids
}

function labelled(ids: Uint8Array): number {
  let count = 0
  for (let i = 0; i < ids.length; i++) if (ids[i] !== ignore) count++
  return count
}

/** Starts measuring a model of these classes. Add pictures one by one; `result` may be asked for at any time. */
export function startMeasuring({ classes, road }: Classes): Measuring {
  const total = startConfusion(classes.length)
  const roadCounts = startRoadCounts()
  const list: PictureMeasures[] = []
  const resamplers = new Map<string, Resampler>()
  let labelledPixels = 0

  function resampler(truth: ClassIds, input: Scored['input'], channels: number): Resampler {
    const key = [truth.width, truth.height, input.width, input.height, input.fit, channels].join()
    const found = resamplers.get(key) ?? makeResampler(truth, input, channels)
    resamplers.set(key, found)
    return found
  }

  function add({ name, truth, probability, input }: Scored): Prediction {
    const pixels = input.width * input.height
    const given = probability.length / pixels
    if (given !== classes.length && !(given === 1 && classes.length === 2))
      throw new Error(
        `${name}: expected ${classes.length} probabilities for each of ${input.width} x ${input.height} pixels, ${pixels * classes.length} numbers, found ${probability.length}`,
      )
    if (truth.ids.length !== truth.width * truth.height)
      throw new Error(`${name}: expected a label of ${truth.width} x ${truth.height} pixels, found ${truth.ids.length}`)
    // With two classes one channel tells all, in half the time.
    const one = classes.length === 2
    const map = one ? channel(probability, given, given === 1 ? 0 : road) : probability
    const seen = resampler(truth, input, one ? 1 : classes.length)(map)
    const inside = cut(truth.ids, truth.width, seen)
    const predicted = one ? roadOrNot(seen.values, road) : argMax(seen.values, classes.length)

    const ofPicture = startConfusion(classes.length)
    ofPicture.update(inside, predicted)
    total.add(ofPicture)
    roadCounts.update(inside, road, one ? seen.values : channel(seen.values, classes.length, road))
    labelledPixels += labelled(truth.ids)
    const { iou, pixelAccuracy } = ofPicture.compute()
    list.push({ name, road_iou: iou[road]!, pixel_accuracy: pixelAccuracy })
    return { width: truth.width, height: truth.height, ids: paste(predicted, truth, seen) }
  }

  function result(): Measures {
    const all = total.compute()
    const { maxF, ap, precision, recall, fpr, fnr, threshold } = roadCounts.compute()
    const iou = classes.map(({ name }, id) => [name, all.iou[id]!] as const).filter(([, value]) => !Number.isNaN(value))
    return {
      pictures: list.length,
      pixels: all.pixels,
      covered: all.pixels / labelledPixels,
      road_iou: all.iou[road]!,
      mean_iou: all.meanIou,
      weighted_iou: all.weightedIou,
      pixel_accuracy: all.pixelAccuracy,
      class_accuracy: all.classAccuracy,
      max_f: maxF,
      ap,
      precision,
      recall,
      fpr,
      fnr,
      threshold,
      iou: Object.fromEntries(iou),
    }
  }

  return { add, result, pictures: () => list.slice() }
}

/** Measures as a flat list of finite numbers, for a bundle's manifest and for JSON: `iou.road` and so on for the classes. */
export function flatMeasures({ iou, ...shares }: Measures): Record<string, number> {
  const named = Object.entries(iou).map(([name, value]) => [`iou.${name}`, value] as const)
  return Object.fromEntries([...Object.entries(shares), ...named].filter(([, value]) => Number.isFinite(value)))
}
