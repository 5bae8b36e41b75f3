// The models that came over the air, on disk: whole bundles in models/, what arrives in models/incoming/, and update.json, which
// says what runs. A bundle appears whole by one rename, and what runs changes by one write, so a power cut at any moment
// leaves the old model or the new one.
import { existsSync } from 'node:fs'
import { copyFile, link, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type Bundle, manifestFile, openBundle } from '../../deploy/bundle.ts'
import { type BundleRelease, releaseFile } from '../../deploy/release.ts'
import type { Log } from '../log.ts'
import type { Config } from '../settings/config.ts'
import { type State, syncFolder } from '../state.ts'
import type { ModelComparison, ReleaseName, RunningModel, UpdateState } from '../wire.ts'
import type { Arrived, Offer } from './arrival.ts'
import type { Pace } from './watch.ts'

/** A model on disk. */
export interface Slot extends RunningModel {
  /** Its folder below models/; empty for the bundle that the config names. */
  folder: string
}

/** The release that it came by. */
export const releaseOf = (slot: Slot): ReleaseName => ({ id: slot.release ?? '', name: slot.name, kind: 'bundle' })

/** How the last release ended. */
export interface Outcome {
  state: Extract<UpdateState['state'], 'settled' | 'rolled_back' | 'refused'>
  release: ReleaseName
  reason?: string
  comparison?: ModelComparison
  since_us: number
  /** It has become an event. */
  told?: true
}

/** What is known of a model when it takes over. */
export interface Expected {
  /** How it compared with the model before, and what its masks should be like; absent where nothing was measured. */
  comparison?: ModelComparison | undefined
  pace?: Pace | undefined
}

/** update.json. */
export interface Kept {
  /** When what was accepted last was signed, by kind: nothing older is taken. */
  accepted: { bundle?: string; image?: string }
  /** The config's bundle when `current` took its place: where it names another one, somebody wants that. */
  over?: string
  /** Absent: the config's. */
  current?: Slot
  previous?: Slot
  /** Whole on disk, and not yet switched to. */
  pending?: Slot
  /** `current` is on trial; `starts` of the agent since. `told`: that it took over has become an event. */
  trial?: { since_us: number; starts: number; told?: true } & Expected
  outcome?: Outcome
  /** Ids of releases that have ended, the newest last, so that a retained offer is not taken again. */
  done: string[]
  /** The last wish to go back. */
  rollback?: string
}

/** What is undefined goes. */
type Change = { [Key in keyof Kept]?: Kept[Key] | undefined }

export interface Store {
  kept(): Readonly<Kept>
  /** Atomic. Throws where the disk does not take it; then nothing changed. */
  change(what: Change): void
  /** Where a model lies. */
  dirOf(slot: Slot | undefined): string
  /** Where the files of a release gather, each under its hash. */
  incoming(release: BundleRelease): string
  /** Where a release lies once it is whole. */
  slotOf(offer: Pick<Offer, 'id' | 'release'>): Slot
  /** Makes a bundle of what has gathered, whole or not at all. */
  assemble(offer: Pick<Offer, 'id' | 'release' | 'envelope'>, arrived: Arrived): Promise<Slot>
  /** Removes what nothing needs: all but the models that run, ran before and wait, and what gathers for `keep`. */
  tidy(keep?: BundleRelease): Promise<void>
  /** Puts the model that waits in the place of the current one, which has this name, on trial. */
  switchTo(slot: Slot, over: string, expected: Expected): void
  /** The model that waits is not taken. */
  refuse(ending: Ending): void
  /** The trial went well. */
  settle(ending: Ending): void
  /** Puts the model before in the place of the current one. */
  goBack(ending: Ending): void
  /** The model to start with: the current one, or where that is not whole the one before, or the config's. Counts starts on trial. */
  start(): Promise<{ bundle: Bundle; slot: Slot | undefined }>
}

/** How a release ends. */
export type Ending = Omit<Outcome, 'state' | 'since_us' | 'told'>

/** An agent that ends so often within a trial is taken for the model's fault. */
const mostStarts = 2
const mostDone = 50
/** A manifest's hash, shortened to name a folder. */
const folderLength = 16

export const nowMicros = () => Date.now() * 1000

