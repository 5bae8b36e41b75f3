// One chart on the page: a title with what it says in words, a legend with the values of the moment, and uPlot, which draws. All
// charts share one moment and one way to zoom.
import { make, say } from '../ui/dom.ts'
import { number } from '../ui/numbers.ts'
import type { Chart, Curve, ZoneRow } from './lines.ts'
import { headingOf, zoneState } from './lines.ts'
import { curveVariable, faint, type Palette } from './palette.ts'
import { axisTimes } from './times.ts'
import uPlot from './uplot.js'

export interface Plot {
  element: HTMLElement
  /** Draws it in the width that it has. */
  draw(times: number[], palette: Palette): void
  /** Tells the values of a point, and marks it where `marked`. */
  moment(at: number, marked: boolean): void
  destroy(): void
}

export interface PlotListener {
  /** The pointer is over a point, or over none. */
  moment(at: number | undefined): void
  /** Somebody has drawn over a part of the time, in seconds since 1970. */
  zoom(from: number, to: number): void
}

const height = 176
const rowHeight = 34
const timeAxis = 26
const padding = [8, 12, 2, 0] as const
/** Charts lie exactly one below the other. */
const leftAxis = 52

function frame(id: string, title: string, summary: string) {
  const legend = make('ul', { class: 'legend' })
  const drawn = make('div', { class: 'drawn', 'aria-hidden': 'true' })
  const caption = make('p', { class: 'summary' }, summary || 'Nothing in this time.')
  const heading = make('h2', { id: `chart-${id}` }, title)
  const element = make(
    'section',
    { class: 'chart', 'aria-labelledby': heading.id },
    make('header', {}, heading, legend),
    caption,
    drawn,
  )
  return { element, legend, drawn }
}

/** A legend's entry: the colour, the name and a place for the value. */
function entry(name: string, look: string, colour: number | undefined) {
  const value = make('b', {}, '–')
  const swatch = make('i', { class: `swatch ${look}` })
  if (colour !== undefined) swatch.style.setProperty('--colour', curveVariable(colour))
  return { item: make('li', {}, swatch, `${name} `, value), value }
}

/** Points that have no neighbour would not be seen as a line. */
function lonely(plot: uPlot, series: number): number[] {
  const values = plot.data[series]!
  const found: number[] = []
  for (let i = 0; i < values.length; i++)
    if (typeof values[i] === 'number' && typeof values[i - 1] !== 'number' && typeof values[i + 1] !== 'number') found.push(i)
  return found
}

/** What all charts have in common. */
function options(palette: Palette, on: PlotListener, of: Pick<uPlot.Options, 'width' | 'height' | 'series'>): uPlot.Options {
  const axis = { stroke: palette.muted, font: '12px system-ui, sans-serif', ticks: { show: false } }
  const grid = { stroke: palette.line, width: 1 }
  return {
    ...of,
    padding: [...padding],
    legend: { show: false },
    cursor: {
      y: false,
      drag: { x: true, y: false, setScale: false },
      // Only on curves: what is around one has no stroke.
      points: { size: ({ series }, index) => (series[index]?.width ? 7 : 0) },
    },
    axes: [
      { ...axis, grid, size: timeAxis, gap: 4, values: (_, splits, __, ___, step) => axisTimes(splits, step), space: 76 },
      { ...axis, grid, size: leftAxis, space: 36 },
    ],
    hooks: {
      // A chart that is drawn anew has no pointer over it yet, and says so too.
      setCursor: [({ cursor }) => cursor.event && on.moment(cursor.idx ?? undefined)],
      setSelect: [
        (plot) => {
          if (plot.select.width < 4) return
          const [from, to] = [plot.select.left, plot.select.left + plot.select.width].map((left) => plot.posToVal(left, 'x'))
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false)
          on.zoom(from!, to!)
        },
      ],
    },
  }
}

/** The values as uPlot takes them: those that are stacked stand on the ones before. */
function columnsOf(curves: readonly Curve[]) {
  let below: (number | null)[] | undefined
  return curves.flatMap(({ values, around, look }) => {
    if (look === 'stacked') {
      const under = below
      below = values.map((value, i) => (value === null ? null : value + (under?.[i] ?? 0)))
      return [below]
    }
    return around ? [around.least, around.most, values] : [values]
  })
}

