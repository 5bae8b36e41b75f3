// Houses with gabled roofs, and blocks of flats: the front looks along -x, the ground is at y 0.
import { between, type Random, random } from '../random.ts'
import { type Mesh, type MeshBuilder, material, meshBuilder, type Point } from './mesh.ts'

/** A wall to hang windows on: a point of the wall at `along` metres from its left edge and `up` from the ground. */
type Wall = (along: number, up: number, out?: number) => Point

/** A panel on a wall, a little proud of it. */
function panel(
  made: MeshBuilder,
  wall: Wall,
  left: number,
  low: number,
  right: number,
  high: number,
  what: number,
  out: number,
  tint?: number,
): void {
  made.quad(wall(left, low, out), wall(left, high, out), wall(right, high, out), wall(right, low, out), what, tint)
}

function drawWindow(
  made: MeshBuilder,
  wall: Wall,
  left: number,
  low: number,
  width: number,
  height: number,
  shutters: boolean,
  tint: number,
): void {
  panel(made, wall, left - 0.07, low - 0.07, left + width + 0.07, low + height + 0.07, material.white, 0.015)
  panel(made, wall, left, low, left + width, low + height, material.window, 0.025, tint)
  panel(made, wall, left + width / 2 - 0.03, low, left + width / 2 + 0.03, low + height, material.white, 0.035)
  panel(made, wall, left, low + height * 0.62, left + width, low + height * 0.62 + 0.045, material.white, 0.035)
  panel(made, wall, left - 0.14, low - 0.13, left + width + 0.14, low - 0.06, material.stone, 0.07)
  if (!shutters) return
  panel(made, wall, left - 0.09 - width * 0.48, low - 0.04, left - 0.09, low + height + 0.04, material.wood, 0.04)
  panel(
    made,
    wall,
    left + width + 0.09,
    low - 0.04,
    left + width + 0.09 + width * 0.48,
    low + height + 0.04,
    material.wood,
    0.04,
  )
}

/** Windows evenly along a wall on each floor; one place on the ground floor may be a door. */
function fenestrate(
  made: MeshBuilder,
  next: Random,
  wall: Wall,
  length: number,
  floors: number,
  door: boolean,
  shutters: boolean,
): void {
  const count = Math.max(1, Math.floor(length / 2.7))
  const doorAt = door ? Math.floor(next() * count) : -1
  for (let floor = 0; floor < floors; floor++)
    for (let place = 0; place < count; place++) {
      const middle = (length * (place + 0.5)) / count
      if (floor === 0 && place === doorAt) {
        panel(made, wall, middle - 0.62, 0, middle + 0.62, 2.3, material.white, 0.02)
        panel(made, wall, middle - 0.5, 0, middle + 0.5, 2.15, material.wood, 0.05)
        panel(made, wall, middle - 0.24, 1.35, middle + 0.24, 1.85, material.window, 0.06, 128)
        panel(made, wall, middle - 0.85, 2.5, middle + 0.85, 2.62, material.roof, 0.7)
      } else drawWindow(made, wall, middle - 0.52, floor * 2.75 + 0.95, 1.04, 1.35, shutters, between(next, 70, 190))
    }
}

/** A house of `floors` storeys under a gabled roof; `wide` along the road (z), `deep` away from it. */
export function makeHouse(
  seed: number,
  { wide, deep, floors, brick }: { wide: number; deep: number; floors: number; brick: boolean },
): Mesh {
  const next = random(seed, 21)
  const made = meshBuilder()
  const eaves = floors * 2.75 + 0.25
  const rise = deep * between(next, 0.36, 0.5)
  const [x0, x1, z0, z1] = [-deep / 2, deep / 2, -wide / 2, wide / 2]
  const wall = brick ? material.brick : material.wall
  const low = -1.5
  // Walls; the gables stand at both ends along z.
  made.quad([x0, low, z1], [x0, eaves, z1], [x0, eaves, z0], [x0, low, z0], wall)
  made.quad([x1, low, z0], [x1, eaves, z0], [x1, eaves, z1], [x1, low, z1], wall)
  made.quad([x0, low, z0], [x0, eaves, z0], [x1, eaves, z0], [x1, low, z0], wall)
  made.quad([x1, low, z1], [x1, eaves, z1], [x0, eaves, z1], [x0, low, z1], wall)
  made.triangle([x0, eaves, z0], [0, eaves + rise, z0], [x1, eaves, z0], wall)
  made.triangle([x1, eaves, z1], [0, eaves + rise, z1], [x0, eaves, z1], wall)
  const plinth = 0.02
  for (const [a, b] of [
    [
      [x0 - plinth, z1],
      [x0 - plinth, z0],
    ],
    [
      [x1 + plinth, z0],
      [x1 + plinth, z1],
    ],
    [
      [x0, z0 - plinth],
      [x1, z0 - plinth],
    ],
    [
      [x1, z1 + plinth],
      [x0, z1 + plinth],
    ],
  ] as const)
    made.quad([a[0], low, a[1]], [a[0], 0.45, a[1]], [b[0], 0.45, b[1]], [b[0], low, b[1]], material.stone)
  gableRoof(made, [x0, x1, z0, z1], eaves, rise)
  const chimneyZ = between(next, z0 + 1.2, z1 - 1.2)
  const chimneyX = between(next, 0.1, 0.25) * deep
  made.box([chimneyX - 0.3, eaves, chimneyZ - 0.35], [chimneyX + 0.3, eaves + rise + 0.7, chimneyZ + 0.35], material.brick, 110)
  made.box(
    [chimneyX - 0.36, eaves + rise + 0.7, chimneyZ - 0.41],
    [chimneyX + 0.36, eaves + rise + 0.8, chimneyZ + 0.41],
    material.stone,
  )
  const shutters = next() < 0.5
  fenestrate(made, next, (along, up, out = 0) => [x0 - out, up, z1 - along], wide, floors, true, shutters)
  fenestrate(made, next, (along, up, out = 0) => [x1 + out, up, z0 + along], wide, floors, false, shutters)
  for (const front of [true, false]) {
    const gable: Wall = front
      ? (along, up, out = 0) => [x0 + along, up, z0 - out]
      : (along, up, out = 0) => [x1 - along, up, z1 + out]
    fenestrate(made, next, gable, deep, floors, false, false)
    drawWindow(made, gable, deep / 2 - 0.45, eaves + 0.35, 0.9, 1.05, false, 120)
  }
  return made.build()
}

