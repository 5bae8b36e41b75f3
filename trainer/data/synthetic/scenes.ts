// Random scenes by seed, in KITTI's three categories: um (two marked lanes), umm (several marked lanes), uu (unmarked).
import { between, type Random, random } from '../random.ts'
import type { Terrain } from './ground.ts'
import type { Lens } from './lens.ts'
import { paints, pick, sharedLibrary, vary } from './library.ts'
import { makeLight, type Weather } from './light.ts'
import { type Moving, roadView } from './render.ts'
import { drawWaves, type Marking, makeRoad, type Profile, type Side } from './road.ts'
import {
  fenceIn,
  growGrass,
  lightStreet,
  makePlot,
  type Plot,
  parkCar,
  plantHouse,
  plantTree,
  setDelineators,
  setPerson,
  stand,
  stringWires,
} from './roadside.ts'
import { sharedTiles } from './tiles.ts'
import { makeWorld, type Surface, type World } from './world.ts'

export type Category = 'um' | 'umm' | 'uu'
type Setting = 'country' | 'forest' | 'suburb' | 'town'

export interface Scene {
  world: World
  setting: Setting
  weather: Weather
}

export function drawScene(category: Category, seed: number): Scene {
  const next = random(seed, 51)
  const setting = pick<Setting>(
    category === 'um'
      ? ['country', 'country', 'forest', 'suburb', 'suburb', 'town']
      : category === 'umm'
        ? ['country', 'suburb', 'town', 'town']
        : ['country', 'forest', 'suburb', 'suburb', 'town'],
    next,
  )
  const profile = drawProfile(category, setting, next)
  const built = setting === 'suburb' || setting === 'town'
  const length = 280
  const road = makeRoad(
    length,
    drawWaves(next, between(next, 0, built ? 10 : 17), [1, 2, 3]),
    drawWaves(next, between(next, 0, built ? 1.8 : 3.6), [1, 2, 3]),
    profile,
  )
  const terrain: Terrain = { road, hills: between(next, 1, built ? 6 : 14), shape: sharedTiles().cloud }
  const surface: Surface = {
    tone: between(next, 0.06, 0.2),
    warmth: between(next, -0.6, 1),
    patchy: between(next, 0.1, 0.7),
    worn: between(next, 0, 0.8),
    cracked: between(next, -0.4, 1),
    mended: between(next, 0, 0.55),
    dirt: between(next, 0, 1),
    dry: between(next, 0, 0.8),
    autumn: next() < 0.25 ? between(next, 0.3, 1) : 0.04,
    seed: next(),
  }
  const weather = drawWeather(next)
  const plot = makePlot(terrain, surface, sharedLibrary(), next)
  furnish(plot, setting)
  const world = makeWorld({
    terrain,
    surface,
    light: makeLight(weather),
    things: plot.things,
    shaders: plot.shaders,
    footprints: plot.footprints,
    lamps: plot.lamps,
    shadowTexel: 0.12,
  })
  return { world, setting, weather }
}

function drawProfile(category: Category, setting: Setting, next: Random): Profile {
  const side = (): Side =>
    setting === 'suburb' || setting === 'town'
      ? { kind: 'kerb', width: between(next, 1.4, setting === 'town' ? 4 : 2.4) }
      : { kind: 'verge', width: between(next, 0.2, 1.2) }
  const sides = { left: side(), right: side() }
  if (category === 'uu') {
    const half = between(next, 2.3, 3.7)
    // Cars stand along the edges of streets, and the street is wider for it.
    const parked = () => ((setting === 'suburb' || setting === 'town') && next() < 0.5 ? 2 : 0)
    return { left: -half - parked(), right: half + parked(), lanes: [-half / 2, half / 2], markings: [], sides }
  }
  const wide = between(next, 2.9, 3.7)
  const perWay = category === 'um' ? 1 : pick([2, 2, 3], next)
  const colour = next() < 0.12 ? 'yellow' : 'white'
  const dashed = pick(
    [
      [3, 6],
      [4, 4],
      [6, 12],
      [3, 3],
      [2, 4],
    ] as const,
    next,
  )
  const line = between(next, 0.1, 0.17)
  const markings: Marking[] = []
  const solid = (u: number, of: Marking['colour'] = 'white') => markings.push({ u, width: line, on: 1, off: 0, colour: of })
  const broken = (u: number, of: Marking['colour'] = 'white') =>
    markings.push({ u, width: line, on: dashed[0], off: dashed[1], colour: of })
  const middle = perWay > 1 ? 'double' : pick(['dashed', 'dashed', 'solid', 'double'], next)
  if (middle === 'dashed') broken(0, colour)
  else if (middle === 'solid') solid(0, colour)
  else {
    solid(-1.1 * line, colour)
    if (next() < 0.3) broken(1.1 * line, colour)
    else solid(1.1 * line, colour)
  }
  const lanes: number[] = []
  for (let lane = 0; lane < perWay; lane++) {
    lanes.push((lane + 0.5) * wide, -(lane + 0.5) * wide)
    if (lane === 0) continue
    broken(lane * wide)
    broken(-lane * wide)
  }
  const parking = (setting === 'suburb' || setting === 'town') && next() < 0.5 ? 2.1 : 0
  const edged = parking > 0 || next() < 0.7
  const rim = between(next, 0.15, 0.5)
  if (edged) {
    solid(perWay * wide)
    solid(-perWay * wide)
  }
  const half = perWay * wide + Math.max(rim, parking)
  return { left: -half, right: half, lanes, markings, sides }
}

