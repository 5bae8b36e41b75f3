// Weather and the time of day: where light comes from and how the sky looks. Linear RGB; 1 is about a white wall in shade.
import type { Point } from './mesh.ts'
import { sampleTile, smooth, type Tile } from './noise.ts'

export interface Weather {
  /** Height of the sun above the horizon, degrees; below 0 is dusk, below -8 night. */
  elevation: number
  /** Where the sun stands, degrees to the right of the road's general way. */
  azimuth: number
  /** Cloud, 0 to 1; from about 0.85 the sun casts no shadows. */
  cloud: number
  /** Haze, 1 is a clear day. */
  haze: number
  /** Rain on the ground, 0 dry to 1 streaming. */
  wet: number
  /** Where on the cloud texture the sky begins. */
  cloudSeed: number
}

export interface Light extends Weather {
  /** Direction to the sun, or to the moon at night. */
  sun: Point
  sunColour: Point
  zenith: Point
  horizon: Point
  /** Mean light of the sky on a level surface, and light that the ground throws back. */
  ambient: Point
  bounce: Point
  /** Share of light lost in a metre of air. */
  fog: number
  /** Headlamps and street lamps are on, 0 to 1. */
  lamps: number
}

const blend = (a: Point, b: Point, t: number): Point => [
  a[0] + (b[0] - a[0]) * t,
  a[1] + (b[1] - a[1]) * t,
  a[2] + (b[2] - a[2]) * t,
]
const scaled = (a: Point, by: number): Point => [a[0] * by, a[1] * by, a[2] * by]

/** Colours of a clear sky by the sun's height. */
const skies: { elevation: number; zenith: Point; horizon: Point }[] = [
  { elevation: -18, zenith: [0.004, 0.006, 0.012], horizon: [0.012, 0.012, 0.016] },
  { elevation: -7, zenith: [0.03, 0.045, 0.1], horizon: [0.14, 0.1, 0.11] },
  { elevation: -1, zenith: [0.1, 0.16, 0.31], horizon: [0.55, 0.36, 0.26] },
  { elevation: 7, zenith: [0.13, 0.24, 0.5], horizon: [0.86, 0.72, 0.56] },
  { elevation: 22, zenith: [0.16, 0.36, 0.82], horizon: [0.98, 1.08, 1.18] },
  { elevation: 60, zenith: [0.17, 0.4, 0.95], horizon: [0.92, 1.1, 1.3] },
]

export function makeLight(weather: Weather): Light {
  const { elevation, azimuth, cloud, haze, wet } = weather
  const above = skies.findIndex((sky) => sky.elevation >= elevation)
  const high = skies[above === -1 ? skies.length - 1 : above]!
  const low = skies[Math.max(0, (above === -1 ? skies.length : above) - 1)]!
  const t = high === low ? 0 : Math.min(1, Math.max(0, (elevation - low.elevation) / (high.elevation - low.elevation)))
  const clear = { zenith: blend(low.zenith, high.zenith, t), horizon: blend(low.horizon, high.horizon, t) }
  const overcast = smooth(0.6, 0.95, cloud)
  const brightness = (clear.zenith[1] + clear.horizon[1]) * 0.55
  const zenith = blend(clear.zenith, scaled([0.98, 1, 1.05], brightness * 0.8), overcast)
  const horizon = blend(clear.horizon, scaled([0.97, 1, 1.03], brightness * 0.95), Math.max(overcast, 0.25 * (haze - 1)))
  const height = Math.max(elevation, elevation < -8 ? 30 : 4) * (Math.PI / 180)
  const towards = (azimuth * Math.PI) / 180
  const sun: Point = [Math.sin(towards) * Math.cos(height), Math.sin(height), Math.cos(towards) * Math.cos(height)]
  const airMass = 1 / (sun[1] + 0.15 * (Math.max(elevation, 0) + 3.885) ** -1.253)
  const strength = 3.6 * smooth(-2, 5, elevation) * (1 - overcast) ** 2
  const sunColour: Point =
    elevation < -8
      ? [0.012, 0.014, 0.02]
      : [
          strength * Math.exp(-0.06 * haze * airMass),
          strength * Math.exp(-0.115 * haze * airMass),
          strength * Math.exp(-0.24 * haze * airMass),
        ]
  const ambient = blend(scaled(blend(zenith, horizon, 0.42), 0.8), [brightness, brightness, brightness], 0.3 * overcast)
  const sunOnGround = 0.16 * sun[1]
  return {
    ...weather,
    sun,
    sunColour,
    zenith,
    horizon,
    ambient,
    bounce: [
      0.13 * ambient[0] + sunOnGround * sunColour[0],
      0.12 * ambient[1] + sunOnGround * sunColour[1] * 0.95,
      0.1 * ambient[2] + sunOnGround * sunColour[2] * 0.75,
    ],
    fog: 0.00045 * haze ** 2 + 0.003 * wet * wet,
    lamps: smooth(2, -6, elevation) + 0.35 * smooth(0.4, 1, wet),
  }
}

