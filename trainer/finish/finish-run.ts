// What a run ends with: the network of its best epoch as it will run on a device, measured on the validation pictures, its
// bundle and its overlays.
import * as tf from '@tensorflow/tfjs-node-gpu'
import type { Manifest } from '../../deploy/bundle.ts'
import { nativePrecision } from '../../deploy/native-precision.ts'
import { batches } from '../data/batches.ts'
import { onGpu } from '../graph/optimizers.ts'
import type { Network } from '../learn/learner.ts'
import { type Validation, validate } from '../metrics/validate.ts'
import { foldedFcn } from '../model/fcn.ts'
import { type Ranges, widen } from '../model/quantise.ts'
import type { OverlayGroup } from '../report/overlays.ts'
import { writeOverlays } from '../report/overlays.ts'
import { headingOf, showCases } from '../report/show-cases.ts'
import type { RunRecord } from '../run/run.ts'
import { comparePrecision, computedIn, type Export } from './compare-precision.ts'
import { finishModel } from './finished-model.ts'
import { type Latency, timePicture } from './time-calls.ts'
import { trainingLooks } from './training-looks.ts'

/** A run's end: what its model was measured to be, and pictures of it where a folder was named for them. */
export interface Finished {
  manifest: Manifest
  validation: Validation
  latency: Latency
  groups: OverlayGroup[]
}

/** Writes the bundle, and the overlays where a folder is named for them. */
export async function finishRun(
  network: Network,
  record: RunRecord,
  options: Export,
  folders: { bundle: string; overlays?: string },
): Promise<Finished> {
  const { input, batch, valPictures, storage } = options
  const compute = options.compute === 'auto' && !(await computesBfloat16()) ? 'float32' : options.compute
  const precision = compute === 'int8' ? { ranges: await rangesOf(network, options) } : { storage, compute }
  const threshold = await thresholdOf(network, options, precision)
  const data = { ...options.data, threshold }
  const model = await finishModel(network, input, { ...precision, ...(threshold !== undefined && { threshold }) })
  const score = (pictures: Uint8Array) => ({ probability: model.score(pictures, batch) })
  const validation = await validate(data, valPictures, { input, batch }, score)
  const { measures } = validation
  const compared = await comparePrecision(model, measures, network, { ...options, compute, data })
  const latency = timePicture(model.score, input)
  const looks = await trainingLooks(data.train, input)
  const about = { record, data, validation, latency, precision: compared, looks }
  const manifest = await model.writeBundle(folders.bundle, about)
  const groups = folders.overlays ? await showCases(data, validation, { input, score: model.score }) : []
  if (folders.overlays) await writeOverlays(folders.overlays, groups, headingOf(record.name, validation))
  model.close()
  return { manifest, validation, latency, groups }
}

/** Whether what `auto` adds is quick here: what takes minutes to measure is left out. */
async function computesBfloat16(): Promise<boolean> {
  return (await nativePrecision(onGpu() ? 'gpu' : 'cpu'))?.bfloat16 === true
}

/** The threshold as a number. That of MaxF is of the network in the precision that it will have. */
async function thresholdOf(
  network: Network,
  { threshold: asked, data, valPictures, input, batch }: Export,
  precision: Parameters<typeof finishModel>[2],
): Promise<number | undefined> {
  if (asked === undefined) return undefined
  if (data.classes.length !== 2)
    throw new Error(`--threshold: it tells road from the rest, and this network tells ${data.classes.length} classes apart`)
  if (asked !== 'max-f') return asked
  const model = await finishModel(network, input, precision)
  const score = (pictures: Uint8Array) => ({ probability: model.score(pictures, batch) })
  const { threshold } = (await validate(data, valPictures, { input, batch }, score)).measures
  model.close()
  if (!(threshold > 0 && threshold < 1))
    throw new Error(`--threshold: MaxF is at ${threshold}, where all or nothing is road; name a number between 0 and 1`)
  return threshold
}

async function rangesOf({ model, architecture }: Network, { calibration, batch, input }: Export): Promise<Ranges> {
  if (!calibration) throw new Error('Expected pictures to calibrate int8 on, found none')
  const folded = foldedFcn(model, architecture)
  const ranges: Ranges = new Map()
  for await (const { pictures } of batches(calibration, batch)) {
    const tensor = tf.tensor4d(pictures, [batch, input.height, input.width, 3], 'bool')
    widen(ranges, folded, tensor)
    tensor.dispose()
  }
  folded.dispose()
  return ranges
}

const signed = (value = Number.NaN) => `${value < 0 ? '-' : '+'}${Math.abs(value).toFixed(4)}`

/** The measures, and what fewer bits changed of them, as sentences. */
export function summary({ manifest: { precision, threshold }, validation: { measures } }: Finished): string {
  const at = threshold === undefined ? '' : `, road from a probability of ${threshold.toFixed(4)} on`
  const said =
    `road IoU ${measures.road_iou.toFixed(4)}, mean IoU ${measures.mean_iou.toFixed(4)}, pixel accuracy ` +
    `${measures.pixel_accuracy.toFixed(4)}, MaxF ${measures.max_f.toFixed(4)} on ${measures.pictures} validation pictures${at}`
  if (!precision) return said
  const { storage, compute, pixels_differing, road_iou_change, mean_iou_change } = precision
  return (
    `${said}.\nWeights stored in ${storage}, convolutions computed in ${computedIn(compute)}: ${(100 * pixels_differing).toFixed(3)} % of the ` +
    `pixels differ from float32, road IoU ${signed(road_iou_change)}, mean IoU ${signed(mean_iou_change)}`
  )
}
