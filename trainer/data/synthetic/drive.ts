// The demo drive: a country road on a late summer afternoon, with bends, a crest, a hamlet, a wood and other cars. The
// world repeats after its length, and everything that moves comes back to its place, so the drive is a loop.
import { between, type Random, random } from '../random.ts'
import type { Terrain } from './ground.ts'
import type { Lens } from './lens.ts'
import { sharedLibrary } from './library.ts'
import { makeLight } from './light.ts'
import type { Point } from './mesh.ts'
import { type Moving, type makeRenderer, type Rendered, render, roadView } from './render.ts'
import { makeRoad, type Profile } from './road.ts'
import {
  fenceIn,
  growGrass,
  makePlot,
  type Plot,
  parkCar,
  plantHouse,
  plantTree,
  setDelineators,
  stand,
  stringWires,
} from './roadside.ts'
import { sharedTiles } from './tiles.ts'
import { makeWorld, type Surface, type World } from './world.ts'

export interface Drive {
  world: World
  /** Seconds after which everything is where it was. */
  seconds: number
  width: number
  height: number
}

const length = 360

const profile: Profile = {
  left: -3.55,
  right: 3.55,
  lanes: [-1.7, 1.7],
  markings: [
    { u: 0, width: 0.13, on: 4, off: 4, colour: 'white' },
    { u: -3.28, width: 0.12, on: 1, off: 0, colour: 'white' },
    { u: 3.28, width: 0.12, on: 1, off: 0, colour: 'white' },
  ],
  sides: { left: { kind: 'verge', width: 0.6 }, right: { kind: 'verge', width: 0.6 } },
}

export function makeDrive(options: { seed: number; seconds: number; width: number; height: number }): Drive {
  const next = random(options.seed, 41)
  const road = makeRoad(
    length,
    [
      { metres: 17, waves: 1, phase: 0.4 },
      { metres: 4.2, waves: 2, phase: 2.2 },
    ],
    [
      { metres: 3, waves: 1, phase: 2.4 },
      { metres: 0.9, waves: 2, phase: 0.6 },
    ],
    profile,
  )
  const terrain: Terrain = { road, hills: 11, shape: sharedTiles().cloud }
  const surface: Surface = {
    tone: 0.135,
    warmth: 0.05,
    patchy: 0.4,
    worn: 0.22,
    cracked: 0.6,
    mended: 0.22,
    dirt: 0.7,
    dry: 0.3,
    autumn: 0.05,
    seed: 0.618,
  }
  const plot = makePlot(terrain, surface, sharedLibrary(), next)
  furnish(plot, next)
  const world = makeWorld({
    terrain,
    surface,
    light: makeLight({ elevation: 21, azimuth: 58, cloud: 0.45, haze: 1.25, wet: 0, cloudSeed: 0.13 }),
    things: plot.things,
    shaders: plot.shaders,
    footprints: plot.footprints,
    lamps: plot.lamps,
    shadowTexel: 0.07,
  })
  return { world, seconds: options.seconds, width: options.width, height: options.height }
}

