// The two pictures of a run: accuracy on the validation pictures, and loss, against epochs. As SVG for print and the web,
// and as PNG at twice the size. Colours by Okabe and Ito ("Color Universal Design", 2008), told apart by marks as well.
import { join } from 'node:path'
import { LineChart, type LineSeriesOption } from 'echarts/charts'
import {
  GridComponent,
  type GridComponentOption,
  MarkLineComponent,
  TitleComponent,
  type TitleComponentOption,
} from 'echarts/components'
import { type ComposeOption, init, use } from 'echarts/core'
import { LabelLayout } from 'echarts/features'
import { SVGRenderer } from 'echarts/renderers'
import sharp from 'sharp'
import type { EpochRow } from './log.ts'
import { writeAtomically } from './write-atomically.ts'

use([LineChart, GridComponent, TitleComponent, MarkLineComponent, LabelLayout, SVGRenderer])

type Option = ComposeOption<LineSeriesOption | GridComponentOption | TitleComponentOption>

const size = { width: 920, height: 560 }
/** Pixels of the PNG for each unit of the SVG. */
const density = 2
const font = "'DejaVu Sans', Verdana, Helvetica, Arial, sans-serif"
const ink = '#222222'
const quiet = '#666666'

interface Curve {
  column: keyof EpochRow
  name: string
  colour: string
  symbol: string
  width: number
}

const accuracyCurves: Curve[] = [
  { column: 'road_iou', name: 'road IoU', colour: '#0072b2', symbol: 'circle', width: 3 },
  { column: 'pixel_accuracy', name: 'pixel accuracy', colour: '#009e73', symbol: 'rect', width: 2 },
  { column: 'max_f', name: 'MaxF', colour: '#d55e00', symbol: 'triangle', width: 2 },
  { column: 'mean_iou', name: 'mean IoU', colour: '#a3527f', symbol: 'diamond', width: 2 },
]

const lossCurves: Curve[] = [
  { column: 'train_loss', name: 'training', colour: '#0072b2', symbol: 'circle', width: 2.5 },
  { column: 'val_loss', name: 'validation', colour: '#d55e00', symbol: 'triangle', width: 2.5 },
]

export interface PlotSettings {
  /** Name of the run, in the title. */
  run: string
  /** The epoch whose weights are kept; left out, the one of the largest road IoU. */
  bestEpoch?: number
  /** What was made small. Left out: cross-entropy, whose unit the axis then names. */
  loss?: string
}

export interface Range {
  min: number
  max: number
  interval: number
}

/**
 * A range in percent, with round ends, in which the differences of well-trained epochs can be seen. The first epochs of a
 * run would squeeze all others together: where the lowest quarter of the values takes up most of the range, it runs out of the picture.
 */
export function accuracyRange(percent: number[]): Range {
  const sorted = percent.filter(Number.isFinite).sort((a, b) => a - b)
  const largest = sorted.at(-1) ?? 100
  const quarter = sorted[Math.floor(sorted.length / 4)] ?? 0
  const smallest = sorted[0] ?? 0
  const from = largest - smallest > 3 * (largest - quarter) ? largest - 2 * (largest - quarter) : smallest
  const span = Math.max(largest - from, 1)
  const interval = [0.2, 0.5, 1, 2, 5, 10, 20].find((step) => span / step <= 7) ?? 20
  const down = (value: number) => Math.floor(value / interval + 1e-9) * interval
  return { min: Math.max(0, down(from)), max: Math.min(100, down(largest) + interval), interval }
}

/** 1, 2 and 5 times the powers of ten around these values: the ticks of a logarithmic axis. */
export function logTicks(min: number, max: number): number[] {
  const ticks: number[] = []
  for (let power = Math.floor(Math.log10(min)) - 1; power <= Math.ceil(Math.log10(max)); power++)
    for (const digit of [1, 2, 5]) ticks.push(Number((digit * 10 ** power).toPrecision(1)))
  const first = Math.max(
    0,
    ticks.findLastIndex((tick) => tick <= min),
  )
  const last = ticks.findIndex((tick) => tick >= max)
  return ticks.slice(first, last + 1)
}

function bestOf(rows: readonly EpochRow[], settings: PlotSettings): EpochRow | undefined {
  const named = rows.find((row) => row.epoch === settings.bestEpoch)
  return (
    named ?? rows.reduce<EpochRow | undefined>((best, row) => (best && !(row.road_iou > best.road_iou) ? best : row), undefined)
  )
}

const percent = (value: number) => (Number.isFinite(value) ? `${(100 * value).toFixed(1)} %` : 'unknown')

function series(
  rows: readonly EpochRow[],
  curves: Curve[],
  scale: number,
  digits: (value: number) => string,
  best?: EpochRow,
): LineSeriesOption[] {
  const many = rows.length > 60
  return curves.map(({ column, name, colour, symbol, width }, index) => ({
    type: 'line',
    name,
    data: rows.map((row) => {
      const value = row[column]
      return [row.epoch, Number.isFinite(value) ? value * scale : null] as [number, number]
    }),
    clip: true,
    symbol,
    symbolSize: many ? 0 : symbol === 'circle' || symbol === 'rect' ? 6 : 8,
    showAllSymbol: true,
    lineStyle: { width, color: colour },
    itemStyle: { color: colour },
    animation: false,
    z: 10 - index,
    endLabel: {
      show: true,
      distance: 10,
      color: colour,
      fontFamily: font,
      fontSize: 14,
      fontWeight: index === 0 ? 'bold' : 'normal',
      formatter: () => `${name}  ${digits(rows.at(-1)![column])}`,
    },
    labelLayout: { moveOverlap: 'shiftY' },
    ...(index === 0 && best
      ? {
          markLine: {
            silent: true,
            symbol: 'none',
            lineStyle: { color: quiet, type: [4, 4], width: 1 },
            label: { formatter: `best: epoch ${best.epoch}`, color: quiet, fontFamily: font, fontSize: 12, position: 'end' },
            data: [{ xAxis: best.epoch }],
          },
        }
      : {}),
  }))
}

