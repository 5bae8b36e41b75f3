// The process that segments, as main sees it: started at once when it died; replaced, with the new one warm before the
// switch, when it takes too much memory or another model is to run; killed and replaced when it hangs.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Bundle, Manifest } from '../../deploy/bundle.ts'
import { isHeld } from '../capture/source.ts'
import type { Log } from '../log.ts'
import { build } from '../paths.ts'
import { sizesFor } from '../segment/choose-batch.ts'
import type { FromSegment, MaskMade, ToSegment } from '../segment/messages.ts'
import type { Config } from '../settings/config.ts'
import { type Child, residentMib, retryDelayMs, startChild, stopGraceMs } from './supervise.ts'

export interface Inference {
  /** Undefined until the model is ready for the first time. */
  compute(): 'cpu' | 'gpu' | undefined
  /** What convolutions are computed in; the same. */
  precision(): string | undefined
  /** Version of TensorFlow's library; the same. */
  tensorflow(): string | undefined
  /** Whether a process takes frames now. */
  ready(): boolean
  /** Whether a process makes masks, or one that will was started not long ago. */
  healthy(): boolean
  pid(): number | undefined
  /** Runs this bundle from now on: its process takes over when it is warm. */
  use(bundle: Bundle): void
  /** Single frames, with their masks, go to this socket too (segment/shadow.ts); undefined: to none. */
  forward(socket: string | undefined): void
  /** The settings changed while the agent runs: with more cameras the model is warmed up for larger batches. */
  settings(config: Config): void
  stop(): Promise<void>
}

export interface InferenceListener {
  /** Masks are made by this bundle, of frames sent to this Unix socket, from now on. */
  ready(socket: string, bundle: Bundle): void
  /** With the manifest of the bundle that made it. */
  mask(mask: MaskMade, manifest: Manifest): void
  /** Its process refused the bundle, died or hung. `hopeless`: as configured no model will ever work. */
  broke(bundle: Bundle, reason: string, hopeless: boolean): void
}

/** A GPU may search minutes for its fastest convolutions. */
export const loadTimeoutMs = 300_000
const watchEveryMs = 2000
/** A limit below what the model needs must not make it start all the time. */
const betweenReplacementsMs = 60_000
/** A process that worked for so long was a good one: the ladder of delays starts afresh. */
const settledMs = 30_000

type Ready = Extract<FromSegment, { type: 'ready' }>

interface Process {
  bundle: Bundle
  child: Child<ToSegment>
  socket: string
  heardMs: number
  limitMib: number
  batches: number[]
  refused?: true
}

export const segmentProgram = join(build, 'edge-agent/segment/segment.js')

/** What TensorFlow needs to be told before it is loaded. */
export const segmentEnvironment = (compute: Config['compute']): Record<string, string> => ({
  UV_THREADPOOL_SIZE: '4',
  TF_CPP_MIN_LOG_LEVEL: '2', // its errors, without its greetings
  TF_FORCE_GPU_ALLOW_GROWTH: 'true', // a Jetson shares its memory with the system
  ...(compute === 'cpu' && { CUDA_VISIBLE_DEVICES: '-1' }),
})

/** What the process has to know of the cameras. */
const factsOf = (cameras: Config['cameras']): ToSegment => ({
  type: 'facts',
  cameras: Object.fromEntries(cameras.map(({ name, facts, zones, mounting }) => [name, { facts, zones, mounting }])),
})

/** Batch sizes in use: one frame waits of each camera, or of one that waits for the model as many as there can be. */
export const batchesOf = ({ cameras, segment }: Pick<Config, 'cameras' | 'segment'>) =>
  sizesFor(cameras.some(isHeld) ? segment.max_batch : cameras.length, segment.max_batch)

