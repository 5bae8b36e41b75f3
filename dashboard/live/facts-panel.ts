// What a tile says beside its picture: shares, rates, ages, zones, drift, and, where there is room, what lies behind them.
import type { CameraStats, Result, Stats } from '../../edge-agent/wire.ts'
import { make, say } from '../ui/dom.ts'
import { number, percent } from '../ui/numbers.ts'
import { axisTop, type Minute, sparkline } from './minute.ts'
import { stateOf, stateText } from './overlay.ts'

export interface Shown {
  nowMs: number
  minute: Minute
  /** Facts of the newest mask. */
  result: Result | undefined
  live: boolean
  /** Age of the picture on the screen, from its capture. */
  ageMs: number | undefined
  /** Capture to screen, of the last picture drawn. */
  screenMs: number | undefined
  /** Pictures that were overtaken before this page could draw them. */
  skipped: number
  stats: Stats | undefined
}

export interface FactsPanel {
  /** The figures that change all the time. */
  figures(shown: Shown): void
  /** What is brought up to date once a second; `all`: the details too. */
  second(shown: Shown, all: boolean): void
}

/** `part` gives the element of the template with that data-part. */
export function openFacts(camera: string, part: (name: string) => HTMLElement): FactsPanel {
  const rows = new Map<string, HTMLElement>()

  function figures({ nowMs, minute, result, live, ageMs }: Shown) {
    const rate = minute.rate(nowMs)
    const latencyMs = minute.latencyMs(nowMs)
    say(part('road'), result ? percent(result.road_percent) : '–')
    say(part('rate'), live || rate ? number(rate, 1) : '–')
    say(part('latency'), latencyMs === undefined ? '–' : number(latencyMs))
    say(part('age'), ageMs === undefined ? '–' : number(ageMs / 1000, ageMs < 9950 ? 1 : 0))
    zones(result)
    const drift = result?.drift
    part('drift').hidden = !drift?.active
    if (drift?.active) say(part('drift'), `Unlike the training pictures: ${number(drift.score, 1)} × the usual`)
  }

  /** A chip for each zone; the same ones stay, so that nothing flickers and a reader of the screen keeps its place. */
  function zones(result: Result | undefined) {
    const list = part('zones')
    const facts = result?.zones ?? []
    list.hidden = facts.length === 0
    while (list.children.length > facts.length) list.lastElementChild?.remove()
    facts.forEach((zone, i) => {
      const item = list.children[i] ?? list.appendChild(make('li'))
      const state = stateOf(zone)
      if (item.getAttribute('data-state') !== state) item.setAttribute('data-state', state)
      item.toggleAttribute('data-pending', zone.pending === true)
      const share = zone.road_percent === null ? '' : `, ${percent(zone.road_percent)} %`
      say(item, `${zone.name} ${stateText(zone)}${share}`)
    })
  }

  /** The last minute as a line, and its range in words. */
  function trend(what: 'road' | 'latency', { minute, nowMs }: Shown) {
    const road = what === 'road'
    const fact = road ? 'roadPercent' : 'latencyMs'
    const series = minute.series(nowMs, fact, road ? 'mean' : 'max')
    const { line, area } = sparkline(series, road ? Math.min(100, axisTop(series, 50)) : axisTop(series, 50))
    part(`${what}-line`).setAttribute('d', line)
    part(`${what}-area`).setAttribute('d', area)
    const range = minute.range(nowMs, fact)?.map((value) => (road ? percent(value) : number(value)))
    say(part(`${what}-range`), range ? `${[...new Set(range)].join(' – ')} ${road ? '%' : 'ms'} last minute` : '')
  }

  /** What only the full view has room for. */
  function details(result: Result, shown: Shown) {
    const of: CameraStats | undefined = shown.stats?.cameras[camera]
    const [x, y, width, height] = result.region
    const facts: Record<string, string | undefined> = {
      'On the screen after': shown.screenMs === undefined ? undefined : `${number(shown.screenMs)} ms`,
      'Camera gives': of && `${number(of.camera_fps, 1)} /s`,
      'Dropped before the model': number(result.dropped),
      'Dropped on slow lines': shown.stats && number(shown.stats.outputs.websocket.dropped.slow_client),
      'Not drawn here': number(shown.skipped),
      Restarts: of && number(of.restarts),
      Confidence: `${number(100 * result.confidence, 1)} %`,
      Camera: `${result.camera_width} × ${result.camera_height}`,
      'Model sees': `${width} × ${height} at ${x}, ${y}`,
      Mask: `${result.width} × ${result.height}, ${result.classes.length} classes`,
      Frame: number(result.frame),
      Drift: result.drift && number(result.drift.score, 2),
      Model: result.model,
    }
    for (const [name, text] of Object.entries(facts)) {
      if (text === undefined) continue
      const value = rows.get(name) ?? make('dd')
      if (!rows.has(name)) part('details').append(make('div', {}, make('dt', {}, name), value))
      rows.set(name, value)
      say(value, text)
    }
    const stages = Object.entries(result.timings_ms)
    const sum = stages.reduce((total, [, ms]) => total + ms, 0) || 1
    for (const [name, ms] of stages) {
      const value = rows.get(name) ?? make('td')
      const bar = rows.get(`${name}-bar`) ?? make('i')
      if (!rows.has(name)) part('stages').append(make('tr', {}, make('th', { scope: 'row' }, name), value, make('td', {}, bar)))
      rows.set(name, value)
      rows.set(`${name}-bar`, bar)
      say(value, number(ms, ms < 10 ? 1 : 0))
      bar.style.width = `${((100 * ms) / sum).toFixed(1)}%`
    }
  }

  return {
    figures,
    second(shown, all) {
      trend('road', shown)
      trend('latency', shown)
      if (all && shown.result) details(shown.result, shown)
    },
  }
}
