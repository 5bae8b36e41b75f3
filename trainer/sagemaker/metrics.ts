// The measures of an epoch as SageMaker reads them: out of the container's output, by regular expressions that the job names.
import type { EpochRow } from '../report/log.ts'

/** Names as those of SageMaker's built-in segmentation algorithm, and road's own IoU; columns of log.csv. */
const metrics = [
  ['validation:mIOU', 'mean_iou'],
  ['validation:pixel_accuracy', 'pixel_accuracy'],
  ['validation:road_IOU', 'road_iou'],
  ['validation:loss', 'val_loss'],
  ['train:loss', 'train_loss'],
] as const satisfies [string, keyof EpochRow][]

/** For AlgorithmSpecification of a training job. */
export const metricDefinitions = metrics.map(([name]) => ({ Name: name, Regex: `${name}=([0-9.e+-]+);` }))

/** The line that is printed for an epoch. What is not known is left out: `road_IOU` where no validation picture has road. */
export const metricLine = (row: EpochRow): string =>
  [
    `epoch=${row.epoch};`,
    ...metrics.filter(([, column]) => Number.isFinite(row[column])).map(([name, column]) => `${name}=${row[column]};`),
  ].join(' ')
