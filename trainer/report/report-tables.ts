// The tables of a run's report.
import type { Manifest } from '../../deploy/bundle.ts'
import { escapeHtml } from '../../deploy/report/chart.ts'
import type { Latency } from '../finish/time-calls.ts'
import { type CategoryMeasures, roadMeasures } from '../metrics/categories.ts'
import { type Breakdown, flatMeasures, type Measures } from '../metrics/measure.ts'
import type { Validation } from '../metrics/validate.ts'
import { byDrive } from './by-drive.ts'
import type { Compared } from './measured.ts'

/** `95.9 %`; a dash where there was nothing to measure. */
export const percent = (share: number, digits = 1) => (Number.isFinite(share) ? `${(100 * share).toFixed(digits)} %` : '–')

const points = (difference: number, digits: number) =>
  `${difference < 0 ? '−' : '+'}${Math.abs(100 * difference).toFixed(digits)}`

/** Measures of which the larger is the worse. */
const worseWhenLarge = new Set(['fpr', 'fnr', 'calibration_error'])

function change(name: string, value: number, other: number | undefined, digits: number): string {
  if (other === undefined || !Number.isFinite(value - other)) return ''
  const difference = Number((100 * (value - other)).toFixed(digits))
  const better = worseWhenLarge.has(name) ? difference < 0 : difference > 0
  const colour = difference === 0 ? 'quiet' : better ? 'up' : 'down'
  return `<span class="${colour}">${points(value - other, digits)}</span>`
}

/** The measures of a run beside another, its calibration error among them. */
const withCalibration = ({ measures, breakdown }: Pick<Compared, 'measures' | 'breakdown'>): Record<string, number> => ({
  ...measures,
  ...(breakdown && { calibration_error: breakdown.calibration.error }),
})

/** The measures that a person looks at first, large, with what changed since the first run compared with. */
export function headline({ measures, breakdown }: Validation, compared: readonly Compared[]): string {
  const tiles = [
    ['road_iou', 'Road IoU', 'what mask and label share, of what either calls road'],
    ['max_f', 'MaxF', 'largest F1 of precision and recall (KITTI)'],
    ['ap', 'Average precision', 'over all recalls (KITTI)'],
    ['mean_iou', 'Mean IoU', 'of the classes'],
    ['pixel_accuracy', 'Pixel accuracy', 'share of the pixels that are right'],
    ['calibration_error', 'Calibration error', 'confidence against truth; smaller is better'],
  ] as const
  const values = withCalibration({ measures: flatMeasures(measures), breakdown })
  const other = compared[0] && withCalibration(compared[0])
  const drawn = tiles.map(([name, title, note]) => {
    const changed = change(name, values[name] ?? Number.NaN, other?.[name], 2)
    const delta = changed && `<small class="delta">${changed} beside ${escapeHtml(compared[0]!.name)}</small>`
    return `<li>${title}<b>${percent(values[name] ?? Number.NaN, name === 'calibration_error' ? 2 : 1)}</b><small>${note}</small>${delta}</li>`
  })
  return `<ul class="tiles">${drawn.join('')}</ul>`
}

const drivesShown = 12

/** Road IoU of the pictures of each drive, the worst drive first; nothing where there is one drive alone. */
export function drivesTable(pictures: Validation['pictures']): string {
  const drives = byDrive(pictures)
  if (drives.length < 2) return ''
  const rows = drives
    .slice(0, drivesShown)
    .map(
      (row) =>
        `<tr><td>${escapeHtml(row.drive)}</td><td class="n">${row.pictures}</td><td class="n">${percent(row.mean)}</td><td class="n">${percent(row.least)}</td></tr>`,
    )
  return `<div class="card scroll"><h3>Drive by drive</h3><p class="note">Road IoU of single pictures, the worst drive first${drives.length > drivesShown ? ` (${drivesShown} of ${drives.length})` : ''}.</p><table><tr><th>drive</th><th class="n">pictures</th><th class="n">mean</th><th class="n">least</th></tr>${rows.join('')}</table></div>`
}

/** Rows are the truth, columns what it was taken for; shares of the row. */
export function confusionTable(classes: readonly { name: string }[], confusion: Breakdown['confusion']): string {
  const many = classes.length > 4
  const cells = confusion.map((row, truth) => {
    const all = row.reduce((sum, count) => sum + count, 0)
    const shown = row.map((count) => {
      const share = all > 0 ? count / all : Number.NaN
      const strength = Number.isFinite(share) ? (0.06 + 0.5 * share).toFixed(3) : '0'
      const said = many ? (100 * share).toFixed(0) : percent(share, 2)
      const pixels = `${count.toLocaleString('en-GB')} pixels`
      return `<td style="background:rgba(var(--shade),${strength})" title="${pixels}"><b>${Number.isFinite(share) ? said : '–'}</b>${many ? '' : `<span class="quiet">${pixels}</span>`}</td>`
    })
    return `<tr><th>${many ? '' : 'is '}${escapeHtml(classes[truth]!.name)}</th>${shown.join('')}</tr>`
  })
  const head = classes.map(({ name }) => `<th>${many ? '' : 'called '}${escapeHtml(name)}</th>`).join('')
  return `<figure class="card"><h3>Confusion matrix</h3><p class="note">Of the pixels of each class, how many${many ? ' percent' : ''} were taken for which: the more probable class of each pixel.</p><div class="scroll"><table class="confusion${many ? ' many' : ''}"><tr><th></th>${head}</tr>${cells.join('')}</table></div></figure>`
}

