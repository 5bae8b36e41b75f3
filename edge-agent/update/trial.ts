// A new model proves itself: it runs beside the old one on the same frames, takes its place between two frames once it keeps
// within the limits, is watched for a time, and stays or is taken back. What is decided stands in update.json before it is done,
// so a power cut at any moment leaves a device that knows which model it is to run.
import { type Bundle, openBundle } from '../../deploy/bundle.ts'
import type { CurrentModel } from '../current-model.ts'
import type { Log } from '../log.ts'
import type { Config } from '../settings/config.ts'
import { Refused } from '../settings/refused.ts'
import type { Inference } from '../supervise/inference.ts'
import { residentMib } from '../supervise/supervise.ts'
import type { CameraEvent, ModelComparison, ReleaseName, Result } from '../wire.ts'
import { type BesideRun, incomparable, runBeside } from './run-beside.ts'
import { type Ending, type Outcome, releaseOf, type Slot, type Store } from './store.ts'
import type { Candidate, Trial, Updates } from './updates.ts'
import { beyondTrial, recentMasks } from './watch.ts'

export type ModelEvent = Extract<CameraEvent['type'], `model_${string}`>

export interface TrialSurroundings {
  store: Store
  updates: Pick<Updates, 'report' | 'runs' | 'tidy'>
  inference: Pick<Inference, 'use' | 'forward' | 'pid'>
  model: CurrentModel
  event(type: ModelEvent, detail: string): void
  log: Log
}

/** The trial of a whole agent, which also hears how its model does. */
export interface LiveTrial extends Trial {
  /** Masks are made by this bundle from now on. */
  took(bundle: Bundle): void
  mask(result: Result): void
  /** A process of the bundle refused it, died or hung. Whether that is the trial's business. */
  broke(bundle: Bundle, reason: string): boolean
  settings(config: Config): void
  stop(): Promise<void>
}

const lookEveryMs = 1000
/** Right after a switch processes come and go, which takes time from the masks: their pace counts after so long, or half of a shorter trial. */
const calmSeconds = 30
/** What the disk did not take is written again so often. */
const writeEveryMs = 10_000

const eventOf = { settled: 'model_settled', rolled_back: 'model_rolled_back', refused: 'model_refused' } as const