/** Trees, houses and the rest, as they belong to the place. */
function furnish(plot: Plot, setting: Setting): void {
  const { next, terrain } = plot
  const { length, profile } = terrain.road
  const edges = [
    { side: 1, edge: profile.right + profile.sides.right.width },
    { side: -1, edge: -profile.left + profile.sides.left.width },
  ]
  const row = (from: number, least: number, most: number, put: (z: number) => void) => {
    for (let z = from + next() * most; z < length; z += between(next, least, most)) put(z)
  }
  for (const { side, edge } of edges) {
    const u = (least: number, most: number) => side * (edge + between(next, least, most))
    if (setting === 'country' || setting === 'forest') {
      growGrass(plot, side > 0 ? edge + 0.1 : -edge - 3.6, side > 0 ? edge + 3.6 : -edge - 0.1, between(next, 0.3, 1))
      const dense = setting === 'forest' ? 1 : between(next, 0.15, 0.7)
      row(0, 5 / dense, 13 / dense, (z) => plantTree(plot, u(3, 6), z, next() < 0.7 ? 'tree' : next() < 0.5 ? 'bush' : 'slim'))
      for (let drawn = 0; drawn < (setting === 'forest' ? 110 : 35); drawn++)
        plantTree(
          plot,
          u(8, setting === 'forest' ? 45 : 90),
          next() * length,
          next() < 0.55 ? 'tree' : next() < 0.7 ? 'conifer' : 'bush',
          1.1,
        )
      if (next() < 0.3)
        fenceIn(
          plot,
          side * (edge + between(next, 3.2, 5)),
          0,
          length * between(next, 0.4, 1),
          next() < 0.5 ? 'fence' : 'white fence',
        )
      if (next() < 0.3) fenceIn(plot, side * (edge + 0.5), length * between(next, 0, 0.5), length, 'rail')
      if (next() < 0.3) plantHouse(plot, u(14, 26), next() * length)
    } else {
      const town = setting === 'town'
      const inset = town ? between(next, 0.5, 4) : between(next, 5, 9)
      const half = 7
      row(8, town ? 19 : 17, town ? 27 : 32, (z) => plantHouse(plot, side * (edge + inset + half), z, town && next() < 0.75))
      if (!town) {
        row(0, 8, 26, (z) => plantTree(plot, u(1.5, inset), z, next() < 0.5 ? 'bush' : 'tree', 0.75))
        if (next() < 0.7) {
          const kind = pick(['hedge', 'hedge', 'fence', 'white fence'] as const, next)
          row(0, 40, 90, (z) =>
            fenceIn(plot, side * (edge + 0.8), z, Math.min(length, z + between(next, 12, 60)), kind, between(next, 1, 2)),
          )
        }
        for (let drawn = 0; drawn < 22; drawn++) plantTree(plot, u(20, 60), next() * length, 'tree')
      } else if (next() < 0.6) row(0, 9, 22, (z) => plantTree(plot, side * (edge - 0.7), z, 'tree', 0.72))
      if (next() < 0.8) lightStreet(plot, side * (edge - 0.25), between(next, 26, 40), between(next, 0, 20))
      row(0, town ? 12 : 40, town ? 45 : 120, (z) => setPerson(plot, side * (edge - between(next, 0.4, 1.2)), z))
      row(0, 30, 90, (z) =>
        stand(plot, plot.library.bin, side * (edge - 0.4), z, { colour: vary(pick(paints, next), 0.2, next) }),
      )
      const out = (side > 0 ? profile.right : -profile.left) - 1.05
      // Only where they leave the lanes free.
      if (out - 1 > Math.max(...profile.lanes) + 1.1) {
        row(0, 5.6, between(next, 7, 30), (z) => parkCar(plot, side * out, z, side > 0 === next() < 0.9 ? 0 : Math.PI))
      }
    }
    row(10, 40, 150, (z) =>
      stand(plot, pick(plot.library.signs, next), side * (edge + (setting === 'town' ? -0.3 : 0.7)), z, {
        turn: side > 0 ? 0 : Math.PI,
      }),
    )
  }
  if (setting === 'country' && next() < 0.5) setDelineators(plot, 50)
  if (setting !== 'town' && next() < 0.4) stringWires(plot, -edges[1]!.edge - between(next, 2, 5), 40)
}

