// How many pixels of each class were taken for which class, and the measures made of that:
// Long, Shelhamer, Darrell, "Fully Convolutional Networks for Semantic Segmentation", CVPR 2015, section 5.
import { ignore } from '../data/dataset.ts'

export interface ConfusionMeasures {
  /** Labelled pixels counted. */
  pixels: number
  /** Share of the pixels that are right: sum_i n_ii / sum_i t_i. */
  pixelAccuracy: number
  /** Mean over the classes that occur in the truth of their recall: n_ii / t_i ("mean accuracy" in the paper). */
  classAccuracy: number
  /** By class id: n_ii / (t_i + sum_j n_ji - n_ii); NaN for a class that is neither in the truth nor predicted. */
  iou: number[]
  /** Mean of the IoUs that are numbers ("mean IU"). */
  meanIou: number
  /** IoUs weighted by how often each class occurs in the truth ("frequency weighted IU"). */
  weightedIou: number
}

export interface ConfusionMatrix {
  classes: number
  /** Pixels of class `truth` taken for `predicted`, at [truth * classes + predicted]; n_ij in the paper. */
  counts: Float64Array
  /**
   * Counts one picture. Pixels whose truth is `ignore` (255) are skipped, whatever was predicted there.
   * Throws, and counts nothing, where the lengths differ or an id is no class.
   */
  update(truth: Uint8Array | Int32Array, predicted: Uint8Array | Int32Array): void
  /** Adds another matrix of the same classes. */
  add(other: ConfusionMatrix): void
  /** Each share is NaN where there is nothing to divide by. */
  compute(): ConfusionMeasures
}

const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length

/** An empty confusion matrix of so many classes, at most 255. */
export function startConfusion(classes: number): ConfusionMatrix {
  const counts = new Float64Array(classes * classes)
  // One picture's counts: the loop works on 32-bit integers, and a picture with a wrong id leaves nothing behind.
  const ofPicture = new Uint32Array(classes * classes)

  function update(truth: Uint8Array | Int32Array, predicted: Uint8Array | Int32Array) {
    if (truth.length !== predicted.length)
      throw new Error(`Expected a predicted class for each of ${truth.length} pixels, found ${predicted.length}`)
    ofPicture.fill(0)
    for (let i = 0; i < truth.length; i++) {
      const t = truth[i]!
      if (t === ignore) continue
      const p = predicted[i]!
      // A negative id becomes a large one in the unsigned comparison.
      if (t >>> 0 >= classes || p >>> 0 >= classes)
        throw new Error(
          `Expected class ids 0 to ${classes - 1} (or ${ignore} in the truth), found truth ${t} and prediction ${p} at pixel ${i}`,
        )
      ofPicture[t * classes + p]!++
    }
    for (let i = 0; i < counts.length; i++) counts[i]! += ofPicture[i]!
  }

  function add(other: ConfusionMatrix) {
    if (other.classes !== classes) throw new Error(`Expected a confusion matrix of ${classes} classes, found ${other.classes}`)
    for (let i = 0; i < counts.length; i++) counts[i]! += other.counts[i]!
  }

  function compute(): ConfusionMeasures {
    const right = Array.from({ length: classes }, (_, c) => counts[c * classes + c]!)
    const inTruth = right.map((_, c) => counts.subarray(c * classes, (c + 1) * classes).reduce((sum, n) => sum + n, 0))
    const inPrediction = right.map((_, c) => inTruth.reduce((sum, _, t) => sum + counts[t * classes + c]!, 0))
    const pixels = inTruth.reduce((sum, n) => sum + n, 0)
    const iou = right.map((n, c) => n / (inTruth[c]! + inPrediction[c]! - n))
    return {
      pixels,
      pixelAccuracy: right.reduce((sum, n) => sum + n, 0) / pixels,
      classAccuracy: mean(right.map((n, c) => n / inTruth[c]!).filter((share) => !Number.isNaN(share))),
      iou,
      meanIou: mean(iou.filter((share) => !Number.isNaN(share))),
      weightedIou: iou.reduce((sum, share, c) => sum + (inTruth[c]! > 0 ? inTruth[c]! * share : 0), 0) / pixels,
    }
  }

  return { classes, counts, update, add, compute }
}
