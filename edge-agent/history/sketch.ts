// Durations in few numbers that can be added up: a histogram whose buckets grow by an eighth of a doubling, so that a median
// or a 99th percentile of any span, made of the histograms of its parts, is off by at most 4.5 %.

/** From 0.01 ms to 80 s. */
export const buckets = 184
const leastMs = 0.01
const perDoubling = 8

/** Counts by bucket. */
export type Sketch = Uint32Array

/** A sketch as a list: how many buckets further, and what is in there. Most have few. */
export type Sparse = number[]

export function addTo(sketch: Sketch, ms: number): void {
  const bucket = Math.round(perDoubling * Math.log2(Math.max(ms, leastMs) / leastMs))
  sketch[Math.min(buckets - 1, bucket)]!++
}

export function sparse(sketch: Sketch): Sparse {
  const list: Sparse = []
  let last = 0
  for (let bucket = 0; bucket < buckets; bucket++) {
    if (!sketch[bucket]) continue
    list.push(bucket - last, sketch[bucket]!)
    last = bucket
  }
  return list
}

export function addSparse(sketch: Sketch, list: Sparse): void {
  let bucket = 0
  for (let i = 0; i + 1 < list.length; i += 2) {
    bucket += list[i]!
    sketch[bucket]! += list[i + 1]! // beyond the last bucket there is nothing to add to
  }
}

/** What a share of the durations does not exceed, in milliseconds; null where there are none. */
export function quantile(sketch: Sketch, share: number): number | null {
  const count = sketch.reduce((sum, inside) => sum + inside, 0)
  let left = Math.max(1, Math.ceil(share * count))
  for (let bucket = 0; count && bucket < buckets; bucket++) {
    left -= sketch[bucket]!
    if (left <= 0) return Number((leastMs * 2 ** (bucket / perDoubling)).toPrecision(3))
  }
  return null
}
