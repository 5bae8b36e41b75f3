// What the charts show, made of the agent's answer: curves with names and colours, a sentence about each chart, and all of it as
// a table for those who do not see charts.
import type { CameraHistory, History, Line, Stage } from '../../edge-agent/wire.ts'
import { duration, number } from '../ui/numbers.ts'

export interface Curve {
  name: string
  /** Place in the palette. */
  colour: number
  values: Line
  /** The least and the most around it. */
  around?: { least: Line; most: Line }
  /** `stacked`: on top of those before it. `light`: of less weight than the others. */
  look?: 'stacked' | 'light'
}

export interface Chart {
  id: 'road' | 'latency' | 'rate' | 'memory' | 'temperature'
  title: string
  unit: string
  digits: number
  /** Where the scale ends; left out: above the highest value. */
  most?: number
  curves: Curve[]
  /** What stands under the title. */
  summary: string
}

/** A zone over time: percent of each point's time that it was blocked. */
export interface ZoneRow {
  name: string
  blocked: Line
  road: Line
}

const stages: [Stage, string][] = [
  ['capture', 'Capture'],
  ['wait', 'Wait'],
  ['infer', 'Model'],
  ['facts', 'Facts'],
  ['encode', 'Encode'],
  ['publish', 'Publish'],
]

const known = (line: Line) => line.filter((value) => value !== null)
const meanOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length

/** Begin of each point, in seconds since 1970. */
export const timesOf = ({ from_us, step_s, points }: History): number[] =>
  Array.from({ length: points }, (_, i) => from_us / 1e6 + i * step_s)

/** The last point at which anything is known; the very last where nothing is. */
export function newestOf(charts: readonly Chart[], points: number): number {
  const last = charts.flatMap(({ curves }) => curves.map(({ values }) => values.findLastIndex((value) => value !== null)))
  const newest = Math.max(-1, ...last)
  return newest < 0 ? points - 1 : newest
}

/** Whether anything was recorded at all in this time. */
export const isEmpty = ({ cameras, device }: History): boolean =>
  Object.keys(cameras).length === 0 && known(device.memory_mib.mean).length === 0

/** Names of cameras in the order in which they get their colours: those that run first, then those that are gone. */
export function cameraNames(history: History | undefined, running: readonly string[]): string[] {
  const gone = Object.keys(history?.cameras ?? {}).filter((name) => !running.includes(name))
  return [...running, ...gone.sort()]
}

interface Shown {
  name: string
  colour: number
  camera: CameraHistory
}

/** `names`: all cameras, by the places of their colours; `chosen`: those that are shown. */
export function chartsOf({ cameras, device }: History, names: readonly string[], chosen: readonly string[]): Chart[] {
  const shown = names.flatMap((name, colour): Shown[] => {
    const camera = Object.hasOwn(cameras, name) ? cameras[name] : undefined
    return camera && chosen.includes(name) ? [{ name, colour, camera }] : []
  })
  return [
    roadOf(shown),
    shown.length === 1 ? stagesOf(shown[0]!) : latencyOf(shown),
    rateOf(shown),
    ...deviceOf('memory', 'Memory', 'MiB', device.memory_mib),
    ...deviceOf('temperature', 'Temperature', '°C', device.temperature_c),
  ]
}

/** Mean, least and most of each line in a sentence. */
function sentence(digits: number, unit: string, lines: { name: string; values: Line; least?: Line; most?: Line }[]): string {
  const told = lines.flatMap(({ name, values, least = values, most = values }) => {
    if (!known(values).length) return []
    const mean = number(meanOf(known(values)), digits)
    const [low, high] = [Math.min(...known(least)), Math.max(...known(most))].map((value) => number(value, digits))
    return [`${[name, mean, unit].filter(Boolean).join(' ')} in the mean, ${low} to ${high}`]
  })
  return told.join('; ')
}

function roadOf(shown: Shown[]): Chart {
  const lines = shown.map(({ name, colour, camera: { road_percent } }) => ({ name, colour, ...road_percent }))
  return {
    ...{ id: 'road', title: 'Road', unit: '%', digits: 0, most: 100 },
    curves: lines.map(({ name, colour, mean, least, most }) => ({ name, colour, values: mean, around: { least, most } })),
    summary: sentence(
      0,
      '%',
      lines.map(({ mean, ...line }) => ({ ...line, values: mean })),
    ),
  }
}

const ageSentence = (shown: Shown[]) =>
  sentence(
    1,
    'ms',
    shown.map(({ name, camera: { age_ms } }) => ({ name, values: age_ms.median, most: age_ms.p99 })),
  )

