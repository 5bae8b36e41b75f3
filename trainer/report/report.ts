// report.html of a run: how good the model is and where it fails, in one file that asks no host for anything.
import type { Manifest } from '../../deploy/bundle.ts'
import { escapeHtml, type Line } from '../../deploy/report/chart.ts'
import { style } from '../../deploy/report/style.ts'
import type { Latency } from '../finish/time-calls.ts'
import type { CategoryMeasures } from '../metrics/categories.ts'
import type { Validation } from '../metrics/validate.ts'
import type { EpochRow } from './log.ts'
import type { Compared, MeasuredOn } from './measured.ts'
import type { OverlayGroup } from './overlays.ts'
import {
  accuracyChart,
  calibrationChart,
  type Figure,
  lossChart,
  precisionRecallChart,
  thresholdChart,
} from './report-charts.ts'
import { pictureSections } from './report-pictures.ts'
import {
  birdsEyeTable,
  confusionTable,
  drivesTable,
  headline,
  measuresTable,
  percent,
  settingsTables,
} from './report-tables.ts'
import { writeAtomically } from './write-atomically.ts'

export interface Report {
  manifest: Manifest
  /** What was measured on: `val`, and the data sets. */
  split: string
  data: MeasuredOn
  validation: Validation
  latency: Latency
  /** Measured pictures whose drive has pictures among those trained on. */
  ofKnownDrives: number
  /** The epochs of the run, where they are known, and the one whose weights are kept. */
  rows: readonly EpochRow[]
  bestEpoch: number
  groups: readonly OverlayGroup[]
  compared: readonly Compared[]
  /** KITTI's measures in bird's-eye view by category, where they are known. */
  birdsEye?: ReadonlyMap<string, CategoryMeasures>
}

const splitNames: Record<string, string> = { val: 'validation', train: 'training', test: 'test' }

/** Writes the page. Throws, naming the picture, where one cannot be read; an older page stays then. */
export async function writeReport(path: string, report: Report): Promise<void> {
  const { manifest, split, data, validation, rows, bestEpoch, compared } = report
  const { measures, breakdown } = validation
  const pictures = `${measures.pictures} ${splitNames[split] ?? split} pictures`
  const sets = data.map(({ name }) => name).join(' + ')
  const body = [
    `<p class="over">Roadmask · report of a road model</p><h1>${escapeHtml(manifest.name)}</h1>`,
    `<p class="quiet head">${escapeHtml(`${manifest.created.slice(0, 10)} · ${manifest.architecture.net} on VGG16, ${(manifest.architecture.parameters / 1e6).toFixed(1)} M parameters · ${manifest.input.width} × ${manifest.input.height} pixels · measured on ${pictures} of ${sets}`)}</p>`,
    `<p class="lead">${verdict(measures)}</p>`,
    report.ofKnownDrives > 0
      ? `<p class="warn">${report.ofKnownDrives} of the ${pictures} are of drives that the model was also trained on. On roads it has never seen, expect less.</p>`
      : '',
    headline(validation, compared),
    comparedOn(data, compared),
    rows.length > 0 &&
      `<h2>Training</h2><p class="note">${rows.length === 1 ? 'One epoch' : `${rows.length} epochs`}; the weights of epoch ${bestEpoch}, the one with the largest road IoU, are kept.</p>` +
        pair(
          card('Accuracy', '', accuracyChart(rows, compared, bestEpoch)),
          card('Loss', '', lossChart(rows, compared, bestEpoch, String(manifest.settings.loss ?? 'cross-entropy'))),
        ),
    '<h2>How good it is</h2>',
    `<p class="note">At the labels' own resolution, in the camera's perspective, over all ${measures.pixels.toLocaleString('en-GB')} labelled pixels that the model saw (${percent(measures.covered)} of them).</p>`,
    pair(
      ...(Number.isFinite(measures.max_f) ? roadCards(validation, compared) : []),
      `<div class="stack">${confusionTable(manifest.classes, breakdown.confusion)}${drivesTable(validation.pictures)}</div>`,
    ),
    measuresTable(measures, breakdown, compared),
    report.birdsEye && birdsEyeTable(report.birdsEye),
    report.groups.length > 0 &&
      `<h2>Where it fails</h2>${await pictureSections(report.groups, new Map(validation.pictures.map(({ name, uncertainty }) => [name, uncertainty])))}`,
    settingsTables(manifest, report.latency),
    `<footer>Trained by Roadmask, commit ${escapeHtml(manifest.commit)}.</footer>`,
  ]
  const page = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(manifest.name)}: road model report</title><style>${style}</style></head>
<body>${body.filter((part) => part).join('\n')}</body></html>
`
  await writeAtomically(path, page)
}

/** The curves, where there is road to measure. */
const roadCards = ({ measures, breakdown }: Validation, compared: readonly Compared[]): string[] => [
  card(
    'Precision and recall',
    "Of what is called road, how much is; and of the road, how much is found. The dot is KITTI's MaxF.",
    precisionRecallChart(breakdown, compared),
  ),
  card(
    'Choosing the threshold',
    'From which confidence on a pixel is called road. Higher misses more, lower takes more for road.',
    thresholdChart(breakdown, measures.threshold),
  ),
  card(
    'Calibration',
    `Whether confidences mean what they say: expected calibration error ${percent(breakdown.calibration.error, 2)}. Below: the share of pixels of each confidence.`,
    calibrationChart(breakdown, compared),
  ),
]

/** The two numbers that a person asks for first, in a sentence. */
function verdict({ recall, precision, threshold }: Validation['measures']): string {
  if (!Number.isFinite(recall))
    return 'There is no labelled road in these pictures: nothing can be said of how well it is found.'
  return `The model finds <b>${percent(recall)}</b> of the road, and <b>${percent(precision)}</b> of what it calls road is road (from a confidence of ${threshold.toFixed(2)} on).`
}

/** Says where runs beside each other were not measured on the same pictures. */
function comparedOn(data: MeasuredOn, compared: readonly Compared[]): string {
  const same = (other: MeasuredOn) =>
    other.map(({ fingerprint }) => fingerprint).join() === data.map(({ fingerprint }) => fingerprint).join()
  const different = compared.filter((run) => !same(run.data)).map(({ name }) => name)
  return different.length === 0
    ? ''
    : `<p class="warn">${escapeHtml(different.join(', '))}: measured on other data, so the numbers do not compare like with like.</p>`
}

const pair = (...cards: string[]) => `<div class="pair">${cards.join('')}</div>`

const card = (title: string, note: string, { svg, lines }: Figure) =>
  `<figure class="card"><h3>${title}</h3>${note && `<p class="note">${note}</p>`}${svg}<ul class="legend">${lines.map(legend).join('')}</ul></figure>`

const legend = ({ name, colour, dashes, width = 2, points }: Line) =>
  `<li><svg viewBox="0 0 26 10" aria-hidden="true">${
    points.length === 1
      ? `<circle cx="13" cy="5" r="4.5" fill="var(--${colour})"/>`
      : `<path d="M0 5h26" stroke="var(--${colour})" stroke-width="${width}"${dashes ? ` stroke-dasharray="${dashes}"` : ''}/>`
  }</svg>${escapeHtml(name)}</li>`
