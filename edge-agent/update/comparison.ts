// How two models compare over many frames, and whether the new one keeps within the limits.
import { addCounts, noCounts, ratio } from '../facts/agreement.ts'
import type { Compared } from '../segment/messages.ts'
import type { Config } from '../settings/config.ts'
import type { ModelComparison } from '../wire.ts'

export type Limits = Config['update']['limits']

export interface Comparing {
  add(compared: Compared, memoryMib: number): void
  /** Undefined before the first frame. */
  so(): ModelComparison | undefined
}

/** Times are those of the last ones: so many say how long a frame takes. */
const keptTimes = 500

export function startComparing(): Comparing {
  let counts = noCounts
  let frames = 0
  let memory = 0
  let confidence = 0
  let strange = 0
  let looked = 0
  const times: number[] = []
  const oldTimes: number[] = []
  return {
    add(one, memoryMib) {
      frames++
      counts = addCounts(counts, one.counts)
      memory = Math.max(memory, memoryMib)
      confidence += one.confidence - one.oldConfidence
      keepLast(times, one.inferMs)
      if (one.oldInferMs !== undefined) keepLast(oldTimes, one.oldInferMs)
      if (!one.strange) return
      strange += one.strange[0] - one.strange[1]
      looked++
    },
    so: () =>
      frames === 0
        ? undefined
        : {
            frames,
            agreement: round(ratio(counts.same, counts.pixels), 4),
            road_iou: round(ratio(counts.both, counts.either), 4),
            latency_ratio: oldTimes.length ? round(timesAsLong(median(times), median(oldTimes)), 2) : 1,
            memory_mib: memory,
            confidence_change: round(confidence / frames, 4),
            ...(looked > 0 && { drift_change: round(strange / looked, 3) }),
          },
  }
}

/** Adds a number to a list of the last ones. */
export function keepLast(list: number[], value: number): void {
  list.push(value)
  if (list.length > keptTimes) list.shift()
}

/** 0 for an empty list. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}

/** Below that, times are those of the scheduler and not of a model. */
const leastMs = 5

/** How many times as long a call takes as another one. */
export const timesAsLong = (ms: number, otherMs: number) => Math.max(leastMs, ms) / Math.max(leastMs, otherMs)

const round = (value: number, digits: number) => Math.round(value * 10 ** digits) / 10 ** digits

const named = (limit: keyof Limits, value: number) => `"update.limits.${limit}" is ${value}`

/** What crosses a limit, with the measured value and the limit; undefined where nothing does. */
export function beyondLimits(
  { agreement, latency_ratio, memory_mib }: ModelComparison,
  { min_agreement, max_latency_ratio, max_memory_mib }: Limits,
): string | undefined {
  if (agreement < min_agreement)
    return `${share(agreement)} of the pixels are of the same class as in the masks of the model that runs; ${named('min_agreement', min_agreement)}`
  if (latency_ratio > max_latency_ratio) return tooSlow(latency_ratio, max_latency_ratio)
  return tooLarge(memory_mib, max_memory_mib)
}

const share = (part: number) => `${(100 * part).toFixed(1)} %`

export const tooSlow = (ratio: number, limit: number) =>
  `a frame takes ${ratio.toFixed(2)} times as long as with the old model; ${named('max_latency_ratio', limit)}`

export const tooLarge = (memoryMib: number, limit: number) =>
  limit > 0 && memoryMib > limit ? `its process takes ${memoryMib} MiB; ${named('max_memory_mib', limit)}` : undefined

export const tooManyErrors = (errors: number, limit: number, last: string) =>
  `it broke off ${errors === 1 ? 'once' : `${errors} times`}, the last time since ${last}; ${named('max_errors', limit)}`

export const tooUnsure = (confidence: number, before: number, limit: number) =>
  `the confidence of its masks is ${confidence.toFixed(3)} in the mean, ${before.toFixed(3)} before it took over; ${named('max_confidence_drop', limit)}`
