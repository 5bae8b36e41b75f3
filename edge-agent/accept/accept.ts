// Whether a device does its work, shown on the device itself:  npm run accept   (--help for more)
// What no test elsewhere can know: the GPU's kernels, the hardware's codecs, heat and clocks under minutes of load.
import { mkdir, writeFile } from 'node:fs/promises'
import { loadavg } from 'node:os'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { openBundle } from '../../deploy/bundle.ts'
import { run } from '../../deploy/doctor/run.ts'
import { optionFaults, parseOptions } from '../../deploy/options.ts'
import { fullWidth, hasTrainer } from '../bench/full-width.ts'
import { quantile } from '../bench/quantile.ts'
import { openRawSession } from '../bench/raw.ts'
import { pacedCamera } from '../bench/scenarios.ts'
import { layOut } from '../bench/table.ts'
import { demoBundle } from '../paths.ts'
import { type Check, pass, skipped } from './check.ts'
import { askDoctor, checkCompute, checkDevice, checkVideo } from './device.ts'
import { judgeLoad } from './judge.ts'
import { underLoad } from './load.ts'
import { type Acceptance, acceptancePage } from './page.ts'
import { openSensors } from './sensors.ts'

const help = `npm run accept -- [options]

Shows on the device that it does its work, and writes one report, accept.json and accept.html, to keep or to send: what
the device is, that TensorFlow's kernels run on its GPU, which elements decode video and make JPEGs and how fast, CSI, masks
a second and latency by stage, and memory, heat and clocks under minutes of load. End the agent first: both would share the GPU.

  --minutes N      how long the load lasts (10)
  --bundle DIR     the bundle (the one that comes with the agent)
  --masks N        masks a second that are expected of the device (10)
  --out DIR        where the report goes (accept)
  --json           prints accept.json instead of the lines

Exit code 0 where nothing failed, 1 where a check failed, 2 where it could not be run.`

const Options = z.object({
  minutes: z.string().default('10').transform(Number).pipe(z.number().min(0.1).max(1440)),
  masks: z.string().default('10').transform(Number).pipe(z.number().min(0)),
  bundle: z.string().default(demoBundle),
  out: z.string().default('accept'),
  json: z.boolean().default(false),
})

/** What is measured beside the load takes so much of its time, within these bounds. */
const sideSeconds = (minutes: number) => Math.min(20, Math.max(2, 6 * minutes))
/** The network in full width is made and measured where the acceptance is no quick look. */
const leastMinutesForFull = 1

const millis = (value: number) => `${value.toFixed(1)} ms`

/** The bundle alone, then a camera of 30 frames a second, then the network in full width. */
async function checkModel(bundle: string, minutes: number): Promise<{ checks: Check[]; sessions: Acceptance['sessions'] }> {
  const seconds = sideSeconds(minutes)
  const alone = async (dir: string) => {
    const session = await openRawSession(dir)
    try {
      return await session.rate(seconds)
    } finally {
      session.close()
    }
  }
  const own = (await openBundle(bundle)).manifest.architecture.width
  const sessions = [{ width: own, pictures_per_second: await alone(bundle) }]
  const checks: Check[] = []
  const { stages, found } = await pacedCamera(bundle, seconds)
  const whole = [0.5, 0.99].map((at) => quantile(stages.whole!, at))
  checks.push(
    pass(
      'Model',
      'a camera of 720p30',
      whole[0]! < 250,
      'a mask within 250 ms of its frame, median',
      `${millis(whole[0]!)}, 99th percentile ${millis(whole[1]!)}; ${found.toFixed(1)} masks a second`,
    ),
  )
  const expected = 'measured'
  if (own !== 1) {
    if (!hasTrainer) checks.push(skipped('Model', 'full width', expected, 'the trainer, which makes the network, is not here'))
    else if (minutes < leastMinutesForFull)
      checks.push(skipped('Model', 'full width', expected, `--minutes is below ${leastMinutesForFull}`))
    else sessions.push({ width: 1, pictures_per_second: await alone(await fullWidth(bundle)) })
  }
  for (const { width, pictures_per_second } of sessions)
    checks.push(
      pass(
        'Model',
        `width ${width} alone`,
        pictures_per_second > 0,
        expected,
        `${pictures_per_second.toFixed(1)} pictures a second, ${millis(1000 / pictures_per_second)} each`,
      ),
    )
  return { checks, sessions }
}

