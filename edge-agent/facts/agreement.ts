// How much two masks of the same frame agree: of different sizes, or of another part of the picture, they are compared where
// both look, on the pixels of the first.
import type { Region } from '../wire.ts'

/** A mask and where it lies in the camera's picture. */
export interface PlacedMask {
  width: number
  height: number
  /** Class ids [height, width]. */
  ids: ArrayLike<number>
  region: Readonly<Region>
  /** What of the picture it shows; the rest, bars, counts for nothing. Left out: all of the region. */
  seen?: Readonly<Region>
  /** The class id that is road. */
  road: number
}

export interface Counts {
  pixels: number
  /** Of the same class. */
  same: number
  /** Road in both, and in one of them at least. */
  both: number
  either: number
}

export const noCounts: Counts = { pixels: 0, same: 0, both: 0, either: 0 }

export const addCounts = (a: Counts, b: Counts): Counts => ({
  pixels: a.pixels + b.pixels,
  same: a.same + b.same,
  both: a.both + b.both,
  either: a.either + b.either,
})

/** A share; of nothing it is all. */
export const ratio = (part: number, whole: number) => (whole === 0 ? 1 : part / whole)

/** `sameClasses`: whether an id means the same in both; else they agree where both or none say road. */
export function countAgreement(a: PlacedMask, b: PlacedMask, sameClasses: boolean): Counts {
  const [columns, rows] = [placesIn(acrossOf(a), acrossOf(b)), placesIn(downOf(a), downOf(b))]
  const counts = { ...noCounts }
  for (let y = 0; y < a.height; y++) {
    const row = rows[y]!
    if (row < 0) continue
    for (let x = 0; x < a.width; x++) {
      const column = columns[x]!
      if (column < 0) continue
      const [mine, theirs] = [a.ids[y * a.width + x]!, b.ids[row * b.width + column]!]
      const [road, roadToo] = [mine === a.road, theirs === b.road]
      counts.pixels++
      if (sameClasses ? mine === theirs : road === roadToo) counts.same++
      if (road && roadToo) counts.both++
      if (road || roadToo) counts.either++
    }
  }
  return counts
}

/** A mask along one axis of the camera's picture: `size` pixels over `length` of the camera's from `start`, `seen` in camera pixels. */
interface Axis {
  start: number
  length: number
  size: number
  seen: readonly [from: number, to: number]
}
const acrossOf = ({ region: [start, , length], width: size, seen }: PlacedMask) =>
  axis(start, length, size, seen?.[0], seen?.[2])
const downOf = ({ region: [, start, , length], height: size, seen }: PlacedMask) =>
  axis(start, length, size, seen?.[1], seen?.[3])
const axis = (start: number, length: number, size: number, from = start, across = length): Axis => ({
  start,
  length,
  size,
  seen: [from, from + across],
})

/** For each pixel of `a` the one of `b` that holds its middle; -1: none. */
const placesIn = (a: Axis, b: Axis) =>
  Int32Array.from({ length: a.size }, (_, at) => {
    const camera = a.start + ((at + 0.5) * a.length) / a.size
    const place = Math.floor(((camera - b.start) * b.size) / b.length)
    const beyond = [a, b].some(({ seen: [from, to] }) => camera < from || camera > to)
    return beyond || place < 0 || place >= b.size ? -1 : place
  })
