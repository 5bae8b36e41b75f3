// What the benchmark measures, each in a run of the whole agent of its own.
import { setTimeout as sleep } from 'node:timers/promises'
import { monotonicMicros } from '../monotonic.ts'
import { type BenchedAgent, startBenchedAgent, type Watched } from './agent.ts'
import { byStage, type Stages, stagesOf } from './latency.ts'
import { median } from './quantile.ts'
import { openRawSession } from './raw.ts'
import { makeVideo, type Video } from './videos.ts'

/** Before anything is counted: caches and the compiler warm up. */
const settleSeconds = 4

export const hd: Video = { width: 1280, height: 720, fps: 30 }

/** Runs an agent, lets it settle, and ends it whatever happens. */
async function withAgent<T>(cameras: object[], bundle: string, measure: (agent: BenchedAgent) => Promise<T>): Promise<T> {
  const agent = await startBenchedAgent({ device: 'bench', bundle, cameras, preview: { fps: 10 } })
  try {
    await agent.watch(settleSeconds)
    return await measure(agent)
  } finally {
    await agent.stop()
  }
}

export interface Rate {
  /** Masks a second, and those of the session alone, median of the rounds. */
  found: number
  raw: number
  /** Median of the rounds' own ratios: what disturbs the machine disturbs both. */
  ratio: number
  /** Pictures for people, a second. */
  pictures: number
  cores: Watched['cores']
  /** Without the decoder's clock. */
  timings: Stages
}

const rateOf = ({ masks, seconds }: Watched) => masks.length / seconds

/** How long the agent and the session alone take turns: as long as no camera counts as lost. */
const burstSeconds = 1.5
const resumedSeconds = 0.5

/** As many masks as go, of a 720p video that waits for the model, in turns with the session alone. */
export async function unpacedRate(bundle: string, seconds: number): Promise<Rate> {
  const session = await openRawSession(bundle)
  try {
    return await withFullRate(bundle, async (agent) => {
      const rounds: { found: number; raw: number; watched: Watched }[] = []
      for (let i = 0; i < Math.ceil(seconds / burstSeconds); i++) {
        agent.pause()
        const raw = await session.rate(burstSeconds)
        agent.resume()
        await sleep(1000 * resumedSeconds)
        const watched = await agent.watch(burstSeconds)
        rounds.push({ found: intervalRate(watched), raw, watched })
      }
      const masks = rounds.flatMap(({ watched }) => watched.masks)
      const timings = byStage(masks.map(({ result }) => result.timings_ms))
      const pictures = masks.filter(({ picture }) => picture).length / (rounds.length * burstSeconds)
      const over = (of: (round: (typeof rounds)[number]) => number) => median(rounds.map(of))
      const names = Object.keys(rounds[0]!.watched.cores)
      const cores = Object.fromEntries(names.map((name) => [name, over(({ watched }) => watched.cores[name] ?? 0)]))
      return {
        found: over(({ found }) => found),
        raw: over(({ raw }) => raw),
        ratio: over(({ found, raw }) => found / raw),
        pictures,
        cores,
        timings,
      }
    })
  } finally {
    session.close()
  }
}

/** By the time between the first mask and the last, since a slow model makes few in a burst. */
function intervalRate({ masks }: Watched): number {
  const [first, last] = [masks[0], masks.at(-1)]
  return first && last && first !== last ? (1e6 * (masks.length - 1)) / (last.atMicros - first.atMicros) : 0
}

export interface Paced {
  /** Masks a second, of 30 frames. */
  found: number
  stages: Stages
  cores: Watched['cores']
  /** Private, by process, MB. */
  memory: Record<string, number>
}

/** A camera of 720p at 30 frames a second: latency, and what the processes take. */
export async function pacedCamera(bundle: string, seconds: number): Promise<Paced> {
  const camera = { name: 'road', source: `file:${makeVideo(hd)}` }
  return withAgent([camera], bundle, async (agent) => {
    const watched = await agent.watch(seconds)
    const wallOffset = Date.now() * 1000 - monotonicMicros()
    const stages = stagesOf(watched.masks, hd.fps, agent.zeroMicros(), wallOffset)
    return { found: rateOf(watched), stages, cores: watched.cores, memory: agent.memory() }
  })
}

const many = 16
const manyFps = 5

export interface Many {
  /** Masks a second of all cameras, and of the one that gives as many frames as they do. */
  found: number
  one: number
  /** Of the camera that was served least and most. */
  least: number
  most: number
}

/** Sixteen cameras of 5 frames a second beside one of 80, of the same frames. */
export async function manyCameras(bundle: string, seconds: number): Promise<Many> {
  const of = (fps: number) => `file:${makeVideo({ width: 640, height: 360, fps })}`
  const cameras = Array.from({ length: many }, (_, i) => ({ name: `road-${i + 1}`, source: of(manyFps) }))
  const one = await withAgent([{ name: 'road', source: of(many * manyFps) }], bundle, (agent) => agent.watch(seconds))
  const all = await withAgent(cameras, bundle, (agent) => agent.watch(seconds))
  const rates = cameras.map(({ name }) => all.masks.filter(({ result }) => result.camera === name).length / all.seconds)
  return { found: rateOf(all), one: rateOf(one), least: Math.min(...rates), most: Math.max(...rates) }
}

/** A 720p video that is played as fast as the model goes. */
export function withFullRate<T>(bundle: string, measure: (agent: BenchedAgent) => Promise<T>): Promise<T> {
  return withAgent([{ name: 'road', source: `file:${makeVideo(hd)}`, pace: 'model' }], bundle, measure)
}

export interface Growth {
  minutes: number
  /** Of all processes together, private, MB: half-way and at the end. */
  before: number
  after: number
}

const sampleSeconds = 5

/** Memory at full rate, in the second quarter of the time and in the last. */
export async function growth(bundle: string, minutes: number): Promise<Growth> {
  return withFullRate(bundle, async (agent) => {
    const samples: number[] = []
    const end = performance.now() + 60_000 * minutes
    while (performance.now() < end) {
      await sleep(1000 * sampleSeconds)
      samples.push(Object.values(agent.memory()).reduce((sum, mb) => sum + mb, 0))
    }
    const quarter = (i: number) =>
      samples.slice(Math.floor((i * samples.length) / 4), Math.ceil(((i + 1) * samples.length) / 4))
    return { minutes, before: median(quarter(1)), after: median(quarter(3)) }
  })
}