function gableRoof(made: MeshBuilder, [x0, x1, z0, z1]: [number, number, number, number], eaves: number, rise: number): void {
  const over = 0.5
  const half = (x1 - x0) / 2
  const drop = (rise / half) * over
  const ridge = eaves + rise + 0.12
  const foot = eaves - drop + 0.12
  const [a, b] = [z0 - over, z1 + over]
  made.quad([x0 - over, foot, b], [0, ridge, b], [0, ridge, a], [x0 - over, foot, a], material.roof)
  made.quad([x1 + over, foot, a], [0, ridge, a], [0, ridge, b], [x1 + over, foot, b], material.roof)
  // Underside, barge boards, gutters.
  made.quad(
    [x0 - over, foot - 0.1, a],
    [0, ridge - 0.1, a],
    [0, ridge - 0.1, b],
    [x0 - over, foot - 0.1, b],
    material.white,
    90,
  )
  made.quad(
    [x1 + over, foot - 0.1, b],
    [0, ridge - 0.1, b],
    [0, ridge - 0.1, a],
    [x1 + over, foot - 0.1, a],
    material.white,
    90,
  )
  for (const [z, front] of [
    [a, true],
    [b, false],
  ] as const)
    for (const x of [x0 - over, x1 + over]) {
      const outer: [Point, Point, Point, Point] = [
        [x, foot - 0.16, z],
        [x, foot, z],
        [0, ridge, z],
        [0, ridge - 0.16, z],
      ]
      if (x < 0 === front) made.quad(...outer, material.white)
      else made.quad(outer[3], outer[2], outer[1], outer[0], material.white)
    }
  for (const x of [x0 - over, x1 + over]) made.box([x - 0.06, foot - 0.14, a], [x + 0.06, foot - 0.02, b], material.white, 110)
}

/** A block of flats or offices with a flat roof. */
export function makeBlock(
  seed: number,
  { wide, deep, floors, brick }: { wide: number; deep: number; floors: number; brick: boolean },
): Mesh {
  const next = random(seed, 22)
  const made = meshBuilder()
  const top = floors * 3 + 1
  const [x0, x1, z0, z1] = [-deep / 2, deep / 2, -wide / 2, wide / 2]
  made.box([x0, -1.5, z0], [x1, top, z1], brick ? material.brick : material.wall)
  made.box([x0 - 0.15, top - 0.3, z0 - 0.15], [x1 + 0.15, top, z1 + 0.15], material.stone)
  const walls: [Wall, number][] = [
    [(along, up, out = 0) => [x0 - out, up, z1 - along], wide],
    [(along, up, out = 0) => [x0 + along, up, z0 - out], deep],
    [(along, up, out = 0) => [x1 - along, up, z1 + out], deep],
  ]
  const shop = next() < 0.5
  for (const [wall, length] of walls) {
    const count = Math.max(1, Math.floor(length / 2.6))
    for (let floor = shop ? 1 : 0; floor < floors; floor++)
      for (let place = 0; place < count; place++) {
        const left = (length * (place + 0.5)) / count - 0.65
        drawWindow(made, wall, left, floor * 3 + 1, 1.3, 1.55, false, between(next, 60, 200))
      }
    if (shop) {
      panel(made, wall, 0.3, 0.4, length - 0.3, 2.7, material.window, 0.02, 150)
      panel(made, wall, 0.2, 2.75, length - 0.2, 3.25, next() < 0.5 ? material.red : material.blue, 0.12)
      for (let along = 0.3; along < length; along += 2.6)
        panel(made, wall, along, 0.2, along + 0.12, 2.75, material.black, 0.05)
    }
  }
  return made.build()
}
