// What systemd is told of a service of Type=notify: ready, reloading, stopping, how it is doing, and a sign of life for its
// watchdog. Node has no Unix datagram sockets, so systemd's own systemd-notify says it, one message after the other.
import { execFile } from 'node:child_process'
import type { Known } from './known.ts'
import type { Log } from './log.ts'
import { monotonicMicros } from './monotonic.ts'

export interface SystemdSurroundings {
  known: Pick<Known, 'statuses' | 'modelReady'>
  /** Whether the agent may go on; systemd restarts it where this says no for longer than its WatchdogSec. */
  healthy(): boolean
  log: Log
}

export interface Systemd {
  ready(): void
  reloading(): void
  stopping(): Promise<void>
}

/** How often the state is said where there is no watchdog. */
const statusEveryMs = 10_000
const sendTimeoutMs = 5000

/** Says nothing where nobody listens. */
export function notifySystemd(env: NodeJS.ProcessEnv, { known, healthy, log }: SystemdSurroundings): Systemd {
  let listens = Boolean(env.NOTIFY_SOCKET)
  let last: Promise<void> = Promise.resolve()
  let waiting = 0
  let timer: NodeJS.Timeout | undefined
  let saidStatus = ''
  const watchdog = watchdogMs(env)

  const send = (lines: string[]) =>
    new Promise<void>((sent) => {
      if (!listens) return sent()
      execFile('systemd-notify', lines, { env, timeout: sendTimeoutMs }, (error) => {
        if (error) log.warn(`systemd-notify: ${error.message.trim()}`)
        if (error?.code === 'ENOENT') listens = false // once is enough
        sent()
      })
    })

  /** In the order they were said. */
  function say(...lines: string[]): Promise<void> {
    waiting++
    last = last.then(() => send(lines)).then(() => void waiting--)
    return last
  }

  function tick() {
    const status = statusText(known)
    const lines = [...(watchdog && healthy() ? ['WATCHDOG=1'] : []), ...(status === saidStatus ? [] : [`STATUS=${status}`])]
    saidStatus = status
    if (lines.length) say(...lines)
  }

  return {
    ready() {
      say('READY=1')
      if (timer || !listens) return
      tick()
      // On a machine so busy that the last word is not out yet there is no use in another one.
      timer = setInterval(() => waiting || tick(), Math.min(statusEveryMs, (watchdog ?? Infinity) / 3))
    },
    reloading: () => void say('RELOADING=1', `MONOTONIC_USEC=${monotonicMicros()}`),
    stopping() {
      clearInterval(timer)
      return say('STOPPING=1', 'STATUS=ending')
    },
  }
}

/** Within what time systemd wants a sign of life from this process. */
function watchdogMs({ WATCHDOG_USEC, WATCHDOG_PID }: NodeJS.ProcessEnv): number | undefined {
  if (!Number(WATCHDOG_USEC) || (WATCHDOG_PID && Number(WATCHDOG_PID) !== process.pid)) return undefined
  return Number(WATCHDOG_USEC) / 1000
}

/** One line for `systemctl status`. */
function statusText(known: SystemdSurroundings['known']): string {
  const cameras = known.statuses().filter(({ state }) => state !== 'disabled')
  const lost = cameras.filter(({ state }) => state !== 'online')
  const online = `${cameras.length - lost.length} of ${cameras.length} cameras online`
  const reasons = lost.map(({ camera, reason }) => `${camera}: ${reason.replaceAll('\n', ' ')}`)
  return [known.modelReady() ? 'model ready' : 'model loading', online, ...reasons].join('; ').slice(0, 500)
}
