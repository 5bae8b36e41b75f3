// What a span of time was like: for a camera its road, zones, durations and counts, for the device its memory and warmth.
// Two spans add up to the one that holds both, so longer spans are made of shorter ones.
import type { Result, Stage, Timings } from '../wire.ts'
import { addSparse, addTo, buckets, type Sketch, type Sparse, sparse } from './sketch.ts'

/** In the order of a span's sketches. */
export const stages = ['capture', 'wait', 'infer', 'facts', 'encode', 'publish', 'age'] as const satisfies (Stage | 'age')[]

/** How many values, their sum, the least and the most. */
export type Gauge = [count: number, sum: number, least: number, most: number]
type ZoneTally = [count: number, sum: number, masks: number, blocked: number]

/** A line of the files; short names, for there are many. */
export interface Span {
  /** Where its span begins, in seconds since 1970. */
  t: number
  /** Seconds of it that the agent watched. */
  s: number
  /** Camera; empty for the device. */
  c: string
  /** Masks, frames that were dropped, road in percent. */
  n?: number
  d?: number
  r?: Gauge
  z?: { [zone: string]: ZoneTally }
  /** By stage. */
  h?: Sparse[]
  /** Memory in MiB and temperature in degrees Celsius. */
  m?: Gauge
  k?: Gauge
}

export interface Tally {
  seconds: number
  masks: number
  dropped: number
  road: Gauge
  zones: Map<string, ZoneTally>
  stages: Sketch[]
  memory: Gauge
  warmth: Gauge
}

const none = (): Gauge => [0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]

export const makeTally = (): Tally => ({
  seconds: 0,
  masks: 0,
  dropped: 0,
  road: none(),
  zones: new Map(),
  stages: stages.map(() => new Uint32Array(buckets)),
  memory: none(),
  warmth: none(),
})

export function addValue(gauge: Gauge, value: number): void {
  addGauge(gauge, [1, value, value, value])
}

function addGauge(gauge: Gauge, [count, sum, least, most]: Gauge): void {
  gauge[0] += count
  gauge[1] += sum
  gauge[2] = Math.min(gauge[2], least)
  gauge[3] = Math.max(gauge[3], most)
}

function addZone(tally: Tally, name: string, more: ZoneTally): void {
  const zone = tally.zones.get(name)
  if (!zone) tally.zones.set(name, [...more])
  else for (const i of [0, 1, 2, 3] as const) zone[i] += more[i]
}

/** `dropped`: frames since the mask before. */
export function addMask(tally: Tally, result: Result, dropped: number): void {
  tally.masks++
  tally.dropped += dropped
  addValue(tally.road, result.road_percent)
  for (const { name, road_percent, blocked } of result.zones ?? [])
    addZone(tally, name, [Number(road_percent !== null), road_percent ?? 0, 1, Number(blocked)])
  const timings: Timings & { age: number } = { ...result.timings_ms, age: result.age_ms }
  for (const [i, stage] of stages.entries()) addTo(tally.stages[i]!, timings[stage])
}

export function addSpan(tally: Tally, { s, n = 0, d = 0, r, z = {}, h = [], m, k }: Span): void {
  tally.seconds += s
  tally.masks += n
  tally.dropped += d
  if (r) addGauge(tally.road, r)
  if (m) addGauge(tally.memory, m)
  if (k) addGauge(tally.warmth, k)
  for (const [name, zone] of Object.entries(z)) addZone(tally, name, zone)
  for (const [i, list] of h.entries()) if (tally.stages[i]) addSparse(tally.stages[i], list)
}

const short = (value: number) => Math.round(10 * value) / 10
const shortGauge = ([count, sum, least, most]: Gauge): Gauge => [count, short(sum), short(least), short(most)]

export function spanOf(tally: Tally, t: number, camera: string): Span {
  const { seconds, masks, dropped, road, zones, memory, warmth } = tally
  return {
    t,
    s: short(seconds),
    c: camera,
    ...(camera && { n: masks, d: dropped }),
    ...(road[0] && { r: shortGauge(road) }),
    ...(zones.size && {
      z: Object.fromEntries([...zones].map(([name, [count, sum, ...rest]]) => [name, [count, short(sum), ...rest]])),
    }),
    ...(masks && { h: tally.stages.map(sparse) }),
    ...(memory[0] && { m: shortGauge(memory) }),
    ...(warmth[0] && { k: shortGauge(warmth) }),
  }
}
