// Tries a camera before it is saved: plays it as it would run, in a process of its own and for a few seconds, and tells what it
// gives or, in words for whoever stands at the camera, why it gives nothing. One at a time.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ModelInput } from '../../deploy/bundle.ts'
import { explainFault, unreachable } from '../capture/explain-fault.ts'
import type { FromCamera, ToCamera } from '../capture/messages.ts'
import type { CameraPicture } from '../capture/pipeline.ts'
import type { Log } from '../log.ts'
import { listenForFrames } from '../segment/frame-socket.ts'
import type { CameraConfig } from '../settings/config.ts'
import { cameraEnvironment, cameraProgram } from './camera.ts'
import { startChild, stopGraceMs } from './supervise.ts'

/** What a camera gives. */
export interface Tried {
  /** As the camera gives it, before it is turned upright. */
  width: number
  height: number
  /** GStreamer's name of the pixel format. */
  format: string
  /** Measured. */
  fps: number
  /** GStreamer's element that decodes; undefined where nothing is to be decoded. */
  decoder: string | undefined
  /** The upright picture. */
  jpeg: Uint8Array
}

/** Why there was no picture. */
export class NoPicture extends Error {}
/** Another camera is being tried. */
export class Busy extends Error {}

interface Surroundings {
  input(): ModelInput
  /** The cameras that are played now, one of which may have the device open. */
  playing(): readonly Pick<CameraConfig, 'name' | 'source'>[]
  log: Log
}

/** Past this nobody at a page waits any more. */
const longestMs = 20_000
/** How long frames are counted, once they come. */
const countMs = 2000
const snapshot = { fps: 10, max_width: 1280, quality: 80 }

/**
 * Plays a camera until there is a picture and its rate is known, or `signal` says that nobody waits any more. Throws
 * `NoPicture`, or `Busy` while it plays another one.
 */
export function cameraTests(around: Surroundings): (camera: CameraConfig, signal: AbortSignal) => Promise<Tried> {
  let running = false
  return async (camera, signal) => {
    if (running) throw new Busy('Another camera is being tested; try again in some seconds')
    running = true
    try {
      const reason = await unreachable(camera.source)
      if (reason) throw new NoPicture(reason)
      return await play(camera, around, signal)
    } finally {
      running = false
    }
  }
}

async function play(camera: CameraConfig, { input, playing, log }: Surroundings, signal: AbortSignal): Promise<Tried> {
  const dir = await mkdtemp(join(tmpdir(), 'roadmask-try-'))
  const socket = join(dir, 'frames.sock')
  // The camera process gives pictures with the frames that it is asked for; the frames go nowhere.
  const frames = await listenForFrames(socket, { frame: (_, source) => source.request(), gone() {} })
  const told: { picture?: CameraPicture; decoder?: string | undefined; jpeg?: Uint8Array; fps?: number } = {}
  let counted: { frames: number; atMs: number } | undefined
  let say: (outcome: Tried | Error) => void = () => {}
  const outcome = new Promise<Tried | Error>((resolve) => {
    say = resolve
  })
  const fail = (reason: string) => say(new NoPicture(reason))

  const child = startChild<ToCamera, FromCamera>(cameraProgram, cameraEnvironment, log, {
    message(message) {
      if (message.type === 'online') told.picture = message.picture
      if (message.type === 'chosen') told.decoder = message.chosen.decoder
      if (message.type === 'picture') told.jpeg = message.jpeg
      if (message.type === 'alive' && message.frames > 0) {
        const atMs = performance.now()
        counted ??= { frames: message.frames, atMs }
        if (atMs - counted.atMs >= countMs) told.fps = (1000 * (message.frames - counted.frames)) / (atMs - counted.atMs)
      }
      if (message.type === 'lost') return fail(explainFault(message.reason, camera, playing()))
      const { picture, decoder, jpeg, fps } = told
      if (picture && jpeg && fps)
        say({ width: picture.width, height: picture.height, format: picture.format, fps, decoder, jpeg })
    },
    ended: (reason) => fail(`The process that plays the camera ${reason}`),
  })
  child.send({ type: 'start', camera, input: input(), preview: snapshot })
  child.send({ type: 'watched', watched: true })
  child.send({ type: 'segment', socket })
  const tooLong = setTimeout(() => fail(`No picture within ${longestMs / 1000} s`), longestMs)
  const gone = () => fail('Nobody waits for it any more')
  signal.addEventListener('abort', gone)
  if (signal.aborted) gone()
  try {
    const tried = await outcome
    if (tried instanceof Error) throw tried
    return tried
  } finally {
    signal.removeEventListener('abort', gone)
    clearTimeout(tooLong)
    await child.stop(stopGraceMs)
    frames.close()
    await rm(dir, { recursive: true, force: true })
  }
}
