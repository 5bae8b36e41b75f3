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
}

const hatchback: CarShape = {
  axles: [-1.28, 1.3],
  wheel: 0.32,
  stations: [
    { z: -2.02, half: 0.76, sill: 0.36, waist: 0.86, top: 0.9 },
    { z: -1.96, half: 0.84, sill: 0.28, waist: 0.95, top: 1.0, roof: 'glass' },
    { z: -1.6, half: 0.88, sill: 0.24, waist: 0.98, top: 1.4, side: 'glass' },
    { z: -1.2, half: 0.89, sill: 0.22, waist: 0.96, top: 1.46, side: 'glass' },
    { z: -0.42, half: 0.9, sill: 0.2, waist: 0.94, top: 1.49 },
    { z: -0.32, half: 0.9, sill: 0.2, waist: 0.94, top: 1.49, side: 'glass' },
    { z: 0.35, half: 0.9, sill: 0.2, waist: 0.92, top: 1.45, side: 'glass', roof: 'glass' },
    { z: 1.1, half: 0.89, sill: 0.21, waist: 0.9, top: 0.99 },
    { z: 1.7, half: 0.86, sill: 0.24, waist: 0.79, top: 0.86 },
    { z: 1.96, half: 0.76, sill: 0.28, waist: 0.64, top: 0.7 },
    { z: 2.04, half: 0.66, sill: 0.34, waist: 0.56, top: 0.6 },
  ],
}

const saloon: CarShape = {
  axles: [-1.4, 1.42],
  wheel: 0.33,
  stations: [
    { z: -2.34, half: 0.76, sill: 0.38, waist: 0.84, top: 0.88 },
    { z: -2.26, half: 0.84, sill: 0.3, waist: 0.97, top: 1.02 },
    { z: -1.72, half: 0.9, sill: 0.24, waist: 0.98, top: 1.06, roof: 'glass' },
    { z: -1.02, half: 0.92, sill: 0.21, waist: 0.96, top: 1.39, side: 'glass' },
    { z: -0.78, half: 0.92, sill: 0.2, waist: 0.95, top: 1.43, side: 'glass' },
    { z: -0.18, half: 0.92, sill: 0.2, waist: 0.94, top: 1.45 },
    { z: -0.08, half: 0.92, sill: 0.2, waist: 0.94, top: 1.45, side: 'glass' },
    { z: 0.48, half: 0.92, sill: 0.2, waist: 0.92, top: 1.41, side: 'glass', roof: 'glass' },
    { z: 1.24, half: 0.91, sill: 0.21, waist: 0.9, top: 0.98 },
    { z: 1.95, half: 0.88, sill: 0.24, waist: 0.77, top: 0.84 },
    { z: 2.26, half: 0.78, sill: 0.28, waist: 0.62, top: 0.69 },
    { z: 2.34, half: 0.68, sill: 0.34, waist: 0.56, top: 0.6 },
  ],
}

const estate: CarShape = {
  axles: [-1.4, 1.42],
  wheel: 0.36,
  stations: [
    { z: -2.3, half: 0.8, sill: 0.42, waist: 0.96, top: 1.0 },
    { z: -2.24, half: 0.88, sill: 0.34, waist: 1.08, top: 1.14, roof: 'glass' },
    { z: -1.95, half: 0.92, sill: 0.3, waist: 1.09, top: 1.6, side: 'glass' },
    { z: -1.3, half: 0.93, sill: 0.28, waist: 1.08, top: 1.67 },
    { z: -1.2, half: 0.93, sill: 0.28, waist: 1.08, top: 1.68, side: 'glass' },
    { z: -0.34, half: 0.94, sill: 0.26, waist: 1.06, top: 1.69 },
    { z: -0.24, half: 0.94, sill: 0.26, waist: 1.06, top: 1.69, side: 'glass' },
    { z: 0.45, half: 0.94, sill: 0.26, waist: 1.05, top: 1.64, side: 'glass', roof: 'glass' },
    { z: 1.12, half: 0.93, sill: 0.27, waist: 1.03, top: 1.14 },
    { z: 1.9, half: 0.9, sill: 0.3, waist: 0.94, top: 1.02 },
    { z: 2.2, half: 0.82, sill: 0.34, waist: 0.8, top: 0.86 },
    { z: 2.28, half: 0.72, sill: 0.4, waist: 0.7, top: 0.74 },
  ],
}

