// Plays clips through the processes that the agent runs for its cameras: the same capture and the same segmenting, but every
// frame, one after the other, alone in its batch, so that a mask depends on nothing but its picture and the bundle.
import { join } from 'node:path'
import type { Manifest } from '../../deploy/bundle.ts'
import type { FromCamera, ToCamera } from '../capture/messages.ts'
import type { Log } from '../log.ts'
import type { FromSegment, MaskMade, ToSegment } from '../segment/messages.ts'
import { Config } from '../settings/config.ts'
import { cameraEnvironment, cameraProgram } from '../supervise/camera.ts'
import { segmentEnvironment, segmentProgram } from '../supervise/inference.ts'
import { startChild } from '../supervise/supervise.ts'
import type { Clip } from './clips.ts'

export interface Through {
  bundle: string
  manifest: Manifest
  compute: Config['compute']
  /** A folder of the replay's own, which the segmenting process removes should the replay die. */
  work: string
  log: Log
}

const graceMs = 1500
/** Without it, some of TensorFlow's and cuDNN's sums depend on the order in which threads finish. */
const exact = { TF_DETERMINISTIC_OPS: '1' }

/** Calls `each` for every frame's mask, in order within a clip. Throws where a clip cannot be played to its end. */
export async function runClips(through: Through, clips: readonly Clip[], each: (clip: Clip, made: MaskMade) => void) {
  const { bundle, compute, work, log } = through
  const socket = join(work, 'segment.sock')
  let onMask: (made: MaskMade) => void = () => {}
  let onReady = () => {}
  let onFailure: (reason: string) => void = () => {}
  const ready = new Promise<void>((resolve) => (onReady = resolve))
  const failure = new Promise<never>((_, reject) => (onFailure = (reason) => reject(new Error(reason))))
  failure.catch(() => {})
  const segment = startChild<ToSegment, FromSegment>(segmentProgram, { ...segmentEnvironment(compute), ...exact }, log, {
    message(message) {
      if (message.type === 'ready') onReady()
      if (message.type === 'refused') onFailure(message.reason)
      if (message.type === 'mask') onMask(message)
    },
    ended: (reason) => onFailure(`The segmenting process ${reason}`),
  })
  segment.send({ type: 'start', bundle, socket, compute, batches: [1] })
  try {
    await Promise.race([ready, failure])
    for (const clip of clips) {
      const played = play(clip, through, socket, (heard) => {
        onMask = (made) => {
          each(clip, made)
          heard()
        }
      })
      await Promise.race([played, failure])
    }
  } finally {
    await segment.stop(graceMs)
  }
}

/** Plays one clip to its end: until there is a mask of every frame. */
async function play(clip: Clip, { manifest, log }: Through, socket: string, listen: (heard: () => void) => void) {
  let masks = 0
  let frames: number | undefined
  let over: () => void = () => {}
  let broke: (reason: string) => void = () => {}
  const played = new Promise<void>((resolve, reject) => {
    over = resolve
    broke = (reason) => reject(new Error(reason))
  })
  const look = () => {
    if (masks === frames) over()
  }
  listen(() => {
    masks++
    look()
  })
  const camera = startChild<ToCamera, FromCamera>(cameraProgram, cameraEnvironment, log, {
    message(message) {
      if (message.type === 'lost') broke(message.reason)
      if (message.type !== 'finished') return
      frames = message.frames
      const expected = clip.pictures?.length ?? frames
      if (frames !== expected) broke(`GStreamer cannot decode ${expected - frames} of ${expected} pictures${among(clip)}`)
      look()
    },
    ended: (reason) => broke(`The camera process ${reason}`),
  })
  const preview = { ...Config.shape.preview.parse({}), fps: 0 }
  const replay = clip.pictures ? { frames: clip.pictures } : {}
  camera.send({ type: 'start', camera: clip.camera, input: manifest.input, preview, replay })
  camera.send({ type: 'segment', socket })
  try {
    await played
  } finally {
    await camera.stop(graceMs)
  }
}

const among = ({ pictures = [] }: Clip) => `, one of ${pictures[0]?.name} … ${pictures.at(-1)?.name}`
