// New models over the air: what is offered by MQTT or pushed over HTTP is verified, fetched, checked whole and handed to the trial.
// Whatever does not fit is refused with the reason, and nothing changes. deploy/README.md tells it from a person's side.

import { rm } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { manifestOf, type Release, ReleaseRefused } from '../../deploy/release.ts'
import type { Log } from '../log.ts'
import type { Config } from '../settings/config.ts'
import { Refused } from '../settings/refused.ts'
import type { State } from '../state.ts'
import type { Inference } from '../supervise/inference.ts'
import { version } from '../version.ts'
import { type ReleaseName, type UpdateState, type UpdateWish, updateTopics, wireVersion } from '../wire.ts'
import { type Arrived, makeArrival, type Offer } from './arrival.ts'
import { makeImages } from './images.ts'
import { type Progress, startTelling } from './progress.ts'
import { makePush, type Push } from './push.ts'
import { releaseOf, type Slot, type Store } from './store.ts'
import { nameOf, noKeys, type Verified, verify } from './verify.ts'

/** A bundle that was verified and is whole on disk. */
export interface Candidate {
  slot: Slot
  release: ReleaseName
  dir: string
}

/** What becomes of a candidate: it runs beside the model of now, takes its place, and is watched. */
export interface Trial {
  candidate(candidate: Candidate): void
  /** An operator does not want to wait. Throws `Refused` where nothing waits. */
  switchNow(): void
  /** Back to the model before. Throws where that is not whole. */
  rollBack(reason: string): Promise<void>
  /** Forgets a candidate that was not switched to. */
  drop(): void
}

export interface Updates extends Push {
  state(): UpdateState
  /** Called at each change of it. */
  onChange(changed: () => void): void
  /** Something was published on one of the topics that offer. */
  wish(topic: string, text: string): void
  switchNow(): void
  rollBack(reason: string): Promise<void>
  /** Forgets what was offered and is not switched to. */
  drop(): Promise<void>
  /** Says who takes candidates; goes on with one that waits from the last run. */
  begin(trial: Trial, inference: Pick<Inference, 'tensorflow'>): void
  /** How the trial goes, and which model runs since. */
  report(progress: Progress): void
  runs(slot: Slot): void
  /** Removes what no model needs any more, unless something arrives: then that is done when it is here. */
  tidy(): void
  settings(config: Config): void
  stop(): void
}

export interface UpdateSurroundings {
  store: Store
  state: State
  /** The model that runs: its slot, where it came over the air, and its name. */
  running: { slot: Slot | undefined; name: string }
  log: Log
}

/** Retained offers come one by one after a connection: they are looked at together. */
const gatherMs = 500
const mostTopics = 50
const longestWish = 128 * 1024
const retryMs = (failures: number) => Math.min(15 * 60_000, 2000 * 2 ** failures)

const signedMs = ({ released }: Release) => Date.parse(released)

