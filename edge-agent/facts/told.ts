// What people were told of cameras and must be told the end of, over restarts: zones that are blocked, and drift. Otherwise a
// zone that was blocked when the agent ended, and is clear when it runs again, stays blocked for whoever listens.
import type { Log } from '../log.ts'
import { keep, type State } from '../state.ts'

/** By camera: names of zones that were told as blocked, and whether it was told to drift. */
export type Told = Record<string, { blocked: string[]; drifts: boolean }>

export interface Memory {
  /** As the last run left it. */
  found: Told
  keep(told: Told): void
  stop(): void
}

/** The first change is written at once, those that follow together: a zone may flicker, and flash wears out. */
const everyMs = 5000

export function openTold(state: State, log: Log): Memory {
  let told = state.read<Told>('told') ?? {}
  let dueMs = Number.NEGATIVE_INFINITY
  let timer: NodeJS.Timeout | undefined
  function write() {
    clearTimeout(timer)
    timer = undefined
    dueMs = performance.now() + everyMs
    keep(state, 'told', told, log)
  }
  return {
    found: told,
    keep(now) {
      told = now
      const waitMs = dueMs - performance.now()
      if (waitMs > 0) timer ??= setTimeout(write, waitMs)
      else if (!timer) write()
    },
    stop() {
      if (timer) write()
    },
  }
}
