// Seeded random numbers: sfc32, Chris Doty-Humphrey's "small fast counting" generator (PractRand, public domain), its
// state spread from the seeds by the finaliser of MurmurHash3 (Austin Appleby, public domain).

/** Gives a number in [0, 1), 32 bits of it random. */
export type Random = () => number

/**
 * A stream of numbers that depends on every seed and on their order: `random(seed, epoch, index)` is independent of
 * `random(seed, epoch, index + 1)`. Seeds count as 32-bit whole numbers.
 */
export function random(...seeds: number[]): Random {
  let a = 0x9e3779b9
  let b = 0x243f6a88
  let c = 0xb7e15162
  for (const seed of seeds) {
    a = mix(a ^ seed)
    b = mix(b + a)
    c = mix(c ^ b)
  }
  let counter = 1
  const next = () => {
    const sum = (a + b + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + sum) | 0
    return (sum >>> 0) / 2 ** 32
  }
  // The author's own seeding throws the first outputs away until the state is well mixed.
  for (let i = 0; i < 12; i++) next()
  return next
}

/** A whole number that depends on every bit of `value` (32 bits). */
export function mix(value: number): number {
  let x = value | 0
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b)
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35)
  return x ^ (x >>> 16)
}

/** A number in [low, high). */
export const between = (next: Random, low: number, high: number): number => low + (high - low) * next()

/** A new array with the items in random order (Fisher and Yates). */
export function shuffled<T>(items: readonly T[], next: Random): T[] {
  const order = [...items]
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1))
    const item = order[i]!
    order[i] = order[j]!
    order[j] = item
  }
  return order
}