/** Starts the process with a bundle. */
export async function startInference(
  config: Omit<Config, 'bundle'>,
  first: Bundle,
  log: Log,
  on: InferenceListener,
): Promise<Inference> {
  const dir = await mkdtemp(join(tmpdir(), 'roadmask-')) // mode 0700: nobody else sends frames
  let facts = factsOf(config.cameras)
  let batches = batchesOf(config)
  let bundle = first
  let beside: string | undefined
  let current: Process | undefined // takes frames
  let next: Process | undefined // loads and warms up
  let said: Pick<Ready, 'compute' | 'precision' | 'tensorflow'> | undefined
  let count = 0
  let failures = 0
  let replacedMs = 0
  let readyMs = 0
  let lostMs = performance.now()
  let stopped = false
  let timer: NodeJS.Timeout | undefined

  const env = segmentEnvironment(config.compute)

  function launch() {
    if (stopped || next) return
    const socket = join(dir, `segment-${++count}.sock`)
    const child = startChild<ToSegment, FromSegment>(segmentProgram, env, log, {
      message(message) {
        mine.heardMs = performance.now()
        if (message.type === 'mask') on.mask(message, mine.bundle.manifest)
        if (message.type === 'ready') becomeReady(mine, message)
        if (message.type !== 'refused') return
        mine.refused = true
        // What worked once may do so again: a bundle that broke while the agent ran is tried until somebody mends it.
        on.broke(mine.bundle, message.reason, !said)
      },
      ended: (reason) => ended(mine, reason),
    })
    const mine: Process = { bundle, child, socket, heardMs: performance.now(), limitMib: Number.POSITIVE_INFINITY, batches }
    next = mine
    child.send(facts)
    child.send({ type: 'start', bundle: bundle.dir, socket, compute: config.compute, batches })
  }

  /** Only for larger ones: with fewer cameras those that it is warm for do. */
  function replaceForBatches() {
    if (current && !next && current.batches.length < batches.length) launch()
  }

  async function becomeReady(mine: Process, { compute, tensorflow, precision, loadMs, warmMs, slow }: Ready) {
    const previous = current
    current = mine
    if (next === mine) next = undefined
    said = { compute, precision, tensorflow }
    readyMs = performance.now()
    if (beside) mine.child.send({ type: 'beside', socket: beside })
    on.ready(mine.socket, mine.bundle)
    previous?.child.stop(stopGraceMs)
    const memory = (mine.child.pid && (await residentMib(mine.child.pid))) || 0
    mine.limitMib = config.segment.memory_limit_mib || 2 * memory + 512
    const times = { load_s: Math.round(loadMs) / 1000, warm_up_s: Math.round(warmMs) / 1000 }
    log.info({ compute, precision, ...times, memory_mib: memory, limit_mib: mine.limitMib }, 'model ready')
    if (slow) log.warn(slow)
    replaceForBatches()
  }

  function ended(mine: Process, reason: string) {
    rm(mine.socket, { force: true }).catch(() => {})
    if (mine !== current && mine !== next) return
    const wasCurrent = mine === current
    if (wasCurrent) {
      current = undefined
      lostMs = performance.now()
    } else next = undefined
    if (stopped) return
    const settled = wasCurrent && performance.now() - readyMs > settledMs
    if (settled) failures = 0
    // One that worked is started again at once, but not time and again.
    const delayMs = wasCurrent && failures === 0 ? 0 : retryDelayMs(failures)
    failures++
    log.error({ retry_s: delayMs / 1000 }, `the segmenting process ${reason}`)
    clearTimeout(timer)
    timer = setTimeout(launch, delayMs)
    if (!mine.refused) on.broke(mine.bundle, `The segmenting process ${reason}`, false)
  }

  const watch = setInterval(async () => {
    const now = performance.now()
    if (next && now - next.heardMs > loadTimeoutMs) next.child.kill()
    const mine = current
    if (!mine) return
    if (now - mine.heardMs > config.segment.timeout_ms) {
      log.error(`the segmenting process said nothing for ${config.segment.timeout_ms / 1000} s and is replaced`)
      return mine.child.kill()
    }
    mine.child.send({ type: 'ping' })
    const memory = mine.child.pid && (await residentMib(mine.child.pid))
    if (!memory || memory <= mine.limitMib || next || (replacedMs && now - replacedMs < betweenReplacementsMs)) return
    replacedMs = now
    log.warn({ memory_mib: memory, limit_mib: mine.limitMib }, 'the segmenting process takes too much memory and is replaced')
    launch()
  }, watchEveryMs)

  launch()
  return {
    compute: () => said?.compute,
    precision: () => said?.precision,
    tensorflow: () => said?.tensorflow,
    ready: () => current !== undefined,
    healthy() {
      const now = performance.now()
      if (!current) return now - lostMs < loadTimeoutMs
      return now - current.heardMs < config.segment.timeout_ms + 2 * watchEveryMs
    },
    pid: () => current?.child.pid,
    use(wanted) {
      if (stopped || wanted.dir === bundle.dir) return
      bundle = wanted
      failures = 0
      clearTimeout(timer)
      const overtaken = next
      next = undefined
      overtaken?.child.kill()
      if (current?.bundle.dir !== wanted.dir) launch()
    },
    forward(socket) {
      beside = socket
      current?.child.send({ type: 'beside', socket })
    },
    settings(changed) {
      batches = batchesOf(changed)
      replaceForBatches()
      facts = factsOf(changed.cameras)
      for (const one of [current, next]) one?.child.send(facts)
    },
    async stop() {
      stopped = true
      clearInterval(watch)
      clearTimeout(timer)
      await Promise.all([current?.child.stop(stopGraceMs), next?.child.stop(stopGraceMs)])
      await rm(dir, { recursive: true, force: true })
    },
  }
}
