// How a release gets on, for the log and for all who are told: what is new at once, progress not more often than people look.
import type { Log } from '../log.ts'
import type { UpdateState } from '../wire.ts'
import { nowMicros } from './store.ts'

export type Progress = Pick<UpdateState, 'state' | 'release' | 'progress' | 'comparison' | 'reason'>

export interface Telling {
  report(progress: Progress): void
  now(): Progress & Pick<UpdateState, 'since_us'>
  stop(): void
}

const tellEveryMs = 1000

/** Starts with what was known; `tell` is called when there is something to be told. */
export function startTelling(known: Progress & { since_us?: number }, log: Log, tell: () => void): Telling {
  let now = { since_us: nowMicros(), ...known }
  let saidMs = 0
  let timer: NodeJS.Timeout | undefined

  function say() {
    saidMs = performance.now()
    tell()
  }

  return {
    report(progress) {
      const same = progress.state === now.state && progress.release?.id === now.release?.id
      now = { ...progress, since_us: same ? now.since_us : nowMicros() }
      clearTimeout(timer)
      // Progress is not worth a message for each piece.
      if (same) timer = setTimeout(say, Math.max(0, tellEveryMs - (performance.now() - saidMs)))
      else {
        write(progress, log)
        say()
      }
    },
    now: () => now,
    stop: () => clearTimeout(timer),
  }
}

const bad: readonly UpdateState['state'][] = ['refused', 'failed', 'rolled_back']

function write({ state, reason, release }: Progress, log: Log) {
  const text = `model ${release?.name ?? ''}: ${state.replace('_', ' ')}${reason ? `: ${reason}` : ''}`
  log[bad.includes(state) ? 'warn' : 'info']({ release: release?.id }, text)
}
