// Measures a fleet on this machine:  npm run bench -- fleet   (--help for more)
import { cpus, loadavg } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { optionFaults, parseOptions } from '../../../deploy/options.ts'
import { layOut, type Row, renderRows } from '../table.ts'
import type { BenchedBroker, Counts, Peaks } from './mosquitto.ts'
import { type PlayedFleet, playFleet, type Ran } from './played-fleet.ts'
import { type Storm, storm } from './storm.ts'

const help = `npm run bench -- fleet [options]

A fleet of light agents (MQTT, outbox, downloads and updates are the agent's own; cameras and TensorFlow are played) and one real
Mosquitto. One device in twenty cannot be brought to the new model: it takes it back, or does not trust who signed it.

  rest      what goes through the broker while nothing happens: pings, and a device's stats each minute
  rollout   waves of 1, 10 %, 50 % and all: with --halt 4% it halts, and the same command with --halt 10% goes on to the end
  storm     the broker is ended, is away for a while, and starts with what it had retained: until all devices are back
  status    the time that a view of all devices takes
  back      the whole rollout is taken back

  --devices N      (1000)
  --processes N    that they run in (4)
  --rest N         seconds that the fleet is watched at rest (65)
  --down N         seconds that the broker is away (10)
  --model N        size of the model, in KiB (64)
  --trial N        seconds from a model on the disk to the end of its trial (2)
  --tls            every connection is TLS with a certificate on both sides
  --json           one JSON object instead of the tables

Nothing else should run meanwhile: agents, web server and broker share this machine.`

const number = (fallback: string, least: number) => z.string().default(fallback).transform(Number).pipe(z.number().min(least))
const Options = z.object({
  devices: number('1000', 20).pipe(z.int()),
  processes: number('4', 1).pipe(z.int()),
  rest: number('65', 2),
  down: number('10', 0),
  model: number('64', 1).pipe(z.int()),
  trial: number('2', 0.1),
  tls: z.boolean().default(false),
  json: z.boolean().default(false),
})

/** From the last connection until a device has said all that it says at its start, its first stats too. */
const settleMs = 12_000

/** What went through the broker between two moments. */
interface Traffic {
  seconds: number
  packetsIn: number
  packetsOut: number
  bytesIn: number
  bytesOut: number
  /** Of one core. */
  cpuSeconds: number
  memoryMb: number
  /** Within a second. */
  peaks: Peaks
}

function since(from: Counts, broker: BenchedBroker): Traffic {
  const to = broker.counts()
  const names = ['packetsIn', 'packetsOut', 'bytesIn', 'bytesOut', 'cpuSeconds'] as const
  const grown = Object.fromEntries(names.map((name) => [name, to[name] - from[name]])) as Record<(typeof names)[number], number>
  return { ...grown, seconds: (to.atMs - from.atMs) / 1000, memoryMb: to.memoryMb, peaks: broker.peaks(from.atMs) }
}

/** Runs a command, and counts until the broker has told of all of it. */
async function counted(fleet: PlayedFleet, ...args: string[]): Promise<Ran & { traffic: Traffic }> {
  const before = fleet.broker.counts()
  const ran = await fleet.deploy(...args)
  await delay(1500) // it tells of itself each second
  return { ...ran, traffic: since(before, fleet.broker) }
}

interface Outcome {
  end: string
  seconds: number
  waves: Record<string, number>[]
  failures: unknown[]
}

function outcomeOf({ out, err }: Ran): Outcome {
  if (!out.startsWith('{')) throw new Error(`The rollout said nothing of how it ended: ${err}`)
  return JSON.parse(out) as Outcome
}

async function measure(fleet: PlayedFleet, { devices, rest, down }: z.infer<typeof Options>) {
  await delay(settleMs)
  const restFrom = fleet.broker.counts()
  await delay(1000 * rest)
  const atRest = since(restFrom, fleet.broker)
  const rollout = ['rollout', 'second', '--url', fleet.url, '--group', 'vehicles', '--json', '--halt']
  const strict = await counted(fleet, ...rollout, '4%')
  const lenient = await counted(fleet, ...rollout, '10%')
  const came = await storm(fleet, devices, down)
  const stormTraffic = since(came.from, fleet.broker)
  const status = await counted(fleet, 'status', '--json')
  const shown = status.out.match(/"available":"online"/g)?.length ?? 0
  const back = await counted(fleet, 'rollout', 'second', '--back', '--group', 'vehicles', '--json')
  return {
    rest: atRest,
    halted: { code: strict.code, ...outcomeOf(strict), traffic: strict.traffic },
    passed: { code: lenient.code, ...outcomeOf(lenient), traffic: lenient.traffic, servedBytes: fleet.served() },
    status: { online: shown, seconds: status.seconds, traffic: status.traffic },
    storm: came.storm,
    stormTraffic,
    back: { code: back.code, ...(JSON.parse(back.out) as { back: number; left: string[] }), traffic: back.traffic },
  }
}
type Measured = Awaited<ReturnType<typeof measure>>

