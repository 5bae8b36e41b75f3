// How much of a zone is road. A zone is a polygon over the camera's picture; what the model does not see of it does not count.
import { seenOf, toMaskX, toMaskY, type View } from './view.ts'

/** The pixels of a polygon: index of the first of each run and of the one behind its last, in turn. */
export type Runs = Int32Array

/** The mask's pixels whose middle lies in a polygon of places in the picture, by the even-odd rule. */
export function runsOf(polygon: readonly (readonly [x: number, y: number])[], view: View): Runs {
  const { width } = view
  const { left, right, top, bottom } = seenOf(view)
  const corners = polygon.map(([x, y]) => [toMaskX(view, x), toMaskY(view, y)] as const)
  const runs: number[] = []
  for (let row = top; row < bottom; row++) {
    const middle = row + 0.5
    const crossings: number[] = []
    corners.forEach(([x, y], i) => {
      const [beforeX, beforeY] = corners.at(i - 1)!
      if (beforeY > middle !== y > middle) crossings.push(beforeX + ((middle - beforeY) / (y - beforeY)) * (x - beforeX))
    })
    crossings.sort((a, b) => a - b)
    for (let i = 0; i + 1 < crossings.length; i += 2) {
      const from = Math.max(left, Math.ceil(crossings[i]! - 0.5))
      const to = Math.min(right, Math.ceil(crossings[i + 1]! - 0.5))
      if (from < to) runs.push(row * width + from, row * width + to)
    }
  }
  return Int32Array.from(runs)
}

/** Share of those pixels that is road, 0 to 1; undefined where there are none. */
export function roadShare(road: Uint8Array, runs: Runs): number | undefined {
  let [all, count] = [0, 0]
  for (let i = 0; i < runs.length; i += 2) {
    const end = runs[i + 1]!
    all += end - runs[i]!
    for (let at = runs[i]!; at < end; at++) count += road[at]!
  }
  return all ? count / all : undefined
}
