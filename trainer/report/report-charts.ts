// The charts of a run's report, as SVG for its page.

import { type Axis, type Box, chart, type Line, percentAxis, plot, roundTicks } from '../../deploy/report/chart.ts'
import type { Breakdown } from '../metrics/measure.ts'
import type { EpochRow } from './log.ts'
import { accuracyRange, logTicks, lossTitle } from './plots.ts'

/** What a run and those it is compared with have in common; `rows` is empty where the epochs are not known. */
export interface Curves {
  name: string
  rows: readonly EpochRow[]
  breakdown?: Pick<Breakdown, 'curve' | 'calibration'> | undefined
}

/** A chart with the lines that its legend names. */
export interface Figure {
  /** Drawn twice, for a wide and a narrow page, which shows the one that fits: letters have the same size in both. */
  svg: string
  lines: readonly Line[]
}

interface Sheet {
  look: 'wide' | 'narrow'
  size: { width: number; height: number }
  box: Box
}

const sheets: readonly Sheet[] = [
  { look: 'wide', size: { width: 560, height: 350 }, box: { x: 64, y: 22, width: 476, height: 270 } },
  { look: 'narrow', size: { width: 320, height: 280 }, box: { x: 58, y: 22, width: 250, height: 200 } },
]

const figure = (label: string, lines: readonly Line[], inside: (sheet: Sheet) => string): Figure => ({
  svg: sheets.map((sheet) => chart(label, sheet, inside(sheet))).join(''),
  lines,
})

/** How the lines of other runs differ from those of this one. */
export const otherDashes = ['7 4', '2 3', '10 3 2 3']

const others = <T>(runs: readonly T[], line: (run: T, dashes: string) => Line[]): Line[] =>
  runs.flatMap((run, i) => line(run, otherDashes[i % otherDashes.length]!))

function epochAxis(rows: readonly EpochRow[], compared: readonly Curves[]): Axis {
  const epochs = [rows, ...compared.map((run) => run.rows)].flatMap((list) => list.map(({ epoch }) => epoch))
  const [min, max] = [Math.min(...epochs), Math.max(...epochs)]
  const from = min === max ? min - 1 : min
  return { title: 'Epoch', min: from, max, ticks: roundTicks(from, max, 8).filter(Number.isInteger), digits: String }
}

const pointsOf = (rows: readonly EpochRow[], column: keyof EpochRow, scale = 1) =>
  rows.map((row) => [row.epoch, scale * row[column]] as const)

/** Accuracy on the validation pictures against epochs; of other runs the road IoU alone. */
export function accuracyChart(rows: readonly EpochRow[], compared: readonly Curves[], bestEpoch: number): Figure {
  const column = (key: keyof EpochRow, name: string, colour: string, width = 2): Line => ({
    name,
    points: pointsOf(rows, key, 100),
    colour,
    width,
    dots: rows.length <= 60,
  })
  const lines = [
    column('road_iou', 'road IoU', 'blue', 2.6),
    column('mean_iou', 'mean IoU', 'purple'),
    column('max_f', 'MaxF', 'orange'),
    column('pixel_accuracy', 'pixel accuracy', 'green'),
    ...others(compared, (run, dashes) => [
      { name: `road IoU of ${run.name}`, points: pointsOf(run.rows, 'road_iou', 100), colour: 'blue', dashes, width: 1.6 },
    ]),
  ]
  const { min, max, interval } = accuracyRange(lines.flatMap(({ points }) => points.map(([, y]) => y)))
  const ticks = Array.from({ length: Math.round((max - min) / interval) + 1 }, (_, i) =>
    Number((min + i * interval).toFixed(4)),
  )
  const y = percentAxis('Validation measure (%)', min, max, ticks)
  const marks = [{ x: bestEpoch, label: `kept: epoch ${bestEpoch}` }]
  const x = epochAxis(rows, compared)
  return figure('Accuracy on the validation pictures against epochs', lines, ({ box }) => plot({ box, x, y, lines, marks }))
}

