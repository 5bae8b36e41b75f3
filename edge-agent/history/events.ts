// Events that were told, kept with the picture of their moment: the road painted into it where there is one, by the process
// that paints. Within so many events, bytes of pictures and days; one that happened is on disk at once, its picture follows.
import { join } from 'node:path'
import type { Config } from '../settings/config.ts'
import { type CameraEvent, type EventPage, type KeptEvent, type MaskMessage, wireVersion } from '../wire.ts'
import type { HistorySurroundings } from './history.ts'
import { openPictures } from './pictures.ts'
import { openRing, type Timed } from './ring.ts'

export interface EventQuestion {
  types: readonly CameraEvent['type'][]
  cameras: readonly string[]
  /** Microseconds since 1970. */
  from: number
  to: number
  /** Id of an event: only what was told before it. */
  before: string | undefined
  limit: number
}

export interface Events {
  add(event: CameraEvent): void
  mask(message: MaskMessage): void
  page(question: EventQuestion): Promise<Omit<EventPage, 'recording'>>
  picture(id: string): Promise<Buffer | undefined>
  settings(config: Config): void
  /** Lets go of what happened before, in seconds since 1970. */
  forget(before: number): Promise<void>
  close(): Promise<void>
}

/** An event, or later the name of its picture. */
interface Line extends Timed {
  event?: CameraEvent
  of?: string
  picture?: string
}

interface Kept {
  event: CameraEvent
  picture: string | undefined
}

/** What an event takes on disk, at most in the mean. */
const bytesEach = 512
/** Where the picture of the very frame is not there, the next one stands for it, asked for and within so long. */
const nextWithinMs: Partial<Record<CameraEvent['type'], number>> = {
  zone_blocked: 2000,
  zone_clear: 2000,
  drift_start: 2000,
  drift_end: 2000,
  camera_back: 10_000,
  camera_enabled: 10_000,
}
/** Of a camera that is gone, and where no next one came: the last one. */
const lastFor: Partial<Record<CameraEvent['type'], number>> = {
  camera_lost: 60_000,
  camera_disabled: 60_000,
  clock_step: 5000,
  zone_blocked: 5000,
  zone_clear: 5000,
  drift_start: 60_000,
  drift_end: 60_000,
}
/** A camera that tells much has one picture kept so often. */
const betweenPicturesMs = 1000
/** Pictures that wait to be painted and written. */
const mostWaiting = 4
const mostIdsWaiting = 32
const MiB = 1024 * 1024
const day = 86_400

interface Watch {
  /** The newest with a picture, and when it came. */
  last: { message: MaskMessage; atMs: number } | undefined
  wanted: Map<string, NodeJS.Timeout>
  kept: { picture: Promise<string | undefined>; atMs: number } | undefined
}

