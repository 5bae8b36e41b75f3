// Which time the view shows: the last so many minutes up to now, or a part of the past that somebody has zoomed to.

export interface Range {
  /** In an address, and where a choice is remembered. */
  name: string
  label: string
  seconds: number
  /** Seconds between two points. */
  step: number
}

const [minute, hour, day] = [60, 3600, 86_400]

export const ranges: readonly Range[] = [
  { name: '15m', label: '15 min', seconds: 15 * minute, step: 10 },
  { name: '1h', label: '1 h', seconds: hour, step: 10 },
  { name: '6h', label: '6 h', seconds: 6 * hour, step: minute },
  { name: '1d', label: 'Day', seconds: day, step: 3 * minute },
  { name: '1w', label: 'Week', seconds: 7 * day, step: 15 * minute },
  { name: '1m', label: 'Month', seconds: 30 * day, step: hour },
]

/** Seconds since 1970. */
export interface Span {
  from: number
  to: number
  points: number
}

/** What a range shows at a moment; it moves on by whole points, so that those that are there stay as they are. */
export function spanOf({ seconds, step }: Range, nowMs: number): Span {
  const to = Math.ceil(nowMs / 1000 / step) * step
  return { from: to - seconds, to, points: seconds / step }
}

const leastSeconds = 2 * minute
const mostSeconds = 366 * day
const zoomedPoints = 360

/** A part of the past as it was asked for, but neither shorter than the device remembers nor in the future. */
export function spanBetween(from: number, to: number, nowMs: number): Span {
  const seconds = Math.min(mostSeconds, Math.max(leastSeconds, to - from))
  const middle = (from + to) / 2
  const end = Math.min(nowMs / 1000, middle + seconds / 2)
  return { from: Math.floor(end - seconds), to: Math.ceil(end), points: zoomedPoints }
}

/** The span by `factor` as long, about a moment. */
export function zoomed({ from, to }: Span, factor: number, at: number, nowMs: number): Span {
  return spanBetween(at - (at - from) * factor, at + (to - at) * factor, nowMs)
}

/** The span a part of its length earlier (below 0) or later. */
export function moved({ from, to }: Span, part: number, nowMs: number): Span {
  const by = part * (to - from)
  return spanBetween(from + by, to + by, nowMs)
}