/** Where the time of one camera's masks goes. */
function stagesOf(one: Shown): Chart {
  const { stages_ms, age_ms } = one.camera
  return {
    ...{ id: 'latency', title: 'Latency by stage', unit: 'ms', digits: 1, ...mostOf([age_ms.p99]) },
    curves: [
      ...stages.map(([stage, name], colour): Curve => ({ name, colour, values: stages_ms[stage].median, look: 'stacked' })),
      { name: 'Age, 99 %', colour: stages.length, values: age_ms.p99, look: 'light' },
    ],
    summary: ageSentence([one]),
  }
}

function latencyOf(shown: Shown[]): Chart {
  return {
    ...{ id: 'latency', title: 'Latency', unit: 'ms', digits: 0, ...mostOf(shown.map(({ camera }) => camera.age_ms.p99)) },
    curves: shown.flatMap(({ name, colour, camera: { age_ms } }): Curve[] => [
      { name, colour, values: age_ms.median },
      { name: `${name}, 99 %`, colour, values: age_ms.p99, look: 'light' },
    ]),
    summary: ageSentence(shown),
  }
}

/** Few points far above all others, as while a model warms up, would press the others flat: the scale ends before them. */
function mostOf(lines: Line[]): { most?: number } {
  const values = lines.flatMap(known).sort((a, b) => a - b)
  const usual = 1.6 * (values[Math.floor(0.95 * (values.length - 1))] ?? 0)
  return usual > 0 && (values.at(-1) ?? 0) > usual ? { most: usual } : {}
}

function rateOf(shown: Shown[]): Chart {
  const lines = shown.map(({ name, colour, camera }) => ({ name, colour, values: camera.masks_per_second }))
  const dropped = shown.map(({ name, colour, camera }): Curve => {
    return { name: `${name}, dropped`, colour, values: camera.dropped_per_second, look: 'light' }
  })
  const any = dropped.some(({ values }) => known(values).some((value) => value > 0))
  return {
    ...{ id: 'rate', title: 'Masks a second', unit: '', digits: 1 },
    curves: any ? lines.flatMap((line, i) => [line, dropped[i]!]) : lines,
    summary: sentence(1, '', lines),
  }
}

/** Empty where the device does not tell. */
function deviceOf(id: Chart['id'], title: string, unit: string, { mean, most }: { mean: Line; most: Line }): Chart[] {
  if (!known(mean).length) return []
  const curves: Curve[] = [{ name: title, colour: 0, values: mean, around: { least: mean, most } }]
  return [{ id, title, unit, digits: 0, curves, summary: sentence(0, unit, [{ name: '', values: mean, most }]) }]
}

/** A chart's title with its unit. */
export const headingOf = ({ title, unit }: Chart) => (unit ? `${title}, ${unit}` : title)

export function zonesOf({ cameras }: History, chosen: readonly string[]): ZoneRow[] {
  return Object.entries(cameras)
    .filter(([camera]) => chosen.includes(camera))
    .flatMap(([camera, { zones }]) =>
      Object.entries(zones).map(([zone, { road_percent, blocked_percent }]) => {
        return { name: `${camera}, ${zone}`, blocked: blocked_percent, road: road_percent }
      }),
    )
}

/** For how long each zone was blocked, in words. */
export function zonesSummary(rows: readonly ZoneRow[], stepSeconds: number): string {
  return rows
    .map(({ name, blocked }) => {
      const seconds = (known(blocked).reduce((sum, value) => sum + value, 0) / 100) * stepSeconds
      return `${name}: ${seconds ? `blocked for ${duration(1000 * seconds)}` : 'never blocked'}`
    })
    .join('; ')
}

/** In words for a point: how a zone was. */
export function zoneState(blocked: number | null | undefined): string {
  if (blocked === null || blocked === undefined) return '–'
  if (blocked === 0) return 'clear'
  return blocked === 100 ? 'blocked' : `blocked ${number(blocked)} % of the time`
}

export interface Table {
  head: string[]
  /** Time in seconds since 1970, and a text for each column after it. */
  rows: { time: number; cells: string[] }[]
}

const mostRows = 60

/** Every so manyth point of all charts, at most 60 of those at which anything is known. */
export function tableOf(times: readonly number[], charts: readonly Chart[], zones: readonly ZoneRow[]): Table {
  const columns = [
    ...charts.flatMap(({ title, unit, digits, curves }) =>
      curves.map(({ name, values }) => ({
        head: [name === title ? title : `${title}: ${name}`, unit].filter(Boolean).join(', '),
        text: (i: number) => (values[i] === null || values[i] === undefined ? '' : number(values[i], digits)),
      })),
    ),
    ...zones.map(({ name, blocked }) => ({
      head: `Zone ${name}`,
      text: (i: number) => (blocked[i] === null || blocked[i] === undefined ? '' : zoneState(blocked[i])),
    })),
  ]
  const every = Math.ceil(times.length / mostRows)
  const rows = times.flatMap((time, i) => {
    if (i % every) return []
    const cells = columns.map(({ text }) => text(i))
    return cells.some(Boolean) ? [{ time, cells }] : []
  })
  return { head: columns.map(({ head }) => head), rows }
}
