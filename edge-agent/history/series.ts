// Lines over time, made of spans: so many points, evenly apart, each of all spans that begin in it.
import type { CameraHistory, DurationLines, History, Line } from '../wire.ts'
import { wireVersion } from '../wire.ts'
import type { Levels } from './levels.ts'
import { quantile } from './sketch.ts'
import { addSpan, type Gauge, makeTally, type Span, stages, type Tally } from './tally.ts'

export interface Question {
  /** Seconds since 1970. */
  from: number
  to: number
  /** At most so many. */
  points: number
  /** All where none are named. */
  cameras: readonly string[]
}

/** In less there is no rate. */
const leastSeconds = 1

const tenth = (value: number) => Math.round(10 * value) / 10
const hundredth = (value: number) => Math.round(100 * value) / 100
const mean = ([count, sum]: readonly [number, number, ...number[]]) => (count ? tenth(sum / count) : null)
const least = ([count, , value]: Gauge) => (count ? value : null)
const most = ([count, , , value]: Gauge) => (count ? value : null)

/** Answers a question; `late`: what was not added to the levels yet. */
export async function readSeries(levels: Levels, { from, to, points, cameras }: Question, late: () => Span[]) {
  const level = await levels.choose(from, (to - from) / points)
  const step = level.seconds * Math.max(1, Math.ceil((to - from) / points / level.seconds))
  const start = Math.floor(from / step) * step
  const count = Math.max(1, Math.ceil((to - start) / step))
  const line = (): Line => new Array(count).fill(null)
  const durations = (): DurationLines => ({ median: line(), p99: line() })
  const makeCamera = (): CameraHistory => ({
    road_percent: { mean: line(), least: line(), most: line() },
    masks_per_second: line(),
    dropped_per_second: line(),
    age_ms: durations(),
    stages_ms: {
      capture: durations(),
      wait: durations(),
      infer: durations(),
      facts: durations(),
      encode: durations(),
      publish: durations(),
    },
    zones: {},
  })
  const answer: Omit<History, 'recording'> = {
    version: wireVersion,
    from_us: start * 1e6,
    step_s: step,
    points: count,
    device: { memory_mib: { mean: line(), most: line() }, temperature_c: { mean: line(), most: line() } },
    cameras: {},
  }
  const known = new Map<string, CameraHistory>()

  /** What stands at a point already is of before a clock went back, and gives way. */
  function put(camera: string, at: number, tally: Tally) {
    if (camera === '') {
      const { memory_mib, temperature_c } = answer.device
      for (const [to, gauge] of [[memory_mib, tally.memory] as const, [temperature_c, tally.warmth] as const]) {
        to.mean[at] = mean(gauge)
        to.most[at] = most(gauge)
      }
      return
    }
    const lines = known.get(camera) ?? makeCamera()
    known.set(camera, lines)
    lines.road_percent.mean[at] = mean(tally.road)
    lines.road_percent.least[at] = least(tally.road)
    lines.road_percent.most[at] = most(tally.road)
    const perSecond = (number: number) => (tally.seconds < leastSeconds ? null : hundredth(number / tally.seconds))
    lines.masks_per_second[at] = perSecond(tally.masks)
    lines.dropped_per_second[at] = perSecond(tally.dropped)
    for (const [i, stage] of stages.entries()) {
      const to = stage === 'age' ? lines.age_ms : lines.stages_ms[stage]
      to.median[at] = quantile(tally.stages[i]!, 0.5)
      to.p99[at] = quantile(tally.stages[i]!, 0.99)
    }
    for (const [name, [seen, road, masks, blocked]] of tally.zones) {
      const zone = Object.hasOwn(lines.zones, name) ? lines.zones[name]! : { road_percent: line(), blocked_percent: line() }
      Object.defineProperty(lines.zones, name, { value: zone, enumerable: true, configurable: true, writable: true })
      zone.road_percent[at] = mean([seen, road])
      zone.blocked_percent[at] = masks ? tenth((100 * blocked) / masks) : null
    }
  }

  const open = new Map<string, { at: number; tally: Tally }>()
  for await (const spans of level.read(start, start + count * step, late))
    for (const span of spans) {
      if (span.c && cameras.length && !cameras.includes(span.c)) continue
      const at = Math.floor((span.t - start) / step)
      const before = open.get(span.c)
      if (before && before.at !== at) put(span.c, before.at, before.tally)
      const tally = before?.at === at ? before.tally : makeTally()
      addSpan(tally, span)
      open.set(span.c, { at, tally })
    }
  for (const [camera, { at, tally }] of open) put(camera, at, tally)
  return { ...answer, cameras: Object.fromEntries(known) }
}
