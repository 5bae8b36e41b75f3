// When a frame was taken, from the time that GStreamer gave it. That time runs evenly but from an unknown zero; arrival is
// late by decoding and queueing, which jitter. The least lateness of the last half to whole minute is taken as the zero, so
// that a slow moment does not make a frame look younger, and drift between the two clocks is followed.
import { monotonicMicros } from '../monotonic.ts'

const windowMicros = 30_000_000
/** A stream whose time goes back by more than this has a new zero: its source began again. */
const stepMicros = 500_000
/** Steps of the wall clock below this are the grain of Date.now() and its slow adjustment, not a new time. */
const wallStepMicros = 5_000

export interface CaptureTimes {
  /** On the monotonic clock, microseconds. */
  monotonicMicros: number
  /** Since 1970, microseconds: for people and messages. */
  wallMicros: number
}

/** The clocks, for tests to set. */
export interface Clocks {
  monotonicMicros(): number
  wallMicros(): number
}

export const systemClocks: Clocks = {
  monotonicMicros,
  wallMicros: () => Date.now() * 1000,
}

/** Makes the function that tells when a frame with a presentation time (ns) was taken; call it when the frame arrives. */
export function captureClock(clocks: Clocks = systemClocks): (pts: bigint) => CaptureTimes {
  let least = Number.POSITIVE_INFINITY // of the window that runs
  let leastBefore = Number.POSITIVE_INFINITY // of the window before it
  let windowStart = 0
  let last: { pts: number; taken: number } | undefined
  let wallOffset: number | undefined

  return (ptsNanos) => {
    const pts = Number(ptsNanos / 1000n)
    const arrival = clocks.monotonicMicros()
    const lateness = arrival - pts
    const stepped = last && pts < last.pts - stepMicros
    if (!last || stepped || arrival - windowStart > windowMicros) {
      leastBefore = !last || stepped ? Number.POSITIVE_INFINITY : least
      least = lateness
      windowStart = arrival
    }
    least = Math.min(least, lateness)
    // Frames never share a time and never go back, whatever the stream says.
    const taken = Math.max(Math.min(arrival, pts + Math.min(least, leastBefore)), (last?.taken ?? Number.NEGATIVE_INFINITY) + 1)
    last = { pts, taken }

    const offset = clocks.wallMicros() - clocks.monotonicMicros()
    if (wallOffset === undefined || Math.abs(offset - wallOffset) > wallStepMicros) wallOffset = offset
    return { monotonicMicros: taken, wallMicros: Math.round(taken + wallOffset) }
  }
}
