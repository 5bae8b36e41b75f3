// What storing or computing in 16 or 8 bits costs a finished network: its masks beside those of the same network in float32.
import type { Manifest, ModelInput } from '../../deploy/bundle.ts'
import type { Pictures } from '../data/batches.ts'
import type { Dataset } from '../data/dataset.ts'
import type { Precision } from '../graph/graph.ts'
import type { Network } from '../learn/learner.ts'
import type { Measures } from '../metrics/measure.ts'
import { roadOrNot } from '../metrics/predict.ts'
import { validate } from '../metrics/validate.ts'
import { type FinishedModel, finishModel } from './finished-model.ts'

export interface Export {
  /** Of no meaning for int8, whose weights are stored as they are computed with. */
  storage: Precision
  compute: Precision | 'int8' | 'auto'
  /** Pictures to measure activations on, for int8. */
  calibration?: Pictures
  /** Pictures a call. */
  batch: number
  /** The probability from which a pixel is road, or that of the largest F1 (MaxF); left out, the more probable class counts. */
  threshold?: number | 'max-f' | undefined
  input: ModelInput
  data: Dataset
  valPictures: Pictures
}

/** What convolutions compute in, in words. */
export const computedIn = (compute: Export['compute']) =>
  compute === 'auto' ? 'bfloat16 on devices that have it, else in float32' : compute

/** Undefined where the network is all float32. `measures` are those of `model` on the validation pictures. */
export async function comparePrecision(
  model: FinishedModel,
  measures: Measures,
  network: Network,
  { storage, compute, batch, data, valPictures, input }: Export & { data: { threshold?: number | undefined } },
): Promise<Manifest['precision']> {
  if (storage === 'float32' && compute === 'float32') return undefined
  const reference = await finishModel(network, input)
  const { classes } = network.architecture
  const area = input.width * input.height
  let [done, differing] = [0, 0]
  const validation = await validate(data, valPictures, { input, batch }, (pictures) => {
    const [exact, ours] = [reference.score(pictures, batch), model.score(pictures, batch)]
    const [expected, found] = [classIds(exact, classes, data.threshold), classIds(ours, classes, data.threshold)]
    // The last batch is filled up with pictures that have been compared.
    const fresh = Math.min(batch, valPictures.samples.length - done)
    for (let i = 0; i < fresh * area; i++) if (expected[i] !== found[i]) differing++
    done += fresh
    return { probability: exact }
  })
  reference.close()
  return {
    storage: compute === 'int8' ? compute : storage,
    compute,
    pixels_differing: differing / (done * area),
    ...change('road_iou', measures, validation.measures),
    ...change('mean_iou', measures, validation.measures),
  }
}

/** Nothing where there was nothing to measure. */
function change<K extends 'road_iou' | 'mean_iou'>(key: K, ours: Measures, exact: Measures) {
  const difference = ours[key] - exact[key]
  return Number.isNaN(difference) ? {} : ({ [`${key}_change`]: difference } as { [P in `${K}_change`]: number })
}

/** The class of each pixel, from probabilities as `score` gives them. */
function classIds(probability: Float32Array, classes: number, threshold?: number): Uint8Array {
  if (classes === 2) return roadOrNot(probability, 1, threshold)
  const ids = new Uint8Array(probability.length / classes)
  for (let pixel = 0; pixel < ids.length; pixel++) {
    let best = 0
    for (let id = 1; id < classes; id++)
      if (probability[pixel * classes + id]! > probability[pixel * classes + best]!) best = id
    ids[pixel] = best
  }
  return ids
}
