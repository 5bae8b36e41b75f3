// Connected areas of road: pixels that touch by an edge, labelled run by run with union-find (Rosenfeld, Pfaltz, JACM 1966).

/** Runs of road pixels, row by row from left to right, and the area each belongs to. */
export interface Areas {
  /** Index of a run's first pixel, and of the pixel behind its last. */
  start: number[]
  end: number[]
  area: number[]
  /** Pixels of each area; areas count from 0 by their first pixel. */
  pixels: number[]
}

/** Areas of the pixels of `road` [height, width] that are not 0. */
export function findAreas(road: Uint8Array, width: number): Areas {
  const start: number[] = []
  const end: number[] = []
  const parent: number[] = []
  const rootOf = (run: number) => {
    while (parent[run] !== run) run = parent[run] = parent[parent[run]!]!
    return run
  }

  let above = 0 // first run of the row above
  for (let row = 0; row < road.length; row += width) {
    const first = start.length
    const rowEnd = row + width
    for (let at = row; at < rowEnd; ) {
      if (!road[at]) {
        at++
        continue
      }
      const run = start.length
      start.push(at)
      while (at < rowEnd && road[at]) at++
      end.push(at)
      parent.push(run)
    }
    for (let run = first, other = above; run < start.length && other < first; ) {
      if (end[other]! + width > start[run]! && start[other]! + width < end[run]!) {
        const [a, b] = [rootOf(run), rootOf(other)]
        parent[Math.max(a, b)] = Math.min(a, b)
      }
      if (end[other]! + width < end[run]!) other++
      else run++
    }
    above = first
  }

  const area: number[] = []
  const pixels: number[] = []
  for (let run = 0; run < start.length; run++) {
    const root = rootOf(run)
    const id = root === run ? pixels.push(0) - 1 : area[root]!
    area.push(id)
    pixels[id]! += end[run]! - start[run]!
  }
  return { start, end, area, pixels }
}

/** Pixels of the largest area. */
export const largest = ({ pixels }: Areas) => pixels.reduce((most, count) => Math.max(most, count), 0)
