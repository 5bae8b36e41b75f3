// One picture of a world with its label: shadows of the traffic, samples, light, lens.
import { type Camera, makeCamera, type View } from './camera.ts'
import { develop, exposureFor, type Lens } from './lens.ts'
import type { Point } from './mesh.ts'
import { clearSamples, type Instance, makeSamples, rasterise } from './rasterise.ts'
import { xAt } from './road.ts'
import { type Frame, makeFrame, shadeFrame } from './shade.ts'
import { castShadows, restoreShadows, type Touched } from './shadow.ts'
import { sharedTiles } from './tiles.ts'
import { type Footprint, onRoad, standingAround, type World } from './world.ts'

/** Metres ahead beyond which nothing is drawn. */
const sightMetres = 800

/** A car on its way: where it is and how fast. */
export interface Moving {
  mesh: Instance['mesh']
  halfLength: number
  halfWidth: number
  u: number
  z: number
  /** Metres a second along the road; below 0 it comes towards the camera. */
  speed: number
  colour: Point
}

export interface Rendered {
  /** RGB [height, width, 3]. */
  picture: Uint8Array
  /** 1 where asphalt is seen, [height, width]. */
  road: Uint8Array
}

/** Buffers for pictures of one size, used again for each. */
export function makeRenderer(width: number, height: number) {
  const samples = makeSamples(width, height)
  const frame: Frame = makeFrame(width, height)
  return { samples, frame }
}

/** A camera on the road at `u`, `z`, `height` metres above the asphalt, turned from the road's own direction. */
export function roadView(
  { terrain: { road } }: World,
  {
    u,
    z,
    above,
    look = 6,
    yaw = 0,
    pitch = 0,
    roll = 0,
    width,
    height,
    fieldOfView,
  }: {
    u: number
    z: number
    above: number
    look?: number
    yaw?: number
    pitch?: number
    roll?: number
    width: number
    height: number
    fieldOfView: number
  },
): View {
  return {
    position: [xAt(road, u, z), road.height(z) + above, z],
    yaw: Math.atan(road.slope(z + look)) + yaw,
    pitch: Math.atan((road.height(z + 9) - road.height(z - 3)) / 12) + pitch,
    roll,
    width,
    height,
    fieldOfView,
  }
}

/** Renders a view of a world with moving cars; `speed` is the camera's own, metres a second along the road. */
export function render(
  { samples, frame }: ReturnType<typeof makeRenderer>,
  world: World,
  view: View,
  moving: Moving[],
  speed: number,
  makeLens: (metered: number) => Lens,
): Rendered {
  const camera: Camera = makeCamera(view)
  const cars = moving.map((car) => driveCar(world, car))
  const footprints = [...nearFootprints(world, view.position[2]), ...cars.map(({ footprint }) => footprint)]
  const instances = [...standingAround(world, view.position[2], sightMetres), ...cars.map(({ instance }) => instance)]
  const touched: Touched = []
  const before = world.shadows.heights
  const map = { ...world.shadows, heights: scratchFor(before) }
  const carInstances = cars.map(({ instance }) => instance)
  castShadows(map, carInstances, touched)
  clearSamples(samples)
  rasterise(samples, camera, instances)
  shadeFrame({ world: { ...world, shadows: map }, camera, instances, footprints, tiles: sharedTiles() }, samples, frame)
  restoreShadows(map, before, touched)
  const heading = Math.atan(world.terrain.road.slope(view.position[2]))
  const own: Point = [Math.sin(heading) * speed, 0, Math.cos(heading) * speed]
  return { picture: develop(frame, camera, instances, own, makeLens(exposureFor(frame))), road: frame.road.slice() }
}

let scratch: { of: Float32Array; copy: Float32Array } | undefined

/** A copy of a shadow map to draw the traffic's shadows on; kept while the map stays the same. */
function scratchFor(heights: Float32Array): Float32Array {
  if (scratch?.of !== heights) scratch = { of: heights, copy: heights.slice() }
  return scratch.copy
}

function driveCar(
  world: World,
  { mesh, halfLength, halfWidth, u, z, speed, colour }: Moving,
): { instance: Instance; footprint: Footprint } {
  const { terrain } = world
  const { road } = terrain
  const heading = Math.atan(road.slope(z))
  const instance = onRoad(terrain, mesh, {
    x: xAt(road, u, z),
    z,
    yaw: heading + (speed < 0 ? Math.PI : 0),
    colour,
    velocity: [Math.sin(heading) * speed, 0, Math.cos(heading) * speed],
    height: road.height(z),
  })
  return {
    instance,
    footprint: { x: xAt(road, u, z), z, alongX: Math.sin(heading), alongZ: Math.cos(heading), halfLength, halfWidth },
  }
}

/** Places that parked cars darken, near enough to be seen. */
function nearFootprints({ footprints, terrain: { road } }: World, z: number): Footprint[] {
  const near: Footprint[] = []
  for (const footprint of footprints)
    for (const round of [-1, 0, 1, 2]) {
      const at = footprint.z + round * road.length
      if (at > z - 8 && at < z + 70) near.push({ ...footprint, z: at })
    }
  return near
}
