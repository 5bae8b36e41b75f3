// Putting things beside a road: single ones and rows, each with the soft shade it throws on the ground.
import { between, type Random } from '../random.ts'
import { makeFence, makePole, makeRail } from './furniture.ts'
import { groundHeight, type Terrain } from './ground.ts'
import { autumnLeaves, bricks, clothes, type Library, leaves, needles, paints, pick, plasters, roofs, vary } from './library.ts'
import type { Mesh, Point } from './mesh.ts'
import { makeHedge } from './plants.ts'
import { type Instance, place } from './rasterise.ts'
import { xAt } from './road.ts'
import { type Footprint, footprintOf, type Shader, type Surface } from './world.ts'

/** A world while it is being furnished. */
export interface Plot {
  terrain: Terrain
  surface: Surface
  library: Library
  next: Random
  things: Instance[]
  shaders: Shader[]
  footprints: Footprint[]
  lamps: Point[]
}

export const makePlot = (terrain: Terrain, surface: Surface, library: Library, next: Random): Plot => ({
  terrain,
  surface,
  library,
  next,
  things: [],
  shaders: [],
  footprints: [],
  lamps: [],
})

interface Stance {
  /** Angle to the road's direction, to the right. */
  turn?: number
  scale?: number
  stretch?: number
  colour?: Point
  accent?: Point
}

/** Stands a thing on the ground, `u` from the centre line. */
export function stand(
  { terrain, things }: Plot,
  mesh: Mesh,
  u: number,
  z: number,
  { turn = 0, ...look }: Stance = {},
): Instance {
  const { road } = terrain
  const instance = place(mesh, [xAt(road, u, z), groundHeight(terrain, u, z), z], {
    yaw: Math.atan(road.slope(z)) + turn,
    ...look,
  })
  things.push(instance)
  return instance
}

const anyTurn = (next: Random) => between(next, 0, 2 * Math.PI)

export function plantTree(plot: Plot, u: number, z: number, kind: 'tree' | 'slim' | 'conifer' | 'bush', size = 1): void {
  const { library, next, shaders, surface } = plot
  const shapes = { tree: library.trees, slim: library.slimTrees, conifer: library.conifers, bush: library.bushes }[kind]
  const scale = size * between(next, 0.8, 1.2)
  const base = kind === 'conifer' ? needles : pick(next() < surface.autumn ? autumnLeaves : leaves, next)
  stand(plot, pick(shapes, next), u, z, {
    turn: anyTurn(next),
    scale,
    stretch: between(next, 0.9, 1.15),
    colour: vary(base, 0.22, next),
  })
  const radius = kind === 'bush' ? 1.1 * scale : kind === 'tree' ? 3.2 * scale : 1.9 * scale
  shaders.push({ u, z, radius, strength: kind === 'bush' ? 0.6 : 0.5 })
}

export function plantHouse(plot: Plot, u: number, z: number, block = false, kind?: number): void {
  const { library, next, shaders } = plot
  const shapes = block ? library.blocks : library.houses
  const { mesh, brick } = kind === undefined ? pick(shapes, next) : shapes[kind]!
  stand(plot, mesh, u, z, {
    turn: (u > 0 ? 0 : Math.PI) + between(next, -0.06, 0.06),
    colour: vary(pick(brick ? bricks : plasters, next), 0.12, next),
    accent: vary(pick(roofs, next), 0.15, next),
  })
  for (const [du, dz] of [
    [-3, -4],
    [-3, 0],
    [-3, 4],
    [3, 0],
  ] as const)
    shaders.push({ u: u + du, z: z + dz, radius: 4.5, strength: 0.5 })
}

export function parkCar(plot: Plot, u: number, z: number, turn: number): void {
  const { library, next, footprints } = plot
  const { mesh, halfLength, halfWidth } = library.cars[next() < 0.14 ? 3 : Math.floor(next() * 3)]!
  const { road } = plot.terrain
  const along = Math.atan((road.height(z + 1) - road.height(z - 1)) / 2)
  const yaw = Math.atan(road.slope(z)) + turn
  const instance = place(mesh, [xAt(road, u, z), groundHeight(plot.terrain, u, z), z], {
    yaw,
    pitch: along * Math.cos(turn),
    colour: vary(pick(paints, next), 0.2, next),
  })
  plot.things.push(instance)
  footprints.push(footprintOf(instance, halfLength, halfWidth))
}