/** Loss of training and validation against epochs; of other runs that of validation. */
export function lossChart(rows: readonly EpochRow[], compared: readonly Curves[], bestEpoch: number, loss: string): Figure {
  const lines: Line[] = [
    { name: 'training', points: pointsOf(rows, 'train_loss'), colour: 'blue', dots: rows.length <= 60 },
    { name: 'validation', points: pointsOf(rows, 'val_loss'), colour: 'orange', dots: rows.length <= 60 },
    ...others(compared, (run, dashes) => [
      { name: `validation of ${run.name}`, points: pointsOf(run.rows, 'val_loss'), colour: 'orange', dashes, width: 1.6 },
    ]),
  ]
  const values = lines.flatMap(({ points }) => points.map(([, y]) => y)).filter(Number.isFinite)
  const [min, max] = [Math.min(...values), Math.max(...values)]
  const logarithmic = min > 0 && max / min > 5
  const ticks = logarithmic ? logTicks(min, max) : roundTicks(0, max * 1.1)
  const y: Axis = {
    title: `${lossTitle(loss)}${logarithmic ? ', log scale' : ''}`,
    min: logarithmic ? ticks[0]! : 0,
    max: logarithmic ? ticks.at(-1)! : max * 1.1,
    ticks,
    digits: String,
    logarithmic,
  }
  const marks = [{ x: bestEpoch, label: `kept: epoch ${bestEpoch}` }]
  const x = epochAxis(rows, compared)
  return figure('Loss against epochs', lines, ({ box }) => plot({ box, x, y, lines, marks }))
}

/** Recall and precision in percent at thresholds 255/255 down to 0; those at which nothing is called road are left out. */
const precisionRecall = ({ curve: { precision, recall } }: Pick<Breakdown, 'curve'>) =>
  Array.from(precision, (value, k) => [100 * recall[k]!, 100 * value] as const)
    .filter(([, y]) => y > 0)
    .reverse()

/** All recall and precision there can be, and in its corner the last ten percent of both, where good models lie. */
export function precisionRecallChart(breakdown: Pick<Breakdown, 'curve'>, compared: readonly Curves[]): Figure {
  const { precision, recall, f } = breakdown.curve
  const best = f.reduce((at, value, k) => (value > f[at]! ? k : at), 0)
  const point = [100 * recall[best]!, 100 * precision[best]!] as const
  const curves: Line[] = [
    { name: 'precision at each recall', points: precisionRecall(breakdown), colour: 'blue', width: 2.4 },
    ...others(compared, ({ name, breakdown: other }, dashes) =>
      other ? [{ name, points: precisionRecall(other), colour: 'blue', dashes, width: 1.6 }] : [],
    ),
  ]
  const maxF: Line = { name: 'MaxF', points: [point], colour: 'orange', width: 4, dots: true }
  const lines = [...curves, maxF]
  const zoomed = point[0] > 90 && point[1] > 90
  const from = point[0] > 95 && point[1] > 95 ? 95 : 90
  const close = percentAxis('', from, 100, from === 95 ? [95, 97.5, 100] : [90, 95, 100])
  return figure('Precision against recall at 256 thresholds', lines, ({ look, box }) => {
    const whole = plot({ box, x: percentAxis('Recall (%)'), y: percentAxis('Precision (%)'), lines })
    if (!zoomed) return whole
    const inset =
      look === 'wide'
        ? { x: box.x + 74, y: box.y + 70, width: 230, height: 132 }
        : { x: box.x + 56, y: box.y + 54, width: 140, height: 90 }
    return `${whole}<rect class="inset" x="${inset.x - 48}" y="${inset.y - 26}" width="${inset.width + 66}" height="${inset.height + 52}"/><text class="quiet" x="${inset.x}" y="${inset.y - 8}">from ${from} % on</text>${plot({ box: inset, x: close, y: close, lines })}`
  })
}