/** Light from the sky along a unit direction (into `out`), with clouds, the sun's glow and distant ridges. */
export function skyLight(
  light: Light,
  clouds: Tile,
  ridges: Tile,
  dx: number,
  dy: number,
  dz: number,
  out: Float64Array,
): void {
  const { sun, sunColour, zenith, horizon, cloud, haze } = light
  const up = Math.max(dy, 0)
  const towardsSun = Math.max(0, dx * sun[0] + dy * sun[1] + dz * sun[2])
  const climb = (up / (up + 0.16)) * 1.16
  let r = horizon[0] + (zenith[0] - horizon[0]) * climb
  let g = horizon[1] + (zenith[1] - horizon[1]) * climb
  let b = horizon[2] + (zenith[2] - horizon[2]) * climb
  // The air itself glows around the sun.
  const wide = towardsSun ** 6
  const close = towardsSun ** 48
  const glow = 0.07 * wide * (0.5 + 0.5 * haze) + 0.16 * close
  r += sunColour[0] * glow
  g += sunColour[1] * glow
  b += sunColour[2] * glow
  let open = 1
  if (dy > 0.012 && cloud > 0.02) {
    const scale = 0.1 / (dy + 0.11)
    const u = dx * scale + light.cloudSeed
    const v = dz * scale + light.cloudSeed * 0.37
    const footprint = 0.0003 / (dy + 0.11) ** 2
    const density =
      0.72 * sampleTile(clouds, u, v, footprint) + 0.28 * sampleTile(clouds, u * 3.1 + 0.3, v * 3.1, footprint * 3.1)
    const least = 0.72 - 0.55 * cloud
    const cover = smooth(least, least + 0.2, density) * smooth(0.012, 0.1, dy)
    if (cover > 0) {
      // Thicker towards the sun means less light on this side.
      const ahead = sampleTile(clouds, u + sun[0] * 0.02, v + sun[2] * 0.02, footprint)
      const lit = smooth(0.2, -0.12, ahead - density + 0.35 * (density - least))
      const shade = 0.42 + 0.58 * lit
      const bright = 0.2 + 0.16 * wide
      const base = 0.5 * (zenith[1] + horizon[1])
      const soft = 0.66 + 0.34 * shade
      r += (shade * sunColour[0] * bright + soft * (0.56 * base + 0.36 * horizon[0]) - r) * cover
      g += (shade * sunColour[1] * bright + soft * (0.6 * base + 0.36 * horizon[1]) - g) * cover
      b += (shade * sunColour[2] * bright + soft * (0.68 * base + 0.36 * horizon[2]) - b) * cover
      open = 1 - cover
    }
  }
  const disc = smooth(0.99975, 0.9999, towardsSun) * open
  r += sunColour[0] * 22 * disc
  g += sunColour[1] * 22 * disc
  b += sunColour[2] * 22 * disc
  // Three ridges of wooded hills, paler the farther away.
  if (dy < 0.16) {
    const round = Math.atan2(dx, dz) / (2 * Math.PI)
    const rise = dy / Math.hypot(dx, dz)
    for (let ridge = 2; ridge >= 0; ridge--) {
      const shape = sampleTile(ridges, round * (2 + ridge), 0.21 + 0.33 * ridge)
      const rough = sampleTile(ridges, round * (40 - 10 * ridge), 0.5 + 0.1 * ridge) - 0.5
      const crest = -0.01 + 0.018 * ridge + (0.05 + 0.016 * ridge) * (shape - 0.25) + 0.005 * rough
      const inside = smooth(crest + 0.0014, crest - 0.0014, rise)
      if (inside <= 0) continue
      const haziness = Math.min(0.93, (0.42 + 0.19 * ridge) * (0.75 + 0.25 * haze))
      const wood = 0.7 + 0.5 * sampleTile(ridges, round * 60, rise * 12 + ridge * 0.4)
      const lit = 0.35 + 0.3 * Math.max(0, sun[1])
      r +=
        (wood * (0.045 * lit * (sunColour[0] + 2 * light.ambient[0])) * (1 - haziness) + horizon[0] * 0.82 * haziness - r) *
        inside
      g +=
        (wood * (0.062 * lit * (sunColour[1] + 2 * light.ambient[1])) * (1 - haziness) + horizon[1] * 0.85 * haziness - g) *
        inside
      b +=
        (wood * (0.034 * lit * (sunColour[2] + 2 * light.ambient[2])) * (1 - haziness) + horizon[2] * 0.9 * haziness - b) *
        inside
    }
  }
  out[0] = r
  out[1] = g
  out[2] = b
}