export function openUpdates(config: Config, { store, state, running, log }: UpdateSurroundings): Updates {
  const { device } = config
  const topic = updateTopics(config.mqtt.prefix, device)
  const offered = new Map<string, Extract<UpdateWish, { release: unknown }>>()
  const listeners: (() => void)[] = []
  let settings = config.update
  let model = running
  let trial: Trial | undefined
  let tensorflow: () => string | undefined = () => undefined
  let offer: Offer | undefined
  let timer: NodeJS.Timeout | undefined
  let stopped = false
  const { outcome } = store.kept()
  const { told: _, ...ended } = outcome ?? { told: true }
  const told = () => {
    for (const changed of listeners) changed()
  }
  const telling = startTelling({ state: 'idle', ...(!settings.keys && { reason: noKeys }), ...ended }, log, told)
  const { report } = telling
  const kibPerSecond = () => settings.download_kib_per_second
  const arrival = makeArrival({ store, folder: state.folder, kibPerSecond, report })
  const images = makeImages({ store, state, log, report })

  /** Whether it runs, waits, is fetched or has ended here. */
  const isKnown = (id: string) => {
    const { current, pending, done } = store.kept()
    return id === offer?.id || id === current?.release || id === pending?.release || done.includes(id) || images.wanted() === id
  }
  const verified = (json: unknown): Promise<Verified> =>
    verify(json, { keys: settings.keys, accepted: store.kept().accepted, tensorflow: tensorflow(), isKnown })

  /** Looks at all that is offered and takes the newest. */
  async function decide() {
    const good: (Verified & { url: string | undefined })[] = []
    let bad: { release: ReleaseName | undefined; error: Error } | undefined
    for (const { release: json, url } of offered.values())
      await verified(json).then(
        (found) => good.push({ ...found, url }),
        (error: Error) => {
          bad = { release: nameOf(json), error }
        },
      )
    const newest = (kind: Release['kind']) =>
      good.filter(({ release }) => release.kind === kind).sort((a, b) => signedMs(b.release) - signedMs(a.release))[0]
    const [bundle, image] = [newest('bundle'), newest('image')]
    if (bad && !offer && !isKnown(bad.release?.id ?? '')) refused(bad.release, bad.error)
    if (bad && !(bad.error instanceof ReleaseRefused)) look(retryMs(2))
    if (image && !isKnown(image.id) && image.release.kind === 'image') images.want(image.id, image.release, image.envelope)
    // What is under way may be a newer one that was pushed.
    const isOlder = offer && !isWithdrawn(offer) && bundle && signedMs(bundle.release) <= signedMs(offer.release)
    if (bundle && !isOlder && !isKnown(bundle.id) && bundle.release.kind === 'bundle') {
      const { id, release, envelope, url } = bundle
      take({ id, release, envelope }, (mine) => fetchAll(mine, url))
    }
    if (offer?.stop.signal.aborted === false && isWithdrawn(offer)) await drop()
  }

  /** Offers by MQTT are withdrawn by an empty message. */
  const isWithdrawn = ({ id, envelope }: Offer) =>
    id !== pushed && ![...offered.values()].some(({ release }) => release.payload === envelope.payload)
  /** Id of the release that was pushed last. */
  let pushed: string | undefined

  function refused(release: ReleaseName | undefined, error: Error) {
    const fault = error instanceof ReleaseRefused ? 'refused' : 'failed'
    report({ state: fault, ...(release && { release }), reason: error.message })
  }

  function take({ id, release, envelope }: Omit<Offer, 'name' | 'stop'>, work: (mine: Offer) => Promise<void>): Offer {
    offer?.stop.abort()
    const name = { id, name: release.name, kind: release.kind }
    const mine: Offer = { id, release, envelope, name, stop: new AbortController() }
    offer = mine
    work(mine).catch((error: Error) => {
      if (!mine.stop.signal.aborted) log.error(error, 'an offered model')
    })
    return mine
  }

  /** Fetches an offer until it is whole, refused or withdrawn. */
  async function fetchAll(mine: Offer, url: string | undefined) {
    const { signal } = mine.stop
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        return await complete(mine, await arrival.fetch(mine, url))
      } catch (error) {
        if (signal.aborted) return
        await letGo(mine, error as Error)
        if (offer !== mine) return
        const waitMs = retryMs(failures)
        report({
          state: 'failed',
          release: mine.name,
          reason: `${(error as Error).message}; tried again in ${waitMs / 1000} s`,
        })
        await delay(waitMs, undefined, { signal }).catch(() => {})
      }
    }
  }

  /** All is here: makes a bundle of it, remembers it and hands it over. */
  async function complete(mine: Offer, arrived: Arrived) {
    const slot = await arrival.assemble(mine, arrived)
    if (mine.stop.signal.aborted) return
    const { accepted } = store.kept()
    trial?.drop()
    store.change({ accepted: { ...accepted, bundle: mine.release.released }, pending: slot })
    offer = undefined
    await store.tidy()
    handOver(slot)
  }

  function handOver(slot: Slot) {
    trial?.candidate({ slot, release: releaseOf(slot), dir: store.dirOf(slot) })
  }

  /** What is refused, or has no place, leaves nothing; what broke off may go on. */
  async function letGo(mine: Offer, error: Error) {
    const isRefused = error instanceof ReleaseRefused
    const isFull = (error as NodeJS.ErrnoException).code === 'ENOSPC'
    if (isRefused || isFull) await rm(store.incoming(mine.release), { recursive: true, force: true })
    if (!isRefused || offer !== mine) return
    offer = undefined
    await store.tidy().catch(() => {})
    refused(mine.name, error)
  }

  async function drop() {
    const withdrawn = offer
    offer?.stop.abort()
    offer = undefined
    const { pending } = store.kept()
    if (pending) {
      trial?.drop()
      store.change({ pending: undefined, done: [...store.kept().done, ...(pending.release ? [pending.release] : [])] })
    }
    if (!withdrawn && !pending) return
    await store.tidy()
    if (!store.kept().trial) report({ state: 'idle' })
  }

  async function rollBack(reason: string) {
    const { pending, previous, trial: onTrial } = store.kept()
    const dropped = offer || pending
    if (dropped) await drop()
    if (dropped && !onTrial) return
    if (!previous || !trial) throw new Refused(409, 'There is no model to go back to')
    await trial.rollBack(reason)
  }

  function tidy() {
    if (!offer) store.tidy().catch((error: Error) => log.warn(`models: ${error.message}`))
  }

  function look(afterMs = gatherMs) {
    clearTimeout(timer)
    const again = (error: Error) => {
      log.error(error, 'offered models')
      look(retryMs(4)) // a disk that was full may have room
    }
    if (!stopped) timer = setTimeout(() => decide().catch(again), afterMs)
  }

  function wish(to: string, text: string) {
    if (text.trim() === '') offered.delete(to)
    else
      try {
        if (text.length > longestWish) throw new Error(`${text.length} letters`)
        const said = JSON.parse(text) as Partial<UpdateWish> & object
        if ('rollback' in said && to === topic.set) return goBackOnce(String(said.id), said.from)
        if (!('release' in said) || !said.release) throw new Error(text.slice(0, 40))
        if (offered.size < mostTopics || offered.has(to)) offered.set(to, said as Extract<UpdateWish, { release: unknown }>)
      } catch (error) {
        return log.warn(`${to}: expected JSON with a release, found ${(error as Error).message}`)
      }
    look()
  }

  function goBackOnce(id: string, from: string | undefined) {
    const { rollback, current, pending } = store.kept()
    if (rollback === id) return
    if (from && ![current?.release, pending?.release, offer?.id].includes(from)) return
    store.change({ rollback: id })
    rollBack('asked for over MQTT').catch((error: Error) => log.warn(error.message))
  }

  const push = makePush({
    async take(json, manifestBytes) {
      const { envelope, release, id } = await verified(json)
      if (release.kind !== 'bundle') throw new ReleaseRefused('An image is fetched by the device itself: offer it by MQTT')
      if (offer?.id === id) return { offer, manifest: manifestOf(release, manifestBytes) }
      if (isKnown(id)) throw new Refused(409, `This device has release ${id} already`)
      const manifest = manifestOf(release, manifestBytes)
      const mine = take({ id, release, envelope }, async () => {})
      pushed = id
      await arrival.prepare(mine, manifest).catch((error: Error) => {
        if (offer === mine) offer = undefined
        refused(mine.name, error)
        throw new Refused(409, error.message, { cause: error })
      })
      return { offer: mine, manifest }
    },
    active: () => offer,
    pathOf: arrival.pathOf,
    report,
    complete: (mine, arrived) =>
      complete(mine, arrived).catch(async (error: Error) => {
        await letGo(mine, error)
        if (offer === mine) refused(mine.name, error)
        throw error
      }),
  })

  return {
    ...push,
    state() {
      const { previous } = store.kept()
      const image = images.own()
      const { name, slot } = model
      const { folder: _, ...before } = previous ?? { folder: '' }
      return {
        version: wireVersion,
        device,
        agent_version: version,
        ...(image && { image }),
        groups: settings.groups,
        model: {
          name,
          ...(slot?.release && { release: slot.release }),
          ...(slot?.released && { released: slot.released }),
        },
        ...(previous && { previous: before as UpdateState['model'] }),
        ...telling.now(),
      }
    },
    onChange: (changed) => void listeners.push(changed),
    wish,
    switchNow() {
      if (!trial || !store.kept().pending) throw new Refused(409, 'There is no model that waits to be switched to')
      trial.switchNow()
    },
    rollBack,
    drop,
    begin(takes, inference) {
      trial = takes
      tensorflow = inference.tensorflow
      const { pending } = store.kept()
      if (pending) handOver(pending)
      else tidy()
    },
    report,
    tidy,
    runs(slot) {
      model = { slot, name: slot.name }
      told()
    },
    settings(changed) {
      settings = changed.update
    },
    stop() {
      stopped = true
      clearTimeout(timer)
      telling.stop()
      images.stop()
      offer?.stop.abort()
    },
  }
}
