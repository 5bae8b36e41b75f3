// What the last minute was like, for the stats topic and the page.
import { uptime } from 'node:process'
import { residentMib } from './supervise/supervise.ts'
import type { CameraState, CameraStats, OutputStats, Result, Stats } from './wire.ts'
import { wireVersion } from './wire.ts'

const windowMs = 60_000

/** What is asked for at the moment of a report. */
export interface Snapshot {
  device: string
  model: string
  compute: string
  precision: string | undefined
  /** Process ids by name. */
  processes: Record<string, number | undefined>
  cameras: { name: string; state: CameraState; restarts: number }[]
  outputs: OutputStats
}

export interface Counters {
  frames(camera: string, count: number): void
  mask(result: Result): void
  report(snapshot: Snapshot): Promise<Stats>
  /** Lets go of all other cameras. */
  keep(cameras: readonly string[]): void
}

interface Minute {
  frames: { atMs: number; count: number }[]
  masks: { atMs: number; ageMs: number }[]
  dropped: number
}

/** Counts frames and masks; `nowMs` is a clock that never goes back. */
export function startCounting(nowMs: () => number = () => performance.now()): Counters {
  const began = nowMs()
  const minutes = new Map<string, Minute>()
  const minuteOf = (camera: string) => {
    const minute = minutes.get(camera) ?? { frames: [], masks: [], dropped: 0 }
    minutes.set(camera, minute)
    return minute
  }
  /** Adds to a list and lets go of what is older than a minute. */
  function add<Entry extends { atMs: number }>(list: Entry[], entry?: Entry) {
    if (entry) list.push(entry)
    const first = list.findIndex(({ atMs }) => nowMs() - atMs < windowMs)
    list.splice(0, first < 0 ? list.length : first)
  }

  function statsOf(name: string, state: CameraState, restarts: number): CameraStats {
    const { frames, masks, dropped } = minuteOf(name)
    add(frames)
    add(masks)
    const seconds = Math.max(1, Math.min(windowMs, nowMs() - began) / 1000)
    const perSecond = (count: number) => Math.round((10 * count) / seconds) / 10
    const ages = masks.map(({ ageMs }) => ageMs).sort((a, b) => a - b)
    return {
      state,
      camera_fps: perSecond(frames.reduce((sum, { count }) => sum + count, 0)),
      mask_fps: perSecond(masks.length),
      dropped,
      restarts,
      latency_ms: ages[Math.floor(ages.length / 2)] ?? 0,
    }
  }

  return {
    frames: (camera, count) => add(minuteOf(camera).frames, { atMs: nowMs(), count }),
    mask(result) {
      const minute = minuteOf(result.camera)
      minute.dropped = result.dropped
      add(minute.masks, { atMs: nowMs(), ageMs: result.age_ms })
    },
    keep(cameras) {
      for (const camera of minutes.keys()) if (!cameras.includes(camera)) minutes.delete(camera)
    },
    async report({ device, model, compute, precision, processes, cameras, outputs }) {
      const memory_mib: Record<string, number> = {}
      for (const [name, pid] of Object.entries(processes)) {
        const mib = pid && (await residentMib(pid))
        if (mib) memory_mib[name] = mib
      }
      return {
        version: wireVersion,
        device,
        at_us: Date.now() * 1000,
        uptime_s: Math.round(uptime()),
        model,
        compute,
        ...(precision !== undefined && { precision }),
        memory_mib,
        cameras: Object.fromEntries(cameras.map(({ name, state, restarts }) => [name, statsOf(name, state, restarts)])),
        outputs,
      }
    },
  }
}