const named: Record<string, string> = {
  road_iou: 'Road IoU',
  mean_iou: 'Mean IoU',
  weighted_iou: 'IoU weighted by pixels',
  pixel_accuracy: 'Pixel accuracy',
  class_accuracy: 'Class accuracy',
  max_f: 'MaxF',
  ap: 'AP',
  precision: 'PRE, at MaxF',
  recall: 'REC, at MaxF',
  fpr: 'FPR, at MaxF',
  fnr: 'FNR, at MaxF',
  calibration_error: 'Expected calibration error',
}

/** Every measure, with those of the runs compared with and the differences. */
export function measuresTable(measures: Measures, breakdown: Breakdown, compared: readonly Compared[]): string {
  const own = withCalibration({ measures: flatMeasures(measures), breakdown })
  const others = compared.map(withCalibration)
  const classes = Object.keys(measures.iou).map((name) => [`iou.${name}`, `IoU of ${name}`] as const)
  const rows = [...Object.entries(named), ...classes].map(([key, title]) => {
    const value = own[key] ?? Number.NaN
    const beside = others.map((other) => {
      const theirs = other[key]
      return `<td class="n">${percent(theirs ?? Number.NaN, 2)}</td><td class="n">${change(key, value, theirs, 2)}</td>`
    })
    return `<tr><th>${escapeHtml(title)}</th><td class="n">${percent(value, 2)}</td>${beside.join('')}</tr>`
  })
  const head =
    compared.length > 0
      ? `<tr><th></th><th class="n">this run</th>${compared.map(({ name }) => `<th class="n">${escapeHtml(name)}</th><th class="n">points</th>`).join('')}</tr>`
      : ''
  const half = Math.ceil(rows.length / 2)
  const table = (part: string[]) => `<div class="card scroll"><table>${head}${part.join('')}</table></div>`
  // Beside other runs the rows are wide: then one table.
  return compared.length > 0
    ? `<div class="pair" style="grid-template-columns:1fr">${table(rows)}</div>`
    : `<div class="pair">${table(rows.slice(0, half))}${table(rows.slice(half))}</div>`
}

/** KITTI's measures in bird's-eye view, a row for each category. */
export function birdsEyeTable(categories: ReadonlyMap<string, CategoryMeasures>): string {
  const names = ['MaxF', 'AP', 'PRE', 'REC', 'FPR', 'FNR'] as const
  const rows = Object.entries(roadMeasures(categories)).map(
    ([category, measures]) =>
      `<tr><th>${escapeHtml(category)}</th><td class="n">${measures.pictures}</td>${names.map((name) => `<td class="n">${percent(measures[name], 2)}</td>`).join('')}</tr>`,
  )
  return `<div class="card scroll" style="margin-top:16px"><h3>In bird's-eye view</h3><p class="note">As on KITTI's leaderboard: of the plane of the road, 10 m to both sides and 6 m to 46 m ahead, in cells of 5 cm. What the model does not see counts as not road.</p><table><tr><th></th><th class="n">pictures</th>${names.map((name) => `<th class="n">${name}</th>`).join('')}</tr>${rows.join('')}</table></div>`
}

/** What things are, a line each. */
export const factsTable = (facts: readonly (readonly [name: string, told: string])[]): string =>
  `<table class="facts">${facts.map(([name, told]) => `<tr><th>${escapeHtml(name)}</th><td>${escapeHtml(told)}</td></tr>`).join('')}</table>`

function list(title: string, entries: Record<string, unknown>): string {
  const told = (value: unknown) => (typeof value === 'object' ? JSON.stringify(value) : String(value))
  const facts = Object.entries(entries).map(([name, value]) => [name, told(value)] as const)
  return `<div class="card scroll"><h3>${title}</h3>${factsTable(facts)}</div>`
}

/** What the model is, what it was trained on and with which settings. */
export function settingsTables(manifest: Manifest, { milliseconds, machine }: Latency): string {
  const { architecture, input, data, settings, commit, created, files, precision } = manifest
  const bytes = Object.values(files).reduce((sum, file) => sum + file.bytes, 0)
  const { net, width, fc, batchNorm, parameters } = architecture
  const model = {
    network: `${net} on VGG16, width ${width}, fc ${fc}${batchNorm ? ', batch normalisation' : ''}`,
    parameters: parameters.toLocaleString('en-GB'),
    size: `${(bytes / 1e6).toFixed(1)} MB`,
    precision: precision ? `stored in ${precision.storage}, computed in ${precision.compute}` : 'float32',
    latency: `${milliseconds.toFixed(1)} ms a picture, one at a time (${machine})`,
    sees: `${input.width} × ${input.height} pixels, ${input.fit}`,
    created,
    commit,
  }
  const sets = data.map(({ name, pictures, licence, fingerprint }) => ({
    [name]: `${pictures} pictures${licence ? `; ${licence}` : ''}`,
    fingerprint: fingerprint.slice(0, 16),
  }))
  const told = Object.fromEntries(Object.entries(settings).filter(([name]) => !(name in { net, width, fc, batchNorm })))
  return `<h2>Model, data and settings</h2><div class="pair"><div>${list('Model', model)}${sets.map((set) => `<div style="margin-top:16px">${list('Data', set)}</div>`).join('')}</div>${list('Settings', told)}</div>`
}
