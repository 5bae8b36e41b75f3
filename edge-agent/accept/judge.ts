// What the load says: fast enough, in bounded memory, cool enough, at full clock. Pure.
import { type Check, pass, skipped } from './check.ts'
import type { Load, Moment } from './load.ts'
import type { Sensors } from './sensors.ts'

export interface Asked {
  /** Least masks a second of the whole device. */
  masks: number
}

/** Memory may grow so much, from the second quarter of the time to the last, before it counts as a leak. */
const mostGrowth = 1.1
const leastAvailableMb = 500
/** So far below the temperature at which Linux slows the machine down. */
const marginC = 5
/** The last quarter makes so much of what the best one makes. */
const leastKept = 0.9

const middle = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN

const quarters = (moments: readonly Moment[], of: (moment: Moment) => number) =>
  [0, 1, 2, 3].map((i) =>
    middle(moments.slice(Math.floor((i * moments.length) / 4), Math.ceil(((i + 1) * moments.length) / 4)).map(of)),
  )

export function judgeLoad(load: Load, { limits, highest_mhz }: Pick<Sensors, 'limits' | 'highest_mhz'>, asked: Asked): Check[] {
  const { moments } = load
  const checks: Check[] = []
  const add = (...args: Parameters<typeof pass>) => checks.push(pass(...args))
  const { whole, infer } = load.stages_ms

  const rate = load.masks_per_second
  add('Load', 'masks a second', rate >= asked.masks, `${asked.masks} or more`, rate.toFixed(1))
  if (whole && infer)
    add(
      'Load',
      'latency',
      whole.p99 < 1000,
      'below a second in 99 of 100',
      `median ${whole.median.toFixed(1)} ms, 99th percentile ${whole.p99.toFixed(1)}; of it TensorFlow ${infer.median.toFixed(1)} and ${infer.p99.toFixed(1)}`,
    )
  const rates = quarters(moments, (moment) => moment.masks_per_second)
  const kept = rates[3]! / Math.max(...rates)
  add(
    'Load',
    'rate over time',
    kept >= leastKept,
    `the last quarter makes ${100 * leastKept} % of the best`,
    `${(100 * kept).toFixed(0)} %; by quarter ${rates.map((each) => each.toFixed(1)).join(', ')} a second`,
  )

  const memory = quarters(moments, (moment) => moment.agent_mb)
  add(
    'Memory',
    'growth',
    memory[3]! <= mostGrowth * memory[1]!,
    `at most ${Math.round(100 * (mostGrowth - 1))} % from the second quarter to the last`,
    `${(100 * (memory[3]! / memory[1]! - 1)).toFixed(1)} %, ${memory[1]!.toFixed(0)} to ${memory[3]!.toFixed(0)} MB in all processes`,
  )
  const least = Math.min(...moments.map((moment) => moment.memory_available_mb))
  add(
    'Memory',
    'left for others',
    least >= leastAvailableMb,
    `${leastAvailableMb} MB or more`,
    `${least.toFixed(0)} MB at the least`,
  )

  const zones = Object.keys(moments[0]?.temperatures ?? {})
  const hottest = zones.map((zone) => ({
    zone,
    most: Math.max(...moments.map((moment) => moment.temperatures[zone] ?? Number.NEGATIVE_INFINITY)),
    limit: limits[zone]?.passive ?? limits[zone]?.critical,
  }))
  const limited = hottest.filter((one): one is typeof one & { limit: number } => one.limit !== undefined)
  if (limited.length)
    for (const { zone, most, limit } of limited)
      add(
        'Heat',
        zone,
        most <= limit - marginC,
        `at most ${limit - marginC} °C, ${marginC} below its limit`,
        `${most.toFixed(1)} °C`,
      )
  else {
    const said = hottest.map(({ zone, most }) => `${zone} ${most.toFixed(1)} °C`).join(', ')
    const why = said ? `Linux knows no limits: ${said}` : 'Linux tells no temperature here'
    checks.push(skipped('Heat', 'temperature', 'below where Linux slows the machine down', why))
  }

  const events = Object.entries(load.throttled)
  const slowed = events.filter(([, times]) => times > 0)
  if (events.length)
    add(
      'Heat',
      'slowed down',
      slowed.length === 0,
      'never',
      slowed.map(([cause, times]) => `${cause} ${times} times`).join(', ') || `never, by ${events.length} counters`,
    )
  else checks.push(skipped('Heat', 'slowed down', 'never', 'Linux counts no such events here'))

  const clocks = Object.keys(highest_mhz).map((name) => ({
    name,
    most: highest_mhz[name]!,
    usual: middle(moments.flatMap((moment) => moment.clocks_mhz[name] ?? [])),
  }))
  const gpus = clocks.filter(({ name }) => !/^cpu\d/.test(name))
  if (gpus.length)
    for (const { name, most, usual } of gpus)
      add(
        'Clocks',
        name,
        usual >= 0.8 * most,
        `80 % of ${most.toFixed(0)} MHz, usually`,
        `${usual.toFixed(0)} MHz${usual >= 0.8 * most ? '' : '; jetson_clocks holds it up'}`,
      )
  else checks.push(skipped('Clocks', 'GPU', 'near its highest', 'Linux tells of none'))
  if (!clocks.length) checks.push(skipped('Clocks', 'CPU', 'known', 'Linux tells of none'))
  return checks
}
