// What Prometheus scrapes at /metrics: where the time of each mask goes, what was dropped and why, and how cameras, processes
// and the machine are. Counted as it happens or read when it is asked for.
import { readFile, statfs } from 'node:fs/promises'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Known } from '../known.ts'
import type { Config } from '../settings/config.ts'
import { version } from '../version.ts'
import type { CameraEvent, Result, UpdateState } from '../wire.ts'
import { readHardware } from './hardware.ts'

export interface Metrics {
  mask(result: Result): void
  frames(camera: string, count: number): void
  event(event: Pick<CameraEvent, 'type'>): void
  /** The settings changed: what is known of cameras that run no longer goes. */
  settings(config: Config): void
  /** Everything, in Prometheus' text format. */
  text(): Promise<string>
  type: string
}

export interface MetricsSurroundings {
  known: Known
  model(): string
  update(): UpdateState
  /** The state folder. */
  folder: string
}

/** Half a millisecond to write a mask out, seconds for a model that is too slow for its cameras. */
const buckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]
const updateStates = Object.keys({
  idle: 1,
  verifying: 1,
  downloading: 1,
  shadow: 1,
  trial: 1,
  settled: 1,
  refused: 1,
  failed: 1,
  rolled_back: 1,
} satisfies Record<UpdateState['state'], 1>)
/** USER_HZ, which is 100 on every Linux that Node runs on. */
const ticksPerSecond = 100

