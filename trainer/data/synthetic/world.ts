// A world: the road with all that stands beside it, ready to be looked at from anywhere on it.
import { makeGround, type Terrain } from './ground.ts'
import type { Light } from './light.ts'
import { type Point, unit } from './mesh.ts'
import { smooth } from './noise.ts'
import { type Instance, place } from './rasterise.ts'
import { uAt } from './road.ts'
import { castShadows, makeShadowMap, type ShadowMap } from './shadow.ts'

/** How the asphalt and the land around look. */
export interface Surface {
  /** Share of light that the asphalt throws back, and how warm it is, -1 to 1. */
  tone: number
  warmth: number
  /** 0 to 1 each: uneven tone, worn paint, cracks, mended places, dirt at the edges. */
  patchy: number
  worn: number
  cracked: number
  mended: number
  dirt: number
  /** How dry the grass is, 0 to 1, and its leaves' hue: 0 summer, 1 autumn. */
  dry: number
  autumn: number
  seed: number
}

/** A car as the ground sees it: the place it darkens. */
export interface Footprint {
  x: number
  z: number
  /** Unit vector along it. */
  alongX: number
  alongZ: number
  halfLength: number
  halfWidth: number
}

/** Darkness of the ground under and beside things, by distance from the centre line and z. */
export interface Occlusion {
  fromU: number
  columns: number
  rows: number
  texel: number
  /** Share of the sky that is open, 0 to 1. */
  open: Float32Array
}

export interface World {
  terrain: Terrain
  surface: Surface
  light: Light
  /** Everything that stands still between z 0 and the road's length. */
  standing: Instance[]
  footprints: Footprint[]
  /** Where street lamps shine from. */
  lamps: Point[]
  shadows: ShadowMap
  occlusion: Occlusion
}

/** Something that throws a soft shade from the sky: a disc or, for walls, a row of discs. */
export interface Shader {
  u: number
  z: number
  radius: number
  /** 0 to 1. */
  strength: number
}

const occlusionTexel = 0.5
const occlusionReach = 32

/** Puts a world together: the ground, its shadow map, and the soft shade beneath what stands on it. */
export function makeWorld({
  terrain,
  surface,
  light,
  things,
  shaders,
  footprints = [],
  lamps = [],
  shadowTexel,
}: {
  terrain: Terrain
  surface: Surface
  light: Light
  things: Instance[]
  shaders: Shader[]
  footprints?: Footprint[]
  lamps?: Point[]
  shadowTexel: number
}): World {
  const { road } = terrain
  const standing = [...makeGround(terrain), ...things]
  const reach = 46
  const centres = Array.from({ length: Math.ceil(road.length) + 1 }, (_, z) => road.centre(z))
  const slant = (light.sun[0] / light.sun[1]) * 2
  const x = Math.min(...centres) - reach - Math.max(0, slant) * 4
  const width = Math.max(...centres) + reach + Math.max(0, -slant) * 4 - x
  const shadows = makeShadowMap(light.sun, { x, width, length: road.length, texel: shadowTexel })
  if (light.sunColour[1] > 0.05) castShadows(shadows, things)
  return {
    terrain,
    surface,
    light,
    standing,
    footprints,
    lamps,
    shadows,
    occlusion: makeOcclusion(road.length, shaders),
  }
}

function makeOcclusion(length: number, shaders: Shader[]): Occlusion {
  const columns = Math.round((2 * occlusionReach) / occlusionTexel)
  const rows = Math.round(length / occlusionTexel)
  const open = new Float32Array(columns * rows).fill(1)
  for (const { u, z, radius, strength } of shaders) {
    const reach = Math.ceil((radius * 1.9) / occlusionTexel)
    const middleColumn = Math.round((u + occlusionReach) / occlusionTexel)
    const middleRow = Math.round(z / occlusionTexel)
    for (let row = middleRow - reach; row <= middleRow + reach; row++)
      for (let column = Math.max(0, middleColumn - reach); column <= Math.min(columns - 1, middleColumn + reach); column++) {
        const away = Math.hypot(column * occlusionTexel - occlusionReach - u, row * occlusionTexel - z) / radius
        open[(((row % rows) + rows) % rows) * columns + column]! *= 1 - strength * smooth(1.9, 0.2, away)
      }
  }
  return { fromU: -occlusionReach, columns, rows, texel: occlusionTexel, open }
}

/** Everything that stands still, as seen from `z` to so many metres ahead: the world comes again after the road's length. */
export function standingAround(world: World, z: number, ahead: number): Instance[] {
  const { length } = world.terrain.road
  const seen: Instance[] = []
  for (let round = Math.floor((z - 30) / length); round * length < z + ahead; round++)
    for (const instance of world.standing) {
      const far = instance.matrix[11]! + round * length
      if (far < z - 40 - instance.mesh.radius || far > z + ahead) continue
      if (round === 0) seen.push(instance)
      else {
        const matrix = Float64Array.from(instance.matrix)
        matrix[11] = far
        seen.push({ ...instance, matrix })
      }
    }
  return seen
}

/** Direction of the road at z, as an angle to the right of z. */
export const headingAt = (world: Pick<World, 'terrain'>, z: number): number => Math.atan(world.terrain.road.slope(z))

/** The place of a car whose wheels stand on the road, tilted as the road is. */
export function onRoad(
  terrain: Terrain,
  mesh: Instance['mesh'],
  {
    x,
    z,
    yaw,
    colour,
    velocity,
    height,
  }: { x: number; z: number; yaw: number; colour: Point; velocity: Point; height: number },
): Instance {
  const { road } = terrain
  const along = (road.height(z + 1.2) - road.height(z - 1.2)) / 2.4
  return place(mesh, [x, height, z], { yaw, pitch: Math.atan(along) * Math.cos(yaw), colour, velocity })
}

export const footprintOf = (instance: Instance, halfLength: number, halfWidth: number): Footprint => {
  const along = unit([instance.matrix[2]!, 0, instance.matrix[10]!])
  return { x: instance.matrix[3]!, z: instance.matrix[11]!, alongX: along[0], alongZ: along[2], halfLength, halfWidth }
}

export const distanceFromRoad = (world: World, x: number, z: number): number => uAt(world.terrain.road, x, z)
