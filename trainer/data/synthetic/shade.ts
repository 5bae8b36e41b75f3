// From samples to light: each thing that a pixel sees is lit once by the sun, the sky and lamps, and dimmed by the air.
import type { Camera } from './camera.ts'
import { skyLight } from './light.ts'
import { glowColour, type Matter, matterAt } from './materials.ts'
import { material } from './mesh.ts'
import { sampleTile, smooth } from './noise.ts'
import { type Instance, perSide, type Samples } from './rasterise.ts'
import { uAt } from './road.ts'
import { sunlight } from './shadow.ts'
import { type Ground, groundAt } from './surface.ts'
import type { Tiles } from './tiles.ts'
import type { Footprint, World } from './world.ts'

export interface Frame {
  width: number
  height: number
  /** Linear RGB. */
  light: Float32Array
  /** Largest 1 / depth in the pixel, and place of that instance in the list + 1. */
  inverseDepth: Float32Array
  instance: Uint16Array
  /** 1 where most of the pixel is asphalt that nothing covers. */
  road: Uint8Array
}

export function makeFrame(width: number, height: number): Frame {
  const count = width * height
  return {
    width,
    height,
    light: new Float32Array(3 * count),
    inverseDepth: new Float32Array(count),
    instance: new Uint16Array(count),
    road: new Uint8Array(count),
  }
}

interface Shading {
  world: World
  camera: Camera
  instances: Instance[]
  footprints: Footprint[]
  tiles: Tiles
}

const out = new Float64Array(3)
const mirrored = new Float64Array(3)
const matter: Matter = { r: 0, g: 0, b: 0, gloss: 0, sharpness: 0, glow: 0, leafy: false, open: 1 }
const ground: Ground = { r: 0, g: 0, b: 0, gloss: 0, hollow: 0, road: false }

export function shadeFrame(shading: Shading, samples: Samples, frame: Frame): void {
  const { width, height, light, inverseDepth, instance, road } = frame
  const wide = samples.width
  const share = 1 / (perSide * perSide)
  const at = [0, 0, 0, 0]
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const first = perSide * y * wide + perSide * x
      at[0] = first
      at[1] = first + 1
      at[2] = first + wide
      at[3] = first + wide + 1
      let r = 0
      let g = 0
      let b = 0
      let roads = 0
      let nearest = 0
      let nearestKey = 0
      let done = 0
      for (let lead = 0; lead < 4; lead++) {
        if (done & (1 << lead)) continue
        const key = samples.keys[at[lead]!]! >>> 8
        let members = 0
        let depth = 0
        let nx = 0
        let ny = 0
        let nz = 0
        let tint = 0
        let px = 0
        let py = 0
        for (let other = lead; other < 4; other++) {
          const sample = at[other]!
          const whole = samples.keys[sample]!
          if (whole >>> 8 !== key || done & (1 << other)) continue
          done |= 1 << other
          members++
          depth += samples.inverseDepth[sample]!
          const normal = samples.normals[sample]!
          nx += (normal & 255) - 128
          ny += ((normal >> 8) & 255) - 128
          nz += (normal >> 16) - 128
          tint += whole & 255
          px += 0.25 + 0.5 * (other & 1)
          py += 0.25 + 0.5 * (other >> 1)
        }
        depth /= members
        if (depth > nearest) {
          nearest = depth
          nearestKey = key
        }
        ground.road = false
        const size = Math.hypot(nx, ny, nz) || 1
        shadePoint(
          shading,
          key,
          depth,
          x + px / members,
          y + py / members,
          nx / size,
          ny / size,
          nz / size,
          tint / members / 128,
        )
        const weight = members * share
        r += out[0]! * weight
        g += out[1]! * weight
        b += out[2]! * weight
        if (ground.road) roads += members
      }
      const pixel = y * width + x
      light[3 * pixel] = r
      light[3 * pixel + 1] = g
      light[3 * pixel + 2] = b
      inverseDepth[pixel] = nearest
      instance[pixel] = nearestKey >>> 8
      road[pixel] = roads > 2 ? 1 : 0
    }
}