/** Starts with nothing counted. */
export function startMetrics({ known, model, update, folder }: MetricsSurroundings): Metrics {
  const registry = new Registry()
  const registers = [registry]
  const gauge = <Label extends string>(name: string, help: string, labelNames: Label[] = []) =>
    new Gauge({ name: `roadmask_${name}`, help, labelNames, registers })
  const counter = <Label extends string>(name: string, help: string, labelNames: Label[] = []) =>
    new Counter({ name: `roadmask_${name}`, help, labelNames, registers })
  const histogram = <Label extends string>(name: string, help: string, labelNames: Label[]) =>
    new Histogram({ name: `roadmask_${name}`, help, labelNames, buckets, registers })

  const stages = histogram('stage_seconds', 'Time that a mask took in each stage.', ['camera', 'stage'])
  const latency = histogram('latency_seconds', 'Age of a frame when its mask went out.', ['camera'])
  const masks = counter('masks_total', 'Masks that were made.', ['camera'])
  const frames = counter('frames_total', 'Frames that the camera gave.', ['camera'])
  const droppedFrames = counter('frames_dropped_total', 'Frames that no mask was made of, by reason.', ['camera', 'reason'])
  const road = gauge('road_ratio', 'Share of the newest mask that is road.', ['camera'])
  const confidence = gauge('confidence_ratio', 'Confidence of the newest mask.', ['camera'])
  const masked = gauge('last_mask_timestamp_seconds', 'Capture time of the newest mask.', ['camera'])
  const drift = gauge(
    'drift_score',
    'How unlike the training pictures the camera looks, in the mean; 99 % of those are below 1.',
    ['camera'],
  )
  const events = counter('events_total', 'Events of all cameras, by type.', ['type'])
  const ofCamera = [masks, frames, road, confidence, masked, latency, drift]

  const fps = gauge('camera_fps', 'Frames a second over the last minute.', ['camera'])
  const maskFps = gauge('mask_fps', 'Masks a second over the last minute.', ['camera'])
  const state = gauge('camera_state', '1 for the state that the camera is in.', ['camera', 'state'])
  const restarts = counter('camera_restarts_total', 'Times that the camera process was started again.', ['camera'])
  const memory = gauge('process_resident_memory_bytes', 'Resident memory.', ['process'])
  const cpu = counter('process_cpu_seconds_total', 'Processor time since the process began.', ['process'])
  const droppedMessages = counter('messages_dropped_total', 'Messages that did not get out, by reason.', ['output', 'reason'])
  const sent = counter('mqtt_sent_bytes_total', 'Topics and payloads, by the last level of the topic.', ['kind'])
  const waiting = gauge('outbox_messages', 'Events and states that wait for the broker.')
  const waitingBytes = gauge('outbox_bytes', 'The same on disk.')
  const oldest = gauge('outbox_oldest_seconds', 'Age of the oldest of them.')
  const clients = gauge('clients', 'Who watches.', ['output'])
  const mqtt = gauge('mqtt_connected', 'Whether the broker is reached.')
  const ready = gauge('model_ready', 'Whether the model takes frames.')
  const uptime = gauge('service_uptime_seconds', 'Since the agent began.')
  const diskFree = gauge('state_disk_free_bytes', 'Free on the disk of the state folder.')
  const diskSize = gauge('state_disk_size_bytes', 'Size of the same disk.')
  const loop = gauge('event_loop_delay_seconds', '99th percentile since the last time this was asked for.')
  const temperature = gauge('device_temperature_celsius', 'Temperature of a part of the machine.', ['zone'])
  const gpu = gauge('gpu_load_ratio', 'How busy the GPU is, on a Jetson.')
  const updating = gauge('update_state', '1 for the state that a new model is in.', ['state'])
  const comparison = {
    agreement: gauge('update_agreement_ratio', 'Share of the pixels that a new model and the old one see alike.', ['model']),
    road_iou: gauge('update_road_iou', 'Intersection over union of the roads of the two.', ['model']),
    latency_ratio: gauge('update_latency_ratio', "Time for a frame, the new model's over the old one's.", ['model']),
    confidence_change: gauge('update_confidence_change', "Confidence, the new model's less the old one's.", ['model']),
    drift_change: gauge('update_drift_change', "Drift score, the new model's less the old one's.", ['model']),
  }
  const build = gauge('build_info', 'What runs here.', ['version', 'model', 'node'])

  const delay = monitorEventLoopDelay({ resolution: 20 })
  delay.enable()
  const lastDropped = new Map<string, number>()
  const stageNames = new Set<string>()

  async function look() {
    for (const metric of [fps, maskFps, state, restarts, memory, cpu, droppedMessages, sent, clients, temperature, gpu, build])
      metric.reset()
    for (const metric of [updating, ...Object.values(comparison)]) metric.reset()
    const { state: at, release, comparison: found } = update()
    for (const name of updateStates) updating.set({ state: name }, Number(name === at))
    for (const name of Object.keys(comparison) as (keyof typeof comparison)[]) {
      const value = found?.[name]
      if (value !== undefined) comparison[name].set({ model: release?.name ?? '' }, value)
    }
    build.set({ version, model: model(), node: process.version }, 1)
    const { cameras, memory_mib, outputs } = await known.stats()
    for (const [camera, now] of Object.entries(cameras)) {
      fps.set({ camera }, now.camera_fps)
      maskFps.set({ camera }, now.mask_fps)
      for (const name of ['online', 'offline', 'disabled']) state.set({ camera, state: name }, Number(now.state === name))
      restarts.inc({ camera }, now.restarts)
    }
    for (const [name, mib] of Object.entries(memory_mib)) memory.set({ process: name }, mib * 2 ** 20)
    for (const [name, pid] of Object.entries(known.processes())) {
      const seconds = pid && (await cpuSeconds(pid))
      if (seconds !== undefined) cpu.inc({ process: name }, seconds)
    }
    const { outbox, sent_bytes, version: spoken } = outputs.mqtt
    for (const [output, { dropped }] of Object.entries({ ...outputs, outbox }))
      for (const [reason, count] of Object.entries(dropped)) droppedMessages.inc({ output, reason }, count)
    for (const output of ['websocket', 'streams'] as const) clients.set({ output }, outputs[output].clients)
    for (const [kind, bytes] of Object.entries(sent_bytes)) sent.inc({ kind }, bytes)
    mqtt.set(Number(spoken !== ''))
    waiting.set(outbox.messages)
    waitingBytes.set(outbox.bytes)
    oldest.set(outbox.oldest_s)
    ready.set(Number(known.modelReady()))
    uptime.set(process.uptime())
    loop.set(delay.count ? delay.percentile(99) / 1e9 : 0)
    delay.reset()
    const disk = await statfs(folder)
    diskFree.set(disk.bavail * disk.bsize)
    diskSize.set(disk.blocks * disk.bsize)
    const { temperatures, gpuLoad } = await readHardware()
    for (const [zone, celsius] of Object.entries(temperatures)) temperature.set({ zone }, celsius)
    if (gpuLoad !== undefined) gpu.set(gpuLoad)
  }

  let last: Promise<unknown> = Promise.resolve() // two scrapes at once would mix
  return {
    type: registry.contentType,
    mask(result) {
      const { camera } = result
      for (const [stage, ms] of Object.entries(result.timings_ms)) {
        stageNames.add(stage)
        stages.observe({ camera, stage }, ms / 1000)
      }
      latency.observe({ camera }, result.age_ms / 1000)
      masks.inc({ camera })
      const before = lastDropped.get(camera) ?? 0
      // A camera process that was started again counts from nothing.
      droppedFrames.inc({ camera, reason: 'overtaken' }, result.dropped < before ? result.dropped : result.dropped - before)
      lastDropped.set(camera, result.dropped)
      road.set({ camera }, result.road_percent / 100)
      confidence.set({ camera }, result.confidence)
      masked.set({ camera }, result.captured_us / 1e6)
      if (result.drift) drift.set({ camera }, result.drift.score)
    },
    frames: (camera, count) => frames.inc({ camera }, count),
    event: ({ type }) => events.inc({ type }),
    settings({ cameras }) {
      for (const camera of lastDropped.keys()) {
        if (cameras.some(({ name }) => name === camera)) continue
        lastDropped.delete(camera)
        for (const metric of ofCamera) metric.remove({ camera })
        droppedFrames.remove({ camera, reason: 'overtaken' })
        for (const stage of stageNames) stages.remove({ camera, stage })
      }
    },
    text() {
      const mine = last.then(async () => {
        await look()
        return registry.metrics()
      })
      last = mine.catch(() => {})
      return mine
    },
  }
}

/** Processor time of a process, user and system (proc(5), /proc/PID/stat, fields 14 and 15). */
async function cpuSeconds(pid: number): Promise<number | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ') // from field 3 on; the name before may hold spaces
  const ticks = Number(fields[11]) + Number(fields[12])
  return Number.isFinite(ticks) ? ticks / ticksPerSecond : undefined
}
