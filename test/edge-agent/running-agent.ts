// The whole agent as a person starts it: the compiled program with a config file, its processes and what it says.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { vi } from 'vitest'
import { WebSocket } from 'ws'
import { type MaskMessage, type SocketMessage, unpackMask } from '../../edge-agent/wire.ts'

export type LogLine = Record<string, unknown> & { msg: string }

export interface RunningAgent {
  process: ChildProcess
  /** Address of the page. */
  url: string
  /** Address of the broker it uses. */
  mqtt: string
  log: LogLine[]
  /** What it wrote to standard error. */
  complaints: string[]
  /** Its config file. */
  file: string
  /** Puts another config file in the place of its own, as an editor does. */
  save(config: string): Promise<void>
  /** Ids of its running children whose module is so named. */
  children(module: 'camera' | 'segment'): number[]
  /** Opens a WebSocket and keeps what comes. */
  watch(): Promise<Watcher>
  /** Ends it, if it still runs, and cleans up. */
  stop(): Promise<void>
}

export interface Watcher {
  socket: WebSocket
  masks: MaskMessage[]
  texts: SocketMessage[]
}

const program = join(import.meta.dirname, '../../build/edge-agent/main.js')

/** Starts the program and hands over what it says; for when it is expected to fail. */
export async function runAgent(config: string, flags: string[] = [], env: Record<string, string> = {}) {
  const dir = await mkdtemp(join(tmpdir(), 'roadmask-'))
  const file = join(dir, 'agent.yaml')
  await writeFile(file, config)
  const agent = spawn(process.execPath, ['--enable-source-maps', program, '--config', file, ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ROADMASK_HTTP_PORT: '0', ROADMASK_STATE_DIR: join(dir, 'state'), ...env },
  })
  const kill = () => void agent.kill('SIGKILL')
  process.once('exit', kill) // a test that breaks off leaves no agent behind
  const log: LogLine[] = []
  const complaints: string[] = []
  createInterface({ input: agent.stdout }).on('line', (line) =>
    log.push(line.startsWith('{') ? JSON.parse(line) : { msg: line }),
  )
  createInterface({ input: agent.stderr }).on('line', (line) => complaints.push(line))
  const ended = once(agent, 'close').then(async ([code]) => {
    process.off('exit', kill)
    await rm(dir, { recursive: true, force: true })
    return code as number | null
  })
  const save = async (text: string) => {
    await writeFile(`${file}.new`, text)
    await rename(`${file}.new`, file)
  }
  return { process: agent, log, complaints, ended, file, save }
}

/** Starts an agent and waits until it listens. */
export async function startAgent(
  config: string,
  flags: string[] = [],
  env: Record<string, string> = {},
): Promise<RunningAgent> {
  const { process: agent, log, complaints, ended, file, save } = await runAgent(config, flags, env)
  const listening = () => log.find(({ msg }) => msg === 'listening')
  await vi.waitUntil(() => listening() || agent.exitCode !== null, { timeout: 20_000 })
  const places = listening()
  if (!places) throw new Error(`The agent ended: ${complaints.join('\n')} ${JSON.stringify(log)}`)
  const url = String(places.page)
  return {
    process: agent,
    url,
    mqtt: String(places.mqtt).split(' ')[0]!,
    log,
    complaints,
    file,
    save,
    children: (module) => childrenOf(agent.pid!).filter((pid) => commandOf(pid).includes(`/${module}.js`)),
    async watch() {
      const socket = new WebSocket(new URL('ws', url.replace('http', 'ws')))
      const watcher: Watcher = { socket, masks: [], texts: [] }
      socket.on('message', (data: Buffer, binary) => {
        if (binary) watcher.masks.push(unpackMask(data))
        else watcher.texts.push(JSON.parse(data.toString()) as SocketMessage)
      })
      await once(socket, 'open')
      return watcher
    },
    async stop() {
      agent.kill('SIGTERM')
      const timer = setTimeout(() => agent.kill('SIGKILL'), 5000)
      await ended
      clearTimeout(timer)
    },
  }
}

/** Whether a process is there and no zombie. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

function childrenOf(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean)
    return children.map(Number).filter(isAlive)
  } catch {
    return []
  }
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return ''
  }
}
