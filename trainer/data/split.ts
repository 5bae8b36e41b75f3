// A validation split by fraction, the same for the same seed, with every drive in its share.
import type { Sample } from './dataset.ts'
import { random, shuffled } from './random.ts'

/**
 * Puts `fraction` (0 to below 1) of the samples aside for validation, drawn from every drive in proportion (largest
 * remainder), and at least one where there are two or more. Both parts keep the samples' order.
 */
export function splitByDrive(
  samples: Sample[],
  { seed, fraction }: { seed: number; fraction: number },
): { train: Sample[]; val: Sample[] } {
  if (!(fraction >= 0 && fraction < 1))
    throw new Error(`Expected a validation fraction of 0 to below 1, found ${fraction}; 0.17 is KittiSeg's`)
  const least = fraction > 0 && samples.length > 1 ? 1 : 0
  const wanted = Math.max(least, Math.round(samples.length * fraction))
  const drives = [...new Set(samples.map((sample) => sample.drive))].sort()
  const shares = drives.map((drive) => {
    const members = samples.filter((sample) => sample.drive === drive)
    const exact = (wanted * members.length) / samples.length
    return { drive, members, count: Math.floor(exact), remainder: exact % 1 }
  })
  let missing = wanted - shares.reduce((sum, share) => sum + share.count, 0)
  for (const share of [...shares].sort((a, b) => b.remainder - a.remainder || (a.drive < b.drive ? -1 : 1)))
    if (missing-- > 0) share.count++
  const chosen = new Set<Sample>()
  for (const [index, { members, count }] of shares.entries())
    for (const sample of shuffled(members, random(seed, index)).slice(0, count)) chosen.add(sample)
  return { train: samples.filter((sample) => !chosen.has(sample)), val: samples.filter((sample) => chosen.has(sample)) }
}