const van: CarShape = {
  axles: [-1.65, 1.7],
  wheel: 0.36,
  stations: [
    { z: -2.75, half: 0.92, sill: 0.4, waist: 1.2, top: 2.24 },
    { z: -2.68, half: 0.98, sill: 0.34, waist: 1.2, top: 2.36 },
    { z: -0.2, half: 1.0, sill: 0.3, waist: 1.2, top: 2.4 },
    { z: 0.75, half: 1.0, sill: 0.3, waist: 1.2, top: 2.38, side: 'glass' },
    { z: 1.1, half: 0.99, sill: 0.3, waist: 1.18, top: 2.28, side: 'glass', roof: 'glass' },
    { z: 1.85, half: 0.97, sill: 0.3, waist: 1.14, top: 1.3 },
    { z: 2.5, half: 0.92, sill: 0.32, waist: 0.96, top: 1.06 },
    { z: 2.68, half: 0.82, sill: 0.36, waist: 0.8, top: 0.86 },
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

export function makeCar({ stations, axles, wheel }: CarShape): Mesh {
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
  rearDetails(made, stations)
  frontDetails(made, stations)
  const cowl = stations.findLastIndex((station) => station.roof === 'glass')
  const mirrorAt = stations[cowl]!
  for (const side of [-1, 1]) {
    const x = side * (mirrorAt.half + 0.1)
    made.box(
      [Math.min(x - 0.1, x + 0.1), mirrorAt.waist - 0.02, mirrorAt.z + 0.18],
      [Math.max(x - 0.1, x + 0.1), mirrorAt.waist + 0.12, mirrorAt.z + 0.32],
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

function rearDetails(made: MeshBuilder, stations: Station[]): void {
  const rear = stations[0]!
  const z = rear.z - 0.012
  const face = (x0: number, x1: number, y0: number, y1: number, what: number, deep = 0) => {
    for (const side of x0 < 0 ? [1] : [-1, 1]) {
      const [a, b] = side < 0 ? [-x1, -x0] : [x0, x1]
      made.quad([a, y0, z - deep], [a, y1, z - deep], [b, y1, z - deep], [b, y0, z - deep], what)
    }
  }
  const high = rear.waist - 0.03
  face(reach(rear, high) - 0.34, reach(rear, high) - 0.02, high - 0.17, high, material.lampRear)
  // The lamps reach round the corner.
  const next = stations[1]!
  for (const side of [-1, 1]) {
    const a: Point = [side * (reach(rear, high) + 0.012), high - 0.17, rear.z - 0.012]
    const b: Point = [a[0], high, a[2]]
    const c: Point = [side * (reach(next, high) + 0.014), high, next.z + 0.02]
    const d: Point = [c[0], high - 0.17, c[2]]
    if (side > 0) made.quad(a, b, c, d, material.lampRear)
    else made.quad(d, c, b, a, material.lampRear)
  }
  face(-0.26, 0.26, high - 0.3, high - 0.19, material.white, 0.004)
  face(-0.6, 0.6, rear.sill, rear.sill + 0.1, material.black, 0.01)
}

function frontDetails(made: MeshBuilder, stations: Station[]): void {
  const front = stations.at(-1)!
  const z = front.z + 0.012
  const face = (x0: number, x1: number, y0: number, y1: number, what: number, deep = 0) => {
    for (const side of x0 < 0 ? [1] : [-1, 1]) {
      const [a, b] = side < 0 ? [-x1, -x0] : [x0, x1]
      made.quad([b, y0, z + deep], [b, y1, z + deep], [a, y1, z + deep], [a, y0, z + deep], what)
    }
  }
  const high = front.waist - 0.01
  face(-0.42, 0.42, high - 0.12, high, material.black)
  face(-0.5, 0.5, front.sill + 0.01, front.sill + 0.1, material.black)
  face(-0.26, 0.26, front.sill + 0.11, front.sill + 0.2, material.white, 0.01)
  // Headlamps lie on the slope between the two foremost stations.
  const second = stations.at(-2)!
  for (const side of [-1, 1]) {
    const lift = 0.012
    const a: Point = [side * (reach(front, high) - 0.24), high - 0.11, z + lift]
    const b: Point = [side * (reach(front, high) - 0.2), high + 0.02, z + lift]
    const c: Point = [side * (reach(second, high) + lift), high + 0.05, second.z + 0.01]
    const d: Point = [side * (reach(second, high - 0.06) + lift), high - 0.06, second.z + 0.01]
    if (side > 0) made.quad(d, c, b, a, material.lampFront)
    else made.quad(a, b, c, d, material.lampFront)
  }
}
