// Trees, bushes, hedges and grass out of single leaves and blades, shaded like the round crown that they belong to.
import { between, type Random, random } from '../random.ts'
import { cross, type Mesh, type MeshBuilder, material, meshBuilder, type Point, unit } from './mesh.ts'

interface Blob {
  centre: Point
  radius: number
  flatness: number
}

/** A point of the unit sphere, evenly drawn. */
function direction(next: Random): Point {
  const y = between(next, -1, 1)
  const angle = between(next, 0, 2 * Math.PI)
  const r = Math.sqrt(1 - y * y)
  return [r * Math.cos(angle), y, r * Math.sin(angle)]
}

/** A rhombus around `centre`, facing about `facing`, shaded by `normal`. */
function leaf(made: MeshBuilder, next: Random, centre: Point, facing: Point, normal: Point, size: number, tint: number): void {
  const wobble = direction(next)
  const plane = unit([facing[0] + 0.9 * wobble[0], facing[1] + 0.9 * wobble[1], facing[2] + 0.9 * wobble[2]])
  const a = unit(cross(plane, direction(next)))
  const b = cross(plane, a)
  const at = (along: number, across: number): Point => [
    centre[0] + size * (a[0] * along + b[0] * across),
    centre[1] + size * (a[1] * along + b[1] * across),
    centre[2] + size * (a[2] * along + b[2] * across),
  ]
  const normals: [Point, Point, Point] = [normal, normal, normal]
  made.shaded([at(-0.6, 0), at(0, 0.42), at(0.6, 0)], normals, material.leaf, tint)
  made.shaded([at(-0.6, 0), at(0.6, 0), at(0, -0.42)], normals, material.leaf, tint)
}

/** A place in the list, the likelier the larger its weight. */
function pickOne(weights: number[], next: Random): number {
  let rest = next() * weights.reduce((sum, weight) => sum + weight, 0)
  for (const [index, weight] of weights.entries()) {
    rest -= weight
    if (rest < 0) return index
  }
  return 0
}

/** Leaves in the outer part of some blobs, darker below and inside. */
function foliage(made: MeshBuilder, next: Random, blobs: Blob[], count: number, size: number): void {
  const top = Math.max(...blobs.map(({ centre, radius, flatness }) => centre[1] + radius * flatness))
  const bottom = Math.min(...blobs.map(({ centre, radius, flatness }) => centre[1] - radius * flatness))
  const middle: Point = [0, bottom + 0.45 * (top - bottom), 0]
  const weights = blobs.map(({ radius }) => radius ** 2)
  for (let drawn = 0; drawn < count; drawn++) {
    const { centre, radius, flatness } = blobs[pickOne(weights, next)]!
    const out = direction(next)
    const far = radius * (1 - 0.45 * next() ** 2)
    const at: Point = [centre[0] + out[0] * far, centre[1] + out[1] * far * flatness, centre[2] + out[2] * far]
    const crown = unit([at[0] - middle[0], (at[1] - middle[1]) * 1.1, at[2] - middle[2]])
    const wild = direction(next)
    const normal = unit([
      0.55 * out[0] + 0.6 * crown[0] + 0.3 * wild[0],
      0.55 * out[1] + 0.6 * crown[1] + 0.3 * wild[1] + 0.12,
      0.55 * out[2] + 0.6 * crown[2] + 0.3 * wild[2],
    ])
    const height = (at[1] - bottom) / (top - bottom)
    const depth = (far / radius - 0.55) / 0.45
    const tint = 128 * (0.3 + 0.34 * height + 0.4 * depth + 0.26 * (next() - 0.5))
    leaf(made, next, at, out, normal, size * between(next, 0.7, 1.3), tint)
  }
}

