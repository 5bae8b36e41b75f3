// What the view of the past shows of an answer, and of which time: sums, sentences and tables, without a browser.
import { expect, test } from 'vitest'
import {
  cameraNames,
  chartsOf,
  newestOf,
  tableOf,
  timesOf,
  zoneState,
  zonesOf,
  zonesSummary,
} from '../../dashboard/history/lines.ts'
import { moved, ranges, spanBetween, spanOf, zoomed } from '../../dashboard/history/range.ts'
import type { CameraHistory, History, Line } from '../../edge-agent/wire.ts'

const nowMs = Date.parse('2026-03-01T12:00:07Z')
const durations = (median: Line) => ({ median, p99: median.map((ms) => ms && 2 * ms) })
const camera = (road: Line, ms: Line = road): CameraHistory => ({
  road_percent: { mean: road, least: road.map((value) => value && value - 5), most: road.map((value) => value && value + 5) },
  masks_per_second: road.map((value) => value && 30),
  dropped_per_second: road.map((value) => value && 0),
  age_ms: durations(ms),
  stages_ms: {
    capture: durations(ms),
    wait: durations(ms),
    infer: durations(ms),
    facts: durations(ms),
    encode: durations(ms),
    publish: durations(ms),
  },
  zones: { ahead: { road_percent: road, blocked_percent: [0, 50, 100, null] } },
})
const none: Line = [null, null, null, null]
const history: History = {
  version: 1,
  recording: true,
  from_us: Date.parse('2026-03-01T11:00:00Z') * 1000,
  step_s: 60,
  points: 4,
  device: {
    memory_mib: { mean: [600, 620, null, null], most: [610, 640, null, null] },
    temperature_c: { mean: none, most: none },
  },
  cameras: { front: camera([40, 50, 60, null]), gone: camera([10, 20, null, null]) },
}
const names = cameraNames(history, ['front', 'rear'])

test('cameras that run come first and keep their colours, those that are gone are still there', () => {
  expect(names).toEqual(['front', 'rear', 'gone'])
  const [road] = chartsOf(history, names, ['front', 'gone'])
  expect(road!.curves.map(({ name, colour }) => [name, colour])).toEqual([
    ['front', 0],
    ['gone', 2],
  ])
  expect(road!.summary).toBe('front 50 % in the mean, 35 to 65; gone 15 % in the mean, 5 to 25')
})

test('the latency of one camera is told by stage, that of several by camera', () => {
  const curves = (...chosen: string[]) => chartsOf(history, names, chosen).find(({ id }) => id === 'latency')!.curves
  expect(curves('front').map(({ name }) => name)).toEqual([
    'Capture',
    'Wait',
    'Model',
    'Facts',
    'Encode',
    'Publish',
    'Age, 99 %',
  ])
  expect(curves('front', 'gone').map(({ name }) => name)).toEqual(['front', 'front, 99 %', 'gone', 'gone, 99 %'])
})

test('a few points far above all others do not press the scale flat', () => {
  const ms = Array.from({ length: 200 }, (_, i) => (i === 100 ? 5000 : 20))
  const steep = {
    ...history,
    cameras: {
      front: camera(
        ms.map(() => 50),
        ms,
      ),
    },
  }
  expect(chartsOf(steep, names, ['front']).find(({ id }) => id === 'latency')!.most).toBe(64)
  expect(chartsOf(history, names, ['front']).find(({ id }) => id === 'latency')!.most).toBeUndefined()
})

test('what the device does not tell has no chart, and the newest point is the last that is known', () => {
  const charts = chartsOf(history, names, names)
  expect(charts.map(({ id }) => id)).toEqual(['road', 'latency', 'rate', 'memory'])
  expect(newestOf(charts, 4)).toBe(2)
  expect(newestOf([], 4)).toBe(3)
})

test('zones are told by how long they were blocked', () => {
  const zones = zonesOf(history, ['front'])
  expect(zonesSummary(zones, 60)).toBe('front, ahead: blocked for 1 min 30 s')
  expect([0, 50, 100, null].map(zoneState)).toEqual(['clear', 'blocked 50 % of the time', 'blocked', '–'])
})

test('all of it is a table too, without rows of which nothing is known', () => {
  const { head, rows } = tableOf(timesOf(history), chartsOf(history, names, ['gone']), zonesOf(history, ['gone']))
  expect(head.slice(0, 2)).toEqual(['Road: gone, %', 'Latency by stage: Capture, ms'])
  expect(head.at(-1)).toBe('Zone gone, ahead')
  expect(rows.map(({ time, cells }) => [time - history.from_us / 1e6, cells[0], cells.at(-1)])).toEqual([
    [0, '10', 'clear'],
    [60, '20', 'blocked 50 % of the time'],
    [120, '', 'blocked'],
  ])
})

test('a range moves on by whole points; a part of the past is never in the future nor too short to know anything of', () => {
  const now = nowMs / 1000
  for (const range of ranges) {
    const { from, to, points } = spanOf(range, nowMs)
    expect(to % range.step).toBe(0)
    expect(to - now).toBeLessThan(range.step)
    expect([to - from, points]).toEqual([range.seconds, range.seconds / range.step])
    expect(points).toBeLessThanOrEqual(2000)
  }
  const hour = spanBetween(now - 3600, now, nowMs)
  expect(zoomed(hour, 0.5, now - 1800, nowMs)).toMatchObject({ from: Math.floor(now - 2700), to: Math.ceil(now - 900) })
  expect(moved(hour, 0.5, nowMs)).toEqual(hour)
  expect(moved(hour, -0.5, nowMs).to).toBe(Math.ceil(now - 1800))
  const short = spanBetween(now - 1001, now - 1000, nowMs)
  expect(short.to - short.from).toBeGreaterThanOrEqual(120)
})
