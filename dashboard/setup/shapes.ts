// Polygons as the editor changes them: corners are places in the upright picture, 0 to 1 from its upper left corner, with as
// many digits as the config keeps. Pure.
import type { Point } from '../../edge-agent/wire.ts'

export const mostCorners = 64
export const leastCorners = 3
/** A ten-thousandth of the picture is less than a pixel of any camera. */
export const rounded = (place: number) => Math.round(Math.min(1, Math.max(0, place)) * 10_000) / 10_000

export const movedPoint = ([x, y]: Point, dx: number, dy: number): Point => [rounded(x + dx), rounded(y + dy)]

/** As a whole, as far as its picture reaches. */
export function moved(polygon: readonly Point[], dx: number, dy: number): Point[] {
  const within = (axis: 0 | 1, by: number) => {
    const all = polygon.map((point) => point[axis])
    return Math.min(1 - Math.max(...all), Math.max(-Math.min(...all), by))
  }
  const [right, down] = [within(0, dx), within(1, dy)]
  return polygon.map((point) => movedPoint(point, right, down))
}

export const withPoint = (polygon: readonly Point[], i: number, point: Point): Point[] =>
  polygon.map((old, j) => (j === i ? point : old))

/** One more, behind number `i`: in the middle of the edge, or where it is said. */
export function inserted(polygon: readonly Point[], i: number, at: Point = middle(polygon, i)): Point[] {
  return polygon.length < mostCorners ? [...polygon.slice(0, i + 1), at, ...polygon.slice(i + 1)] : [...polygon]
}

export const without = (polygon: readonly Point[], i: number): Point[] =>
  polygon.length > leastCorners ? polygon.filter((_, j) => j !== i) : [...polygon]

/** Of the edge that begins at corner `i`. */
export function middle(polygon: readonly Point[], i: number): Point {
  const [[x, y], [otherX, otherY]] = [polygon[i]!, polygon[(i + 1) % polygon.length]!]
  return [rounded((x + otherX) / 2), rounded((y + otherY) / 2)]
}

/** A rectangle: [x, y, width, height] in shares of the picture, its corners clockwise from the upper left one. */
export type Box = [x: number, y: number, width: number, height: number]
export const cornersOf = ([x, y, width, height]: Box): Point[] => [
  [x, y],
  [rounded(x + width), y],
  [rounded(x + width), rounded(y + height)],
  [x, rounded(y + height)],
]
/** With corner `i` at another place, and the one across from it where it is. */
export function resized(box: Box, i: number, [x, y]: Point): Box {
  const [left, top] = cornersOf(box)[(i + 2) % 4]!
  const least = 0.02
  const [width, height] = [Math.max(least, Math.abs(x - left)), Math.max(least, Math.abs(y - top))]
  return [rounded(x < left ? left - width : left), rounded(y < top ? top - height : top), rounded(width), rounded(height)]
}

/** What was, to go back to and forth again. */
export interface Undo<State> {
  /** `state` is about to be changed. */
  keep(state: State): void
  /** The one before, where there is one. */
  back(now: State): State | undefined
  forth(now: State): State | undefined
  can(): { back: boolean; forth: boolean }
}

const mostKept = 200

export function makeUndo<State>(): Undo<State> {
  let [before, after]: [State[], State[]] = [[], []]
  return {
    keep(state) {
      before = [...before, state].slice(-mostKept)
      after = []
    },
    back(now) {
      const state = before.pop()
      if (state !== undefined) after.push(now)
      return state
    },
    forth(now) {
      const state = after.pop()
      if (state !== undefined) before.push(now)
      return state
    },
    can: () => ({ back: before.length > 0, forth: after.length > 0 }),
  }
}
