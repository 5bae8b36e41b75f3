// What the ground is made of at a place: asphalt with its paint, cracks and mended spots, kerbs, slabs, gravel, grass and
// fields. Patterns are averaged over the ground that a pixel covers, so that nothing flickers far away.
import { hash, sampleTile, smooth } from './noise.ts'
import { kerbWidth, type Road } from './road.ts'
import type { Tiles } from './tiles.ts'
import type { Surface } from './world.ts'

/** Result of `groundAt`: linear RGB share of light thrown back, how smooth, whether it is road. */
export interface Ground {
  r: number
  g: number
  b: number
  /** 0 rough to 1 smooth as water, before rain. */
  gloss: number
  /** Where water stands first. */
  hollow: number
  road: boolean
}

/** Share of [a, b] in a pixel that is `wide` metres wide around `at`. */
const cover = (at: number, a: number, b: number, wide: number) =>
  Math.max(0, Math.min(b, at + wide / 2) - Math.max(a, at - wide / 2)) / wide

/** Share of painted metres of a dashed line in a pixel. */
function dashes(at: number, on: number, off: number, long: number): number {
  if (off === 0) return 1
  const period = on + off
  const painted = (s: number) => Math.floor(s / period) * on + Math.min(s - Math.floor(s / period) * period, on)
  return (painted(at + long / 2) - painted(at - long / 2)) / long
}

/**
 * The ground `u` metres from the centre line and `s` metres along it; a pixel covers `wide` by `long` metres. Writes into
 * `ground`.
 */
export function groundAt(
  road: Road,
  surface: Surface,
  tiles: Tiles,
  u: number,
  s: number,
  wide: number,
  long: number,
  ground: Ground,
): void {
  const { left, right, sides } = road.profile
  const beyond = u < left ? left - u : u - right
  ground.road = beyond <= 0
  ground.gloss = 0
  ground.hollow = 0
  if (beyond <= 0) asphalt(road, surface, tiles, u, s, wide, long, -beyond, ground)
  else {
    const side = u < 0 ? sides.left : sides.right
    if (side.kind === 'kerb' && beyond < kerbWidth + side.width)
      pavement(road, surface, tiles, beyond, u, s, wide, long, ground)
    else
      land(
        road,
        surface,
        tiles,
        beyond,
        side.width + (side.kind === 'kerb' ? kerbWidth : 0),
        side.kind === 'verge',
        u,
        s,
        wide,
        long,
        ground,
      )
  }
}

/** Repetitions a metre of a pattern about `metres` long, so that whole ones fit the road. */
const rate = (road: Road, metres: number) => Math.max(1, Math.round(road.arcLength / metres)) / road.arcLength