/** Precision, recall and F1 against the confidence from which on a pixel is called road. */
export function thresholdChart({ curve: { precision, recall, f } }: Pick<Breakdown, 'curve'>, threshold: number): Figure {
  const line = (name: string, values: Float64Array, colour: string): Line => ({
    name,
    colour,
    points: Array.from(values, (value, k) => [k / 255, 100 * value] as const).filter((_, k) => precision[k]! > 0),
  })
  const lines = [line('precision', precision, 'green'), line('recall', recall, 'orange'), line('F1', f, 'blue')]
  const x: Axis = { title: 'Threshold', min: 0, max: 1, ticks: roundTicks(0, 1), digits: String }
  const { min, max, interval } = accuracyRange(
    [...precision, ...recall].filter((value) => value > 0).map((value) => 100 * value),
  )
  const ticks = roundTicks(min, max, Math.round((max - min) / interval))
  const y = percentAxis('On all validation pixels (%)', min, max, ticks)
  const marks = [{ x: threshold, label: `MaxF at ${threshold.toFixed(2)}` }]
  return figure('Precision, recall and F1 against the threshold', lines, ({ box }) => plot({ box, x, y, lines, marks }))
}

/** Reliability diagram: of the pixels of each confidence, how many are road; and below, how many such pixels there are. */
export function calibrationChart(breakdown: Pick<Breakdown, 'calibration'>, compared: readonly Curves[]): Figure {
  const points = ({ bins }: Breakdown['calibration']) => bins.map(({ confidence, road }) => [confidence, 100 * road] as const)
  const x: Axis = { title: '', min: 0, max: 1, ticks: roundTicks(0, 1), digits: String }
  const ideal: readonly (readonly [number, number])[] = [
    [0, 0],
    [1, 100],
  ]
  const lines: Line[] = [
    { name: 'perfectly calibrated', points: ideal, colour: 'quiet', dashes: '4 4', width: 1.2 },
    { name: 'this model', points: points(breakdown.calibration), colour: 'blue', width: 2.4, dots: true },
    ...others(compared, ({ name, breakdown: other }, dashes) =>
      other ? [{ name, points: points(other.calibration), colour: 'blue', dashes, width: 1.6 }] : [],
    ),
  ]
  const all = breakdown.calibration.bins.reduce((sum, { pixels }) => sum + pixels, 0)
  const logarithm = (pixels: number) => Math.max(0, Math.log10((1e4 * pixels) / all)) / 4
  const y = percentAxis('Really road (%)', 0, 100, [0, 25, 50, 75, 100])
  const share: Axis = { title: '', min: 0, max: 4, ticks: [0, 2, 4], digits: (power) => `${10 ** (power - 2)} %` }
  return figure('Share of pixels that are road against the confidence of the model', lines, ({ box }) => {
    const upper = { ...box, height: box.height - 84 }
    const lower = { ...box, y: box.y + box.height - 48, height: 48 }
    const bars = breakdown.calibration.bins.map(({ confidence, pixels }) => {
      const bin = Math.min(15, Math.floor((confidence * 255) / 16))
      const height = lower.height * logarithm(pixels)
      return `<rect x="${(lower.x + (bin * lower.width) / 16 + 1.5).toFixed(1)}" y="${(lower.y + lower.height - height).toFixed(1)}" width="${(lower.width / 16 - 3).toFixed(1)}" height="${height.toFixed(1)}" fill="var(--blue)" opacity="0.55"><title>${((100 * pixels) / all).toPrecision(3)} % of the pixels</title></rect>`
    })
    const below = plot({ box: lower, x: { ...x, title: 'Confidence that a pixel is road' }, y: share, lines: [] })
    return plot({ box: upper, x, y, lines }) + below + bars.join('')
  })
}
