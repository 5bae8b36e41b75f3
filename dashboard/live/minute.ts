// What one camera did over the last minute: rate, latency and road share from the masks that arrived, and sparklines of them.

export interface Sample {
  /** When the mask arrived here. */
  atMs: number
  latencyMs: number
  roadPercent: number
}

export interface Minute {
  add(sample: Sample): void
  /** Masks a second over the last five seconds. */
  rate(nowMs: number): number
  /** Median latency of the last five seconds; undefined where there was no mask. */
  latencyMs(nowMs: number): number | undefined
  /** 60 values, one a second, oldest first: the mean or the largest of that second; undefined where it had no mask. */
  series(nowMs: number, what: keyof Sample, fold: 'mean' | 'max'): (number | undefined)[]
  /** The smallest and the largest of the last minute. */
  range(nowMs: number, what: keyof Sample): [least: number, most: number] | undefined
}

const spanMs = 60_000
const recentMs = 5_000

export function lastMinute(): Minute {
  let samples: Sample[] = []
  let firstMs: number | undefined
  const recent = (nowMs: number) => samples.filter(({ atMs }) => atMs > nowMs - recentMs)
  return {
    add(sample) {
      firstMs ??= sample.atMs
      samples.push(sample)
      const oldest = samples[0]
      if (oldest && oldest.atMs < sample.atMs - 2 * spanMs) samples = samples.filter(({ atMs }) => atMs > sample.atMs - spanMs)
    },
    rate(nowMs) {
      const seconds = Math.min(recentMs, Math.max(1000, nowMs - (firstMs ?? nowMs))) / 1000
      return recent(nowMs).length / seconds
    },
    latencyMs(nowMs) {
      const sorted = recent(nowMs)
        .map(({ latencyMs }) => latencyMs)
        .sort((a, b) => a - b)
      return sorted[sorted.length >> 1]
    },
    series(nowMs, what, fold) {
      const seconds = Array.from({ length: spanMs / 1000 }, (): number[] => [])
      for (const sample of samples) seconds[seconds.length - 1 - Math.floor((nowMs - sample.atMs) / 1000)]?.push(sample[what])
      return seconds.map((values) => {
        if (!values.length) return undefined
        return fold === 'max' ? Math.max(...values) : values.reduce((sum, value) => sum + value, 0) / values.length
      })
    },
    range(nowMs, what) {
      const values = samples.filter(({ atMs }) => atMs > nowMs - spanMs).map((sample) => sample[what])
      return values.length ? [Math.min(...values), Math.max(...values)] : undefined
    },
  }
}

/**
 * SVG path data of a series in a box of `series.length - 1` x 20, zero at the bottom, `top` at the top: the line, and the
 * area under it. A second without a value breaks both; a lone value is a short dash, so that it can be seen.
 */
export function sparkline(series: (number | undefined)[], top: number): { line: string; area: string } {
  let line = ''
  let area = ''
  series.forEach((value, x) => {
    if (value === undefined) return
    const y = (20 - (20 * Math.min(value, top)) / top).toFixed(2)
    const first = series[x - 1] === undefined
    const last = series[x + 1] === undefined
    line += `${first ? 'M' : 'L'}${x} ${y}${first && last ? 'h.6' : ''}`
    area += `${first ? `M${x} 20V` : `L${x} `}${y}${last ? 'V20z' : ''}`
  })
  return { line, area }
}

/** The smallest of 1, 2, 5, 10, 20, 50 … that holds every value: an axis that does not jump with each of them. */
export function axisTop(series: (number | undefined)[], least: number): number {
  const largest = Math.max(least, ...series.map((value) => value ?? 0))
  const power = 10 ** Math.floor(Math.log10(largest))
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= largest) ?? largest
}