function furnish(plot: Plot, next: Random): void {
  const { library } = plot
  growGrass(plot, 4.3, 9)
  growGrass(plot, -9, -4.3)
  setDelineators(plot, 45)
  stringWires(plot, -9.2, 45)
  const rows = (from: number, to: number, gap: number, put: (z: number) => void) => {
    for (let z = from + gap * next(); z < to; z += gap * between(next, 0.7, 1.3)) put(z)
  }
  // The hamlet: houses behind hedges and a fence.
  for (const [u, z, kind] of [
    [17, 62, 0],
    [18.5, 84, 2],
    [-18, 74, 5],
    [-19, 98, 4],
  ] as const)
    plantHouse(plot, u, z, false, kind)
  fenceIn(plot, 8.2, 50, 72, 'hedge', 1.2)
  fenceIn(plot, 8, 78, 98, 'white fence')
  fenceIn(plot, -10.5, 64, 108, 'hedge', 1.2)
  stand(plot, library.signs[3]!, 5.3, 40)
  stand(plot, library.signs[0]!, 5.2, 46)
  parkCar(plot, 11.5, 75, Math.PI / 2)
  rows(44, 112, 13, (z) => plantTree(plot, -between(next, 12.5, 14), z, 'bush', 1.2))
  rows(48, 108, 17, (z) => plantTree(plot, between(next, 22, 28), z, 'tree'))
  rows(48, 108, 12, (z) => plantTree(plot, -between(next, 26, 36), z, 'tree'))
  plantTree(plot, 9.4, 53, 'tree', 0.95)
  plantTree(plot, -12, 88, 'tree', 1)
  // An avenue after it.
  rows(114, 168, 10.5, (z) => plantTree(plot, 7.6, z, 'tree', 1))
  rows(118, 168, 11, (z) => plantTree(plot, -7.8, z, 'tree', 1))
  // The open crest with a far view: a fence, a lone tree, a rail on the outside of the bend.
  fenceIn(plot, 7.4, 172, 240, 'fence')
  fenceIn(plot, -4.5, 192, 240, 'rail')
  for (const z of [204, 218, 232]) stand(plot, library.signs[2]!, -5.4, z, { turn: -0.25 })
  plantTree(plot, 13, 188, 'tree', 1.25)
  rows(176, 236, 26, (z) => plantTree(plot, -between(next, 11, 22), z, 'bush', 1.1))
  // The wood.
  for (let drawn = 0; drawn < 95; drawn++) {
    const side = next() < 0.5 ? -1 : 1
    plantTree(
      plot,
      side * between(next, 8.5, 48),
      between(next, 246, 352),
      next() < 0.45 ? 'conifer' : next() < 0.85 ? 'tree' : 'slim',
      1.15,
    )
  }
  rows(244, 354, 6, (z) =>
    plantTree(plot, between(next, 7.6, 10), z, next() < 0.3 ? 'bush' : next() < 0.6 ? 'conifer' : 'tree', 1),
  )
  rows(244, 354, 7, (z) =>
    plantTree(plot, -between(next, 8, 11), z, next() < 0.3 ? 'bush' : next() < 0.6 ? 'conifer' : 'tree', 1),
  )
  rows(6, 44, 14, (z) => plantTree(plot, between(next, 8.5, 11), z, next() < 0.4 ? 'bush' : 'tree'))
  rows(2, 44, 19, (z) => plantTree(plot, -between(next, 11, 15), z, next() < 0.4 ? 'bush' : 'tree'))
  // Copses and single trees in the fields.
  for (let copse = 0; copse < 13; copse++) {
    const [u, z] = [(copse % 2 ? -1 : 1) * between(next, 38, 170), next() * length]
    for (let tree = 0; tree < 8; tree++)
      plantTree(
        plot,
        u + between(next, -13, 13),
        (z + between(next, -13, 13) + length) % length,
        next() < 0.7 ? 'tree' : 'conifer',
        1.2,
      )
  }
}

const red: Point = [0.36, 0.022, 0.02]
const silver: Point = [0.42, 0.43, 0.44]
const blue: Point = [0.02, 0.055, 0.19]
const white: Point = [0.66, 0.66, 0.64]
const wine: Point = [0.15, 0.014, 0.018]
const graphite: Point = [0.07, 0.074, 0.08]

/** The other cars at a time: shape, paint, side, and metres along the road at time 0. */
const traffic: { shape: number; colour: Point; oncoming: boolean; start: number }[] = [
  { shape: 1, colour: red, oncoming: false, start: 34 },
  { shape: 2, colour: graphite, oncoming: false, start: 118 },
  { shape: 0, colour: silver, oncoming: true, start: 96 },
  { shape: 3, colour: white, oncoming: true, start: 176 },
  { shape: 1, colour: blue, oncoming: true, start: 262 },
  { shape: 2, colour: wine, oncoming: true, start: 345 },
]

/** The drive at a time in seconds: the picture and where its road is. */
export function driveFrame(
  { world, seconds, width, height }: Drive,
  buffers: ReturnType<typeof makeRenderer>,
  time: number,
): Rendered {
  const { road } = world.terrain
  const { cars } = sharedLibrary()
  const round = (time / seconds) % 1
  const turn = 2 * Math.PI * round
  const speed = road.arcLength / seconds
  const own = round * road.arcLength
  const z = road.zAt(own)
  const moving: Moving[] = []
  for (const [index, { shape, colour, oncoming, start }] of traffic.entries()) {
    const drift = 2.5 * Math.sin(turn + index)
    const arc = start + drift + (oncoming ? -own : own)
    for (let again = -2; again <= 2; again++) {
      const at = arc + again * road.arcLength
      if (at < own - 15 || at > own + 320) continue
      moving.push({ ...cars[shape]!, u: oncoming ? -1.75 : 1.72, z: road.zAt(at), speed: oncoming ? -speed : speed, colour })
    }
  }
  const bend = road.slope(z + 4) - road.slope(z - 4)
  const view = roadView(world, {
    u: 1.72 + 0.1 * Math.sin(3 * turn),
    z,
    above: 1.38 + 0.012 * Math.sin(23 * turn) + 0.008 * Math.sin(37 * turn),
    look: 9,
    yaw: 0.006 * Math.sin(4 * turn),
    pitch: -0.035 + 0.003 * Math.sin(17 * turn),
    roll: -0.25 * bend + 0.004 * Math.sin(11 * turn),
    width,
    height,
    fieldOfView: 1.12,
  })
  return render(buffers, world, view, moving, speed, () => lens)
}

const lens: Lens = {
  exposure: 1.16,
  bloom: 0.4,
  vignette: 0.22,
  noise: 0,
  shutter: 0.014,
  cast: [1.01, 1, 0.985],
  saturation: 1.06,
  contrast: 1.02,
  streaks: 0,
  seed: 1,
}