/** A hedge, fence or guard rail from one z to another, field by field along the bend. */
export function fenceIn(
  plot: Plot,
  u: number,
  from: number,
  to: number,
  kind: 'hedge' | 'fence' | 'white fence' | 'rail',
  height = 1.2,
): void {
  const { terrain, next, shaders, things } = plot
  const { road } = terrain
  const field = kind === 'hedge' ? 3 : 2.5
  const colour = vary(pick(leaves, next), 0.15, next)
  const outward = Math.sign(u)
  for (let z = from; z + field <= to; z += field) {
    const [a, b]: [Point, Point] = [
      [xAt(road, u, z), groundHeight(terrain, u, z), z],
      [xAt(road, u, z + field), groundHeight(terrain, u, z + field), z + field],
    ]
    if (kind === 'hedge') {
      const mesh = hedges[Math.floor(next() * 3)]![height > 1.4 ? 1 : 0]!
      const middle: Point = [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2, z + field / 2]
      things.push(place(mesh, middle, { yaw: Math.atan2(b[0] - a[0], field), colour }))
      shaders.push({ u, z: z + 1, radius: 1.3, strength: 0.42 }, { u, z: z + 2.5, radius: 1.3, strength: 0.42 })
    } else {
      const make =
        kind === 'rail' ? makeRail : (long: number, dx: number, dy: number) => makeFence(long, dx, dy, kind === 'white fence')
      const mesh = make(field, outward * (b[0] - a[0]), b[1] - a[1])
      // The rail faces -x; on the left it is turned by mirroring x, which keeps its far end where the bend needs it.
      const instance = place(mesh, a)
      if (outward < 0) for (const at of [0, 4, 8]) instance.matrix[at]! *= -1
      mesh.twoSided = true
      things.push(instance)
    }
  }
}
const hedges = [1, 2, 3].map((seed) => [makeHedge(seed, 3.1, 1.2), makeHedge(seed, 3.1, 1.9)])

/** Street lamps every `gap` metres; `u` says where their poles stand. */
export function lightStreet(plot: Plot, u: number, gap: number, start: number): void {
  const { terrain } = plot
  const { length } = terrain.road
  const step = length / Math.round(length / gap)
  for (let z = start; z < length + start - 1; z += step) {
    stand(plot, plot.library.lamp, u, z % length, { turn: u > 0 ? 0 : Math.PI })
    const arm = u - Math.sign(u) * 1.8
    plot.lamps.push([xAt(terrain.road, arm, z % length), groundHeight(terrain, u, z % length) + 7.4, z % length])
  }
}

/** Wooden poles whose wires follow the road. */
export function stringWires(plot: Plot, u: number, gap: number): void {
  const { terrain } = plot
  const { road } = terrain
  const count = Math.round(road.length / gap)
  const spot = (index: number): Point => {
    const z = (index * road.length) / count + 7
    return [xAt(road, u, z), groundHeight(terrain, u, z), z]
  }
  for (let index = 0; index < count; index++) {
    const [a, b] = [spot(index), spot(index + 1)]
    plot.things.push(place(makePole(7.5, b[2] - a[2], b[0] - a[0], b[1] - a[1]), a))
  }
}

/** Blades of grass between two distances from the centre line, all along. */
export function growGrass(plot: Plot, from: number, to: number, density = 1): void {
  const { terrain, library, next, surface } = plot
  const tint: Point = [0.085 + 0.14 * surface.dry, 0.15 + 0.05 * surface.dry, 0.03 + 0.03 * surface.dry]
  for (let u = from + 0.7; u < to; u += 1.8)
    for (let z = 0; z < terrain.road.length; z += 1.9) {
      if (next() > density) continue
      stand(plot, pick(library.grass, next), u + between(next, -0.25, 0.25), z + between(next, -0.3, 0.3), {
        turn: anyTurn(next),
        colour: vary(tint, 0.25, next),
        scale: between(next, 0.75, 1.15),
      })
    }
}

/** White posts on both sides, as on country roads. */
export function setDelineators(plot: Plot, gap: number): void {
  const { terrain, library } = plot
  const { left, right } = terrain.road.profile
  const count = Math.round(terrain.road.length / gap)
  for (let index = 0; index < count; index++) {
    const z = ((index + 0.5) * terrain.road.length) / count
    stand(plot, library.delineator, right + 0.9, z)
    stand(plot, library.delineator, left - 0.9, z, { turn: Math.PI })
  }
}

export function setPerson(plot: Plot, u: number, z: number): void {
  const { library, next } = plot
  stand(plot, pick(library.people, next), u, z, {
    turn: next() < 0.5 ? 0 : Math.PI,
    colour: vary(pick(clothes, next), 0.2, next),
    scale: between(next, 0.92, 1.05),
  })
  plot.shaders.push({ u, z, radius: 0.6, strength: 0.4 })
}
