// All cameras that run. When the settings change, those that stay as they were go on undisturbed; the others end, and only
// when they have let go of their devices do new ones start.
import { isDeepStrictEqual } from 'node:util'
import type { ModelInput } from '../../deploy/bundle.ts'
import type { NewEvent } from '../publish/output.ts'
import type { CameraConfig, Config } from '../settings/config.ts'
import { wireVersion } from '../wire.ts'
import { type Camera, type CameraListener, type CameraSurroundings, startCamera } from './camera.ts'
import type { Switches } from './switches.ts'

export interface CameraList {
  all(): readonly Camera[]
  has(name: string): boolean
  /** Settings of those that are switched on. */
  playing(): CameraConfig[]
  /** Runs what the settings name, now or from now on. */
  run(config: Pick<Config, 'cameras' | 'preview'>, on: CameraListener): Promise<void>
  setEnabled(name: string, enabled: boolean): void
  /** Where frames go from now on, and of what size and form they are. */
  setSegment(socket: string, input: ModelInput): void
  /** Whether anybody of a kind looks at the pictures. */
  setWatched(by: 'pages' | 'streams'): (watched: boolean) => void
  wantPicture(name: string): void
  /** The wall clock was set, by so many microseconds. */
  clockStepped(micros: number): void
  /** Makes the function that tells of all cameras what happens to all of them at once. */
  tellAll(event: (event: NewEvent) => void): (type: NewEvent['type'], detail: string) => void
  stop(): Promise<void>
}

interface Running {
  camera: Camera
  config: CameraConfig
  preview: Config['preview']
}

/** Settings of a camera that change without a new process. */
const besideProcess: (keyof CameraConfig)[] = ['enabled', 'masks_per_second', 'zones', 'facts', 'mounting', 'drift']

const inProcess = ({ config, preview }: Omit<Running, 'camera'>) => [
  Object.entries(config).filter(([key]) => !besideProcess.includes(key as keyof CameraConfig)),
  preview,
]

/** Starts with none. */
export function makeCameras(surroundings: Omit<CameraSurroundings, 'preview'>, switches: Switches): CameraList {
  let running: Running[] = []
  let { input } = surroundings
  let segment: string | undefined
  const watchers = new Set<string>()
  let stopped = false

  function start({ config, preview }: Omit<Running, 'camera'>, on: CameraListener): Running {
    const enabled = switches.enabled(config)
    const own = { ...preview, ...(config.preview as Partial<Config['preview']>) }
    const camera = startCamera({ ...config, enabled }, { ...surroundings, input, preview: own }, on)
    if (segment) camera.setSegment(segment, input)
    camera.setWatched(watchers.size > 0)
    on.status(camera.status())
    return { camera, config, preview }
  }

  return {
    all: () => running.map(({ camera }) => camera),
    has: (name) => running.some(({ camera }) => camera.name === name),
    playing: () => running.filter(({ camera }) => camera.status().state !== 'disabled').map(({ config }) => config),
    async run({ cameras, preview }, on) {
      const before = new Map(running.map((one) => [one.config.name, one]))
      const stays = (config: CameraConfig) => {
        const one = before.get(config.name)
        return one && isDeepStrictEqual(inProcess(one), inProcess({ config, preview })) ? one : undefined
      }
      const staying = new Set(cameras.map(stays))
      running = running.filter(({ config }) => cameras.some(({ name }) => name === config.name))
      await Promise.all([...before.values()].filter((one) => !staying.has(one)).map(({ camera }) => camera.stop()))
      if (stopped) return
      running = cameras.map((config) => {
        const one = stays(config)
        if (!one) return start({ config, preview }, on)
        one.camera.setEnabled(switches.enabled(config))
        one.camera.setRate(config.masks_per_second)
        return { ...one, config }
      })
    },
    setEnabled(name, enabled) {
      const one = running.find(({ camera }) => camera.name === name)
      if (!one) return
      switches.set(one.config, enabled)
      one.camera.setEnabled(enabled)
    },
    wantPicture: (name) => running.find(({ camera }) => camera.name === name)?.camera.wantPicture(),
    clockStepped(micros) {
      const at = Date.now() * 1000
      for (const { camera } of running) camera.clockStepped(micros, at)
    },
    setSegment(socket, wanted) {
      segment = socket
      input = wanted
      for (const { camera } of running) camera.setSegment(socket, input)
    },
    tellAll: (event) => (type, detail) => {
      const at_us = Date.now() * 1000
      for (const { camera } of running) event({ version: wireVersion, camera: camera.name, at_us, type, detail })
    },
    setWatched: (by) => (yes) => {
      if (yes) watchers.add(by)
      else watchers.delete(by)
      for (const { camera } of running) camera.setWatched(watchers.size > 0)
    },
    async stop() {
      stopped = true
      await Promise.all(running.map(({ camera }) => camera.stop()))
    },
  }
}