async function powerMode(): Promise<string> {
  const { ok, out } = await run('nvpmodel', ['-q'])
  return ok ? (/NV Power Mode:\s*(\S+)/.exec(out)?.[1] ?? '') : ''
}

const signs = { pass: 'pass', fail: 'FAIL', skipped: 'skipped' }

async function accept(): Promise<void> {
  const text = { type: 'string' } as const
  const { values } = parseOptions({
    options: {
      minutes: text,
      masks: text,
      bundle: text,
      out: text,
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help) return void console.log(help)
  const parsed = Options.safeParse(values)
  if (!parsed.success) throw new Error(optionFaults(parsed.error, values))
  const { minutes, masks, json } = parsed.data
  const here = process.env.INIT_CWD ?? '.'
  const [bundle, out] = [resolve(here, parsed.data.bundle), resolve(here, parsed.data.out)]
  const say = (line: string) => process.stderr.write(`${line}\n`)

  const started = new Date()
  const before = loadavg()[0]!
  const sensors = openSensors()
  say('looking at the device')
  const doctor = await askDoctor(bundle)
  const checks = [...checkDevice(doctor), ...(await checkCompute(doctor))]
  say('decoding and encoding video')
  checks.push(...(await checkVideo(doctor)))
  say('measuring the model')
  const model = await checkModel(bundle, minutes)
  checks.push(...model.checks)
  say(`loading the device for ${minutes} minutes`)
  let told = 0
  const load = await underLoad(bundle, minutes, sensors, ({ seconds, masks_per_second, temperatures }) => {
    if (seconds - told < 30) return
    told = seconds
    const heat = Object.values(temperatures)
    say(
      `${seconds.toFixed(0)} s: ${masks_per_second.toFixed(1)} masks a second${heat.length ? `, ${Math.max(...heat).toFixed(0)} °C` : ''}`,
    )
  })
  checks.push(...judgeLoad(load, sensors, { masks }))

  const { name, architecture, input } = (await openBundle(bundle)).manifest
  const acceptance: Acceptance = {
    version: 1,
    ok: checks.every(({ state }) => state !== 'fail'),
    started: started.toISOString(),
    minutes,
    load_average_before: before,
    power_mode: await powerMode(),
    machine: doctor.machine,
    bundle: { name, net: architecture.net, width: architecture.width, picture: [input.width, input.height] },
    checks,
    sessions: model.sessions,
    limits: sensors.limits,
    load,
    findings: doctor.findings,
  }
  await mkdir(out, { recursive: true })
  const report = `${JSON.stringify(acceptance, null, 1)}\n`
  await writeFile(join(out, 'accept.json'), report)
  await writeFile(join(out, 'accept.html'), acceptancePage(acceptance))
  if (json) process.stdout.write(report)
  else {
    const rows = checks.map(({ section, name, state, expected, found }) => [
      `${section}: ${name}`,
      signs[state],
      `${found} (expected: ${expected})`,
    ])
    console.log(`${layOut(['', '', ''], rows)}\n`)
    const failed = checks.filter(({ state }) => state === 'fail').length
    console.log(failed ? `${failed} of ${checks.length} checks failed.` : 'Nothing failed.')
    console.log(`The report: ${join(out, 'accept.html')}`)
  }
  process.exitCode = acceptance.ok ? 0 : 1
}

accept().catch((error: Error) => {
  console.error(error.message)
  process.exitCode = 2
})
