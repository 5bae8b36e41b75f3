// The run folder: where a run keeps what it was made with and what it gives.
import { execFile } from 'node:child_process'
import { rmSync } from 'node:fs'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import type { Manifest, ModelInput } from '../../deploy/bundle.ts'
import { makeFolder } from '../../deploy/make-folder.ts'
import type { Statistics } from '../data/check-dataset.ts'
import { writeAtomically } from '../report/write-atomically.ts'
import type { Start } from '../transfer/adopt.ts'
import type { Settings } from './settings.ts'

export interface RunRecord {
  name: string
  started: string
  /** Commit of this repository, `+changes` where files differ from it, or `unknown` outside git. */
  commit: string
  settings: Settings
  input: ModelInput
  data: { name: string; pictures: number; fingerprint: string; licence: string }[]
  /** What it was started from, where it was not from random weights. */
  start?: Start
  /** What it learnt from, where it had a teacher. */
  teacher?: { name: string; data: Manifest['data'] }
  /** Runs that its report is laid beside; in runs from before it was kept, absent. */
  compare?: string[]
}

export const runPaths = (dir: string) => ({
  record: join(dir, 'settings.json'),
  augmentation: join(dir, 'augmentation.jpg'),
  log: join(dir, 'log.csv'),
  tensorboard: join(dir, 'tensorboard'),
  measures: join(dir, 'measures.json'),
  report: join(dir, 'report.html'),
  last: join(dir, 'last.safetensors'),
  best: join(dir, 'best.safetensors'),
  overlays: join(dir, 'overlays'),
  bundle: join(dir, 'bundle'),
})

/** The commit that the trainer was built from. */
export async function commit(): Promise<string> {
  const git = async (...args: string[]) => (await promisify(execFile)('git', args, { cwd: import.meta.dirname })).stdout.trim()
  try {
    const head = await git('rev-parse', 'HEAD')
    return (await git('status', '--porcelain', '--untracked-files=no')) === '' ? head : `${head}+changes`
  } catch {
    return 'unknown'
  }
}

/** `runs/2026-01-31-1200-jetson`, in local time. */
export function newRunFolder(preset: string, now = new Date()): string {
  const two = (value: number) => String(value).padStart(2, '0')
  const day = `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`
  return join('runs', `${day}-${two(now.getHours())}${two(now.getMinutes())}-${preset}`)
}

/** What the manifest and the run say of a data set; no path of the machine goes with it. */
export const described = (spec: string, { train, val, fingerprint, licence }: Statistics) => ({
  name: `${spec.slice(0, spec.indexOf(':'))}:${basename(spec.slice(spec.indexOf(':') + 1))}`,
  pictures: train + val,
  fingerprint,
  licence,
})

/** When a process began, in the kernel's ticks: tells it from a later one of the same number. Nothing where there is none. */
const startOf = (pid: number | string | undefined) =>
  readFile(`/proc/${pid}/stat`, 'utf8').then(
    (text) => text.slice(text.lastIndexOf(')') + 2).split(' ')[19],
    () => undefined,
  )

/**
 * Keeps a run folder to this process until it ends: two that write one log and one checkpoint spoil both. Throws where another
 * process has it; what one that was killed has left does not count. On Linux alone.
 */
export async function lockRun(dir: string): Promise<void> {
  const file = join(dir, 'run.lock')
  const own = `${process.pid} ${await startOf(process.pid)}`
  try {
    await writeFile(file, own, { flag: 'wx' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    const [pid, start] = (await readFile(file, 'utf8')).split(' ')
    if (start && start === (await startOf(pid)))
      throw new Error(`${dir} is being trained by process ${pid}. Wait for it or end it, or choose another folder by --run.`)
    await writeFile(file, own)
  }
  process.once('exit', () => rmSync(file, { force: true }))
}

/** Makes the folder of a new run, for this process alone. Throws where a run is in it already. */
export async function startRun(dir: string, record: RunRecord): Promise<void> {
  const { last } = runPaths(dir)
  if (await stat(last).catch(() => undefined))
    throw new Error(`${dir} holds a run already. Go on with it by --resume ${dir}, or choose another folder by --run.`)
  await makeFolder(dir)
  await lockRun(dir)
  await saveRecord(dir, record)
}

/** Keeps what a run is made with. */
export const saveRecord = (dir: string, record: RunRecord) =>
  writeAtomically(runPaths(dir).record, `${JSON.stringify(record, null, 2)}\n`)

/** Throws where a run was stopped before it kept anything. */
export async function expectBegun(dir: string): Promise<void> {
  const { last } = runPaths(dir)
  if (!(await stat(last).catch(() => undefined)))
    throw new Error(
      `${dir} ended before its first checkpoint, so there is nothing to go on with: begin it again with the options it had and --run ${dir}`,
    )
}

/** Throws where data has changed since the run was begun: what is measured on it would be told of the other. */
export function expectSameData(dir: string, { data }: RunRecord, found: readonly Statistics[]): void {
  const changed = found.find(({ fingerprint }, i) => fingerprint !== data[i]?.fingerprint)
  if (changed) throw new Error(`${changed.name} is not what ${dir} was begun with; bring that back, or start a new run`)
}

/** What runs were made with before they could choose. */
const before = {
  compute: 'float32',
  storage: 'float32',
  schedule: 'cosine',
  warmUp: 1,
  optimizer: 'adamw',
  momentum: 0.9,
  loss: 'cross-entropy',
  classWeights: 'none',
  patience: 0,
  minEpochs: 5,
  tolerance: 0,
  ema: 0,
  headEpochs: 0,
  encoderRate: 1,
  teacherShare: 0,
} as const

/** Reads the record of a run that is to go on. */
export async function readRun(dir: string): Promise<RunRecord> {
  const { record } = runPaths(dir)
  const text = await readFile(record, 'utf8').catch((cause: unknown) => {
    throw new Error(`Expected a run to go on with in ${dir}, but ${record} cannot be read`, { cause })
  })
  try {
    const read = JSON.parse(text) as RunRecord
    if (!read.settings?.data || !read.input) throw new Error('it has no settings')
    return { ...read, settings: { ...before, ...read.settings } }
  } catch (cause) {
    throw new Error(`${record} is damaged (${(cause as Error).message}); start a new run`, { cause })
  }
}
