// The model card of a bundle (Mitchell et al., "Model cards for model reporting", 2019): README.md beside the model, so that
// whoever gets the bundle reads what it was trained on, how good it is and what it has never seen.
import type { Manifest } from '../../deploy/bundle.ts'
import type { Dataset } from '../data/dataset.ts'
import { computedIn } from '../finish/compare-precision.ts'
import type { Latency } from '../finish/time-calls.ts'
import type { Validation } from '../metrics/validate.ts'
import type { RunRecord } from '../run/run.ts'
import { byDrive, countKnownDrives } from './by-drive.ts'
import { percent } from './report-tables.ts'

export interface Card {
  record: RunRecord
  manifest: Omit<Manifest, 'files' | 'format' | 'version'>
  /** What it was trained and measured on. */
  data: Pick<Dataset, 'train'>
  validation: Validation
  latency: Latency
}

const drivesShown = 12

const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ')

const table = (head: string[], rows: string[][]): string =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.map(cell).join(' | ')} |`).join('\n')

/** Writes the card as Markdown. */
export function modelCard({ manifest, record, data: { train }, validation, latency }: Card): string {
  const { name, created, architecture, input, classes, data, measures, precision, commit, threshold } = manifest
  const { net, width, fc, batchNorm, parameters } = architecture
  const shown = (key: string) => percent(measures[key] ?? Number.NaN, 2)
  const drives = byDrive(validation.pictures)
  const ofKnownDrives = countKnownDrives(
    train,
    validation.pictures.map(({ sample }) => sample),
  )
  const seen =
    ofKnownDrives > 0
      ? `${ofKnownDrives} of them are of drives that it was also trained on: on roads it has never seen, expect less.`
      : record.start?.data || record.teacher
        ? 'None of their drives was trained on in this run; of what it learnt on before, the table of the data tells.'
        : 'None of their drives was trained on.'
  return `# ${name}

A road mask for each camera picture: ${net} on VGG16 (Long, Shelhamer, Darrell 2015; Simonyan, Zisserman 2014), width ${width}, fc ${fc}${batchNorm ? ', batch normalisation' : ''},
${(parameters / 1e6).toFixed(1)} M parameters. Trained by Roadmask on ${created.slice(0, 10)}, commit ${commit}.

## Use

It sees ${input.width} x ${input.height} pixels (${input.fit}) and tells ${classes.map((one) => one.name).join(', ')} apart${threshold === undefined ? '' : `; what has a probability of ${threshold.toFixed(4)} or more is road`}. Made for cameras that look along the road from a vehicle;
run it with \`npm run agent -- --bundle <this folder>\`, measure it on your own pictures with \`npm run evaluate\`, and train it on
with some fifty of them before you rely on it. It is no safety function: nothing may be steered or stopped by it alone.

## Data and licences

${table(
  ['data', 'pictures', 'licence'],
  data.map((set) => [set.name, String(set.pictures), (set.licence ?? 'not stated').replace(/ \(.*/, '')]),
)}
${record.start ? `\nIt began from ${record.start.name}${record.start.data ? ', whose data is among these' : ''}.\n` : ''}${record.teacher ? `\nIt was taught by ${record.teacher.name}, whose data is among these.\n` : ''}
The licence of the data may limit what the model may be used for.

## Measures

On ${measures.pictures} validation ${measures.pictures === 1 ? 'picture' : 'pictures'}, at the labels' own resolution. ${seen}

${table(
  ['road IoU', 'mean IoU', 'pixel accuracy', 'MaxF (KITTI)', 'AP (KITTI)', 'PRE', 'REC', 'FPR', 'FNR'],
  [['road_iou', 'mean_iou', 'pixel_accuracy', 'max_f', 'ap', 'precision', 'recall', 'fpr', 'fnr'].map(shown)],
)}
${
  drives.length < 2
    ? ''
    : `
${table(
  ['drive', 'pictures', 'road IoU of a picture, mean', 'least'],
  drives.slice(0, drivesShown).map((row) => [row.drive, String(row.pictures), percent(row.mean), percent(row.least)]),
)}
`
}
${precision ? `Weights are stored in ${precision.storage}, convolutions computed in ${computedIn(precision.compute)}: ${percent(precision.pixels_differing, 3)} of the pixels differ from float32. ` : ''}A picture takes ${latency.milliseconds.toFixed(1)} ms (${latency.machine}).

## Limits

${
  (measures.covered ?? 1) > 0.9995
    ? ''
    : `- It saw ${percent(measures.covered!)} of the labelled pixels; what its ${input.fit} leaves out is not judged.\n`
}- Nothing is known of other cameras, heights, countries, weather and hours than the data has. The report of the run
  (\`report.html\` in its folder) shows the pictures on which it is worst and least certain.
`
}