const axisText = { color: ink, fontFamily: font, fontSize: 13 }
const axisTitle = { color: ink, fontFamily: font, fontSize: 14 }

function frame(title: string, subtitle: string, rows: readonly EpochRow[]): Option {
  const epochs = rows.at(-1)?.epoch ?? 1
  const first = rows[0]?.epoch ?? 1
  return {
    backgroundColor: '#ffffff',
    animation: false,
    title: {
      left: 24,
      top: 18,
      text: title,
      subtext: subtitle,
      itemGap: 8,
      textStyle: { color: ink, fontFamily: font, fontSize: 19, fontWeight: 'bold' },
      subtextStyle: { color: quiet, fontFamily: font, fontSize: 13, lineHeight: 18 },
    },
    grid: { left: 84, right: 210, top: 118, bottom: 66 },
    xAxis: {
      type: 'value',
      name: 'Epoch',
      nameLocation: 'middle',
      nameGap: 34,
      nameTextStyle: axisTitle,
      min: Math.min(first, epochs - 1),
      max: epochs,
      minInterval: 1,
      axisLine: { show: true, onZero: false, lineStyle: { color: ink } },
      axisTick: { show: true, lineStyle: { color: ink } },
      axisLabel: axisText,
      splitLine: { show: false },
    },
  }
}

const yAxis = {
  nameLocation: 'middle' as const,
  nameGap: 54,
  nameTextStyle: axisTitle,
  axisLine: { show: true, lineStyle: { color: ink } },
  axisTick: { show: true, lineStyle: { color: ink } },
  axisLabel: axisText,
  splitLine: { show: true, lineStyle: { color: '#e4e4e4' } },
}

function accuracyOption(rows: readonly EpochRow[], settings: PlotSettings): Option {
  const best = bestOf(rows, settings)
  const range = accuracyRange(rows.flatMap((row) => accuracyCurves.map(({ column }) => 100 * row[column])))
  const numbers = best
    ? `Best epoch ${best.epoch}: road IoU ${percent(best.road_iou)}, mean IoU ${percent(best.mean_iou)}, pixel accuracy ${percent(best.pixel_accuracy)}, MaxF ${percent(best.max_f)}`
    : 'No epoch yet'
  return {
    ...frame('Accuracy on the validation pictures', `${settings.run}\n${numbers}`, rows),
    yAxis: { ...yAxis, type: 'value', name: 'Validation measure (%)', ...range },
    series: series(rows, accuracyCurves, 100, percent, best),
  }
}

/** What a loss is called beside its axis. */
export const lossTitle = (loss: string) =>
  loss === 'cross-entropy' ? 'Cross-entropy loss (nats per pixel)' : `Loss (${loss.replace('+', ' + ')})`

function lossOption(rows: readonly EpochRow[], settings: PlotSettings): Option {
  const best = bestOf(rows, settings)
  const values = rows.flatMap((row) => [row.train_loss, row.val_loss]).filter(Number.isFinite)
  const [min, max] = [Math.min(...values), Math.max(...values)]
  const digits = (value: number) => (Number.isFinite(value) ? value.toPrecision(3) : 'unknown')
  const last = rows.at(-1)
  const numbers = last
    ? `After epoch ${last.epoch}: training ${digits(last.train_loss)}, validation ${digits(last.val_loss)}`
    : 'No epoch yet'
  const { loss = 'cross-entropy' } = settings
  const name = lossTitle(loss)
  // Below one decade a linear axis is easier to read.
  const logarithmic = min > 0 && max / min > 10
  const ticks = logarithmic ? logTicks(min, max) : []
  return {
    ...frame('Loss', `${settings.run}\n${numbers}`, rows),
    yAxis: logarithmic
      ? {
          ...yAxis,
          type: 'log',
          name: `${name}, log scale`,
          min: ticks[0]!,
          max: ticks.at(-1)!,
          axisLabel: { ...axisText, customValues: ticks, formatter: (value: number) => String(Number(value.toPrecision(1))) },
          axisTick: { ...yAxis.axisTick, customValues: ticks },
        }
      : { ...yAxis, type: 'value', name, min: 0 },
    series: series(rows, lossCurves, 1, digits, best),
  }
}

function svgOf(option: Option): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, ...size })
  try {
    chart.setOption(option)
    return chart.renderToSVGString()
  } finally {
    chart.dispose()
  }
}

/**
 * Writes accuracy.svg, accuracy.png, loss.svg and loss.png into `dir`, which must exist; each file is replaced as a whole.
 * `rows`: of log.csv, at least one.
 */
export async function plotHistory(rows: readonly EpochRow[], dir: string, settings: PlotSettings): Promise<void> {
  if (rows.length === 0) throw new Error(`Expected at least one epoch to plot into ${dir}, found none`)
  const plots = { accuracy: accuracyOption(rows, settings), loss: lossOption(rows, settings) }
  for (const [name, option] of Object.entries(plots)) {
    const svg = svgOf(option)
    // An SVG unit is a pixel at 72 dots an inch.
    const png = await sharp(Buffer.from(svg), { density: 72 * density })
      .flatten({ background: '#ffffff' })
      .png({ compressionLevel: 9, palette: false })
      .toBuffer()
    await writeAtomically(join(dir, `${name}.svg`), svg)
    await writeAtomically(join(dir, `${name}.png`), png)
  }
}