/** Light from what a pixel's group of samples sees, into `out`. */
function shadePoint(
  shading: Shading,
  key: number,
  inverse: number,
  px: number,
  py: number,
  nx: number,
  ny: number,
  nz: number,
  tint: number,
): void {
  const { world, camera, instances, tiles } = shading
  const { position: eye, right, up, ahead, focal } = camera
  const across = (px - camera.centreX) / focal
  const upwards = (camera.centreY - py) / focal
  let dx = ahead[0] + across * right[0] + upwards * up[0]
  let dy = ahead[1] + across * right[1] + upwards * up[1]
  let dz = ahead[2] + across * right[2] + upwards * up[2]
  const stretch = Math.hypot(dx, dy, dz)
  dx /= stretch
  dy /= stretch
  dz /= stretch
  const { light } = world
  if (key === 0) {
    skyLight(light, tiles.cloud, tiles.cloud, dx, dy, dz, out)
    return
  }
  const depth = 1 / inverse
  const far = depth * stretch
  const x = eye[0] + dx * far
  const y = eye[1] + dy * far
  const z = eye[2] + dz * far
  const what = key & 255
  const { colour, accent } = instances[(key >>> 8) - 1]!
  let facing = -(dx * nx + dy * ny + dz * nz)
  const { sun, sunColour, ambient, bounce } = light

  // The back of a rail or fence; leaves and blades keep the normal of the whole crown.
  if (facing < 0 && what !== material.leaf && what !== material.blade) {
    nx = -nx
    ny = -ny
    nz = -nz
    facing = -facing
  }
  const wide = far / focal
  let wet = 0
  if (what === material.ground) wet = shadeGround(shading, x, z, wide, facing)
  else matterAt(what, colour, { x, y, z, nx, nz, wide, tint, accent, light, tiles }, matter)
  const { gloss, sharpness, glow, leafy, open } = matter

  // Sun.
  const towards = nx * sun[0] + ny * sun[1] + nz * sun[2]
  let direct = leafy ? Math.max(0, (towards + 0.3) / 1.3) : Math.max(0, towards)
  let lit = 0
  if ((direct > 0 || leafy) && sunColour[1] > 0.02) {
    const bias = leafy ? 0.55 : what === material.ground ? 0.04 : 0.12
    lit = sunlight(world.shadows, x + nx * 0.04, y + ny * 0.04, z + nz * 0.04, bias, leafy ? 2 : 1.3)
  }
  let through = 0
  if (leafy) through = 0.42 * Math.max(0, -towards + 0.15) * Math.max(0, dx * sun[0] + dy * sun[1] + dz * sun[2] + 0.35)
  direct *= lit
  through *= lit
  // Sky above, ground below; walls and trees see less of both near the ground.
  const above = 0.5 + 0.5 * ny
  const sky = open * (leafy ? 0.35 + 0.65 * above : above)
  const below = (1 - above) * (leafy ? 0.6 : 0.9)
  let lr = sunColour[0] * (direct + through * 1.1) + ambient[0] * sky + bounce[0] * below
  let lg = sunColour[1] * (direct + through * 1.25) + ambient[1] * sky + bounce[1] * below
  let lb = sunColour[2] * (direct + through * 0.45) + ambient[2] * sky + bounce[2] * below
  if (light.lamps > 0.4) {
    const lamp = lampLight(shading, x, y, z, depth, across, upwards)
    lr += lamp * 1.0
    lg += lamp * 0.9
    lb += lamp * 0.72
  }
  const own = glowColour(what)
  let r = matter.r * lr + glow * own[0]
  let g = matter.g * lg + glow * own[1]
  let b = matter.b * lb + glow * own[2]

  const shine = gloss + wet * 1.3
  if (shine > 0.02) {
    const base = what === material.ground ? 0.02 + 0.03 * wet : what === material.paint ? 0.045 : 0.05
    const fresnel = (base + (1 - base) * (1 - Math.max(0, Math.min(1, facing))) ** 5) * Math.min(1, shine)
    // Reflection of the surroundings: sky, a dark belt of trees, the ground.
    const twice = 2 * facing
    const mx = dx + twice * nx
    const my = dy + twice * ny
    const mz = dz + twice * nz
    reflect(shading, mx, my, mz)
    r += mirrored[0]! * fresnel
    g += mirrored[1]! * fresnel
    b += mirrored[2]! * fresnel
    const glance = Math.max(0, mx * sun[0] + my * sun[1] + mz * sun[2])
    if (lit > 0 && glance > 0 && gloss > 0) {
      const spark =
        lit *
        Math.min(1, gloss) *
        (what === material.ground ? 0.35 * glance ** 9 * (1 + 2 * wet) : 1.6 * glance ** sharpness + 0.05 * glance ** 8)
      r += sunColour[0] * spark
      g += sunColour[1] * spark
      b += sunColour[2] * spark
    }
  }

  // Air between.
  const haze = 1 - Math.exp(-light.fog * far)
  const sunward = Math.max(0, dx * sun[0] + dy * sun[1] + dz * sun[2]) ** 6
  out[0] = r + (light.horizon[0] * 0.88 + 0.1 * sunColour[0] * sunward - r) * haze
  out[1] = g + (light.horizon[1] * 0.9 + 0.1 * sunColour[1] * sunward - g) * haze
  out[2] = b + (light.horizon[2] * 0.94 + 0.1 * sunColour[2] * sunward - b) * haze
}

