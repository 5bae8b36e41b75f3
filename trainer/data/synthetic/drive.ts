// The world of the demo drive: a country road on a late summer afternoon, with bends, a crest, trees, a few houses and
// oncoming cars. It repeats after its length, so the drive is a loop.
import { between, random } from '../random.ts'
import type { Terrain } from './ground.ts'
import { sharedLibrary } from './library.ts'
import { makeLight } from './light.ts'
import { makeRoad, type Profile } from './road.ts'
import { growGrass, makePlot, plantHouse, plantTree, setDelineators, stringWires } from './roadside.ts'
import { sharedTiles } from './tiles.ts'
import { makeWorld, type Surface, type World } from './world.ts'

export function makeDriveWorld(seed: number): World {
  const next = random(seed, 41)
  const tiles = sharedTiles()
  const library = sharedLibrary()
  const profile: Profile = {
    left: -3.55,
    right: 3.55,
    lanes: [-1.7, 1.7],
    markings: [
      { u: 0, width: 0.13, on: 4, off: 4, colour: 'white' },
      { u: -3.3, width: 0.12, on: 1, off: 0, colour: 'white' },
      { u: 3.3, width: 0.12, on: 1, off: 0, colour: 'white' },
    ],
    sides: { left: { kind: 'verge', width: 0.7 }, right: { kind: 'verge', width: 0.7 } },
  }
  const road = makeRoad(
    300,
    [
      { metres: 15, waves: 1, phase: 0.4 },
      { metres: 3.4, waves: 2, phase: 2.2 },
    ],
    [
      { metres: 2.6, waves: 1, phase: 1.9 },
      { metres: 0.8, waves: 2, phase: 0.2 },
    ],
    profile,
  )
  const terrain: Terrain = { road, hills: 9, shape: tiles.cloud }
  const surface: Surface = {
    tone: 0.125,
    warmth: 0.3,
    patchy: 0.35,
    worn: 0.25,
    cracked: 0.5,
    mended: 0.25,
    dirt: 0.6,
    dry: 0.32,
    autumn: 0.06,
    seed: 0.618,
  }
  const plot = makePlot(terrain, surface, library, next)
  growGrass(plot, 4.4, 9, 1)
  growGrass(plot, -9, -4.4, 1)
  setDelineators(plot, 50)
  stringWires(plot, -9.5, 43)
  for (let z = 4; z < 300; z += between(next, 6, 13)) plantTree(plot, between(next, 8, 12.5), z, next() < 0.8 ? 'tree' : 'bush')
  for (let z = 9; z < 300; z += between(next, 9, 20))
    plantTree(plot, -between(next, 10, 16), z, next() < 0.7 ? 'tree' : 'conifer')
  for (let drawn = 0; drawn < 90; drawn++)
    plantTree(
      plot,
      (next() < 0.5 ? -1 : 1) * between(next, 18, 110),
      between(next, 0, 300),
      next() < 0.6 ? 'tree' : next() < 0.5 ? 'conifer' : 'slim',
      1.15,
    )
  plantHouse(plot, -19, 95)
  plantHouse(plot, 20, 190)
  return makeWorld({
    terrain,
    surface,
    light: makeLight({ elevation: 24, azimuth: 52, cloud: 0.42, haze: 1.5, wet: 0, cloudSeed: 0.3 }),
    things: plot.things,
    shaders: plot.shaders,
    footprints: plot.footprints,
    lamps: plot.lamps,
    shadowTexel: 0.07,
  })
}
