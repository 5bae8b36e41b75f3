// What the agent remembers from one run to the next, in a folder of its own. One agent a folder: two would spoil each other's
// files, so the second one is refused.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { access, constants, mkdir, realpath } from 'node:fs/promises'
import { createServer } from 'node:net'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Log } from './log.ts'
import type { Config } from './settings/config.ts'
import { ConfigError } from './settings/read-config.ts'

export interface State {
  folder: string
  /** What was written under a name; undefined where nothing was, or nothing that can be read. */
  read<T>(name: string): T | undefined
  /** Written aside, synced and renamed, so that a crash leaves the old or the new. Throws where the disk does not take it. */
  write(name: string, value: unknown): void
  close(): void
}

/** The folder of the settings, of systemd's StateDirectory=, or of the XDG base directories with the device's name. */
export function stateFolder({ state_dir, device }: Config, env: NodeJS.ProcessEnv): string {
  return (
    state_dir ??
    env.STATE_DIRECTORY?.split(':')[0] ??
    join(env.XDG_STATE_HOME || join(homedir(), '.local/state'), 'roadmask', encodeURIComponent(device))
  )
}

/** Opens the folder, which is made where it is missing. Throws a `ConfigError` where it cannot be used. */
export async function openState(config: Config, env: NodeJS.ProcessEnv): Promise<State> {
  const folder = stateFolder(config, env)
  const remedy = 'Name a folder that this user may write to with "state_dir", --state_dir or ROADMASK_STATE_DIR.'
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (cause) {
    throw new ConfigError(
      `The agent keeps its state in ${folder}, which cannot be used: ${(cause as Error).message}. ${remedy}`,
      { cause },
    )
  }
  const lock = await take(await realpath(folder))
  if (!lock)
    throw new ConfigError(
      `Another agent keeps its state in ${folder}. End it, or give this one another "device" or "state_dir".`,
    )
  const fileOf = (name: string) => join(folder, `${name}.json`)
  return {
    folder,
    read(name) {
      try {
        return JSON.parse(readFileSync(fileOf(name), 'utf8'))
      } catch {
        return undefined
      }
    },
    write(name, value) {
      const aside = `${fileOf(name)}.tmp`
      writeFileSync(aside, JSON.stringify(value), { mode: 0o600, flush: true })
      renameSync(aside, fileOf(name))
      syncFolder(folder)
    },
    close: () => void lock.close(),
  }
}

/** Puts the names in a folder onto the medium: what was renamed stays so over a power cut. */
export function syncFolder(folder: string) {
  const directory = openSync(folder, 'r')
  fsyncSync(directory)
  closeSync(directory)
}

/** Writes what the agent can do without: where the disk does not take it, that is said and no more. */
export function keep(state: State, name: string, value: unknown, log: Log) {
  try {
    state.write(name, value)
  } catch (error) {
    log.error(
      `${name}.json in ${state.folder} cannot be written and will be as before after a restart: ${(error as Error).message}`,
    )
  }
}

/** A name in the kernel's abstract namespace of sockets, which is free again however the process ends. */
async function take(folder: string) {
  const lock = createServer((socket) => socket.destroy()).unref()
  lock.listen(`\0roadmask-${createHash('sha256').update(folder).digest('hex')}`)
  return once(lock, 'listening').then(
    () => lock,
    () => undefined,
  )
}