export function openStore(state: State, config: Pick<Config, 'bundle'>, log: Log): Store {
  const folder = join(state.folder, 'models')
  let kept: Kept = { accepted: {}, done: [], ...state.read<Kept>('update') }

  function change(what: Change) {
    const next = { ...kept, ...what } as Kept
    next.done = next.done.slice(-mostDone)
    state.write('update', next)
    kept = next
  }
  const dirOf = (slot: Slot | undefined) => (slot?.folder ? join(folder, slot.folder) : config.bundle)
  const folderOf = ({ manifest_sha256 }: BundleRelease) => manifest_sha256.slice(0, folderLength)
  const incoming = (release: BundleRelease) => join(folder, 'incoming', folderOf(release))
  const slotOf: Store['slotOf'] = ({ id, release }) => ({
    folder: folderOf(release),
    name: release.name,
    release: id,
    released: release.released,
  })
  const done = (id: string) => [...kept.done.filter((known) => known !== id), id]

  const ended = (state: Outcome['state'], ending: Ending) => ({
    outcome: { ...ending, state, since_us: nowMicros() },
    done: done(ending.release.id),
  })

  function goBack(ending: Ending) {
    const { previous } = kept
    change({
      current: previous?.folder ? previous : undefined,
      previous: undefined,
      trial: undefined,
      ...ended('rolled_back', ending),
    })
  }

  return {
    kept: () => kept,
    change,
    dirOf,
    incoming,
    slotOf,
    async assemble({ id, release, envelope }, { manifest, manifestBytes }) {
      const slot = { ...slotOf({ id, release }), name: manifest.name }
      const whole = dirOf(slot)
      const made = `${whole}.new`
      await rm(made, { recursive: true, force: true })
      const folders = new Set([made])
      for (const [file, { sha256 }] of Object.entries(manifest.files)) {
        const to = join(made, file)
        for (let at = dirname(to); at.length >= made.length; at = dirname(at)) folders.add(at)
        await mkdir(dirname(to), { recursive: true })
        await place(join(incoming(release), sha256), to)
      }
      await writeSynced(join(made, manifestFile), manifestBytes)
      await writeSynced(join(made, releaseFile), Buffer.from(JSON.stringify(envelope)))
      for (const each of folders) syncFolder(each)
      if (existsSync(whole)) await rename(whole, `${whole}.old.new`) // it was not whole, or it would not have been asked for
      await rename(made, whole)
      syncFolder(folder)
      return slot
    },
    async tidy(keep) {
      const needed = [kept.current, kept.previous, kept.pending].map((slot) => slot?.folder)
      const stays = (name: string) => name === 'incoming' || needed.includes(name)
      for (const name of await namesIn(folder)) if (!stays(name)) await rm(join(folder, name), { recursive: true, force: true })
      for (const name of await namesIn(join(folder, 'incoming')))
        if (!keep || name !== folderOf(keep)) await rm(join(folder, 'incoming', name), { recursive: true, force: true })
    },
    switchTo(slot, over, expected) {
      const previous = kept.current ?? { folder: '', name: over }
      change({
        over: config.bundle,
        current: slot,
        previous,
        pending: undefined,
        trial: { since_us: nowMicros(), starts: 0, ...expected },
      })
    },
    refuse(ending) {
      change({ pending: undefined, ...ended('refused', ending) })
    },
    settle(ending) {
      change({ trial: undefined, ...ended('settled', ending) })
    },
    goBack,
    async start() {
      if (kept.current && kept.over !== config.bundle) {
        log.info(`the config names another bundle than before, ${config.bundle}: it takes the place of ${kept.current.name}`)
        change({ current: undefined, previous: undefined, pending: undefined, trial: undefined })
      }
      if (kept.trial && kept.current) {
        const { current, trial } = kept
        const reason = `the agent was started ${trial.starts + 1} times while it was on trial`
        if (trial.starts >= mostStarts) {
          log.error(`model ${current.name} is taken back: ${reason}`)
          goBack({ release: releaseOf(current), reason })
        } else change({ trial: { ...trial, starts: trial.starts + 1 } })
      }
      for (const slot of [kept.current, kept.previous]) {
        if (!slot?.folder) continue
        try {
          return { bundle: await openBundle(dirOf(slot)), slot }
        } catch (error) {
          log.error(`model ${slot.name} does not open, and the one before it is used: ${(error as Error).message}`)
          if (slot === kept.current) goBack({ release: releaseOf(slot), reason: (error as Error).message })
        }
      }
      return { bundle: await openBundle(config.bundle), slot: undefined }
    },
  }
}

/** The same file under another name, or a copy where the file system has no hard links. */
async function place(from: string, to: string) {
  await link(from, to).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw error
    await copyFile(from, to)
    await syncFile(to)
  })
}

async function writeSynced(path: string, bytes: Uint8Array) {
  const file = await open(path, 'w')
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
}

async function syncFile(path: string) {
  const file = await open(path, 'r')
  await file.sync().finally(() => file.close())
}

const namesIn = (folder: string) => readdir(folder).catch(() => [])

/** Bytes of a file; 0 where there is none. */
export const sizeOf = (path: string) =>
  stat(path).then(
    ({ size }) => size,
    () => 0,
  )
