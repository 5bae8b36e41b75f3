// A model on trial: whether its masks keep to what was measured before it took over.
import type { Result } from '../wire.ts'
import { keepLast, type Limits, median, timesAsLong, tooLarge, tooManyErrors, tooSlow, tooUnsure } from './comparison.ts'

/** What the masks of a model are like. */
export interface Pace {
  /** Median of the TensorFlow call. */
  infer_ms: number
  /** Mean. */
  confidence: number
}

/** The last masks of the model whose masks go out. */
export interface Recent {
  mask(result: Pick<Result, 'timings_ms' | 'confidence'>): void
  clear(): void
  /** Undefined until there are enough of them. */
  pace(): Pace | undefined
}

/** So many masks say how long one takes. */
const leastMasks = 10

export function recentMasks(): Recent {
  const times: number[] = []
  const confidences: number[] = []
  return {
    mask({ timings_ms, confidence }) {
      keepLast(times, timings_ms.infer)
      keepLast(confidences, confidence)
    },
    clear() {
      times.length = confidences.length = 0
    },
    pace() {
      if (times.length < leastMasks) return undefined
      const confidence = confidences.reduce((sum, one) => sum + one, 0) / confidences.length
      return { infer_ms: median(times), confidence }
    },
  }
}

export interface Seen {
  /** Of its masks; undefined until there are enough. */
  now: Pace | undefined
  /** What is to be expected; undefined where nothing was measured before. */
  before: Pace | undefined
  memoryMib: number
  errors: number
  lastError: string
}

/** What crosses a limit; undefined where nothing does. */
export function beyondTrial({ now, before, memoryMib, errors, lastError }: Seen, limits: Limits): string | undefined {
  if (errors > limits.max_errors) return tooManyErrors(errors, limits.max_errors, lastError)
  if (now && before) {
    const ratio = timesAsLong(now.infer_ms, before.infer_ms)
    if (ratio > limits.max_latency_ratio) return tooSlow(ratio, limits.max_latency_ratio)
    const drop = before.confidence - now.confidence
    if (drop > limits.max_confidence_drop) return tooUnsure(now.confidence, before.confidence, limits.max_confidence_drop)
  }
  return tooLarge(memoryMib, limits.max_memory_mib)
}
