// Measures of a model on labelled pictures, at the labels' own resolution; the same for a run's epochs and for `evaluate`.
import type { ModelInput } from '../../deploy/bundle.ts'
import { batches, type Pictures } from '../data/batches.ts'
import type { ClassIds, Dataset, Sample } from '../data/dataset.ts'
import { type Breakdown, type Measures, type PictureMeasures, startMeasuring } from './measure.ts'
import type { Predicted } from './predict.ts'

/** What a model says of a batch: probabilities as `score` of a bundle gives them, and the loss where it is known. */
export interface Scores {
  probability: Float32Array
  loss?: number
  /** How much the batch counts in the mean of the losses. */
  lossWeight?: number
}

export interface Validation {
  measures: Measures
  breakdown: Breakdown
  loss: number
  pictures: (PictureMeasures & { sample: Sample })[]
}

interface Options {
  input: ModelInput
  batch: number
  onProgress?: (done: number, of: number) => void
  /** Called for each picture with its label and what the model said of it, which is overwritten afterwards. */
  onPicture?: (sample: Sample, truth: ClassIds, predicted: Predicted) => void
}

/**
 * Runs `score` on all pictures, `batch` at a time (the last batch is filled up with pictures that do not count).
 * `pictures`: uint8 [batch, h, w, 3]; `labels`: uint8 [batch, h, w], of the model's size.
 */
export async function validate(
  dataset: Pick<Dataset, 'classes' | 'road' | 'readLabel'> & { threshold?: number | undefined },
  pictures: Pictures,
  { input, batch, onProgress, onPicture }: Options,
  score: (pictures: Uint8Array, labels: Uint8Array) => Scores,
): Promise<Validation> {
  const measuring = startMeasuring(dataset)
  const { samples } = pictures
  let [done, lossSum, lossWeight] = [0, 0, 0]
  for await (const made of batches(pictures, batch)) {
    // Pictures that fill up the last batch must not count in the loss either.
    made.labels.fill(255, (samples.length - done) * input.width * input.height)
    const scores = score(made.pictures, made.labels)
    const { loss = Number.NaN, lossWeight: weight = Number.NaN } = scores
    lossSum += loss * weight
    lossWeight += weight
    const each = scores.probability.length / batch
    const group = samples.slice(done, done + batch)
    const truths = await Promise.all(group.map(({ label }) => dataset.readLabel(label!)))
    for (const [i, sample] of group.entries()) {
      const probability = scores.probability.subarray(i * each, (i + 1) * each)
      const predicted = measuring.add({ name: sample.name, truth: truths[i]!, probability, input })
      onPicture?.(sample, truths[i]!, predicted)
    }
    done += group.length
    onProgress?.(done, samples.length)
  }
  const measured = measuring.pictures().map((one, i) => ({ ...one, sample: samples[i]! }))
  return { measures: measuring.result(), breakdown: measuring.breakdown(), loss: lossSum / lossWeight, pictures: measured }
}
