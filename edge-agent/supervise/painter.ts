// The process that paints, as main sees it: started by the first job, ended when nobody wanted one for a while, replaced
// when it dies or hangs. Each camera has one job running and one waiting for each kind of work; the newest wins.
import { join } from 'node:path'
import type { Log } from '../log.ts'
import type { FromPaint, ToPaint, Work } from '../paint/messages.ts'
import { build } from '../paths.ts'
import type { MaskMessage } from '../wire.ts'
import { type Child, retryDelayMs, startChild } from './supervise.ts'

export interface Painter {
  /**
   * The JPEG of a message's picture with its road tinted and outlined; undefined where a newer one of that camera took its
   * place. Rejects where it cannot be made. A message is painted once, whoever asks for it.
   */
  overlay(message: MaskMessage): Promise<Uint8Array | undefined>
  /** The same with all but the road made unrecognisable. Reads mask and picture of the message, which must be there. */
  blurRest(message: MaskMessage): Promise<Uint8Array | undefined>
  /** Undefined while there is nothing to paint. */
  pid(): number | undefined
  stop(): Promise<void>
}

interface Job {
  work: Work
  message: MaskMessage
  done(jpeg: Uint8Array | undefined): void
  failed(error: Error): void
}

/** A picture takes some 20 ms, on a small board ten times that. */
const jobTimeoutMs = 10_000
const idleMs = 60_000
const stopGraceMs = 500

/** Starts nothing yet. */
export function makePainter(log: Log): Painter {
  let child: Child<ToPaint> | undefined
  let number = 0
  let stopped = false
  let failures = 0
  let broken: { reason: string; untilMs: number } | undefined
  /** By camera and work. */
  const waiting = new Map<string, Job>()
  const overlays = new WeakMap<MaskMessage, Promise<Uint8Array | undefined>>()
  let running: { number: number; key: string; job: Job; timer: NodeJS.Timeout } | undefined
  let idle: NodeJS.Timeout | undefined

  function start(): Child<ToPaint> {
    const mine = startChild<ToPaint, FromPaint>(
      join(build, 'edge-agent/paint/paint.js'),
      { UV_THREADPOOL_SIZE: '2', MALLOC_ARENA_MAX: '2' },
      log,
      {
        message(message) {
          if (message.job !== running?.number) return
          failures = 0
          const { job } = finish()
          if (message.type === 'painted') job.done(message.jpeg)
          else job.failed(new Error(`The picture cannot be painted: ${message.reason}`))
          next()
        },
        ended(reason) {
          if (child !== mine) return
          child = undefined
          broken = { reason: `The painting process ${reason}`, untilMs: performance.now() + retryDelayMs(failures++) }
          log.warn(`the painting process ${reason}`)
          if (running) finish().job.failed(new Error(broken.reason))
          next()
        },
      },
    )
    return mine
  }

  function finish() {
    const was = running!
    running = undefined
    clearTimeout(was.timer)
    return was
  }

  function next() {
    clearTimeout(idle)
    const [key] = waiting.keys() // who waited longest
    if (running || stopped) return
    if (key === undefined) {
      idle = setTimeout(end, idleMs)
      return
    }
    const job = waiting.get(key)!
    waiting.delete(key)
    if (!child && broken && performance.now() < broken.untilMs) {
      job.failed(new Error(broken.reason))
      return next()
    }
    child ??= start()
    const mine = child
    running = { number: ++number, key, job, timer: setTimeout(() => mine.kill(), jobTimeoutMs) }
    const { result, mask, picture } = job.message
    mine.send({ type: 'paint', job: number, work: job.work, picture, mask, place: result })
  }

  function end(): Promise<void> {
    const old = child
    child = undefined
    return old?.stop(stopGraceMs) ?? Promise.resolve()
  }

  const paint = (work: Work, message: MaskMessage) =>
    new Promise<Uint8Array | undefined>((done, failed) => {
      if (stopped) return done(undefined)
      const key = `${work} ${message.result.camera}`
      waiting.get(key)?.done(undefined)
      waiting.set(key, { work, message, done, failed })
      next()
    })

  return {
    overlay(message) {
      const jpeg = overlays.get(message) ?? paint('overlay', message)
      overlays.set(message, jpeg)
      return jpeg
    },
    blurRest: (message) => paint('blur', message),
    pid: () => child?.pid,
    async stop() {
      stopped = true
      clearTimeout(idle)
      for (const job of [...waiting.values(), ...(running ? [finish().job] : [])]) job.done(undefined)
      waiting.clear()
      await end()
    },
  }
}