/** Curves over time. */
export function plotCurves(chart: Chart, on: PlotListener): Plot {
  const { id, title, digits, most, curves, summary } = chart
  const { element, legend, drawn } = frame(id, headingOf(chart), summary)
  const entries = curves.map(({ name, colour, look = '' }) => entry(name === title ? '' : name, look, colour))
  legend.append(...entries.map(({ item }) => item))
  let plot: uPlot | undefined

  function begin(times: number[], palette: Palette): uPlot {
    const series: uPlot.Series[] = [{}]
    const bands: uPlot.Band[] = []
    let stackedBefore: number | undefined
    const points: uPlot.Series.Points = { show: true, size: 4, filter: (plot, series) => lonely(plot, series) }
    for (const { colour, around, look } of curves) {
      const stroke = palette.curve(colour)
      if (around) {
        series.push({ width: 0, points: { show: false } }, { width: 0, points: { show: false } })
        bands.push({ series: [series.length - 1, series.length - 2], fill: faint(stroke, 0.16) })
      }
      const drawn = { stroke, width: look ? 1 : 1.75, points }
      series.push({ ...drawn, ...(look === 'light' && { dash: [4, 3] }) })
      const mine = series.length - 1
      if (look !== 'stacked') continue
      if (stackedBefore === undefined) series[mine]!.fill = faint(stroke, 0.35)
      else bands.push({ series: [mine, stackedBefore], fill: faint(stroke, 0.35) })
      stackedBefore = mine
    }
    const shared = options(palette, on, { width: drawn.clientWidth, height, series })
    return new uPlot(
      {
        ...shared,
        bands,
        axes: [
          shared.axes![0]!,
          { ...shared.axes![1]!, values: (_, splits) => splits.map((value) => number(value, value % 1 ? 1 : 0)) },
        ],
        scales: {
          x: { time: true },
          y: {
            range: (_, low, high) =>
              most === undefined ? [Math.min(0, low ?? 0), Math.max(1, 1.08 * (high ?? 1))] : [0, most],
          },
        },
      },
      [times, ...columnsOf(curves)],
      drawn,
    )
  }

  return {
    element,
    draw(times, palette) {
      plot?.destroy()
      plot = begin(times, palette)
    },
    moment(at, marked) {
      for (const [i, { value }] of entries.entries()) {
        const told = curves[i]!.values[at]
        say(value, told === null || told === undefined ? '–' : number(told, digits))
      }
      moveCursor(plot, marked ? at : undefined)
    },
    destroy: () => plot?.destroy(),
  }
}

/** Zones over time: a line each while it is watched, and on it a bar as high as the share of the time that it was blocked. */
export function plotZones(rows: readonly ZoneRow[], summary: string, on: PlotListener): Plot {
  const { element, legend, drawn } = frame('zones', 'Zones', summary)
  const entries = rows.map(({ name }) => entry(name, 'zone', undefined))
  legend.append(...entries.map(({ item }) => item))
  let plot: uPlot | undefined

  function paint(u: uPlot, times: number[], palette: Palette) {
    const { ctx, bbox } = u
    const ratio = devicePixelRatio
    const step = (times[1] ?? 0) - (times[0] ?? 0)
    const xOf = (time: number) => Math.round(u.valToPos(time, 'x', true))
    ctx.save()
    ctx.beginPath()
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height)
    ctx.clip()
    for (const [row, { name, blocked }] of rows.entries()) {
      const top = bbox.top + row * rowHeight * ratio
      const [low, tall] = [top + 31 * ratio, 13 * ratio]
      for (const [i, share] of blocked.entries()) {
        if (share === null) continue
        const [left, right] = [xOf(times[i]!), xOf(times[i]! + step)]
        const [width, line] = [Math.max(1, right - left), Math.round(3 * ratio)]
        ctx.fillStyle = palette.good
        ctx.fillRect(left, low - line, width, line)
        const thick = share && Math.max(1, Math.round(((tall - line) * share) / 100))
        ctx.fillStyle = palette.bad
        ctx.fillRect(left, low - line - thick, width, thick)
      }
      ctx.fillStyle = palette.text
      ctx.font = `${12 * ratio}px system-ui, sans-serif`
      ctx.textAlign = 'left'
      ctx.fillText(name, bbox.left + 4 * ratio, top + 13 * ratio)
    }
    ctx.restore()
  }

  return {
    element,
    draw(times, palette) {
      plot?.destroy()
      const paths: uPlot.Series.PathBuilder = () => null
      const series: uPlot.Series[] = [{}, ...rows.map(() => ({ paths, points: { show: false } }))]
      const shared = options(palette, on, {
        width: drawn.clientWidth,
        height: rows.length * rowHeight + timeAxis + padding[0] + padding[2],
        series,
      })
      plot = new uPlot(
        {
          ...shared,
          cursor: { ...shared.cursor, points: { show: false } },
          axes: [shared.axes![0]!, { ...shared.axes![1]!, values: () => [], grid: { show: false } }],
          scales: { x: { time: true }, y: { range: [0, 100] } },
          hooks: { ...shared.hooks, draw: [(u) => paint(u, times, palette)] },
        },
        [times, ...rows.map(({ blocked }) => blocked)],
        drawn,
      )
    },
    moment(at, marked) {
      for (const [i, { value }] of entries.entries()) {
        const { blocked, road } = rows[i]!
        const share = road[at]
        say(value, zoneState(blocked[at]) + (share === null || share === undefined ? '' : `, ${number(share)} % road`))
      }
      moveCursor(plot, marked ? at : undefined)
    },
    destroy: () => plot?.destroy(),
  }
}

/** Where the pointer is not what moves it. */
function moveCursor(plot: uPlot | undefined, at: number | undefined) {
  if (!plot || (plot.cursor.idx ?? undefined) === at) return
  const time = at === undefined ? undefined : plot.data[0][at]
  plot.setCursor(time === undefined ? { left: -10, top: -10 } : { left: plot.valToPos(time, 'x'), top: 10 }, false)
}
