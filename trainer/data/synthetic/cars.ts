// Cars: a body drawn over stations from the rear to the front, with windows, wheels, lights and plates.
import type { CarShape, Station } from './car-shapes.ts'
import { type Mesh, type MeshBuilder, material, meshBuilder, type Point } from './mesh.ts'

/** Half a cross-section, from the sill over the waist to the middle of the top. */
function ring({ z, half, sill, waist, top }: Station): Point[] {
  const cabin = top - waist
  const tall = Math.min(1, cabin / 0.45)
  return [
    [half * 0.86, sill, z],
    [half * 0.97, sill + 0.1, z],
    [half, sill + 0.55 * (waist - sill), z],
    [half * 0.985, waist - 0.07, z],
    [half * (0.95 - 0.01 * tall), waist, z],
    [half * (0.84 - 0.08 * tall), top - 0.3 * cabin * (1 - tall) - 0.07 * tall, z],
    [half * (0.62 - 0.02 * tall), top - 0.01, z],
    [0, top + 0.035, z],
  ]
}
const glassRow = 4
const railRow = 5
const roofRow = 6

export function makeCar({ stations, axles, wheel, doors }: CarShape): Mesh {
  const made = meshBuilder()
  const rings = stations.map(ring)
  const both = (a: Point, b: Point, c: Point, d: Point, what: number, tint?: number) => {
    made.quad(a, b, c, d, what, tint)
    made.quad(mirror(d), mirror(c), mirror(b), mirror(a), what, tint)
  }
  for (let at = 0; at + 1 < stations.length; at++) {
    const [rear, front] = [rings[at]!, rings[at + 1]!]
    const { side, roof } = stations[at]!
    for (let row = 0; row + 1 < rear.length; row++) {
      const glazed = (side === 'glass' && row === glassRow) || (roof === 'glass' && row === roofRow)
      const what = glazed ? material.glass : row === 0 ? material.black : material.paint
      if (row === railRow && (side === 'glass' || roof === 'glass') && stations[at]!.top - stations[at]!.waist > 0.3)
        both(rear[row]!, rear[row + 1]!, front[row + 1]!, front[row]!, roof === 'glass' ? material.glass : material.paint)
      else both(rear[row]!, rear[row + 1]!, front[row + 1]!, front[row]!, what)
    }
  }
  cap(made, rings[0]!, true)
  cap(made, rings.at(-1)!, false)
  const first = stations[0]!
  const last = stations.at(-1)!
  underside(made, first, last)
  for (const axle of axles) for (const side of [-1, 1]) wheels(made, side, axle, wheel, stations)
  for (const z of doors) gap(made, stations, z)
  rearDetails(made, stations)
  frontDetails(made, stations)
  const cowl = stations.findLastIndex((station) => station.roof === 'glass')
  const mirrorAt = stations[cowl]!
  for (const side of [-1, 1]) {
    const x = side * (mirrorAt.half + 0.07)
    made.box(
      [x - 0.1, mirrorAt.waist + 0.01, mirrorAt.z + 0.3],
      [x + 0.1, mirrorAt.waist + 0.13, mirrorAt.z + 0.4],
      material.paint,
    )
  }
  return made.build({ creaseDegrees: 38 })
}

const mirror = ([x, y, z]: Point): Point => [-x, y, z]

/** Closes the body at its rear or front. */
function cap(made: MeshBuilder, half: Point[], rear: boolean): void {
  for (let row = 0; row + 1 < half.length; row++) {
    const [a, b] = [half[row]!, half[row + 1]!]
    const [c, d] = [mirror(b), mirror(a)]
    const what = row === 0 ? material.black : material.paint
    if (rear) made.quad(d, c, b, a, what)
    else made.quad(a, b, c, d, what)
  }
}

function underside(made: MeshBuilder, rear: Station, front: Station): void {
  const x = 0.72
  made.quad([-x, 0.24, front.z], [-x, 0.24, rear.z], [x, 0.24, rear.z], [x, 0.24, front.z], material.black)
}

/** A tyre with a rim of five spokes in a dark arch, proud of the body by a little. */
function wheels(made: MeshBuilder, side: number, z: number, radius: number, stations: Station[]): void {
  const near = stations.reduce((best, station) => (Math.abs(station.z - z) < Math.abs(best.z - z) ? station : best))
  const outside = near.half * 0.985
  const disc = (x: number, y: number, r: number, from: number, to: number, what: number, count: number) => {
    for (let part = 0; part < count; part++) {
      const [a, b] = [from + ((to - from) * part) / count, from + ((to - from) * (part + 1)) / count]
      const p = (angle: number): Point => [side * x, y + r * Math.sin(angle), z + r * Math.cos(angle)]
      const centre: Point = [side * x, y, z]
      if (side > 0) made.triangle(centre, p(b), p(a), what)
      else made.triangle(centre, p(a), p(b), what)
    }
  }
  disc(near.half * 1.004, radius + 0.02, radius + 0.075, -0.35, Math.PI + 0.35, material.black, 14)
  made.rod([side * (outside - 0.22), radius, z], [side * (outside + 0.028), radius, z], radius, radius, 18, material.rubber)
  disc(outside + 0.032, radius, radius * 0.66, 0, 2 * Math.PI, material.black, 14)
  for (let spoke = 0; spoke < 5; spoke++) {
    const angle = (2 * Math.PI * spoke) / 5 + 0.3
    disc(outside + 0.036, radius, radius * 0.64, angle - 0.34, angle + 0.34, material.metal, 2)
  }
}

