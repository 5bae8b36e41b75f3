// Masks on their way out: each gets its facts, and the picture of the very frame it was made of where there is one. A mask
// whose picture is still being encoded waits for it, a moment at most and never past a newer mask.
import type { Manifest } from '../deploy/bundle.ts'
import type { Judge, JudgedFacts } from './facts/judge.ts'
import { monotonicMicros, toMs } from './monotonic.ts'
import type { MaskMade } from './segment/messages.ts'
import type { Config } from './settings/config.ts'
import { type MaskMessage, type Result, wireVersion } from './wire.ts'

export interface Results {
  picture(camera: string, process: number, frame: number, jpeg: Uint8Array): void
  /** `manifest`: of the model that made it. */
  mask(made: MaskMade, manifest: Manifest): void
  /** The settings changed: what waits of cameras that run no longer goes. */
  settings(config: Config): void
}

/** A JPEG takes some milliseconds, more on a busy machine; a frame whose picture does not come goes without. */
const patienceMs = 100
/** Pictures that wait for their mask; the model takes one frame at a time. */
const keptPictures = 4

type Judged = Omit<MaskMade, 'facts'> & { facts: JudgedFacts; manifest: Manifest }

/** One camera process, which counts its frames from 1. */
interface Track {
  process: number
  masks: number
  lastFrame: number
  pictures: Map<number, Uint8Array>
  held: { made: Judged; timer: NodeJS.Timeout } | undefined
}

const none = new Uint8Array()

/** `publish` is called for each mask, in the order of its camera's frames. */
export function makeResults(judge: Judge, publish: (message: MaskMessage) => void): Results {
  const tracks = new Map<string, Track>()
  function trackOf(camera: string, process: number): Track {
    const known = tracks.get(camera)
    if (known?.process === process) return known
    if (known) release(known)
    const track: Track = { process, masks: 0, lastFrame: 0, pictures: new Map(), held: undefined }
    tracks.set(camera, track)
    return track
  }

  function release(track: Track) {
    const held = track.held
    if (!held) return
    clearTimeout(held.timer)
    track.held = undefined
    send(track, held.made)
  }

  function send(track: Track, made: Judged) {
    const { frame } = made.frame
    const picture = track.pictures.get(frame) ?? none
    for (const old of track.pictures.keys()) if (old <= frame) track.pictures.delete(old)
    track.masks++
    publish({ result: resultOf(made, frame - track.masks), mask: made.png, picture })
  }

  function resultOf({ frame, facts, timings, sentMonotonicMicros, manifest }: Judged, dropped: number): Result {
    const now = monotonicMicros()
    return {
      version: wireVersion,
      camera: frame.camera,
      frame: frame.frame,
      captured_us: frame.capturedMicros,
      age_ms: toMs(now - frame.capturedMonotonicMicros),
      model: manifest.name,
      width: manifest.input.width,
      height: manifest.input.height,
      camera_width: frame.cameraWidth,
      camera_height: frame.cameraHeight,
      region: frame.region,
      seen: frame.seen,
      classes: manifest.classes.map(({ name }) => name),
      road_class: manifest.road,
      ...facts,
      timings_ms: { ...timings, publish: toMs(now - sentMonotonicMicros) },
      dropped,
    }
  }

  return {
    picture(camera, process, frame, jpeg) {
      const track = trackOf(camera, process)
      track.pictures.set(frame, jpeg)
      for (const old of [...track.pictures.keys()].slice(0, -keptPictures)) track.pictures.delete(old)
      if (track.held?.made.frame.frame === frame) release(track)
    },
    settings({ cameras }) {
      for (const [camera, { held }] of tracks) {
        if (cameras.some(({ name }) => name === camera)) continue
        clearTimeout(held?.timer)
        tracks.delete(camera)
      }
    },
    mask(made, manifest) {
      const { camera, process, frame, picture } = made.frame
      const track = trackOf(camera, process)
      // A process that was just replaced may still send what a newer one has overtaken.
      if (frame <= track.lastFrame) return
      const judged = { ...made, manifest, facts: judge.facts(made, track.lastFrame === 0) }
      track.lastFrame = frame
      release(track)
      if (!picture || track.pictures.has(frame)) return send(track, judged)
      track.held = { made: judged, timer: setTimeout(() => release(track), patienceMs) }
    },
  }
}
