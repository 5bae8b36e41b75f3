// The measures of the KITTI road benchmark: Fritsch, Kühnl, Geiger, "A New Performance Measure and Evaluation Benchmark
// for Road Detection Algorithms", ITSC 2013, as its development kit computes them (evaluateRoad.py, helper.py), of pixels in
// the camera's perspective or of cells in bird's-eye view (birds-eye.ts), which the public leaderboard's numbers are of.
import { ignore } from '../data/dataset.ts'

/** Thresholds are k/255 for k = 0 … 255: the grey levels of the confidence pictures that the benchmark takes. */
const levels = 256

export interface RoadMeasures {
  /** Labelled pixels that are road, and that are not. */
  roadPixels: number
  otherPixels: number
  /** Largest F1 over the thresholds. */
  maxF: number
  /** Average precision: mean over recall 0, 0.1 … 1 of the largest precision at that recall or more (Pascal VOC 2007). */
  ap: number
  /** At the threshold of `maxF`: */
  precision: number
  recall: number
  fpr: number
  fnr: number
  /** The lowest confidence, 0 to 1, that counts as road where F1 is largest; the lowest such threshold if there are several. */
  threshold: number
}

export interface RoadCurve {
  /** Per threshold k/255, k = 0 … 255. */
  precision: Float64Array
  recall: Float64Array
  f: Float64Array
}

/** The pixels of one bin of a reliability diagram. */
export interface CalibrationBin {
  /** Their mean confidence that they are road, and the share of them that is, 0 to 1. */
  confidence: number
  road: number
  pixels: number
}

export interface Calibration {
  /** Sixteen bins of equal width over confidences 0 to 1, lowest first; bins without pixels are left out. */
  bins: CalibrationBin[]
  /**
   * Expected calibration error: by how much confidence and share differ in a bin, averaged over all pixels (Naeini et al. 2015;
   * Guo et al. 2017, of the confidence in road rather than in the more probable class). NaN without pixels.
   */
  error: number
}

export interface RoadCounts {
  /**
   * Counts one picture: class ids, the id that is road, and the confidence that a pixel is road: 0 to 1 in a
   * Float32Array, 0 to 255 in a Uint8Array. Pixels whose truth is `ignore` (255; in KITTI, outside the valid area) are skipped.
   */
  update(truth: Uint8Array | Int32Array, road: number, confidence: Float32Array | Uint8Array): void
  /** Over all pictures together. A share is NaN where there is nothing to divide by: no road, or nothing but road, in the truth. */
  compute(): RoadMeasures
  curve(): RoadCurve
  calibration(): Calibration
}

const sum = (counts: Float64Array) => counts.reduce((total, count) => total + count, 0)

/** Levels in a bin of the reliability diagram. */
const levelsOfBin = 16

/**
 * Starts counting. A pixel is called road at threshold k/255 when its confidence is that or more.
 *
 * Confidences are quantised by rounding down, so that `level >= k` is the same as `confidence >= k/255` without
 * quantisation (255 times a float32 is exact in a double). The development kit means the same, but compares k/255 in single
 * precision with k/255 in double, which moves about half of the levels into the neighbouring bin; of our own networks we do
 * not copy that, of confidence pictures from elsewhere we do (confidence-pictures.ts).
 */
export function startRoadCounts(): RoadCounts {
  const road = new Float64Array(levels)
  const other = new Float64Array(levels)
  /** By level: sum of the confidences, 0 to 1, before they are rounded down. */
  const confidences = new Float64Array(levels)

  function update(truth: Uint8Array | Int32Array, roadClass: number, confidence: Float32Array | Uint8Array) {
    if (truth.length !== confidence.length)
      throw new Error(`Expected a road confidence for each of ${truth.length} pixels, found ${confidence.length}`)
    const scale = confidence instanceof Uint8Array ? 1 : levels - 1
    // Road in the first 256 counters, all else in the second; 32-bit counters are enough for one picture.
    const ofPicture = new Uint32Array(2 * levels)
    for (let i = 0; i < truth.length; i++) {
      const t = truth[i]!
      if (t === ignore) continue
      const level = (confidence[i]! * scale) | 0
      // A softmax may come out a hair above 1.
      const clipped = level < 0 ? 0 : level >= levels ? levels - 1 : level
      ofPicture[t === roadClass ? clipped : levels + clipped]!++
      confidences[clipped]! += (confidence[i]! * scale) / (levels - 1)
    }
    for (let k = 0; k < levels; k++) {
      road[k]! += ofPicture[k]!
      other[k]! += ofPicture[levels + k]!
    }
  }

  /** True and false positives at each threshold: how many pixels have that level or more. */
  function positives() {
    const truePositives = road.slice()
    const falsePositives = other.slice()
    for (let k = levels - 2; k >= 0; k--) {
      truePositives[k]! += truePositives[k + 1]!
      falsePositives[k]! += falsePositives[k + 1]!
    }
    return { truePositives, falsePositives, roadPixels: truePositives[0]!, otherPixels: falsePositives[0]! }
  }

  function curve(): RoadCurve {
    const { truePositives, falsePositives, roadPixels } = positives()
    return {
      // Where nothing is called road, precision is 0, as in the development kit.
      precision: truePositives.map((tp, k) => (tp === 0 ? 0 : tp / (tp + falsePositives[k]!))),
      recall: truePositives.map((tp) => tp / roadPixels),
      f: truePositives.map((tp, k) => (2 * tp) / (tp + falsePositives[k]! + roadPixels)),
    }
  }

  function compute(): RoadMeasures {
    const { truePositives, falsePositives, roadPixels, otherPixels } = positives()
    const { precision, recall, f } = curve()
    if (roadPixels === 0)
      return { roadPixels, otherPixels, maxF: NaN, ap: NaN, precision: NaN, recall: NaN, fpr: NaN, fnr: NaN, threshold: NaN }
    let best = 0
    for (let k = 1; k < levels; k++) if (f[k]! > f[best]!) best = k
    let precisions = 0
    for (let tenths = 0; tenths <= 10; tenths++) {
      let largest = 0
      // Whole numbers compared, so that a recall of exactly 0.3 is 0.3.
      for (let k = 0; k < levels; k++)
        if (10 * truePositives[k]! >= tenths * roadPixels) largest = Math.max(largest, precision[k]!)
      precisions += largest
    }
    return {
      roadPixels,
      otherPixels,
      maxF: f[best]!,
      ap: precisions / 11,
      precision: precision[best]!,
      recall: recall[best]!,
      fpr: falsePositives[best]! / otherPixels,
      fnr: 1 - recall[best]!,
      threshold: best / (levels - 1),
    }
  }

  function calibration(): Calibration {
    const pixels = sum(road) + sum(other)
    const bins: CalibrationBin[] = []
    for (let from = 0; from < levels; from += levelsOfBin) {
      const inBin = (counts: Float64Array) => sum(counts.subarray(from, from + levelsOfBin))
      const count = inBin(road) + inBin(other)
      if (count > 0) bins.push({ confidence: inBin(confidences) / count, road: inBin(road) / count, pixels: count })
    }
    const off = bins.reduce((total, bin) => total + bin.pixels * Math.abs(bin.confidence - bin.road), 0)
    return { bins, error: off / pixels }
  }

  return { update, compute, curve, calibration }
}
