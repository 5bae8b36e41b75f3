// Which frames are worth a person's look: those the model is unsure of, those whose mask jumps, those that look like nothing
// it was trained on, and a few at random, so that what it is wrongly sure of is found too. Costs nothing: all of it is in the
// facts already.
import type { Config } from '../settings/config.ts'
import type { Result } from '../wire.ts'
import type { Reason } from './frame-store.ts'

export interface Verdict {
  reason: Reason
  detail: string
}

/** What of a mask's facts is looked at. */
type Judged = Pick<Result, 'captured_us' | 'confidence' | 'changed_percent' | 'drift'>

/** Masks further apart than this differ because the world moved on. */
const flickerWithinMicros = 500_000
const dayMicros = 86_400_000_000

/** Judges the masks of one camera, in order. `random`: 0 to 1, below 1. */
export function judgeFrames(random: () => number = Math.random) {
  let last = Number.NEGATIVE_INFINITY
  let due: { micros: number; perDay: number } | undefined

  /** Moments of chance: so many a day in the mean, each independent of the last (a Poisson process). */
  const nextDue = (now: number, perDay: number) => ({ micros: now - (Math.log(1 - random()) * dayMicros) / perDay, perDay })

  return (result: Judged, { confidence_below, changed_above, random_per_day }: Config['collect']): Verdict | undefined => {
    const { captured_us: now, confidence, changed_percent, drift } = result
    const gap = now - last
    last = now
    if (random_per_day === 0) due = undefined
    else if (due?.perDay !== random_per_day || gap < 0) due = nextDue(now, random_per_day)

    if (confidence < confidence_below) return { reason: 'unsure', detail: `confidence ${confidence}` }
    if (drift?.active) return { reason: 'drift', detail: `drift ${drift.score}` }
    if (changed_percent !== undefined && changed_percent > changed_above && gap > 0 && gap < flickerWithinMicros)
      return { reason: 'flicker', detail: `${changed_percent} % of the mask changed in ${Math.round(gap / 1000)} ms` }
    if (!due || now < due.micros) return undefined
    due = nextDue(now, random_per_day)
    return { reason: 'random', detail: '' }
  }
}