function asphalt(
  road: Road,
  surface: Surface,
  tiles: Tiles,
  u: number,
  s: number,
  wide: number,
  long: number,
  inside: number,
  ground: Ground,
): void {
  const { lanes, markings } = road.profile
  const { seed, patchy, worn, cracked, mended, dirt, warmth } = surface
  const span = Math.sqrt(wide * long)
  const broad = sampleTile(tiles.cloud, u / 19 + seed, s * rate(road, 23), span / 20)
  const strip = sampleTile(tiles.soft, u / 7 + seed * 1.7, s * rate(road, 61), span / 14)
  const grain = sampleTile(tiles.grain, u / 1.3, s * rate(road, 1.3), span / 1.3)
  let tone = surface.tone * (1 + patchy * (0.7 * (broad - 0.5) + 0.4 * (strip - 0.5)) + 0.55 * (grain - 0.5))
  // Tyres polish two tracks in each lane, oil drips between them.
  for (const lane of lanes) {
    const off = Math.abs(u - lane)
    if (off > 1.9) continue
    const track = (off - 0.76) / 0.3
    tone *= 1 - 0.13 * Math.exp(-track * track) * (0.5 + strip)
    const middle = off / 0.34
    tone *= 1 - 0.1 * Math.exp(-middle * middle) * broad * 2
  }
  const cell = 1 / rate(road, 13)
  const index = Math.floor(s / cell)
  const count = Math.round(road.arcLength / cell)
  const inRound = ((index % count) + count) % count
  const within = s - index * cell
  const salt = Math.round(seed * 1000)
  if (hash(inRound, salt) < mended) {
    const middle = road.profile.left + (road.profile.right - road.profile.left) * hash(inRound, salt + 1)
    const half = 0.4 + 1.1 * hash(inRound, salt + 2)
    const start = cell * 0.45 * hash(inRound, salt + 3)
    const end = start + cell * (0.12 + 0.42 * hash(inRound, salt + 4))
    const inPatch = cover(u, middle - half, middle + half, wide) * cover(within, start, end, long)
    tone += (tone * (0.62 + 0.55 * hash(inRound, salt + 5)) - tone) * inPatch
    const seam =
      inPatch - cover(u, middle - half + 0.05, middle + half - 0.05, wide) * cover(within, start + 0.05, end - 0.05, long)
    tone *= 1 - 0.45 * Math.max(0, seam)
  }
  if (hash(inRound, salt + 6) < 0.16) {
    const lane = lanes[Math.floor(hash(inRound, salt + 7) * lanes.length)] ?? 0
    const off = Math.hypot(u - lane - 0.4, within - cell / 2)
    const soft = Math.max(0.02, span)
    tone *= 1 - 0.42 * smooth(0.34 + soft, 0.34 - soft, off) * (1 - 0.5 * smooth(0.27 - soft, 0.27 + soft, off))
  }
  if (cracked > 0 && span < 0.25) {
    const vein = Math.abs(sampleTile(tiles.cloud, u / 11 + 0.61 + seed, s * rate(road, 11)) - 0.5)
    const where = smooth(0.62 - 0.25 * cracked, 0.75 - 0.2 * cracked, sampleTile(tiles.soft, u / 23 + seed, s * rate(road, 31)))
    const thin = 0.004 + span / 30
    tone *= 1 - 0.55 * cracked * where * smooth(thin, 0, vein) * Math.min(1, 0.012 / thin) * smooth(0.25, 0.05, span) * 1.6
  }
  const joint = cover(u, -0.012, 0.012, wide) * 0.35
  tone *= 1 - joint
  let r = tone * (1 + 0.05 * warmth)
  let g = tone
  let b = tone * (1 - 0.07 * warmth)
  const grime = dirt * smooth(0.75, 0, inside - 0.35 * (broad - 0.5)) * (0.4 + 0.6 * grain)
  r += (0.16 - r) * grime
  g += (0.135 - g) * grime
  b += (0.1 - b) * grime
  for (const marking of markings) {
    const half = marking.width / 2
    if (Math.abs(u - marking.u) > half + wide) continue
    const painted = cover(u, marking.u - half, marking.u + half, wide) * dashes(s, marking.on, marking.off, long)
    if (painted <= 0) continue
    const gone =
      worn *
      smooth(
        0.75 - 0.45 * worn,
        0.95 - 0.4 * worn,
        0.55 * sampleTile(tiles.cloud, u / 2.1, s * rate(road, 3.3), span / 3) + 0.45 * grain,
      )
    const paint = painted * (1 - gone) * (1 - 0.3 * worn)
    const shade = 0.86 + 0.28 * (grain - 0.5)
    const [pr, pg, pb] = marking.colour === 'white' ? white : yellow
    r += (pr! * shade - r) * paint
    g += (pg! * shade - g) * paint
    b += (pb! * shade - b) * paint
  }
  ground.r = r
  ground.g = g
  ground.b = b
  ground.gloss = 0.25
  ground.hollow = smooth(0.5, 0.74, 0.6 * broad + 0.4 * strip) + 0.6 * smooth(0.6, 0, inside)
}
const white = [0.72, 0.72, 0.69]
const yellow = [0.74, 0.5, 0.09]

