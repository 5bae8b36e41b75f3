// Child processes: started with what they need, their last words kept for the error, ended gently or at once; and how long
// to wait before the next try. What a child's end means is for those to say who started it.
import { type ChildProcess, fork } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import type { Log } from '../log.ts'
import { withoutSecrets } from '../settings/redact.ts'

export interface Child<To> {
  pid: number | undefined
  send(message: To): void
  /** Asks it to end and makes it after `graceMs`. Resolves when it is gone. */
  stop(graceMs: number): Promise<void>
  kill(): void
}

export interface ChildEvents<From> {
  message(message: From): void
  /** Why it ended: how, and the last lines it wrote to standard error. */
  ended(reason: string): void
}

const keptLines = 5
/** How long a child may take to end: the whole agent ends within a second. */
export const stopGraceMs = 700

/** Starts a compiled module of ours as a child process, with `{ type: 'stop' }` as its order to end. */
export function startChild<To extends { type: string }, From>(
  module: string,
  env: Record<string, string>,
  log: Log,
  on: ChildEvents<From>,
): Child<To | { type: 'stop' }> {
  const child: ChildProcess = fork(module, [], {
    serialization: 'advanced', // bytes travel as bytes
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    execArgv: ['--enable-source-maps'],
    env: { ...process.env, ...env },
  })
  const lastLines: string[] = []
  for (const stream of [child.stdout, child.stderr])
    createInterface({ input: stream! }).on('line', (raw) => {
      const line = withoutSecrets(raw)
      log.debug({ pid: child.pid }, line)
      if (stream !== child.stderr || !line.trim()) return
      lastLines.push(line)
      if (lastLines.length > keptLines) lastLines.shift()
    })
  child.on('message', (message) => on.message(message as From))
  child.on('error', (error) => log.debug(error, 'a message to a child process got lost')) // it is ending; `close` follows
  const gone = new Promise<void>((resolve) => {
    // `close` comes after the last line of standard error, `exit` perhaps before it.
    child.once('close', (code, signal) => {
      const how = signal ? `ended by ${signal}` : `ended with code ${code}`
      on.ended(lastLines.length ? `${how}: ${lastLines.join(' | ')}` : how)
      resolve()
    })
  })
  return {
    pid: child.pid,
    send(message) {
      if (child.connected) child.send(message, () => {})
    },
    async stop(graceMs) {
      if (child.connected) child.send({ type: 'stop' }, () => {})
      const timer = setTimeout(() => child.kill('SIGKILL'), graceMs)
      await gone
      clearTimeout(timer)
    },
    kill: () => child.kill('SIGKILL'),
  }
}

/** How long to wait before try number `failures` + 1, in milliseconds. */
export function retryDelayMs(failures: number): number {
  if (failures < 5) return 1000
  if (failures < 10) return 5000
  if (failures < 20) return 10_000
  return 60_000
}

/** Resident memory of a process in MiB; undefined where it is gone or the system does not say. */
export async function residentMib(pid: number): Promise<number | undefined> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  const kib = /^VmRSS:\s+(\d+) kB/m.exec(text)?.[1]
  return kib === undefined ? undefined : Math.round(Number(kib) / 1024)
}
