// A camera as main sees it: its process, started again on a ladder of delays; its state, which people are told; and whether
// it is switched on. Frames do not come by here.
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { ModelInput } from '../../deploy/bundle.ts'
import type { FromCamera, ToCamera } from '../capture/messages.ts'
import type { CameraPicture } from '../capture/pipeline.ts'
import { firstPatienceMs, usualPatienceMs } from '../capture/silence.ts'
import type { Log } from '../log.ts'
import { build } from '../paths.ts'
import type { NewEvent } from '../publish/output.ts'
import type { CameraConfig, Config } from '../settings/config.ts'
import { withoutSecrets } from '../settings/redact.ts'
import { type CameraStatus, wireVersion } from '../wire.ts'
import { type Child, retryDelayMs, startChild, stopGraceMs } from './supervise.ts'

export interface Camera {
  name: string
  status(): CameraStatus
  /** Resident process, for memory. */
  pid(): number | undefined
  /** Times the process was started again. */
  restarts(): number
  setEnabled(enabled: boolean): void
  /** The wall clock was set, as seen at this moment. */
  clockStepped(micros: number, atMicros: number): void
  /** How many frames a second the model is given from now on; undefined: as many as it takes. */
  setRate(masksPerSecond: number | undefined): void
  /** Where frames go from now on, and what they must be; for another size the camera is opened anew. */
  setSegment(socket: string, input: ModelInput): void
  /** Whether anybody looks at the pictures. */
  setWatched(watched: boolean): void
  /** A picture of the next frame, soon. */
  wantPicture(): void
  stop(): Promise<void>
}

export interface CameraListener {
  status(status: CameraStatus): void
  event(event: NewEvent): void
  /** JPEG of a frame that the model was given. */
  picture(camera: string, process: number, frame: number, jpeg: Uint8Array): void
  /** Frames since the last call, about every second. */
  frames(camera: string, count: number): void
}

export interface CameraSurroundings {
  input: ModelInput
  preview: Config['preview']
  log: Log
}

type Again = Extract<FromCamera, { type: 'lost' }>['again']

/** A camera that held so long was a good one: the ladder of delays starts afresh. */
const settledMs = 30_000
/** A process that says nothing for so long hangs, say in a driver. Before its first picture it has so much longer. */
const silenceMs = 5000
/** A camera whose picture changes all the time is no reason to start processes all the time. */
const betweenChangesMs = 5000
/** A video that cannot be wound back takes a process each time it begins again, however short it is. */
const betweenVideosMs = 2000
const lookEveryMs = 250
export const cameraProgram = join(build, 'edge-agent/capture/camera.js')
/** Two pulls, two buses, and what Node itself needs. And memory in few pools, since frames go from thread to thread. */
export const cameraEnvironment = { UV_THREADPOOL_SIZE: '12', MALLOC_ARENA_MAX: '2' }

