// Borders of road areas as polygons. They run along the edges of pixels with the road at their right, so that they enclose
// exactly the pixels they belong to; then corners that matter little are left out (Douglas, Peucker 1973).
import type { Areas } from './areas.ts'

export interface Border {
  /** Pixels inside; holes in an area are not taken off. */
  pixels: number
  hole: boolean
  /** x, y, x, y, … of the corners, in pixels: clockwise, holes the other way round. */
  corners: number[]
}

/** Areas and holes of a smaller share of the mask are specks. */
const leastShare = 0.0005
/** Corners may be left out that lie so near to the line without them, in pixels: the staircase of a slope. */
const nearest = 1
/** Douglas and Peucker's effort may grow with the square of the corners: of a longer border some are left out first. */
const mostCorners = 2000

/** The `count` largest borders of areas and of holes in them, the largest first, with at most `points` corners each. */
export function findBorders(road: Uint8Array, width: number, areas: Areas, count: number, points: number): Border[] {
  const least = Math.max(4, leastShare * road.length)
  const kept = new Set(
    areas.pixels
      .map((pixels, id) => ({ pixels, id }))
      .filter(({ pixels }) => pixels >= least)
      .sort((a, b) => b.pixels - a.pixels)
      .slice(0, count)
      .map(({ id }) => id),
  )
  const passed = new Uint8Array(road.length) // pixels whose upper edge was walked
  const borders: Border[] = []
  for (let run = 0; run < areas.start.length; run++) {
    if (!kept.has(areas.area[run]!)) continue
    for (let at = areas.start[run]!; at < areas.end[run]!; at++) {
      if (passed[at] || (at >= width && road[at - width])) continue
      const corners = walk(road, width, at, passed)
      const enclosed = signedArea(corners)
      if (Math.abs(enclosed) >= least) borders.push({ pixels: Math.abs(enclosed), hole: enclosed < 0, corners })
    }
  }
  return borders
    .sort((a, b) => b.pixels - a.pixels)
    .slice(0, count)
    .map((border) => ({ ...border, corners: simplify(border.corners, points) }))
}

/** Round a border from the upper edge of pixel `first`, to the right; at corners where two pixels touch, they are apart. */
function walk(road: Uint8Array, width: number, first: number, passed: Uint8Array): number[] {
  const height = road.length / width
  const is = (x: number, y: number) => x >= 0 && y >= 0 && x < width && y < height && road[y * width + x] !== 0
  const corners: number[] = []
  let [x, y] = [first % width, Math.floor(first / width)]
  const [startX, startY] = [x, y]
  let [dx, dy] = [1, 0]
  do {
    if (dx === 1) passed[y * width + x] = 1
    x += dx
    y += dy
    // The pixels ahead, at the right and at the left hand.
    const right = is(x + Math.min(0, dx - dy), y + Math.min(0, dx + dy))
    const left = right && is(x + Math.min(0, dx + dy), y + Math.min(0, dy - dx))
    if (right && !left) continue
    corners.push(x, y)
    ;[dx, dy] = right ? [dy, -dx] : [-dy, dx]
  } while (x !== startX || y !== startY || dx !== 1)
  return corners
}

/** Positive for a way round that is clockwise with y downwards. */
function signedArea(corners: number[]): number {
  let twice = 0
  for (let i = 0, j = corners.length - 2; i < corners.length; j = i, i += 2)
    twice += corners[j]! * corners[i + 1]! - corners[i]! * corners[j + 1]!
  return twice / 2
}

/** Leaves out corners until at most `points` are left: those first whose lack moves the border least. */
export function simplify(corners: number[], points: number): number[] {
  let left = thin(corners, mostCorners)
  for (let tolerance = nearest; ; tolerance *= 1.5) {
    const next = douglasPeucker(left, tolerance)
    if (next.length / 2 < 3) return thin(left, points) // all of it is as narrow as that
    left = next
    if (left.length / 2 <= points) return left
  }
}

/** At most `points` of the corners, evenly. */
function thin(corners: number[], points: number): number[] {
  const stride = Math.ceil(corners.length / 2 / points)
  return stride === 1 ? corners : corners.filter((_, i) => (i >> 1) % stride === 0)
}

function douglasPeucker(corners: number[], tolerance: number): number[] {
  const count = corners.length / 2
  const x = (i: number) => corners[2 * (i % count)]!
  const y = (i: number) => corners[2 * (i % count) + 1]!
  const keep = new Uint8Array(count)
  let far = 0
  for (let i = 1; i < count; i++) if (distance(x(i), y(i), x(0), y(0)) > distance(x(far), y(far), x(0), y(0))) far = i
  keep[0] = keep[far] = 1
  const parts = [0, far, far, count]
  while (parts.length) {
    const [to, from] = [parts.pop()!, parts.pop()!]
    const [ax, ay] = [x(from), y(from)]
    const length = distance(ax, ay, x(to), y(to))
    let [worst, at] = [tolerance, -1]
    for (let i = from + 1; i < to; i++) {
      const off = length
        ? Math.abs((x(to) - ax) * (y(i) - ay) - (y(to) - ay) * (x(i) - ax)) / length
        : distance(x(i), y(i), ax, ay)
      if (off > worst) [worst, at] = [off, i]
    }
    if (at < 0) continue
    keep[at] = 1
    parts.push(from, at, at, to)
  }
  return corners.filter((_, i) => keep[i >> 1])
}

const distance = (ax: number, ay: number, bx: number, by: number) => Math.hypot(ax - bx, ay - by)
