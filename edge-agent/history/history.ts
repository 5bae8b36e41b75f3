// What the device remembers of its cameras and of itself: counted as masks come, put together every ten seconds, written once
// a minute. A span gets its time when it is written, so that what happened before a clock was set at start is told right.
import { join } from 'node:path'
import { type Clocks, systemClocks } from '../capture/capture-clock.ts'
import type { Log } from '../log.ts'
import type { Output } from '../publish/output.ts'
import { readHardware } from '../serve/hardware.ts'
import type { Config } from '../settings/config.ts'
import type { Painter } from '../supervise/painter.ts'
import type { CameraState, EventPage, History as HistoryLines } from '../wire.ts'
import { type EventQuestion, keepEvents } from './events.ts'
import { finest, type Levels, openLevels } from './levels.ts'
import { type Question, readSeries } from './series.ts'
import { addMask, addValue, makeTally, type Span, spanOf, type Tally } from './tally.ts'

export interface History extends Output {
  series(question: Question): Promise<HistoryLines>
  events(question: EventQuestion): Promise<EventPage>
  /** The picture of an event; undefined where there is none. */
  picture(event: string): Promise<Buffer | undefined>
}

export interface HistorySurroundings {
  /** Folder of the agent's state. */
  state: string
  painter: Pick<Painter, 'overlay'>
  /** Asks a camera for a picture of its next frame. */
  wantPicture(camera: string): void
  log: Log
}

const writeEverySpans = 6
/** While the clock was never set, as that of a device without a battery for it, an hour waits in memory. */
const mostWaitingSpans = 360
const plausibleSeconds = Date.UTC(2024, 0) / 1000
/** Nothing goes for its age before the clock has held for so long. */
const trustClockMicros = 3_600_000_000
const stepMicros = 60_000_000
const MiB = 1024 * 1024
const day = 86_400

interface Watch {
  tally: Tally
  /** Of its camera process. */
  dropped: number
  state: CameraState
}

/** What happened before `middle`, by the clock that nobody sets. */
interface Waiting {
  middleMicros: number
  spans: Span[]
}

export function keepHistory(config: Config, around: HistorySurroundings, clocks: Clocks = systemClocks): History {
  const { state, log } = around
  const folder = join(state, 'history')
  let settings = config.history
  let names = config.cameras.map(({ name }) => name)
  let waiting: Waiting[] = []
  let device = makeTally()
  const watches = new Map<string, Watch>()
  let begunMicros = clocks.monotonicMicros()
  let offset = clocks.wallMicros() - clocks.monotonicMicros()
  let heldSince = clocks.monotonicMicros()
  let failed = ''
  let last: Promise<unknown> = Promise.resolve()
  let timer: NodeJS.Timeout | undefined

  let levels: Levels | undefined
  const opened = openLevels(folder, () => ({ bytes: settings.max_mib * MiB, seconds: settings.max_days * day }))
  opened.then((ready) => (levels = ready), fail)
  const events = keepEvents(config, { ...around, folder })

  const watchOf = (camera: string) => {
    const watch = watches.get(camera) ?? { tally: makeTally(), dropped: 0, state: 'offline' }
    watches.set(camera, watch)
    return watch
  }

  /** Puts together what happened since the last time. */
  function gather() {
    const now = clocks.monotonicMicros()
    const seconds = (now - begunMicros) / 1e6
    const tallies: [string, Tally][] = [['', device]]
    for (const [camera, watch] of watches) {
      const runs = names.includes(camera)
      if ((runs && watch.state !== 'disabled') || watch.tally.masks) tallies.push([camera, watch.tally])
      watch.tally = makeTally()
      if (!runs) watches.delete(camera)
    }
    device = makeTally()
    const spans = tallies.map(([camera, tally]) => spanOf({ ...tally, seconds }, 0, camera))
    waiting.push({ middleMicros: begunMicros + 5e5 * seconds, spans })
    waiting = waiting.slice(-mostWaitingSpans)
    begunMicros = now
  }

  /** Spans with the time at which they happened, as the clock tells it now. */
  function dated(): Span[] {
    const offset = clocks.wallMicros() - clocks.monotonicMicros()
    return waiting.flatMap(({ middleMicros, spans }) => {
      const t = Math.floor((middleMicros + offset) / 1e6 / finest) * finest
      return t < plausibleSeconds ? [] : spans.map((span) => ({ ...span, t }))
    })
  }

  function write() {
    const spans = dated()
    if (!levels || !spans.length) return
    waiting = []
    const added = levels.add(spans).then(() => {
      failed = ''
    }, fail)
    last = last.then(() => added)
  }

  function fail({ message }: Error) {
    if (message !== failed) log.error(`the history in ${folder} cannot be written; what happens now is left out: ${message}`)
    failed = message
  }

  /** What is older than wanted goes, but not because a clock is wrong for a while. */
  async function forget() {
    const now = clocks.monotonicMicros()
    const stepped = clocks.wallMicros() - now - offset
    offset += stepped
    if (Math.abs(stepped) > stepMicros) heldSince = now
    if (now - heldSince < trustClockMicros) return
    const before = clocks.wallMicros() / 1e6 - settings.max_days * day
    await (await opened).forget(before)
    await events.forget(before)
  }

  /** At round times, so that spans of all cameras and of all days lie on the same ones. */
  function plan() {
    const everyMs = 1000 * finest
    timer = setTimeout(
      () => {
        gather()
        if (waiting.length >= writeEverySpans) {
          write()
          forget().catch(() => {}) // said already where the folder cannot be used
        }
        plan()
      },
      everyMs - ((clocks.wallMicros() / 1000) % everyMs),
    )
  }

  function record(yes: boolean) {
    if (yes === (timer !== undefined)) return
    if (yes) {
      begunMicros = clocks.monotonicMicros()
      for (const watch of watches.values()) watch.tally = makeTally()
      return plan()
    }
    clearTimeout(timer)
    timer = undefined
    gather()
    write()
  }
  record(settings.enabled)

  return {
    mask(message) {
      events.mask(message)
      const { result } = message
      const watch = watchOf(result.camera)
      // A camera process that was started again counts from nothing.
      const dropped = result.dropped < watch.dropped ? result.dropped : result.dropped - watch.dropped
      watch.dropped = result.dropped
      if (settings.enabled) addMask(watch.tally, result, dropped)
    },
    status({ camera, state }) {
      watchOf(camera).state = state
    },
    event: (event) => events.add(event),
    stats(stats) {
      if (!settings.enabled) return
      addValue(
        device.memory,
        Object.values(stats.memory_mib).reduce((sum, mib) => sum + mib, 0),
      )
      readHardware().then(
        ({ temperatures }) => {
          const warmest = Math.max(...Object.values(temperatures))
          if (Number.isFinite(warmest)) addValue(device.warmth, warmest)
        },
        () => {}, // a machine that does not tell
      )
    },
    settings(changed) {
      settings = changed.history
      names = changed.cameras.map(({ name }) => name)
      record(settings.enabled)
      events.settings(changed)
    },
    async series(question) {
      const series = await readSeries(await opened, question, dated)
      return { ...series, recording: settings.enabled }
    },
    events: async (question) => ({ ...(await events.page(question)), recording: settings.enabled }),
    picture: events.picture,
    async close() {
      record(false)
      await opened.catch(() => {}) // said already
      write()
      await Promise.all([last, events.close()])
    },
  }
}