/** Puts the ground at a place into `matter` and gives how wet it is. */
function shadeGround(shading: Shading, x: number, z: number, wide: number, facing: number): number {
  const { surface, light, terrain } = shading.world
  const { road } = terrain
  const u = uAt(road, x, z)
  groundAt(road, surface, shading.tiles, u, road.arc(z), wide, Math.min(60, wide / Math.max(0.02, facing)), ground)
  const firm = ground.road || ground.gloss > 0
  const water = light.wet * (0.45 + 0.55 * Math.min(1, ground.hollow * 1.4)) * (firm ? 1 : 0.35)
  const dark = 1 - 0.45 * water
  matter.r = ground.r * dark
  matter.g = ground.g * dark
  matter.b = ground.b * dark
  matter.gloss = ground.gloss * 0.06
  matter.sharpness = 60
  matter.glow = 0
  matter.leafy = false
  matter.open = openSky(shading, u, x, z)
  return water * (ground.gloss > 0 ? 1 : 0.15)
}

/** Light that a mirror would show in a direction, into `mirrored`. */
function reflect({ world, tiles }: Shading, mx: number, my: number, mz: number): void {
  const { light } = world
  skyLight(light, tiles.cloud, tiles.cloud, mx, Math.max(my, 0.02), mz, mirrored)
  const trees = 0.1 + 0.14 * sampleTile(tiles.soft, Math.atan2(mx, mz) * 1.4, 0.3)
  const wood = smooth(trees + 0.04, trees - 0.04, my)
  const low = smooth(0.03, -0.05, my)
  const green = 0.05 * (1 - low)
  const grey = 0.13 * low
  for (let channel = 0; channel < 3; channel++) {
    const lit = light.ambient[channel]! + 0.4 * light.sunColour[channel]!
    const solid = lit * (grey + green * (channel === 1 ? 1.25 : channel === 0 ? 1 : 0.55))
    mirrored[channel]! += (solid - mirrored[channel]!) * wood
  }
}

/** Share of the sky that the ground sees at a place. */
function openSky({ world, footprints }: Shading, u: number, x: number, z: number): number {
  const { fromU, columns, rows, texel, open } = world.occlusion
  const column = (u - fromU) / texel
  let share = 1
  if (column > 0 && column < columns - 1) {
    const row = z / texel
    const c0 = Math.floor(column)
    const r0 = Math.floor(row)
    const rowA = (((r0 % rows) + rows) % rows) * columns + c0
    const rowB = ((((r0 + 1) % rows) + rows) % rows) * columns + c0
    const fu = column - c0
    const fv = row - r0
    share = (open[rowA]! * (1 - fu) + open[rowA + 1]! * fu) * (1 - fv) + (open[rowB]! * (1 - fu) + open[rowB + 1]! * fu) * fv
  }
  for (const car of footprints) {
    const ox = x - car.x
    const oz = z - car.z
    const away = ox * ox + oz * oz
    if (away > 30) continue
    const along = Math.abs(ox * car.alongX + oz * car.alongZ) - car.halfLength
    const beside = Math.abs(ox * car.alongZ - oz * car.alongX) - car.halfWidth
    const outside = Math.hypot(Math.max(along, 0), Math.max(beside, 0))
    const inside = Math.min(0, Math.max(along, beside))
    share *= 1 - (outside > 0 ? 0.62 * Math.exp(-outside / 0.38) : Math.min(0.92, 0.62 - 0.9 * inside))
  }
  return share
}

/** Light of street lamps and of the own headlamps. */
function lampLight(
  { world }: Shading,
  x: number,
  y: number,
  z: number,
  depth: number,
  across: number,
  upwards: number,
): number {
  const { lamps } = world.light
  let sum = 0
  for (const lamp of world.lamps) {
    const dx = lamp[0] - x
    const dy = lamp[1] - y
    const dz = lamp[2] - z
    const square = dx * dx + dy * dy + dz * dz
    if (square > 1200 || dy < 0) continue
    sum += (26 * dy) / square ** 1.5
  }
  const beam =
    Math.exp(-((across / 0.42) ** 2)) * smooth(0.09, -0.02, upwards) * (2.2 / (1 + (depth / 16) ** 2)) * smooth(1.5, 6, depth)
  return Math.min(lamps, 1) * (sum + beam)
}
