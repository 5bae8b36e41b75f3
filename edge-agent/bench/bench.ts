// Measures the agent beside the bundle alone:  npm run bench -- agent   (--help for more)
import { spawnSync } from 'node:child_process'
import { cpus, loadavg } from 'node:os'
import { resolve } from 'node:path'
import { z } from 'zod'
import { parseOptions } from '../../deploy/options.ts'
import { demoBundle, repository } from '../paths.ts'
import { fullWidth } from './full-width.ts'
import { comparePeers, runtimes } from './peers.ts'
import { quantile } from './quantile.ts'
import { growth, manyCameras, pacedCamera, type Rate, unpacedRate } from './scenarios.ts'
import { type Row, renderCores, renderRows, renderStages } from './table.ts'

const measurements = ['rate', 'slow', 'latency', 'many', 'growth', 'peers'] as const

const help = `npm run bench -- agent [options]

Measures the whole agent, started as by hand, with a viewer on its WebSocket, beside the session of its bundle alone.

  rate      masks a second of a 720p H.264 video that is played as fast as the model goes ("pace: model"), preview 10 a
            second, as a share of what the session alone does in turns with it
  slow      the same with a full-width network, which is made of random weights
  latency   a 720p camera at 30 a second: from the decoded frame to the viewer, without inference and the wait for it;
            time of the main process; memory of the camera process
  many      16 cameras of 640 x 360 at 5 a second beside one at 80
  growth    memory at full rate
  peers     what a subscriber gets of the agent, and of an agent in Python: GStreamer's appsink, the same SavedModel in
            TensorFlow and in ONNX Runtime, paho, on the same video and broker

  --only NAME,…    some of these (all)
  --bundle DIR     the bundle (the one that comes with the agent)
  --seconds N      how long each is watched (20)
  --minutes N      how long memory is watched (2)
  --peers NAME,…   tensorflow, onnxruntime (both)
  --json           one JSON object instead of the tables

Nothing else should run meanwhile. Videos and the full-width bundle are made once, in .setup/bench-agent.`

const number = (fallback: string, least: number) => z.string().default(fallback).transform(Number).pipe(z.number().min(least))
const Options = z.object({
  only: z
    .string()
    .default(measurements.join(','))
    .transform((names) => names.split(','))
    .pipe(z.array(z.enum(measurements))),
  bundle: z.string().default(demoBundle),
  seconds: number('20', 1),
  minutes: number('2', 0.5),
  peers: z
    .string()
    .default(runtimes.join(','))
    .transform((names) => names.split(','))
    .pipe(z.array(z.enum(runtimes))),
  json: z.boolean().default(false),
})

