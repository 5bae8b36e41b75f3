// What is known at this moment, for whoever asks over HTTP: the newest mask and picture of each camera, states, counts.
import type { Manifest } from '../deploy/bundle.ts'
import type { Camera } from './cameras.ts'
import type { Config } from './config.ts'
import type { Inference } from './inference.ts'
import type { Log } from './log.ts'
import { startCounting } from './stats.ts'
import type { CameraStatus, MaskMessage, Stats } from './wire.ts'

export interface Known {
  statuses(): CameraStatus[]
  /** The newest mask of a camera, with its facts. */
  latest(camera: string): MaskMessage | undefined
  /** The newest picture of a camera that the model was given. */
  picture(camera: string): Uint8Array | undefined
  stats(): Promise<Stats>
  /** Whether the model takes frames. */
  modelReady(): boolean
}

export interface Memory extends Known {
  /** Who is asked for states. */
  watch(cameras: readonly Camera[], inference: Inference): void
  frames(camera: string, count: number): void
  mask(message: MaskMessage): void
}

/** Starts with nothing known. */
export function makeMemory({ device }: Config, manifest: Manifest, log: Log): Memory {
  const masks = new Map<string, MaskMessage>()
  const pictures = new Map<string, Uint8Array>()
  const counters = startCounting()
  let cameras: readonly Camera[] = []
  let inference: Inference | undefined
  return {
    watch(all, model) {
      cameras = all
      inference = model
    },
    frames: (camera, count) => counters.frames(camera, count),
    mask(message) {
      const { camera, age_ms } = message.result
      if (!masks.has(camera)) log.info({ camera, age_ms, after_s: Math.round(10 * process.uptime()) / 10 }, 'first mask')
      masks.set(camera, message)
      if (message.picture.length) pictures.set(camera, message.picture)
      counters.mask(message.result)
    },
    statuses: () => cameras.map((camera) => camera.status()),
    latest: (camera) => masks.get(camera),
    picture: (camera) => pictures.get(camera),
    modelReady: () => inference?.ready() ?? false,
    stats: () =>
      counters.report({
        device,
        model: manifest.name,
        compute: inference?.compute() ?? 'loading',
        processes: { segment: inference?.pid(), ...Object.fromEntries(cameras.map(({ name, pid }) => [name, pid()])) },
        cameras: cameras.map(({ name, status, restarts }) => ({ name, state: status().state, restarts: restarts() })),
      }),
  }
}