function trafficTable(found: Record<string, Traffic>): string {
  const rows = Object.entries(found).map(
    ([what, { seconds, packetsIn, packetsOut, bytesIn, bytesOut, cpuSeconds, memoryMb, peaks }]) => [
      what,
      seconds.toFixed(1),
      (packetsIn / seconds).toFixed(0),
      (packetsOut / seconds).toFixed(0),
      (bytesIn / seconds / 1000).toFixed(1),
      (bytesOut / seconds / 1000).toFixed(1),
      peaks.packets.toFixed(0),
      (peaks.bytes / 1000).toFixed(0),
      ((100 * cpuSeconds) / seconds).toFixed(1),
      memoryMb.toFixed(1),
    ],
  )
  return layOut(
    ['the broker', 's', 'packets/s in', 'out', 'kB/s in', 'out', 'most packets/s', 'kB/s', '% of a core', 'MB'],
    rows,
  )
}

function rowsOf(devices: number, failing: number, { halted, passed, status, storm, back }: Measured): Row[] {
  const settled = passed.waves.reduce((sum, wave) => sum + wave.settled!, 0)
  return [
    {
      what: 'halted with --halt 4%',
      atLeast: 1,
      unit: '',
      found: Number(halted.end === 'halted'),
      note: `exit code ${halted.code}`,
    },
    {
      what: 'to the end with --halt 10%',
      atLeast: 1,
      unit: '',
      found: Number(passed.end === 'done'),
      note: `${passed.seconds} s`,
    },
    {
      what: 'settled',
      atLeast: devices - failing,
      unit: '',
      found: settled,
      note: `${passed.failures.length} failed, as they were to`,
    },
    { what: 'back after the storm', atLeast: devices, unit: '', found: storm.connected, note: stormText(storm) },
    {
      what: 'and shown so by status',
      atLeast: devices,
      unit: '',
      found: status.online,
      note: `${status.seconds.toFixed(1)} s`,
    },
    {
      what: 'back at the old model',
      atLeast: devices - failing,
      unit: '',
      found: back.back,
      note: `${back.traffic.seconds.toFixed(1)} s`,
    },
  ]
}

const stormText = ({ seconds, half, nearly, mostInASecond }: Storm) =>
  `half after ${half.toFixed(1)} s, 99 % ${nearly.toFixed(1)} s, all ${seconds.toFixed(1)} s; at most ${mostInASecond} in a second`

async function bench(args: string[]): Promise<void> {
  const text = { type: 'string' } as const
  const { values } = parseOptions({
    args,
    options: {
      devices: text,
      processes: text,
      rest: text,
      down: text,
      model: text,
      trial: text,
      tls: { type: 'boolean' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help) return void console.log(help)
  const parsed = Options.safeParse(values)
  if (!parsed.success) throw new Error(optionFaults(parsed.error, values))
  const options = parsed.data
  const { devices, processes, model, trial, tls, json } = options
  const machine = { processor: cpus()[0]!.model, cores: cpus().length, loadAverage: loadavg()[0]! }
  const say = (words: string) => json || console.log(words)
  say(`${machine.processor}, ${machine.cores} cores, load average ${machine.loadAverage.toFixed(1)} before.`)
  const fleet = await playFleet({ devices, processes, modelKib: model, everyFails: 20, trialMs: 1000 * trial, tls })
  try {
    const found = await measure(fleet, options)
    const rows = rowsOf(devices, fleet.failing, found)
    if (json) return void console.log(JSON.stringify({ machine, options, rows, ...found }))
    const { rest, halted, passed, stormTraffic, status, back } = found
    const traffic = {
      rest,
      'first waves': halted.traffic,
      'last waves': passed.traffic,
      storm: stormTraffic,
      status: status.traffic,
      back: back.traffic,
    }
    say(`\n${devices} devices${tls ? ', TLS' : ''}\n${trafficTable(traffic)}\n\n${renderRows(rows)}`)
  } finally {
    await fleet.close()
  }
}

bench(process.argv.slice(2)).catch((error: Error) => {
  console.error(error.message)
  process.exitCode = 1
})
