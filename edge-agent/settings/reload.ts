// New settings for an agent that runs: what can change at once does, for the rest it is said that it takes a restart. A file
// with a mistake in it changes nothing.
import { closeSync, existsSync, type FSWatcher, openSync, readFileSync, realpathSync, watch } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { Log } from '../log.ts'
import type { Systemd } from '../systemd.ts'
import type { Config } from './config.ts'

export interface Reloaded {
  /** Keys that changed and hold from now on, such as `mqtt.masks_per_second`; cameras by their names: `cameras.front.fps`. */
  applied: string[]
  /** Keys that changed in the file but hold only after a restart. */
  needsRestart: string[]
  /** Why nothing changed: what stands in the file does not fit. */
  error?: string
}

/** The answer to whoever asks before everything runs. */
export const stillStarting: Reloaded = {
  applied: [],
  needsRestart: [],
  error: 'The agent is still starting; ask again in a moment',
}

export interface Reloading {
  reload(): Promise<Reloaded>
  stop(): void
}

export interface ReloadSurroundings {
  /** The config file, which need not be there yet. */
  file: string
  /** Reads the settings as at the start, from the same file, environment and flags. Throws where they do not fit. */
  read(): Promise<Config>
  /** Makes the agent run so. */
  apply(config: Config): Promise<void>
  log: Log
  /** Who is told that this goes on, and that it is over. */
  systemd: Pick<Systemd, 'reloading' | 'ready'>
  /** The terminal that the agent was started from is gone. */
  hungUp(): void
}

/** What can change while the agent runs, with all that stands below it. */
const live = [
  'access',
  'cameras',
  'preview',
  'log',
  'mqtt.masks_per_second',
  'mqtt.results_per_second',
  'mqtt.overlays_per_minute',
  'mqtt.stats_every_s',
  'record',
  'history',
  'collect',
  'update.download_kib_per_second',
  'update.limits',
]

const isLive = (key: string) => live.some((start) => key === start || key.startsWith(`${start}.`))

/** Reads the settings again when their file changes, on SIGHUP, and when it is asked to. */
export function startReloading(config: Config, { file, read, apply, log, systemd, hungUp }: ReloadSurroundings): Reloading {
  let running = config
  let last: Promise<unknown> = Promise.resolve()

  async function reload(): Promise<Reloaded> {
    let wanted: Config
    try {
      wanted = await read()
    } catch (fault) {
      const error = (fault as Error).message
      log.error(`the settings stay as they were: ${error}`)
      return { applied: [], needsRestart: [], error }
    }
    const changed = changedKeys(byName(running), byName(wanted))
    const applied = changed.filter(isLive)
    const needsRestart = changed.filter((key) => !isLive(key))
    if (applied.length) {
      running = withLive(running, wanted)
      await apply(running)
    }
    log.info({ applied, needs_restart: needsRestart }, changed.length ? 'settings read again' : 'no setting changed')
    if (needsRestart.length) log.warn(`${needsRestart.join(', ')}: changed in the settings, but needs a restart of the agent`)
    return { applied, needsRestart }
  }

  /** One at a time: who asks meanwhile gets a run of its own after it. */
  function inTurn() {
    const mine = last.then(() => {
      systemd.reloading()
      return reload().finally(systemd.ready)
    })
    last = mine.catch(() => {})
    return mine
  }

  process.on('SIGHUP', () => {
    if (!terminalIsGone()) return void inTurn()
    log.level = 'silent' // it would be written to what is no longer there
    process.on('exit', () => process.kill(process.pid, 'SIGKILL')) // Node crashes where it cannot reset its terminal
    hungUp()
  })
  return { reload: inTurn, stop: watchFile(file, log, inTurn) }
}

/** SIGHUP has two meanings. A service has no terminal, and a person's is there unless it was closed. */
function terminalIsGone(): boolean {
  if (!process.stdout.isTTY) return false
  try {
    closeSync(openSync('/dev/tty', 'r'))
    return false
  } catch {
    return true
  }
}

/** The settings with cameras under their names, so that one more at the top does not change all below. */
const byName = (config: Config) => ({
  ...config,
  cameras: Object.fromEntries(config.cameras.map((camera) => [camera.name, camera])),
})

/** Paths of what is different. */
function changedKeys(before: unknown, after: unknown, path: string[] = []): string[] {
  if (isDeepStrictEqual(before, after)) return []
  if (!isGroup(before) || !isGroup(after)) return [path.join('.')]
  const keys = new Set([...Object.keys(before), ...Object.keys(after)])
  return [...keys].flatMap((key) => changedKeys(before[key], after[key], [...path, key]))
}

const isGroup = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** `running` with what is live of `wanted`. */
function withLive(running: Config, wanted: Config): Config {
  const next = structuredClone(running)
  for (const key of live) {
    const path = key.split('.')
    const last = path.pop()!
    const [to, from] = [next, wanted].map((config) =>
      path.reduce((at, step) => at[step] as Record<string, unknown>, config as Record<string, unknown>),
    )
    to![last] = from![last]
  }
  return next
}

/** Editors write a file in several steps, so it counts when it has been the same for so long. */
const settleMs = 250

/**
 * Calls back when the text of a file has changed. The folder is watched, since editors and Kubernetes put another file in
 * its place. Returns how to end that.
 */
function watchFile(file: string, log: Log, changed: () => void): () => void {
  const isThere = existsSync(file)
  let known = isThere ? readFileSync(file, 'utf8') : ''
  let seen = known
  let timer: NodeJS.Timeout | undefined
  const look = () => (timer ??= setTimeout(check, settleMs))

  async function check() {
    const text = await readFile(file, 'utf8').catch(() => '') // gone for the moment between two renames
    timer = undefined
    const settled = text === seen
    seen = text
    if (!settled) return look()
    // Empty is a file that somebody begins to write, and would put the demo drive in the place of all cameras.
    if (text === known || text.trim() === '') return
    known = text
    changed()
  }

  const folders = new Set([dirname(file), dirname(isThere ? realpathSync(file) : file)])
  const watchers: FSWatcher[] = []
  for (const folder of folders) {
    const unwatched = (error: unknown) =>
      log.warn(`${folder} is not watched for new settings (${(error as Error).message}); send SIGHUP instead`)
    try {
      watchers.push(watch(folder, look).on('error', unwatched))
    } catch (error) {
      unwatched(error)
    }
  }
  return () => {
    clearTimeout(timer)
    for (const watcher of watchers) watcher.close()
  }
}
