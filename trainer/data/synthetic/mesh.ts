// Triangle meshes and a small kit to build them from: quads, boxes, cylinders, extruded shapes.

/** What a triangle is made of; the shader knows each. */
export const material = {
  sky: 0,
  ground: 1,
  leaf: 2,
  bark: 3,
  paint: 4,
  glass: 5,
  rubber: 6,
  metal: 7,
  lampFront: 8,
  lampRear: 9,
  wall: 10,
  roof: 11,
  wood: 12,
  white: 13,
  black: 14,
  red: 15,
  window: 16,
  stone: 17,
  blade: 18,
  lamp: 19,
  blue: 20,
  brick: 21,
  skin: 22,
} as const

export type Point = [x: number, y: number, z: number]

export interface Mesh {
  /** x, y, z of each vertex. */
  positions: Float32Array
  /** Unit normal of each vertex. */
  normals: Float32Array
  /** Three vertices a triangle. */
  corners: Uint32Array
  /** Material of each triangle. */
  materials: Uint8Array
  /** Brightness of each triangle around 128, for leaves and bricks to differ. */
  tints: Uint8Array
  /** Radius of the sphere around the origin that holds it all. */
  radius: number
  /** Both faces of a triangle are seen. */
  twoSided: boolean
  /** From this triangle on they are leaves in random order: any leading share looks like the whole, only thinner. 0: none. */
  thinnable: number
}

export interface MeshBuilder {
  triangle(a: Point, b: Point, c: Point, material: number, tint?: number): void
  /** Corners in order around it, seen from outside anticlockwise. */
  quad(a: Point, b: Point, c: Point, d: Point, material: number, tint?: number): void
  box(low: Point, high: Point, material: number, tint?: number): void
  /** A round rod from one point to another. */
  rod(from: Point, to: Point, radiusFrom: number, radiusTo: number, sides: number, material: number): void
  /** A triangle with normals of its own at each corner. */
  shaded(points: [Point, Point, Point], normals: [Point, Point, Point], material: number, tint?: number): void
  /** `creaseDegrees`: edges that bend more stay sharp; 0 keeps every face flat. */
  build(options?: { creaseDegrees?: number; twoSided?: boolean; thinnable?: number }): Mesh
}

export const minus = (a: Point, b: Point): Point => [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
export const cross = (a: Point, b: Point): Point => [
  a[1] * b[2] - a[2] * b[1],
  a[2] * b[0] - a[0] * b[2],
  a[0] * b[1] - a[1] * b[0],
]
export const unit = (a: Point): Point => {
  const length = Math.hypot(a[0], a[1], a[2]) || 1
  return [a[0] / length, a[1] / length, a[2] / length]
}

export function meshBuilder(): MeshBuilder {
  const positions: number[] = []
  const normals: number[] = []
  const materials: number[] = []
  const tints: number[] = []
  const builder: MeshBuilder = {
    triangle(a, b, c, made, tint = 128) {
      const normal = unit(cross(minus(b, a), minus(c, a)))
      builder.shaded([a, b, c], [normal, normal, normal], made, tint)
    },
    shaded(points, around, made, tint = 128) {
      for (const point of points) positions.push(...point)
      for (const normal of around) normals.push(...normal)
      materials.push(made)
      tints.push(Math.max(0, Math.min(255, Math.round(tint))))
    },
    quad(a, b, c, d, made, tint) {
      builder.triangle(a, b, c, made, tint)
      builder.triangle(a, c, d, made, tint)
    },
    box([x0, y0, z0], [x1, y1, z1], made, tint) {
      builder.quad([x0, y0, z0], [x0, y1, z0], [x1, y1, z0], [x1, y0, z0], made, tint)
      builder.quad([x1, y0, z1], [x1, y1, z1], [x0, y1, z1], [x0, y0, z1], made, tint)
      builder.quad([x0, y0, z1], [x0, y1, z1], [x0, y1, z0], [x0, y0, z0], made, tint)
      builder.quad([x1, y0, z0], [x1, y1, z0], [x1, y1, z1], [x1, y0, z1], made, tint)
      builder.quad([x0, y1, z0], [x0, y1, z1], [x1, y1, z1], [x1, y1, z0], made, tint)
      builder.quad([x0, y0, z1], [x0, y0, z0], [x1, y0, z0], [x1, y0, z1], made, tint)
    },
    rod(from, to, radiusFrom, radiusTo, sides, made) {
      const axis = unit(minus(to, from))
      const across = unit(cross(axis, Math.abs(axis[1]) < 0.9 ? [0, 1, 0] : [1, 0, 0]))
      const third = cross(axis, across)
      const ring = (centre: Point, radius: number, angle: number): [Point, Point] => {
        const [c, s] = [Math.cos(angle), Math.sin(angle)]
        const out: Point = [across[0] * c + third[0] * s, across[1] * c + third[1] * s, across[2] * c + third[2] * s]
        return [[centre[0] + out[0] * radius, centre[1] + out[1] * radius, centre[2] + out[2] * radius], out]
      }
      for (let side = 0; side < sides; side++) {
        const [one, two] = [(2 * Math.PI * side) / sides, (2 * Math.PI * (side + 1)) / sides]
        const [a, na] = ring(from, radiusFrom, one)
        const [b, nb] = ring(from, radiusFrom, two)
        const [c, nc] = ring(to, radiusTo, two)
        const [d, nd] = ring(to, radiusTo, one)
        builder.shaded([a, b, c], [na, nb, nc], made)
        builder.shaded([a, c, d], [na, nc, nd], made)
        builder.triangle(to, d, c, made)
        builder.triangle(from, b, a, made)
      }
    },
    build({ creaseDegrees = 0, twoSided = false, thinnable = 0 } = {}) {
      if (creaseDegrees > 0) smoothNormals(positions, normals, creaseDegrees)
      let radius = 0
      for (let at = 0; at < positions.length; at += 3)
        radius = Math.max(radius, Math.hypot(positions[at]!, positions[at + 1]!, positions[at + 2]!))
      return {
        positions: Float32Array.from(positions),
        normals: Float32Array.from(normals),
        corners: Uint32Array.from({ length: positions.length / 3 }, (_, at) => at),
        materials: Uint8Array.from(materials),
        tints: Uint8Array.from(tints),
        radius,
        twoSided,
        thinnable,
      }
    },
  }
  return builder
}

/** Gives corners at one place the mean of the normals that differ by less than the crease. */
function smoothNormals(positions: number[], normals: number[], creaseDegrees: number): void {
  const least = Math.cos((creaseDegrees * Math.PI) / 180)
  const places = new Map<string, number[]>()
  for (let at = 0; at < positions.length; at += 3) {
    const key = [0, 1, 2].map((axis) => Math.round(positions[at + axis]! * 2000)).join()
    const here = places.get(key)
    if (here === undefined) places.set(key, [at])
    else here.push(at)
  }
  const flat = [...normals]
  for (const here of places.values())
    for (const at of here) {
      const own: Point = [flat[at]!, flat[at + 1]!, flat[at + 2]!]
      const total: Point = [0, 0, 0]
      for (const other of here) {
        const normal: Point = [flat[other]!, flat[other + 1]!, flat[other + 2]!]
        if (own[0] * normal[0] + own[1] * normal[1] + own[2] * normal[2] < least) continue
        for (const axis of [0, 1, 2] as const) total[axis] += normal[axis]
      }
      const mean = unit(total)
      for (const axis of [0, 1, 2] as const) normals[at + axis] = mean[axis]
    }
}