/** Starts a camera, unless it is configured as switched off. */
export function startCamera(config: CameraConfig, { preview, log, ...model }: CameraSurroundings, on: CameraListener): Camera {
  const { name } = config
  let { input } = model
  let child: Child<ToCamera> | undefined
  let picture: CameraPicture | undefined
  let segment: string | undefined
  let watched = false
  let enabled = config.enabled
  let rate = config.masks_per_second
  let failures = 0
  let restarts = -1
  let onlineSinceMs = 0
  let heardMs = 0
  let startedMs = 0
  let seen = 0
  let timer: NodeJS.Timeout | undefined
  let gone = Promise.resolve()
  let stopped = false
  let wasLost = false
  let changedMs = Number.NEGATIVE_INFINITY
  let status: CameraStatus = makeStatus(enabled ? 'offline' : 'disabled', enabled ? 'starting' : 'switched off')

  function makeStatus(state: CameraStatus['state'], reason: string): CameraStatus {
    return { version: wireVersion, camera: name, state, since_us: Date.now() * 1000, reason }
  }

  function setStatus(state: CameraStatus['state'], reason = '') {
    if (status.state === state && status.reason === reason) return
    const next = makeStatus(state, reason)
    status = { ...next, since_us: status.state === state ? status.since_us : next.since_us }
    on.status(status)
  }

  const event = (type: NewEvent['type'], detail: string, more: Partial<Pick<NewEvent, 'step_ms' | 'at_us'>> = {}) =>
    on.event({ version: wireVersion, camera: name, at_us: Date.now() * 1000, type, ...more, detail })

  function start() {
    clearTimeout(timer)
    restarts++
    seen = 0
    heardMs = startedMs = performance.now()
    let again: Again = 'later'
    let said: string | undefined
    const mine = startChild<ToCamera, FromCamera>(cameraProgram, cameraEnvironment, log, {
      message(message) {
        heardMs = performance.now()
        if (message.type === 'online') {
          picture = message.picture
          const { width, height } = picture
          log.info({ camera: name, width, height }, 'camera online')
          online()
        }
        if (message.type === 'chosen') log.info({ camera: name, ...message.chosen }, 'camera plays')
        if (message.type === 'picture') on.picture(name, mine.pid ?? 0, message.frame, message.jpeg)
        if (message.type === 'alive') {
          on.frames(name, message.frames - seen)
          seen = message.frames
          if (seen > 0 && status.state === 'offline') online() // it only stood still
        }
        if (message.type !== 'lost') return
        said = message.reason
        again = message.again
      },
      ended(reason) {
        if (child !== mine) return
        child = undefined
        lost(said ?? `The camera process ${reason}`, again)
      },
    })
    child = mine
    mine.send({ type: 'start', camera: { ...config, masks_per_second: rate }, input, preview, ...(picture && { picture }) })
    mine.send({ type: 'watched', watched })
    if (segment) mine.send({ type: 'segment', socket: segment })
  }

  function online() {
    onlineSinceMs = performance.now()
    setStatus('online')
    if (wasLost) event('camera_back', `${picture?.width} x ${picture?.height}`)
    wasLost = false
  }

  function offline(reason: string) {
    if (status.state === 'online') {
      if (performance.now() - onlineSinceMs > settledMs) failures = 0
      event('camera_lost', reason)
      wasLost = true
    }
    setStatus('offline', reason)
  }

  function lost(reason: string, again: Again) {
    if (again === 'now') {
      timer = setTimeout(start, Math.max(0, startedMs + betweenVideosMs - performance.now()))
      return
    }
    if (again === 'changed') {
      picture = undefined
      const now = performance.now()
      const often = now - changedMs < betweenChangesMs
      changedMs = now
      log.info({ camera: name }, `the camera gives another picture than before: ${reason}`)
      if (!often) return start()
    }
    offline(reason)
    if (again === 'never') return log.info({ camera: name }, reason)
    const delayMs = retryDelayMs(failures++)
    log.warn({ camera: name, source: withoutSecrets(config.source), retry_s: delayMs / 1000 }, `camera lost: ${reason}`)
    timer = setTimeout(start, delayMs)
  }

  const watch = setInterval(() => {
    if (!child) return
    const silentMs = performance.now() - heardMs
    const noticeMs = config.timeout_ms ?? usualPatienceMs
    if (silentMs > noticeMs && status.state === 'online') offline('The camera process says nothing')
    const patience = Math.max(silenceMs, 2 * noticeMs) + (seen ? 0 : firstPatienceMs(config.timeout_ms))
    if (silentMs < patience) return
    log.error({ camera: name }, `the camera process said nothing for ${patience / 1000} s and is replaced`)
    heardMs = performance.now()
    child.kill()
  }, lookEveryMs)

  /** Ends the process; resolves when it, or the one that was ending already, is gone. */
  function end(): Promise<void> {
    clearTimeout(timer)
    if (child) gone = child.stop(stopGraceMs)
    child = undefined
    return gone
  }

  /** A camera can be open once only: the next process waits until the last one has let go of it. */
  const anew = () => end().then(() => enabled && !child && !stopped && start())

  if (enabled) start()
  return {
    name,
    status: () => status,
    pid: () => child?.pid,
    restarts: () => Math.max(0, restarts),
    setEnabled(yes) {
      if (yes === enabled || stopped) return
      enabled = yes
      log.info({ camera: name }, yes ? 'camera switched on' : 'camera switched off')
      event(yes ? 'camera_enabled' : 'camera_disabled', '')
      failures = 0
      wasLost = false
      setStatus(yes ? 'offline' : 'disabled', yes ? 'starting' : 'switched off')
      if (yes) anew()
      else end()
    },
    clockStepped(micros, atMicros) {
      // By the new time, as if it had always been right.
      status = { ...status, since_us: status.since_us + Math.round(micros) }
      on.status(status)
      const seconds = Math.round(Math.abs(micros) / 1e5) / 10
      event('clock_step', `the clock of the device went ${seconds} s ${micros > 0 ? 'forward' : 'back'}`, {
        step_ms: Math.round(micros / 1000),
        at_us: atMicros,
      })
    },
    setRate(masksPerSecond) {
      if (masksPerSecond === rate) return
      rate = masksPerSecond
      child?.send({ type: 'rate', perSecond: rate })
    },
    setSegment(socket, wanted) {
      segment = socket
      if (isDeepStrictEqual(wanted, input)) return child?.send({ type: 'segment', socket })
      input = wanted
      if (child) anew()
    },
    setWatched(yes) {
      watched = yes
      child?.send({ type: 'watched', watched })
    },
    wantPicture: () => child?.send({ type: 'want-picture' }),
    async stop() {
      stopped = true
      clearInterval(watch)
      await end()
    },
  }
}
