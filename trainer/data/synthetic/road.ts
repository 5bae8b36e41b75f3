// The course of a road: bends and crests along z, and the cross-section from the middle outwards. Metres throughout;
// x to the right, y up, z ahead. `u` is the distance from the centre line, to the right.
import type { Random } from '../random.ts'
import { smooth } from './noise.ts'

/** One sine of the course: `waves` whole waves over the road's length. */
export interface Wave {
  metres: number
  waves: number
  phase: number
}

export interface Side {
  /** `kerb`: raised stone and a pavement. `verge`: a gravel shoulder and grass. */
  kind: 'kerb' | 'verge'
  /** Width of the pavement or the shoulder. */
  width: number
}

export interface Marking {
  u: number
  width: number
  /** Painted and unpainted metres; unpainted 0 is a solid line. */
  on: number
  off: number
  colour: 'white' | 'yellow'
}

/** What lies across the road. */
export interface Profile {
  /** Edges of the asphalt. */
  left: number
  right: number
  markings: Marking[]
  /** Middles of the lanes, for tyre tracks and traffic. */
  lanes: number[]
  sides: { left: Side; right: Side }
}

export interface Road {
  /** The course repeats after this many metres of z. */
  length: number
  /** Metres of road, along its bends, in one repetition. */
  arcLength: number
  profile: Profile
  /** x of the centre line. */
  centre(z: number): number
  /** dx/dz of the centre line. */
  slope(z: number): number
  /** Height of the centre line. */
  height(z: number): number
  /** Metres of road from z 0. */
  arc(z: number): number
  /** z at so many metres of road. */
  zAt(arc: number): number
}

export const kerbHeight = 0.12
export const kerbWidth = 0.15
const step = 0.25

/** A road whose bends and crests are sums of waves that fit its length, so that it can be driven round and round. */
export function makeRoad(length: number, bends: Wave[], crests: Wave[], profile: Profile): Road {
  const sum = (waves: Wave[], z: number) =>
    waves.reduce((y, { metres, waves: count, phase }) => y + metres * Math.sin((2 * Math.PI * count * z) / length + phase), 0)
  const steepness = (waves: Wave[], z: number) =>
    waves.reduce((y, { metres, waves: count, phase }) => {
      const rate = (2 * Math.PI * count) / length
      return y + metres * rate * Math.cos(rate * z + phase)
    }, 0)
  const count = Math.round(length / step)
  const table = (value: (z: number) => number) =>
    Float64Array.from({ length: count + 1 }, (_, at) => value((at * length) / count))
  const [centres, slopes, heights] = [
    table((z) => sum(bends, z)),
    table((z) => steepness(bends, z)),
    table((z) => sum(crests, z)),
  ]
  const arcs = new Float64Array(count + 1)
  for (let at = 0; at < count; at++)
    arcs[at + 1] = arcs[at]! + (length / count) * Math.hypot(1, steepness(bends, ((at + 0.5) * length) / count))
  const arcLength = arcs[count]!
  const lookUp = (values: Float64Array, z: number) => {
    const place = ((z / length) % 1) * count
    const at = place < 0 ? place + count : place
    const index = Math.min(at | 0, count - 1)
    return values[index]! + (values[index + 1]! - values[index]!) * (at - index)
  }
  return {
    length,
    arcLength,
    profile,
    centre: (z) => lookUp(centres, z),
    slope: (z) => lookUp(slopes, z),
    height: (z) => lookUp(heights, z),
    arc: (z) => Math.floor(z / length) * arcLength + lookUp(arcs, z),
    zAt: (arc) => {
      const rounds = Math.floor(arc / arcLength)
      const rest = arc - rounds * arcLength
      let [low, high] = [0, count]
      while (high - low > 1) {
        const middle = (low + high) >> 1
        if (arcs[middle]! <= rest) low = middle
        else high = middle
      }
      const share = (rest - arcs[low]!) / (arcs[high]! - arcs[low]!)
      return rounds * length + ((low + share) * length) / count
    },
  }
}

/** x of a point beside the road: sections are cut along x and stretched by the bend, so that u stays a true distance. */
export const xAt = (road: Road, u: number, z: number): number => road.centre(z) + u * Math.hypot(1, road.slope(z))

/** Distance from the centre line of a point in the world. */
export const uAt = (road: Road, x: number, z: number): number => (x - road.centre(z)) / Math.hypot(1, road.slope(z))

/** Height above the centre line of the built part of the section: camber, kerb, pavement, ditch. */
export function sectionHeight({ left, right, sides }: Profile, u: number): number {
  const camber = -0.02 * Math.min(Math.abs(u), u < 0 ? -left : right)
  const beyond = u < 0 ? left - u : u - right
  if (beyond <= 0) return camber
  const side = u < 0 ? sides.left : sides.right
  if (side.kind === 'kerb') {
    const top = camber + kerbHeight + 0.015 * Math.min(beyond, side.width)
    return top - 0.06 * smooth(0, 0.4, beyond - side.width - kerbWidth)
  }
  return (
    camber -
    0.05 * Math.min(beyond, side.width) -
    0.35 * smooth(0, 1.6, beyond - side.width) +
    0.2 * smooth(1.6, 3.2, beyond - side.width)
  )
}

/** Random waves of a course: heights of the waves shrink with their count. */
export function drawWaves(next: Random, metres: number, counts: number[]): Wave[] {
  return counts.map((waves) => ({
    metres: (metres * (0.4 + 0.6 * next())) / waves ** 1.6,
    waves,
    phase: 2 * Math.PI * next(),
  }))
}
