// `IMAGE train`: a SageMaker training job, or the same on a workstation or in Kubernetes. The trainer runs as a child, so
// that a failure of any kind, lack of memory too, leaves a reason and the last checkpoint.
import { spawn } from 'node:child_process'
import { cp, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { openBundle } from '../../deploy/bundle.ts'
import { listenForStop } from '../learn/stop-signal.ts'
import { readLog } from '../report/log.ts'
import { newRunFolder, runPaths } from '../run/run.ts'
import { dataOfChannels } from './channels.ts'
import type { MlFolders } from './folders.ts'
import { optionsOf, readHyperparameters } from './hyperparameters.ts'
import { metricLine } from './metrics.ts'

/** What may differ where a run goes on. */
const mayChange = ['epochs', 'patience']
/** Of a run's folder, what goes into output/data. */
const results =
  /^(log\.csv|settings\.json|measures\.json|report\.html|augmentation\.jpg|(accuracy|loss)\.(png|svg)|overlays|tensorboard)$/

interface Ended {
  code: number
  /** The last thing it said on standard error. */
  said: string
}

/**
 * Trains as the folders say and gives the exit code: 0 when the bundle is in `model`, 130 when a signal stopped it. `more`:
 * options of the trainer after those of hyperparameters.json; with --data the channels are not looked at. Throws what was
 * wrong otherwise.
 */
export async function trainJob(folders: MlFolders, more: readonly string[]): Promise<number> {
  await expectOneHost(folders.resources)
  const options = optionsOf(await readHyperparameters(folders.hyperparameters))
  const data = more.includes('--data')
    ? []
    : await dataOfChannels(folders.inputData, folders.inputConfig, Object.values(options))
  const asked = [
    ...Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]),
    ...data.flatMap((spec) => ['--data', spec]),
    ...more,
  ]
  const run = join(folders.checkpoints, (await runToGoOn(folders.checkpoints)) ?? jobOrDate())
  const { last, best, log, bundle } = runPaths(run)
  const goesOn = await exists(last)
  if (goesOn) await expectSameOptions(run, asked)
  else {
    await mkdir(run, { recursive: true })
    await writeFile(optionsFile(run), JSON.stringify(asked))
  }
  const args = goesOn ? ['--resume', run, ...mayChange.flatMap((name) => optionIn(asked, name))] : [...asked, '--run', run]

  const told = new Set((await readLog(log).catch(() => [])).map(({ epoch }) => epoch))
  const tellMetrics = async () => {
    for (const row of await readLog(log).catch(() => []))
      if (!told.has(row.epoch)) {
        told.add(row.epoch)
        console.log(metricLine(row))
      }
  }
  const child = startProgram('train.js', args, tellMetrics)
  // SageMaker ends a job by SIGTERM, and by SIGKILL two minutes later.
  const stop = listenForStop(child.kill)
  const { code, said } = await child.ended
  await tellMetrics()
  if (code !== 0 && stop.asked && (await exists(best))) {
    // Whoever ends a job, its time limit too, gets the best epoch so far; two minutes are left at most.
    console.log('Writing the bundle of the best epoch so far')
    await startProgram('export.js', ['--run', run]).ended
  }
  stop.end()
  await copyResults(run, folders.output)
  if (await exists(bundle)) {
    await cp(bundle, folders.model, { recursive: true })
    await openBundle(folders.model)
  }
  if (code !== 0 && !stop.asked) throw new Error(said || `The trainer ended with code ${code} and said nothing.`)
  return code
}

const exists = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  )

/** What the bundle is called: as SageMaker's job, elsewhere by the time. */
const jobOrDate = () => process.env.TRAINING_JOB_NAME ?? basename(newRunFolder('container'))

async function expectOneHost(file: string): Promise<void> {
  const text = await readFile(file, 'utf8').catch(() => '{}')
  const { hosts = ['algo-1'] } = JSON.parse(text) as { hosts?: string[] }
  if (hosts.length > 1)
    throw new Error(`Expected one instance, found ${hosts.length}: the trainer uses one machine. Choose a larger one instead.`)
}

/** The run of the checkpoints that are there. */
async function runToGoOn(checkpoints: string): Promise<string | undefined> {
  const names = await readdir(checkpoints).catch(() => [])
  const runs: string[] = []
  for (const name of names) if (await exists(runPaths(join(checkpoints, name)).last)) runs.push(name)
  if (runs.length > 1)
    throw new Error(
      `Expected the checkpoints of one run in ${checkpoints}, found ${runs.join(', ')}; give every job its own path`,
    )
  return runs[0]
}

const optionsFile = (run: string) => join(run, 'options.json')

/** `--name value` as it was asked for, or nothing. */
function optionIn(args: readonly string[], name: string): string[] {
  const at = args.lastIndexOf(`--${name}`)
  return at < 0 ? [] : args.slice(at, at + 2)
}

async function expectSameOptions(run: string, asked: readonly string[]): Promise<void> {
  const kept = (args: readonly string[]) => {
    const pairs = args.flatMap((name, at) => (name.startsWith('--') ? [`${name} ${args[at + 1]}`] : []))
    return pairs.filter((pair) => !mayChange.some((name) => pair.startsWith(`--${name} `)))
  }
  const before = JSON.parse(await readFile(optionsFile(run), 'utf8').catch(() => 'null')) as string[] | null
  if (before === null) return
  const [had, has] = [kept(before), kept(asked)]
  const differ = [
    ...had.filter((pair) => !has.includes(pair)).map((pair) => `without ${pair}`),
    ...has.filter((pair) => !had.includes(pair)).map((pair) => `with ${pair}`),
  ]
  if (differ.length > 0)
    throw new Error(
      `The checkpoints in ${run} are of another run: this one is ${differ.join(', ')}. Give it a checkpoint path of its own, or the same hyper-parameters; only ${mayChange.join(' and ')} may change.`,
    )
}

async function copyResults(run: string, output: string): Promise<void> {
  await mkdir(output, { recursive: true })
  for (const name of await readdir(run))
    if (results.test(name)) await cp(join(run, name), join(output, name), { recursive: true })
}

/** Starts a program of the trainer; its output is passed on, and `onOutput` is called after each piece. */
function startProgram(program: string, args: string[], onOutput: () => Promise<void> = async () => {}) {
  // In a process group of its own: a Ctrl-C would reach it twice otherwise.
  const child = spawn(process.execPath, ['--enable-source-maps', join(import.meta.dirname, '..', program), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  let said = ''
  let telling = Promise.resolve()
  child.stdout.on('data', (text: Buffer) => {
    process.stdout.write(text)
    telling = telling.then(onOutput)
  })
  child.stderr.on('data', (text: Buffer) => {
    process.stderr.write(text)
    said = (said + text).slice(-8192)
  })
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => {
      const cause =
        signal === 'SIGKILL' ? ': memory ran out, most likely. Use a larger instance, or a smaller batch or input' : ''
      const killed = `The trainer was ended by ${signal}${cause}.`
      // Programs end with their message after an empty line; before it stand warnings of libraries.
      const last =
        said
          .trim()
          .split(/\n\s*\n/)
          .at(-1) ?? ''
      telling.then(() => resolve(signal ? { code: 1, said: killed } : { code: code ?? 1, said: last }), reject)
    })
  })
  return { ended, kill: (signal: NodeJS.Signals) => child.kill(signal) }
}