/** The peer's virtual environment, made by set-up where it is missing. */
function makePython(): void {
  const { status } = spawnSync(`${repository}/deploy/setup.sh`, ['--bench', 'agent'], {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  if (status !== 0) throw new Error('The peer in Python could not be set up (see above); --only measures without it')
}

const perSecond = (value: number) => `${value.toFixed(1)}/s`

const rateRow = (what: string, atLeast: number, { found, raw, ratio }: Rate): Row => ({
  what,
  atLeast,
  unit: '',
  found: ratio,
  note: `${perSecond(found)} of ${perSecond(raw)}`,
})

async function bench(args: string[]): Promise<void> {
  const text = { type: 'string' } as const
  const { values } = parseOptions({
    args,
    options: {
      only: text,
      bundle: text,
      seconds: text,
      minutes: text,
      peers: text,
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help) return void console.log(help)
  const parsed = Options.safeParse(values)
  if (!parsed.success) throw new Error(z.prettifyError(parsed.error))
  const { only, seconds, minutes, peers, json } = parsed.data
  const bundle = resolve(parsed.data.bundle)
  const rows: Row[] = []
  const details: Record<string, unknown> = {}
  const say = (words: string) => json || console.log(words)
  const machine = { processor: cpus()[0]!.model, cores: cpus().length, loadAverage: loadavg()[0]! }
  say(`${machine.processor}, ${machine.cores} cores, load average ${machine.loadAverage.toFixed(1)} before.`)

  const sayRate = (what: string, { cores, pictures, timings }: Rate) =>
    say(`\n${what}: cores ${renderCores(cores)}; ${perSecond(pictures)} pictures\n${renderStages(timings)}`)
  if (only.includes('rate')) {
    const rate = await unpacedRate(bundle, seconds)
    details.rate = rate
    sayRate('As fast as the model goes', rate)
    rows.push(rateRow('masks a second / session alone', 0.85, rate))
  }
  if (only.includes('slow')) {
    const rate = await unpacedRate(await fullWidth(bundle), seconds)
    details.slow = rate
    sayRate('The same in full width', rate)
    rows.push(rateRow('the same, full width', 0.95, rate))
  }
  if (only.includes('latency')) {
    const paced = await pacedCamera(bundle, seconds)
    details.latency = paced
    const { found, stages, cores, memory } = paced
    say(`\n720p at 30 a second: ${perSecond(found)} masks, cores ${renderCores(cores)}\n${renderStages(stages)}`)
    rows.push(
      { what: 'latency but inference and wait, median', atMost: 8, unit: ' ms', found: quantile(stages.own!, 0.5) },
      { what: 'the same, 99th percentile', atMost: 25, unit: ' ms', found: quantile(stages.own!, 0.99) },
      {
        what: 'main process, of a core',
        atMost: 10,
        unit: ' %',
        found: 100 * cores.main!,
        note: `at ${perSecond(found)} masks`,
      },
      { what: 'private memory of a camera process', atMost: 110, unit: ' MB', found: memory.camera! },
    )
  }
  if (only.includes('many')) {
    const many = await manyCameras(bundle, seconds)
    details.many = many
    const { found, one, least, most } = many
    const each = `each ${least.toFixed(2)} to ${perSecond(most)}`
    const what = '16 cameras at 5 a second / one at 80'
    rows.push({ what, atLeast: 0.95, unit: '', found: found / one, note: `${perSecond(found)} of ${perSecond(one)}; ${each}` })
  }
  if (only.includes('growth')) {
    const grown = await growth(bundle, minutes)
    details.growth = grown
    const { before, after } = grown
    rows.push({
      what: `growth of memory in ${minutes} minutes`,
      atMost: 1,
      unit: ' %',
      found: 100 * (after / before - 1),
      note: `${before.toFixed(0)} to ${after.toFixed(0)} MB in all processes, second quarter to last`,
    })
  }
  if (only.includes('peers')) {
    makePython()
    const [own, ...others] = await comparePeers(bundle, peers, seconds)
    details.peers = [own, ...others]
    for (const { name, rate, whole, own: rest } of [own!, ...others])
      say(`\n${name}: ${perSecond(rate)} masks at most; at 30 a second\n${renderStages({ whole, 'but inference': rest })}`)
    for (const { name, rate, whole } of others) {
      const [ours, theirs] = [own!.whole, whole].map((ms) => quantile(ms, 0.5)) as [number, number]
      const rates = `${perSecond(own!.rate)} of ${perSecond(rate)}`
      rows.push(
        { what: `masks a second / ${name} in Python`, atLeast: 1, unit: '', found: own!.rate / rate, note: rates },
        {
          what: `latency / ${name} in Python`,
          atMost: 1,
          unit: '',
          found: ours / theirs,
          note: `${ours.toFixed(1)} of ${theirs.toFixed(1)} ms, medians from decoder to subscriber`,
        },
      )
    }
  }
  if (json) console.log(JSON.stringify({ machine, rows, details }))
  else console.log(`\n${renderRows(rows)}`)
}

bench(process.argv.slice(2)).catch((error: Error) => {
  console.error(error.message)
  process.exitCode = 1
})