/** x where the body's side lies at a height, from the cross-section at a station. */
function reach(station: Station, y: number): number {
  const half = ring(station)
  for (let row = 0; row + 1 < half.length; row++) {
    const [a, b] = [half[row]!, half[row + 1]!]
    if (y >= a[1] && y <= b[1]) return a[0] + ((b[0] - a[0]) * (y - a[1])) / (b[1] - a[1] || 1)
  }
  return station.half
}

/** A thin dark line down the side, where a door ends. */
function gap(made: MeshBuilder, stations: Station[], z: number): void {
  const after = stations.findIndex((station) => station.z > z)
  const [rear, front] = [stations[after - 1]!, stations[after]!]
  const t = (z - rear.z) / (front.z - rear.z)
  const mix = (of: 'half' | 'sill' | 'waist' | 'top') => rear[of] + (front[of] - rear[of]) * t
  const half = ring({ z, half: mix('half'), sill: mix('sill'), waist: mix('waist'), top: mix('top') })
  for (let row = 0; row < glassRow; row++)
    for (const side of [-1, 1]) {
      const at = (point: Point, dz: number): Point => [side * (point[0] + 0.004), point[1], z + dz]
      const [a, b, c, d] = [
        at(half[row]!, -0.008),
        at(half[row + 1]!, -0.008),
        at(half[row + 1]!, 0.008),
        at(half[row]!, 0.008),
      ]
      if (side > 0) made.quad(a, b, c, d, material.black)
      else made.quad(d, c, b, a, material.black)
    }
  for (const side of [-1, 1]) {
    const [x, y] = [side * (mix('half') + 0.012), mix('waist') - 0.13]
    made.box([x - 0.015, y, z + 0.06], [x + 0.015, y + 0.035, z + 0.24], material.paint, 128)
  }
}

/** Panels on the rear (-1) or the front (1): [x0, x1] on both sides, or across where x0 is below 0. */
function facePanel(
  made: MeshBuilder,
  way: -1 | 1,
  z: number,
  [x0, x1]: [number, number],
  [y0, y1]: [number, number],
  what: number,
  tint = 128,
): void {
  for (const side of x0 < 0 ? [1] : [-1, 1]) {
    const [a, b] = side < 0 ? [-x1, -x0] : [x0, x1]
    const corners: [Point, Point, Point, Point] = [
      [a, y0, z],
      [a, y1, z],
      [b, y1, z],
      [b, y0, z],
    ]
    if (way < 0) made.quad(...corners, what, tint)
    else made.quad(corners[3], corners[2], corners[1], corners[0], what, tint)
  }
}

/** A lamp on the face that reaches round the corner to the next station. */
function cornerLamp(
  made: MeshBuilder,
  way: -1 | 1,
  [face, next]: [Station, Station],
  [y0, y1]: [number, number],
  inner: number,
  what: number,
): void {
  const z = face.z + way * 0.014
  for (const side of [-1, 1]) {
    const x = (station: Station, y: number, lift: number) => side * (reach(station, y) + lift)
    const a: Point = [side * inner, y0, z]
    const b: Point = [side * (inner + 0.03), y1, z]
    const c: Point = [x(face, y1, 0.006), y1, z]
    const d: Point = [x(face, y0, 0.006), y0, z]
    const e: Point = [x(next, y1, 0.012), y1 + 0.03, next.z]
    const f: Point = [x(next, y0, 0.012), y0 + 0.05, next.z]
    const quad = (p: Point, q: Point, r: Point, s: Point) =>
      side * way < 0 ? made.quad(p, q, r, s, what) : made.quad(s, r, q, p, what)
    quad(a, b, c, d)
    quad(d, c, e, f)
  }
}

function rearDetails(made: MeshBuilder, stations: Station[]): void {
  const rear = stations[0]!
  const z = rear.z - 0.012
  const high = rear.waist - 0.02
  cornerLamp(made, -1, [rear, stations[1]!], [high - 0.2, high], reach(rear, high) - 0.36, material.lampRear)
  facePanel(made, -1, z, [-0.3, 0.3], [high - 0.36, high - 0.2], material.black)
  facePanel(made, -1, z - 0.004, [-0.27, 0.27], [high - 0.34, high - 0.22], material.white)
  facePanel(made, -1, z, [-0.68, 0.68], [rear.sill + 0.02, rear.sill + 0.13], material.black)
  facePanel(made, -1, z - 0.003, [0.5, 0.64], [rear.sill + 0.15, rear.sill + 0.19], material.red)
  facePanel(made, -1, z, [-0.7, 0.7], [high - 0.39, high - 0.38], material.black)
}

function frontDetails(made: MeshBuilder, stations: Station[]): void {
  const front = stations.at(-1)!
  const z = front.z + 0.012
  const high = front.waist - 0.02
  cornerLamp(made, 1, [front, stations.at(-2)!], [high - 0.13, high], reach(front, high) - 0.27, material.lampFront)
  facePanel(made, 1, z, [-0.42, 0.42], [high - 0.14, high - 0.01], material.black)
  facePanel(made, 1, z + 0.004, [-0.42, 0.42], [high - 0.055, high - 0.04], material.metal)
  facePanel(made, 1, z + 0.005, [-0.055, 0.055], [high - 0.1, high - 0.015], material.metal, 150)
  facePanel(made, 1, z, [-0.52, 0.52], [front.sill + 0.04, front.sill + 0.15], material.black)
  facePanel(made, 1, z, [0.55, 0.68], [front.sill + 0.07, front.sill + 0.14], material.black)
  facePanel(made, 1, z + 0.006, [-0.26, 0.26], [front.sill + 0.17, front.sill + 0.27], material.white)
}
