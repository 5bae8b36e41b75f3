// Order statistics of a few measurements.

/** Linear between the two nearest values. Throws where there are none. */
export function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) throw new Error('Expected values to take a quantile of, found none')
  const sorted = values.toSorted((a, b) => a - b)
  const at = share * (sorted.length - 1)
  const [below, above] = [sorted[Math.floor(at)]!, sorted[Math.ceil(at)]!]
  return below + (above - below) * (at - Math.floor(at))
}

export const median = (values: readonly number[]): number => quantile(values, 0.5)