export function openTrial(config: Config, around: TrialSurroundings): LiveTrial {
  const { store, updates, inference, model, event, log } = around
  let { limits } = config.update
  const recent = recentMasks()
  /** Runs beside the model of now, or waits to be switched to. */
  let beside: { run: BesideRun; candidate: Candidate; bundle: Bundle } | undefined
  /** Comes after the one that is on trial. */
  let waiting: Candidate | undefined
  /** Since when the model on trial has made masks. */
  let tookMs: number | undefined
  let errors = 0
  let lastError = ''
  let leaving = false
  let unwritten: (() => void) | undefined
  let again: NodeJS.Timeout | undefined

  const isAt = (slot: Slot | undefined, bundle: Bundle) => slot !== undefined && store.dirOf(slot) === bundle.dir
  const onTrial = (bundle: Bundle) => store.kept().trial !== undefined && isAt(store.kept().current, bundle)

  /** Now, or as soon as the disk takes it. */
  function write(what: () => void) {
    unwritten = undefined
    try {
      what()
    } catch (error) {
      log.error(`models: update.json cannot be written, tried again in ${writeEveryMs / 1000} s: ${(error as Error).message}`)
      unwritten = what
    }
  }

  /** Makes events of what update.json says; those of it that a power cut took follow at the next start. */
  function tell() {
    const { outcome, trial, current, previous } = store.kept()
    if (outcome && !outcome.told) {
      event(eventOf[outcome.state], `${outcome.release.name}${outcome.reason ? `: ${outcome.reason}` : ''}`)
      write(() => store.change({ outcome: { ...outcome, told: true } }))
    }
    if (!trial || trial.told || tookMs === undefined) return
    event('model_switched', `${current?.name} took the place of ${previous?.name}`)
    write(() => store.change({ trial: { ...trial, told: true } }))
  }

  function finish(state: Outcome['state'], ending: Ending, written: (ending: Ending) => void) {
    updates.report({ state, ...ending })
    write(() => {
      written(ending)
      tell()
    })
    updates.tidy()
  }

  async function candidate(taken: Candidate) {
    const { slot, release, dir } = taken
    drop()
    if (store.kept().trial) {
      waiting = taken
      updates.report({ state: 'verifying', release, reason: `it waits until the trial of ${model.name()} has ended` })
      return
    }
    const refuse = (reason: string, comparison?: ModelComparison) =>
      finish('refused', { release, reason, ...(comparison && { comparison }) }, store.refuse)
    let bundle: Bundle
    try {
      bundle = await openBundle(dir)
    } catch (error) {
      return refuse((error as Error).message)
    }
    if (store.kept().pending?.release !== slot.release || beside) return // it was dropped meanwhile
    if (bundle.dir === model.bundle().dir) return runsAlready(taken)
    const against = model.bundle()
    const unlike = incomparable(against.manifest, bundle.manifest)
    if (unlike) return refuse(unlike)
    updates.report({ state: 'shadow', release, reason: `it waits for the first frame beside ${against.manifest.name}` })
    const mine = { candidate: taken, bundle, run: nothing }
    beside = mine
    if (limits.shadow_seconds === 0) return switchTo(mine, undefined)
    event('model_shadow', `${release.name} runs beside ${against.manifest.name}`)
    mine.run = runBeside(
      bundle,
      { config, against, inference, limits: () => limits, log },
      {
        progress: (comparison, reason) => updates.report({ state: 'shadow', release, comparison, reason }),
        verdict(comparison, fault) {
          if (beside !== mine) return
          if (!fault) return switchTo(mine, comparison)
          beside = undefined
          refuse(fault, comparison)
        },
      },
    )
  }

  /** As where the model that runs was signed again. */
  function runsAlready({ slot, release }: Candidate) {
    finish('settled', { release, reason: 'it runs already' }, (ending) => {
      if (store.kept().current) store.change({ current: slot })
      store.change({ pending: undefined })
      store.settle(ending)
    })
    updates.runs(slot)
  }

  function switchTo(mine: NonNullable<typeof beside>, comparison: ModelComparison | undefined) {
    const { slot, release } = mine.candidate
    const now = recent.pace()
    const pace = now && { ...now, confidence: now.confidence + (comparison?.confidence_change ?? 0) }
    try {
      store.switchTo(slot, model.name(), { comparison, pace })
    } catch (error) {
      const reason = `the switch cannot be written, tried again in ${writeEveryMs / 1000} s: ${(error as Error).message}`
      updates.report({ state: 'failed', release, ...(comparison && { comparison }), reason })
      again = setTimeout(switchTo, writeEveryMs, mine, comparison)
      return
    }
    beside = undefined
    errors = 0
    inference.use(mine.bundle)
  }

  function took(bundle: Bundle) {
    const { current, previous, trial } = store.kept()
    const slot = [current, previous].find((one) => isAt(one, bundle)) ?? { folder: '', name: bundle.manifest.name }
    updates.runs(slot)
    recent.clear()
    if (!trial || !onTrial(bundle)) return
    tookMs ??= performance.now()
    const { comparison } = trial
    const reason = `it stays once it has kept within the limits for ${limits.trial_seconds} s`
    updates.report({ state: 'trial', release: releaseOf(slot), ...(comparison && { comparison }), reason })
    tell()
  }

  async function look() {
    const { trial, current } = store.kept()
    if (!trial || !current || tookMs === undefined || leaving) return
    const pid = inference.pid()
    const memoryMib = (pid && (await residentMib(pid))) || 0
    if (tookMs === undefined || leaving) return
    const calm = performance.now() - tookMs > 1000 * Math.min(calmSeconds, limits.trial_seconds / 2)
    const now = calm && isAt(current, model.bundle()) ? recent.pace() : undefined
    const fault = beyondTrial({ now, before: trial.pace, memoryMib, errors, lastError }, limits)
    if (fault) return leave(fault).catch((error: Error) => stay(releaseOf(current), `${fault}. ${error.message}`))
    if (performance.now() - tookMs < 1000 * limits.trial_seconds || !now) return
    tookMs = undefined
    const { comparison } = trial
    finish('settled', { release: releaseOf(current), ...(comparison && { comparison }) }, store.settle)
    next()
  }

  /** It should go, but there is nothing to go back to. */
  function stay(release: ReleaseName, reason: string) {
    tookMs = undefined
    log.error(`model ${release.name}: ${reason}`)
    updates.report({ state: 'trial', release, reason })
  }

  /** Back to the model before. Throws where that is not whole. */
  async function leave(reason: string) {
    if (leaving) return
    leaving = true
    try {
      const { current, previous, trial } = store.kept()
      const bundle = await openBundle(store.dirOf(previous)).catch((error: Error) => {
        throw new Refused(409, `The model before does not open: ${error.message}`)
      })
      tookMs = undefined
      const comparison = trial?.comparison
      finish('rolled_back', { release: releaseOf(current!), reason, ...(comparison && { comparison }) }, store.goBack)
      inference.use(bundle)
      next()
    } finally {
      leaving = false
    }
  }

  function next() {
    const one = waiting
    waiting = undefined
    if (one) candidate(one)
  }

  function drop() {
    waiting = undefined
    clearTimeout(again)
    beside?.run.stop()
    beside = undefined
  }

  const looking = setInterval(() => look().catch((error: Error) => log.error(error, 'model on trial')), lookEveryMs)
  const writing = setInterval(() => unwritten && write(unwritten), writeEveryMs)
  tell()

  return {
    candidate: (taken) => void candidate(taken).catch((error: Error) => log.error(error, 'new model')),
    switchNow() {
      const mine = beside
      if (!mine) throw new Refused(409, 'Nothing runs beside the model of now: one that is on trial stays or goes first')
      const comparison = mine.run.so()
      clearTimeout(again)
      mine.run.stop().then(() => beside === mine && switchTo(mine, comparison))
    },
    rollBack: leave,
    drop,
    took,
    mask(result) {
      if (result.model === model.name()) recent.mask(result)
    },
    broke(bundle, reason) {
      if (!onTrial(bundle)) return false
      errors++
      lastError = reason
      tookMs ??= performance.now() // it need not have come so far
      look().catch((error: Error) => log.error(error, 'model on trial'))
      return true
    },
    settings(changed) {
      limits = changed.update.limits
    },
    async stop() {
      clearInterval(looking)
      clearInterval(writing)
      clearTimeout(again)
      await beside?.run.stop()
    },
  }
}

const nothing: BesideRun = { so: () => undefined, stop: async () => {} }