export function keepEvents(config: Config, around: HistorySurroundings & { folder: string }): Events {
  const { folder, painter, wantPicture, log } = around
  let settings = config.history
  let kept: Kept[] = []
  const byId = new Map<string, Kept>()
  const watches = new Map<string, Watch>()
  let working: Promise<unknown> = Promise.resolve()
  let giving: Promise<unknown> = Promise.resolve()
  let waiting = 0
  let failed = ''

  const opened = open()
  opened.catch(fail)
  async function open() {
    const ring = await openRing<Line>(folder, 'events', () => ({
      bytes: settings.events * bytesEach,
      seconds: settings.max_days * day,
    }))
    const pictures = await openPictures(join(folder, 'pictures'))
    const before: Kept[] = []
    const known = new Map<string, Kept>()
    for await (const lines of ring.read(Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY))
      for (const { event, of, picture } of lines) {
        const one = event ? { event, picture: undefined } : known.get(of ?? '')
        if (event) before.push(one!)
        if (event) known.set(event.id, one!)
        if (one && picture && pictures.has(picture)) one.picture = picture
      }
    kept = [...before, ...kept]
    for (const one of kept) byId.set(one.event.id, one)
    await tidy(pictures)
    return { ring, pictures }
  }

  function fail({ message }: Error) {
    if (message !== failed) log.error(`events in ${folder} are kept in memory alone: ${message}`)
    failed = message
  }

  async function write(line: Line) {
    await (await opened).ring.append([line])
    failed = ''
  }

  /** Lets go of events beyond the bound, and of pictures that are of none. */
  async function tidy(pictures: Awaited<ReturnType<typeof openPictures>>, since = Number.NEGATIVE_INFINITY) {
    const most = kept.slice(-settings.events).filter(({ event }) => event.at_us / 1e6 >= since)
    if (most.length < kept.length) {
      kept = most
      byId.clear()
      for (const one of kept) byId.set(one.event.id, one)
    }
    await pictures.keep(new Set(kept.flatMap(({ picture }) => picture ?? [])))
  }

  const watchOf = (camera: string) => {
    const watch = watches.get(camera) ?? { last: undefined, wanted: new Map(), kept: undefined }
    watches.set(camera, watch)
    return watch
  }
  const wantsPictures = () => settings.enabled && settings.pictures_mib > 0

  /** Paints and writes, one after the other; where too many wait, an event goes without. */
  function keepPicture(watch: Watch, message: MaskMessage): Promise<string | undefined> {
    const now = performance.now()
    if (watch.kept && now - watch.kept.atMs < betweenPicturesMs) return watch.kept.picture
    if (waiting >= mostWaiting) return Promise.resolve(undefined)
    waiting++
    const { camera, captured_us } = message.result
    const picture = working.then(async () => {
      const painted = await painter.overlay(message).catch(() => undefined)
      const { pictures } = await opened
      return pictures.add(camera, captured_us, painted ?? message.picture, settings.pictures_mib * MiB)
    })
    const name = picture.catch((error: Error) => {
      log.warn({ camera }, `the picture of an event is not kept: ${error.message}`)
      return undefined
    })
    working = name.finally(() => waiting--)
    watch.kept = { picture: name, atMs: now }
    return name
  }

  function give(ids: string[], watch: Watch, message: MaskMessage) {
    const given = keepPicture(watch, message).then(async (picture) => {
      for (const one of picture ? ids.flatMap((id) => byId.get(id) ?? []) : []) {
        one.picture = picture
        await write({ t: Math.floor(one.event.at_us / 1e6), of: one.event.id, picture: picture! }).catch(fail)
      }
    })
    giving = giving.then(() => given)
  }

  function giveLast({ id, type, camera }: CameraEvent) {
    const watch = watchOf(camera)
    const { last } = watch
    if (last && performance.now() - last.atMs <= (lastFor[type] ?? 0)) give([id], watch, last.message)
  }

  return {
    add(event) {
      if (!settings.enabled) return
      const one: Kept = { event, picture: undefined }
      kept.push(one)
      byId.set(event.id, one)
      const over = kept.length - settings.events
      for (const { event } of kept.splice(0, Math.max(0, over))) byId.delete(event.id)
      write({ t: Math.floor(event.at_us / 1e6), event }).catch(fail)
      if (!wantsPictures()) return
      const { wanted } = watchOf(event.camera)
      const patienceMs = nextWithinMs[event.type]
      if (patienceMs === undefined || wanted.size >= mostIdsWaiting) return giveLast(event)
      wantPicture(event.camera)
      const tooLate = () => {
        wanted.delete(event.id)
        giveLast(event)
      }
      wanted.set(event.id, setTimeout(tooLate, patienceMs))
    },
    mask(message) {
      if (message.picture.length === 0 || !wantsPictures()) return
      const watch = watchOf(message.result.camera)
      watch.last = { message, atMs: performance.now() }
      if (watch.wanted.size === 0) return
      const ids = [...watch.wanted.keys()]
      for (const timer of watch.wanted.values()) clearTimeout(timer)
      watch.wanted.clear()
      give(ids, watch, message)
    },
    async page({ types, cameras, from, to, before, limit }) {
      const { pictures } = await opened
      const end = before === undefined ? kept.length : kept.findIndex(({ event }) => event.id === before)
      const fits = ({ event: { type, camera, at_us } }: Kept) =>
        (!types.length || types.includes(type)) && (!cameras.length || cameras.includes(camera)) && at_us >= from && at_us < to
      const found = kept.slice(0, Math.max(0, end)).filter(fits).reverse()
      const events = found.slice(0, limit).map(({ event, picture }): KeptEvent => {
        return { ...event, ...(picture && pictures.has(picture) && { picture_us: pictures.taken(picture) }) }
      })
      return { version: wireVersion, events, next: found.length > limit ? events.at(-1)!.id : null }
    },
    async picture(id) {
      const name = byId.get(id)?.picture
      return name === undefined ? undefined : (await opened).pictures.read(name)
    },
    settings(changed) {
      settings = changed.history
      for (const [camera, { wanted }] of watches) {
        if (wantsPictures() && changed.cameras.some(({ name }) => name === camera)) continue
        for (const timer of wanted.values()) clearTimeout(timer)
        watches.delete(camera)
      }
    },
    async forget(before) {
      const { ring, pictures } = await opened
      await ring.forget(before)
      await tidy(pictures, before)
    },
    async close() {
      for (const { wanted } of watches.values()) for (const timer of wanted.values()) clearTimeout(timer)
      await giving
      await (await opened.catch(() => undefined))?.ring.append([])
    },
  }
}
