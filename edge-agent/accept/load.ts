// The agent at full rate for minutes, looked at once in a while: masks, latency by stage, memory, heat and clocks.
import type { Watched } from '../bench/agent.ts'
import { byStage, type Stages } from '../bench/latency.ts'
import { median, quantile } from '../bench/quantile.ts'
import { withFullRate } from '../bench/scenarios.ts'
import type { Sample, Sensors } from './sensors.ts'

export interface Moment extends Sample {
  masks_per_second: number
  /** Median from the camera's clock to the outputs, and of the TensorFlow call alone. */
  latency_ms: number | null
  infer_ms: number | null
  /** Private memory of all the agent's processes. */
  agent_mb: number
}

export interface Spread {
  median: number
  p99: number
}

export interface Load {
  seconds: number
  masks: number
  masks_per_second: number
  stages_ms: Record<string, Spread>
  cores: Record<string, number>
  moments: Moment[]
  /** What slowed the machine down meanwhile, and how often. */
  throttled: Record<string, number>
}

/** Looks, over all of the time: enough for a chart. */
const looks = 300
const leastSeconds = 1

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)

/** By stage, over all masks that any round saw. */
function spreads(rounds: readonly Stages[]): Record<string, Spread> {
  const names = Object.keys(rounds[0] ?? {})
  return Object.fromEntries(
    names.map((name) => {
      const values = rounds.flatMap((round) => round[name] ?? [])
      return [name, { median: quantile(values, 0.5), p99: quantile(values, 0.99) }]
    }),
  )
}

/** Loads the machine for so long; `tell` hears how it goes. */
export async function underLoad(
  bundle: string,
  minutes: number,
  sensors: Sensors,
  tell: (moment: Moment) => void,
): Promise<Load> {
  const before = sensors.throttled()
  return withFullRate(bundle, async (agent) => {
    const length = Math.max(leastSeconds, (60 * minutes) / looks)
    const moments: Moment[] = []
    const stages: Stages[] = []
    const watched: Pick<Watched, 'cores' | 'seconds'>[] = []
    let masks = 0
    const began = performance.now()
    while (performance.now() - began < 60_000 * minutes) {
      const { masks: seen, seconds, cores } = await agent.watch(length)
      watched.push({ cores, seconds })
      masks += seen.length
      const timings = byStage(
        seen.map(({ result: { timings_ms } }) => ({ ...timings_ms, whole: sum(Object.values(timings_ms)) })),
      )
      stages.push(timings)
      const middle = (stage: string) => (timings[stage]?.length ? median(timings[stage]) : null)
      const moment: Moment = {
        ...sensors.sample((performance.now() - began) / 1000),
        masks_per_second: seen.length / seconds,
        latency_ms: middle('whole'),
        infer_ms: middle('infer'),
        agent_mb: sum(Object.values(agent.memory())),
      }
      moments.push(moment)
      tell(moment)
    }
    const seconds = sum(watched.map((one) => one.seconds))
    const names = Object.keys(watched[0]?.cores ?? {})
    const after = sensors.throttled()
    return {
      seconds,
      masks,
      masks_per_second: masks / seconds,
      stages_ms: spreads(stages.filter((round) => Object.keys(round).length)),
      cores: Object.fromEntries(
        names.map((name) => [name, sum(watched.map(({ cores, seconds }) => (cores[name] ?? 0) * seconds)) / seconds]),
      ),
      moments,
      throttled: Object.fromEntries(Object.entries(after).map(([cause, times]) => [cause, times - (before[cause] ?? 0)])),
    }
  })
}