/** A broad-leaved tree about `height` tall; `slim` below 1 makes poplars and birches. */
export function makeTree(seed: number, height: number, slim = 1): Mesh {
  const next = random(seed, 11)
  const made = meshBuilder()
  const crown = 0.3 * height * slim
  const low = height * between(next, 0.24, 0.32)
  const lean: Point = [between(next, -0.03, 0.03) * height, 0, between(next, -0.03, 0.03) * height]
  const fork: Point = [lean[0], low * 1.15, lean[2]]
  made.rod([0, -0.4, 0], fork, 0.032 * height ** 0.9, 0.02 * height ** 0.9, 8, material.bark)
  made.rod(fork, [lean[0] * 1.4, height * 0.72, lean[2] * 1.4], 0.018 * height ** 0.9, 0.008 * height, 6, material.bark)
  const blobs: Blob[] = [
    {
      centre: [lean[0], (low + height) / 2, lean[2]],
      radius: crown * 0.72,
      flatness: ((height - low) * 0.42) / (crown * 0.72),
    },
  ]
  const count = 9
  for (let index = 0; index < count; index++) {
    const angle = (2 * Math.PI * (index + 0.7 * next())) / 4.3
    const up = (index + 0.5) / count
    // Wide in the lower middle, narrow at the top.
    const reach = crown * (0.35 + 0.65 * Math.sin(Math.PI * Math.min(1, 0.22 + 0.78 * up))) * between(next, 0.55, 0.8)
    const centre: Point = [
      lean[0] + reach * Math.cos(angle),
      low + (height - low) * (0.16 + 0.68 * up),
      lean[2] + reach * Math.sin(angle),
    ]
    blobs.push({ centre, radius: crown * between(next, 0.42, 0.58) * (1.08 - 0.35 * up), flatness: between(next, 0.7, 0.95) })
    if (index < 7)
      made.rod([lean[0], low + 0.3 * (centre[1] - low), lean[2]], centre, 0.011 * height, 0.004 * height, 5, material.bark)
  }
  const trunk = made.build().materials.length
  foliage(made, next, blobs, 6500, 0.046 * height ** 0.75)
  return made.build({ twoSided: true, thinnable: trunk })
}

/** A spruce: drooping boughs in rounds that widen downwards. */
export function makeConifer(seed: number, height: number): Mesh {
  const next = random(seed, 12)
  const made = meshBuilder()
  made.rod([0, -0.4, 0], [0, height * 0.95, 0], 0.02 * height, 0.004 * height, 7, material.bark)
  const trunk = made.build().materials.length
  const base = 0.09 * height
  for (let drawn = 0; drawn < 9000; drawn++) {
    const up = 1 - Math.sqrt(next())
    const layered = (Math.floor(up * 15) + 0.85 * next()) / 15
    const y = base + layered * (height - base)
    const widest = 0.2 * height * (1 - layered) ** 0.9 + 0.04 * height * 0.3
    const share = Math.sqrt(between(next, 0.12, 1))
    const angle = between(next, 0, 2 * Math.PI)
    const out: Point = [Math.cos(angle), 0, Math.sin(angle)]
    const r = widest * share
    const droop = 0.32 * r
    const at: Point = [out[0] * r, y - droop, out[2] * r]
    const size = 0.05 * height ** 0.7 * between(next, 0.7, 1.25)
    const side: Point = [-out[2], 0, out[0]]
    const tip: Point = [at[0] + out[0] * size, at[1] - 0.5 * size, at[2] + out[2] * size]
    const wide = size * 0.3
    const normal = unit([out[0] * 0.8 + 0.3 * (next() - 0.5), 0.5 + 0.4 * (next() - 0.5), out[2] * 0.8 + 0.3 * (next() - 0.5)])
    const tint = 128 * (0.34 + 0.55 * share * share + 0.2 * (next() - 0.5))
    made.shaded(
      [
        [at[0] - out[0] * size * 0.5 + side[0] * wide, at[1] + 0.1 * size, at[2] - out[2] * size * 0.5 + side[2] * wide],
        tip,
        [at[0] - out[0] * size * 0.5 - side[0] * wide, at[1] + 0.1 * size, at[2] - out[2] * size * 0.5 - side[2] * wide],
      ],
      [normal, normal, normal],
      material.leaf,
      tint,
    )
  }
  return made.build({ twoSided: true, thinnable: trunk })
}

