// All measures of a model on labelled pictures, in one accumulator: the training loop and `evaluate` both use it,
// so their numbers mean the same.
import type { ModelInput } from '../../deploy/bundle.ts'
import type { Rectangle } from '../../deploy/fit-geometry.ts'
import type { ClassIds } from '../data/dataset.ts'
import { ignore } from '../data/dataset.ts'
import { startConfusion } from './confusion.ts'
import { type Calibration, type RoadCurve, startRoadCounts } from './kitti-road.ts'
import { type Classes, type Predicted, startPredicting } from './predict.ts'

/** Measures at the labels' own resolution. Shares are 0 to 1, and NaN where there was nothing to measure. */
export interface Measures {
  pictures: number
  /** Labelled pixels that counted. */
  pixels: number
  /** Share of the labelled pixels that the model saw; the others (outside the crop) do not count in the rest. */
  covered: number
  /** From the class of each pixel, the most probable one but for a model with a threshold; see confusion.ts. */
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
  /** Share of the seen pixels that the model itself expects to have wrong: the mean of min(p, 1 - p), p the probability of road. */
  uncertainty: number
}

/** What the measures are made of, for curves and tables. */
export interface Breakdown {
  /** Pixels of class `truth` taken for `predicted`, at [truth][predicted]. */
  confusion: number[][]
  curve: RoadCurve
  calibration: Calibration
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

export interface Measuring {
  /**
   * Counts one picture and returns what the model said of it, at the label's size. Throws, naming the picture, where sizes do
   * not fit.
   */
  add(scored: Scored): Predicted
  result(): Measures
  breakdown(): Breakdown
  /** In the order they were added. */
  pictures(): PictureMeasures[]
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

function labelled(ids: Uint8Array): number {
  let count = 0
  for (let i = 0; i < ids.length; i++) if (ids[i] !== ignore) count++
  return count
}

function uncertainty(probability: Float32Array): number {
  let sum = 0
  for (let i = 0; i < probability.length; i++) sum += Math.min(probability[i]!, 1 - probability[i]!)
  return sum / probability.length
}

/** Starts measuring a model of these classes. Add pictures one by one; `result` may be asked for at any time. */
export function startMeasuring({ classes, road, threshold }: Classes): Measuring {
  const total = startConfusion(classes.length)
  const roadCounts = startRoadCounts()
  const list: PictureMeasures[] = []
  const predict = startPredicting({ classes, road, threshold })
  let labelledPixels = 0

  function prediction({ name, truth, probability, input }: Scored): Predicted {
    if (truth.ids.length !== truth.width * truth.height)
      throw new Error(`${name}: expected a label of ${truth.width} x ${truth.height} pixels, found ${truth.ids.length}`)
    try {
      return predict(truth, probability, input)
    } catch (cause) {
      throw new Error(`${name}: ${cause instanceof Error ? cause.message : cause}`, { cause })
    }
  }

  function add(scored: Scored): Predicted {
    const { name, truth } = scored
    const predicted = prediction(scored)
    const { seen, classIds, road: confidence } = predicted
    const inside = cut(truth.ids, truth.width, seen)
    const ofPicture = startConfusion(classes.length)
    ofPicture.update(inside, classIds)
    total.add(ofPicture)
    roadCounts.update(inside, road, confidence)
    labelledPixels += labelled(truth.ids)
    const { iou, pixelAccuracy } = ofPicture.compute()
    list.push({ name, road_iou: iou[road]!, pixel_accuracy: pixelAccuracy, uncertainty: uncertainty(confidence) })
    return predicted
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

  const breakdown = (): Breakdown => ({
    confusion: classes.map((_, id) => Array.from(total.counts.subarray(id * classes.length, (id + 1) * classes.length))),
    curve: roadCounts.curve(),
    calibration: roadCounts.calibration(),
  })

  return { add, result, breakdown, pictures: () => list.slice() }
}

/** Measures as a flat list of finite numbers, for a bundle's manifest and for JSON: `iou.road` and so on for the classes. */
export function flatMeasures({ iou, ...shares }: Measures): Record<string, number> {
  const named = Object.entries(iou).map(([name, value]) => [`iou.${name}`, value] as const)
  return Object.fromEntries([...Object.entries(shares), ...named].filter(([, value]) => Number.isFinite(value)))
}
