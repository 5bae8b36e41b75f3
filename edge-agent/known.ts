// What is known at this moment, for whoever asks over HTTP: the newest mask of each camera, states, counts.
import type { CurrentModel } from './current-model.ts'
import type { Log } from './log.ts'
import type { Config } from './settings/config.ts'
import { startCounting } from './stats.ts'
import type { CameraList } from './supervise/cameras.ts'
import type { Inference } from './supervise/inference.ts'
import type { Painter } from './supervise/painter.ts'
import type { CameraStatus, MaskMessage, OutputStats, Stats } from './wire.ts'

export interface Known {
  statuses(): CameraStatus[]
  /** The newest mask of a camera, with its facts. */
  latest(camera: string): MaskMessage | undefined
  stats(): Promise<Stats>
  /** Ids of the agent's processes, by name. */
  processes(): Record<string, number | undefined>
  /** Whether the model takes frames. */
  modelReady(): boolean
}

interface Watched {
  cameras: CameraList
  inference: Inference
  painter: Painter
}

export interface Memory extends Known {
  /** Who is asked for what went out. */
  ask(outputs: () => OutputStats): void
  /** Who is asked for states. */
  watch(parts: Watched): void
  /** The settings changed: what is known of cameras that run no longer goes. */
  settings(config: Config): void
  frames(camera: string, count: number): void
  mask(message: MaskMessage): void
}

/** Starts with nothing known. */
export function makeMemory({ device }: Config, model: Pick<CurrentModel, 'name'>, log: Log): Memory {
  const masks = new Map<string, MaskMessage>()
  const counters = startCounting()
  let parts: Watched | undefined
  let outputs: () => OutputStats
  const all = () => parts?.cameras.all() ?? []
  const processes = () => ({
    agent: process.pid,
    segment: parts?.inference.pid(),
    paint: parts?.painter.pid(),
    ...Object.fromEntries(all().map(({ name, pid }) => [`camera/${name}`, pid()])), // no name of a camera holds a "/"
  })
  return {
    ask(counts) {
      outputs = counts
    },
    watch(all) {
      parts = all
    },
    processes,
    settings(config) {
      const names = config.cameras.map(({ name }) => name)
      for (const camera of masks.keys()) if (!names.includes(camera)) masks.delete(camera)
      counters.keep(names)
    },
    frames: (camera, count) => counters.frames(camera, count),
    mask(message) {
      const { camera, age_ms } = message.result
      if (!masks.has(camera)) log.info({ camera, age_ms, after_s: Math.round(10 * process.uptime()) / 10 }, 'first mask')
      masks.set(camera, message)
      counters.mask(message.result)
    },
    statuses: () => all().map((camera) => camera.status()),
    latest: (camera) => masks.get(camera),
    modelReady: () => parts?.inference.ready() ?? false,
    stats: () =>
      counters.report({
        device,
        model: model.name(),
        compute: parts?.inference.compute() ?? 'loading',
        precision: parts?.inference.precision(),
        processes: processes(),
        cameras: all().map(({ name, status, restarts }) => ({ name, state: status().state, restarts: restarts() })),
        outputs: outputs(),
      }),
  }
}