/** A bush of about 1 m radius. */
export function makeBush(seed: number): Mesh {
  const next = random(seed, 13)
  const made = meshBuilder()
  made.rod([0, -0.2, 0], [0, 0.4, 0], 0.05, 0.03, 4, material.bark)
  const trunk = made.build().materials.length
  const blobs = Array.from({ length: 5 }, (_, index): Blob => {
    const angle = (2 * Math.PI * (index + next())) / 5
    return {
      centre: [0.45 * Math.cos(angle), between(next, 0.4, 0.8), 0.45 * Math.sin(angle)],
      radius: between(next, 0.4, 0.6),
      flatness: 0.9,
    }
  })
  foliage(made, next, blobs, 1500, 0.115)
  return made.build({ twoSided: true, thinnable: trunk })
}

/** A clipped hedge, `length` along z, 0.9 m wide. */
export function makeHedge(seed: number, length: number, height: number): Mesh {
  const next = random(seed, 14)
  const made = meshBuilder()
  made.box([-0.26, -0.3, -length / 2 + 0.25], [0.26, height - 0.2, length / 2 - 0.25], material.bark, 40)
  const trunk = made.build().materials.length
  const count = Math.round(420 * length * (0.5 + 0.5 * height))
  for (let drawn = 0; drawn < count; drawn++) {
    const round = between(next, 0, 2 * height + 0.9)
    const z = between(next, -length / 2, length / 2)
    const end = next() < 0.9 / (length + 0.9)
    const onTop = round > 2 * height
    const rough = 0.07 * (next() - 0.4)
    const out: Point = end ? [0, 0, Math.sign(z)] : onTop ? [0, 1, 0] : [round < height ? -1 : 1, 0, 0]
    const at: Point = end
      ? [between(next, -0.45, 0.45), next() * height, out[2] * (length / 2 + rough)]
      : onTop
        ? [round - 2 * height - 0.45, height + rough, z]
        : [out[0] * (0.45 + rough), round % height, z]
    const wild = direction(next)
    const normal = unit([out[0] + 0.4 * wild[0], out[1] + 0.25 + 0.4 * wild[1], out[2] + 0.4 * wild[2]])
    const tint = 128 * (0.5 + 0.4 * (at[1] / height) + 0.3 * (next() - 0.5))
    leaf(made, next, at, out, normal, 0.13 * between(next, 0.7, 1.3), tint)
  }
  return made.build({ twoSided: true, thinnable: trunk })
}

/** Blades of grass and some flowers on a square of `side` metres. */
export function makeGrass(seed: number, side: number, height: number, count: number): Mesh {
  const next = random(seed, 15)
  const made = meshBuilder()
  made.triangle([0, -0.3, 0], [0.01, -0.3, 0], [0, -0.3, 0.01], material.blade)
  for (let drawn = 0; drawn < count; drawn++) {
    const [x, z] = [between(next, -side / 2, side / 2), between(next, -side / 2, side / 2)]
    const angle = between(next, 0, 2 * Math.PI)
    const tall = height * between(next, 0.45, 1.1)
    const [wx, wz] = [0.016 * Math.cos(angle), 0.016 * Math.sin(angle)]
    const lean = 0.5 * tall
    const tip: Point = [x + between(next, -lean, lean), tall, z + between(next, -lean, lean)]
    const normal = unit([0.3 * (next() - 0.5), 1, 0.3 * (next() - 0.5)])
    made.shaded(
      [[x - wx, -0.03, z - wz], tip, [x + wx, -0.03, z + wz]],
      [normal, normal, normal],
      material.blade,
      128 * between(next, 0.7, 1.25),
    )
  }
  return made.build({ twoSided: true, thinnable: 1 })
}
