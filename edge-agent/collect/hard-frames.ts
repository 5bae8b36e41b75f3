// Hard frames: what a camera saw that the model should learn from, kept under a quota with picture, mask and facts. Off by
// default. A frame that is found hard without a picture has one asked for: the next one with a picture stands for it.
import type { Manifest } from '../../deploy/bundle.ts'
import type { Log } from '../log.ts'
import type { Output } from '../publish/output.ts'
import type { Config } from '../settings/config.ts'
import type { MaskMessage, OutputStats } from '../wire.ts'
import { type Archive, makeArchive } from './archive.ts'
import { type FrameStore, hardFramesFolder, type KeptFrame, openFrameStore, type Reason } from './frame-store.ts'
import { judgeFrames, type Verdict } from './verdict.ts'

export interface HardFrames extends Output {
  /** Keeps the next picture of a camera, with its mask; undefined where none came in time or it cannot be kept. */
  keepNow(camera: string): Promise<KeptFrame | undefined>
  store: Promise<FrameStore>
  archive: Archive
  enabled(): boolean
  /** Empty while it is off. */
  counts(): Pick<OutputStats, 'hard_frames'>
}

export interface HardFrameSurroundings {
  /** Folder of the agent's state. */
  state: string
  /** Of the bundle's masks, by class id. */
  classes(): Manifest['classes']
  /** Asks a camera for a picture of its next frame. */
  wantPicture(camera: string): void
  log: Log
}

/** How long a picture may follow the frame it was asked for. */
const pictureWithinMs = 1000
/** How long somebody waits who has pressed a button. */
const operatorWaitsMs = 3000
/** Frames that may wait for the disk. */
const mostWaiting = 4
const MiB = 1024 * 1024

interface Watch {
  judge: ReturnType<typeof judgeFrames>
  wanted: { verdict: Verdict; untilMs: number } | undefined
  /** When the last frame was kept that nobody asked for. */
  keptMicros: number
  asked: ((frame: KeptFrame | undefined) => void)[]
}

export function keepHardFrames(config: Config, { state, classes, wantPicture, log }: HardFrameSurroundings): HardFrames {
  const folder = hardFramesFolder(state)
  let settings = config.collect
  const store = openFrameStore(folder)
  let opened: FrameStore | undefined
  store.then(
    (ready) => (opened = ready),
    (error: Error) => log.error(`hard frames are not kept: ${folder} cannot be read: ${error.message}`),
  )
  const archive = makeArchive(config, state)
  const watches = new Map<string, Watch>()
  let waiting = 0
  const dropped = { slow_disk: 0, fault: 0 }
  let last: Promise<unknown> = Promise.resolve()

  function watchOf(camera: string): Watch {
    const watch = watches.get(camera) ?? {
      judge: judgeFrames(),
      wanted: undefined,
      keptMicros: Number.NEGATIVE_INFINITY,
      asked: [],
    }
    watches.set(camera, watch)
    return watch
  }

  /** Whether the quota has room for one more. */
  function allowed(watch: Watch, micros: number, reason: Reason): boolean {
    if (Math.abs(micros - watch.keptMicros) < settings.min_seconds * 1e6) return false
    return opened !== undefined && opened.countOn(micros, reason) < settings.per_day
  }

  /** In the order they came; a disk that is too slow costs frames and nothing else. */
  function keep(message: MaskMessage, verdict: Verdict): Promise<KeptFrame | undefined> {
    if (!opened || waiting >= mostWaiting) {
      dropped[opened ? 'slow_disk' : 'fault']++
      return Promise.resolve(undefined)
    }
    const into = opened
    const looks = { ...verdict, classes: classes() }
    waiting++
    const kept = last.then(() => into.add(message, looks, settings.max_mib * MiB))
    last = kept.catch(() => {}).finally(() => waiting--)
    return kept.catch((error: Error) => {
      dropped.fault++
      log.warn({ camera: message.result.camera }, `a hard frame is not kept: ${error.message}`)
      return undefined
    })
  }

  function answer(watch: Watch, message: MaskMessage) {
    const asked = watch.asked
    watch.asked = []
    const kept = keep(message, { reason: 'operator', detail: '' })
    for (const done of asked) kept.then(done)
  }

  return {
    store,
    archive,
    enabled: () => settings.enabled,
    mask(message) {
      const { camera, captured_us } = message.result
      if (!settings.enabled) return
      const watch = watchOf(camera)
      const found = watch.judge(message.result, settings)
      if (watch.wanted && performance.now() > watch.wanted.untilMs) watch.wanted = undefined
      if (found && !watch.wanted && allowed(watch, captured_us, found.reason)) {
        if (message.picture.length === 0) wantPicture(camera)
        watch.wanted = { verdict: found, untilMs: performance.now() + pictureWithinMs }
      }
      if (message.picture.length === 0) return
      const { wanted } = watch
      watch.wanted = undefined
      if (watch.asked.length) return answer(watch, message)
      if (!wanted) return
      watch.keptMicros = captured_us
      keep(message, wanted.verdict)
    },
    async keepNow(camera) {
      if (!settings.enabled) return undefined
      const watch = watchOf(camera)
      wantPicture(camera)
      return new Promise((done) => {
        const timer = setTimeout(() => {
          watch.asked = watch.asked.filter((other) => other !== answered)
          done(undefined)
        }, operatorWaitsMs)
        const answered = (frame: KeptFrame | undefined) => {
          clearTimeout(timer)
          done(frame)
        }
        watch.asked.push(answered)
      })
    },
    status() {},
    event() {},
    stats() {},
    settings(changed) {
      settings = changed.collect
      archive.settings(changed)
      for (const camera of watches.keys()) if (!changed.cameras.some(({ name }) => name === camera)) watches.delete(camera)
    },
    counts() {
      if (!settings.enabled) return {}
      const frames = opened?.list() ?? []
      return {
        hard_frames: { kept: frames.length, bytes: frames.reduce((sum, { bytes }) => sum + bytes, 0), dropped: { ...dropped } },
      }
    },
    async close() {
      archive.close()
      await last
    },
  }
}
