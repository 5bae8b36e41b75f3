// Cars: a body drawn over stations from the rear to the front, with windows, wheels, lights and plates.
import { type Mesh, type MeshBuilder, material, meshBuilder, type Point } from './mesh.ts'

/** A cross-section of the body at one place along it, metres from the car's middle on the ground. */
interface Station {
  z: number
  /** Half width at the widest. */
  half: number
  /** Heights of the lower edge, the waistline and the top. */
  sill: number
  waist: number
  top: number
  /** What the sides above the waist and the top are made of, from here to the next station. */
  side?: 'glass'
  roof?: 'glass'
}

export interface CarShape {
  stations: Station[]
  /** Middles of the wheels along the car, and their radius. */
  axles: [rear: number, front: number]
  wheel: number
  /** Where the gaps between the doors are, along the car. */
  doors: number[]
}

const hatchback: CarShape = {
  axles: [-1.28, 1.3],
  wheel: 0.32,
  doors: [-1.0, -0.37, 0.78],
  stations: [
    { z: -2.03, half: 0.74, sill: 0.3, waist: 0.84, top: 0.88 },
    { z: -1.97, half: 0.83, sill: 0.24, waist: 0.95, top: 1.0, roof: 'glass' },
    { z: -1.62, half: 0.88, sill: 0.22, waist: 0.98, top: 1.4, side: 'glass' },
    { z: -1.2, half: 0.89, sill: 0.2, waist: 0.96, top: 1.46, side: 'glass' },
    { z: -0.42, half: 0.9, sill: 0.19, waist: 0.94, top: 1.49 },
    { z: -0.32, half: 0.9, sill: 0.19, waist: 0.94, top: 1.49, side: 'glass' },
    { z: 0.35, half: 0.9, sill: 0.19, waist: 0.92, top: 1.45, side: 'glass', roof: 'glass' },
    { z: 1.1, half: 0.89, sill: 0.2, waist: 0.92, top: 1.01 },
    { z: 1.65, half: 0.87, sill: 0.21, waist: 0.84, top: 0.92 },
    { z: 1.93, half: 0.82, sill: 0.22, waist: 0.74, top: 0.82 },
    { z: 2.03, half: 0.74, sill: 0.23, waist: 0.67, top: 0.73 },
  ],
}

const saloon: CarShape = {
  axles: [-1.4, 1.42],
  wheel: 0.33,
  doors: [-1.05, -0.13, 0.95],
  stations: [
    { z: -2.36, half: 0.75, sill: 0.3, waist: 0.86, top: 0.9 },
    { z: -2.28, half: 0.84, sill: 0.25, waist: 0.97, top: 1.02 },
    { z: -1.72, half: 0.9, sill: 0.22, waist: 0.98, top: 1.06, roof: 'glass' },
    { z: -1.02, half: 0.92, sill: 0.2, waist: 0.96, top: 1.39, side: 'glass' },
    { z: -0.78, half: 0.92, sill: 0.19, waist: 0.95, top: 1.43, side: 'glass' },
    { z: -0.18, half: 0.92, sill: 0.19, waist: 0.94, top: 1.45 },
    { z: -0.08, half: 0.92, sill: 0.19, waist: 0.94, top: 1.45, side: 'glass' },
    { z: 0.48, half: 0.92, sill: 0.19, waist: 0.92, top: 1.41, side: 'glass', roof: 'glass' },
    { z: 1.24, half: 0.91, sill: 0.2, waist: 0.92, top: 1.0 },
    { z: 1.9, half: 0.89, sill: 0.21, waist: 0.84, top: 0.91 },
    { z: 2.24, half: 0.83, sill: 0.22, waist: 0.73, top: 0.8 },
    { z: 2.35, half: 0.74, sill: 0.23, waist: 0.66, top: 0.71 },
  ],
}

const estate: CarShape = {
  axles: [-1.4, 1.42],
  wheel: 0.36,
  doors: [-1.25, -0.29, 0.85],
  stations: [
    { z: -2.32, half: 0.79, sill: 0.36, waist: 0.96, top: 1.0 },
    { z: -2.25, half: 0.88, sill: 0.3, waist: 1.08, top: 1.14, roof: 'glass' },
    { z: -1.97, half: 0.92, sill: 0.27, waist: 1.09, top: 1.6, side: 'glass' },
    { z: -1.3, half: 0.93, sill: 0.25, waist: 1.08, top: 1.67 },
    { z: -1.2, half: 0.93, sill: 0.25, waist: 1.08, top: 1.68, side: 'glass' },
    { z: -0.34, half: 0.94, sill: 0.24, waist: 1.06, top: 1.69 },
    { z: -0.24, half: 0.94, sill: 0.24, waist: 1.06, top: 1.69, side: 'glass' },
    { z: 0.45, half: 0.94, sill: 0.24, waist: 1.05, top: 1.64, side: 'glass', roof: 'glass' },
    { z: 1.12, half: 0.93, sill: 0.25, waist: 1.05, top: 1.15 },
    { z: 1.85, half: 0.91, sill: 0.26, waist: 0.99, top: 1.07 },
    { z: 2.18, half: 0.85, sill: 0.28, waist: 0.88, top: 0.95 },
    { z: 2.28, half: 0.77, sill: 0.3, waist: 0.8, top: 0.85 },
  ],
}

const van: CarShape = {
  axles: [-1.65, 1.7],
  wheel: 0.36,
  doors: [-0.6, 0.62, 1.62],
  stations: [
    { z: -2.75, half: 0.94, sill: 0.36, waist: 1.2, top: 2.28 },
    { z: -2.7, half: 0.98, sill: 0.32, waist: 1.2, top: 2.38 },
    { z: -0.2, half: 1.0, sill: 0.28, waist: 1.2, top: 2.42 },
    { z: 0.72, half: 1.0, sill: 0.28, waist: 1.2, top: 2.4, side: 'glass' },
    { z: 1.02, half: 0.99, sill: 0.28, waist: 1.18, top: 2.3, side: 'glass', roof: 'glass' },
    { z: 1.88, half: 0.98, sill: 0.28, waist: 1.16, top: 1.3 },
    { z: 2.42, half: 0.94, sill: 0.28, waist: 1.02, top: 1.12 },
    { z: 2.66, half: 0.87, sill: 0.28, waist: 0.88, top: 0.96 },
    { z: 2.72, half: 0.79, sill: 0.3, waist: 0.8, top: 0.85 },
  ],
}

export const carShapes = { hatchback, saloon, estate, van }

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