function drawWeather(next: Random): Weather {
  const draw = next()
  const cloudSeed = next()
  const azimuth = between(next, -180, 180)
  const clear = { azimuth, cloud: between(next, 0.05, 0.55), haze: between(next, 0.8, 1.8), wet: 0, cloudSeed }
  if (draw < 0.42) return { ...clear, elevation: between(next, 14, 62) }
  if (draw < 0.52) return { ...clear, elevation: between(next, 5, 14), azimuth: between(next, -25, 25) }
  if (draw < 0.72)
    return {
      ...clear,
      elevation: between(next, 15, 55),
      cloud: between(next, 0.75, 1),
      wet: next() < 0.3 ? between(next, 0.2, 0.6) : 0,
    }
  if (draw < 0.84)
    return { ...clear, elevation: between(next, 10, 45), cloud: 1, haze: between(next, 1.5, 3), wet: between(next, 0.6, 1) }
  if (draw < 0.94) return { ...clear, elevation: between(next, -6, 4) }
  return { ...clear, elevation: between(next, -16, -9), wet: next() < 0.3 ? 0.7 : 0 }
}

/** Cars in the lanes around a camera at `u`, `z`. */
export function drawTraffic({ world, setting }: Scene, u: number, z: number, next: Random): Moving[] {
  const cars: Moving[] = []
  const { lanes } = world.terrain.road.profile
  const { cars: shapes } = sharedLibrary()
  for (const lane of lanes) {
    const same = lane > 0
    const busy = setting === 'town' ? 26 : 48
    const own = Math.abs(lane - u) < 1.6
    for (let at = z + between(next, own ? 9 : 5, own ? 50 : 70); at < z + 150; at += between(next, 9, 3 * busy)) {
      if (next() < 0.35) continue
      const shape = shapes[next() < 0.16 ? 3 : Math.floor(next() * 3)]!
      cars.push({
        ...shape,
        u: lane + between(next, -0.3, 0.3),
        z: at,
        speed: (same ? 1 : -1) * between(next, 3, 16),
        colour: vary(pick(paints, next), 0.2, next),
      })
    }
  }
  return cars
}

/** A camera somewhere in a scene, as cars of many makes carry it. */
export function drawView(scene: Scene, width: number, height: number, next: Random) {
  const { road } = scene.world.terrain
  const own = pick(
    road.profile.lanes.filter((lane) => lane > 0),
    next,
  )
  const u = own + between(next, -0.5, 0.5)
  const z = next() * road.length
  const wild = next() < 0.2 ? 3 : 1
  const view = roadView(scene.world, {
    u,
    z,
    above: between(next, 1.15, 1.9),
    look: between(next, 0, 10),
    yaw: wild * between(next, -0.05, 0.05),
    pitch: between(next, -0.045, 0.03),
    roll: wild * between(next, -0.015, 0.015),
    width,
    height,
    fieldOfView: between(next, 0.95, 1.45),
  })
  return { view, u, z, speed: between(next, 0, 16) }
}

/** The camera's look: weather decides noise and colour, chance the rest. */
export function drawLens({ weather }: Scene, next: Random): (metered: number) => Lens {
  const dark = weather.elevation < -7 ? 1 : weather.elevation < 3 ? 0.4 : 0
  const lens = {
    bloom: between(next, 0.2, 0.7) + 0.3 * dark,
    vignette: between(next, 0, 0.4),
    noise: between(next, 0.5, 3) + 5 * dark * next(),
    shutter: between(next, 0, 0.014) + 0.01 * dark,
    cast: [between(next, 0.93, 1.07), 1, between(next, 0.92, 1.08)] as [number, number, number],
    saturation: between(next, 0.75, 1.2),
    contrast: between(next, 0.88, 1.12),
    streaks: weather.wet > 0.5 ? between(next, 0, 0.8) : 0,
    seed: Math.floor(next() * 2 ** 31),
  }
  // Dusk and night stay darker than day, and no camera meters perfectly.
  const bias = Math.exp(between(next, -0.32, 0.28)) * (1 - 0.45 * dark)
  return (metered) => ({ ...lens, exposure: metered * bias })
}