function pavement(
  road: Road,
  surface: Surface,
  tiles: Tiles,
  beyond: number,
  u: number,
  s: number,
  wide: number,
  long: number,
  ground: Ground,
): void {
  const span = Math.sqrt(wide * long)
  const grain = sampleTile(tiles.grain, u / 1.1, s * rate(road, 1.1), span / 1.1)
  const broad = sampleTile(tiles.cloud, u / 9 + surface.seed, s * rate(road, 17), span / 13)
  const stone = beyond < kerbWidth
  const length = 1 / rate(road, stone ? 1 : 0.6)
  const row = Math.floor((beyond - kerbWidth) / 0.5)
  const place = s / length + (stone ? 0 : 0.5 * (row & 1))
  const slab = Math.floor(place)
  const edge = (place - slab) * length
  let tone = (stone ? 0.34 : 0.27) * (0.8 + 0.28 * broad + 0.24 * (grain - 0.5))
  const faded = smooth(0.35, 0.1, span)
  tone *= 1 + 0.16 * faded * (hash(slab * 31 + row, Math.round(surface.seed * 977)) - 0.5)
  tone *= 1 - 0.45 * Math.min(1, cover(edge, 0, 0.014, Math.min(long, length)))
  if (!stone) tone *= 1 - 0.4 * cover(beyond - kerbWidth - row * 0.5, 0, 0.014, Math.min(wide, 0.5))
  const grime = surface.dirt * 0.5 * smooth(0.45, 0.8, broad)
  ground.r = tone * 1.02 * (1 - 0.25 * grime)
  ground.g = tone * (1 - 0.3 * grime)
  ground.b = tone * 0.95 * (1 - 0.4 * grime)
  ground.gloss = 0.15
  ground.hollow = 0.2 * broad
}

function land(
  road: Road,
  surface: Surface,
  tiles: Tiles,
  beyond: number,
  built: number,
  shoulder: boolean,
  u: number,
  s: number,
  wide: number,
  long: number,
  ground: Ground,
): void {
  const span = Math.sqrt(wide * long)
  const broad = sampleTile(tiles.cloud, u / 33 + surface.seed, s * rate(road, 41), span / 37)
  const mid = sampleTile(tiles.cloud, u / 5.3, s * rate(road, 5.3), span / 5.3)
  const grain = sampleTile(tiles.grain, u / 0.9, s * rate(road, 0.9), span / 0.9)
  const dry = Math.min(1, Math.max(0, surface.dry + 0.9 * (broad - 0.5) + 0.5 * (mid - 0.5)))
  let light = (0.62 + 0.42 * mid + 0.5 * (grain - 0.5)) * (0.8 + 0.4 * broad)
  let r = 0.075 + 0.16 * dry
  let g = 0.125 + 0.065 * dry
  let b = 0.028 + 0.035 * dry
  const away = Math.abs(u)
  if (away > 15) {
    // Fields: each with a crop and rows of its own.
    const long = 1 / rate(road, 83)
    const column = Math.floor(away / 52) * Math.sign(u)
    const plot = Math.floor(s / long)
    const count = Math.round(road.arcLength / long)
    const kind = hash((((plot % count) + count) % count) * 17 + column, Math.round(surface.seed * 571))
    const share = smooth(15, 17, away)
    const crop = kind < 0.45 ? undefined : kind < 0.62 ? wheat : kind < 0.8 ? young : stubble
    if (crop !== undefined) {
      r += (crop[0]! - r) * share
      g += (crop[1]! - g) * share
      b += (crop[2]! - b) * share
      const rows = 0.5 + 0.5 * Math.sin((u * 2 * Math.PI) / 1.1)
      light *= 1 + 0.3 * share * (rows - 0.5) * smooth(0.7, 0.2, wide)
    }
  }
  r *= light
  g *= light
  b *= light
  // The shoulder: gravel that grass grows over.
  const gravel = shoulder ? smooth(built + 0.5, built - 0.15, beyond + 0.7 * (mid - 0.5)) : 0.7 * smooth(0.5, 0, beyond - built)
  if (gravel > 0) {
    const tone = 0.6 + 0.9 * (grain - 0.5) + 0.5 * mid
    r += (0.23 * tone - r) * gravel
    g += (0.2 * tone - g) * gravel
    b += (0.155 * tone - b) * gravel
  }
  ground.r = Math.max(0.005, r)
  ground.g = Math.max(0.005, g)
  ground.b = Math.max(0.004, b)
}
const wheat = [0.36, 0.27, 0.1]
const young = [0.085, 0.17, 0.035]
const stubble = [0.25, 0.2, 0.11]
