// What triangles are made of: colour, smoothness and glow of each material at a place, apart from the ground.
import type { Light } from './light.ts'
import { material, type Point } from './mesh.ts'
import { sampleTile, smooth } from './noise.ts'
import type { Tiles } from './tiles.ts'

/** Result of `matterAt`; linear RGB share of light thrown back. */
export interface Matter {
  r: number
  g: number
  b: number
  /** Strength of what it mirrors, 0 to about 1.7, and how small the sun's image is in it. */
  gloss: number
  sharpness: number
  /** Light of its own. */
  glow: number
  /** Lit through and from both sides. */
  leafy: boolean
  /** Share of the sky that it sees. */
  open: number
}

interface Plain {
  colour: Point
  /** The triangle's tint counts. */
  tinted?: true
  gloss?: number
  sharpness?: number
  /** Glow always, and for each share of lamps that are on. */
  glow?: [always: number, lamps: number]
}

/** Materials of one colour. */
const plain: Partial<Record<number, Plain>> = {
  [material.glass]: { colour: [0.018, 0.02, 0.022], gloss: 1.7, sharpness: 400 },
  [material.metal]: { colour: [0.34, 0.35, 0.36], tinted: true, gloss: 0.5, sharpness: 30 },
  [material.rubber]: { colour: [0.022, 0.022, 0.022], gloss: 0.12, sharpness: 12 },
  [material.black]: { colour: [0.02, 0.02, 0.02], tinted: true, gloss: 0.25 },
  [material.white]: { colour: [0.66, 0.66, 0.63], tinted: true, gloss: 0.1 },
  [material.red]: { colour: [0.5, 0.025, 0.025], gloss: 0.2 },
  [material.blue]: { colour: [0.02, 0.07, 0.32], gloss: 0.2 },
  [material.lampFront]: { colour: [0.6, 0.6, 0.62], gloss: 1.5, glow: [0.12, 3.5] },
  [material.lampRear]: { colour: [0.42, 0.012, 0.015], gloss: 0.9, glow: [0.02, 0.5] },
  [material.stone]: { colour: [0.3, 0.3, 0.285], tinted: true },
  [material.skin]: { colour: [0.45, 0.28, 0.2] },
}

/** Materials with a pattern: they read their base colour from `matter` and change it. */
type Pattern = (place: Place, matter: Matter) => void

interface Place {
  x: number
  y: number
  z: number
  nx: number
  nz: number
  /** Metres that a pixel covers. */
  wide: number
  tint: number
  accent: Point
  light: Light
  tiles: Tiles
}

function shadeBy(matter: Matter, shade: number): void {
  matter.r *= shade
  matter.g *= shade
  matter.b *= shade
}

function setColour(matter: Matter, r: number, g: number, b: number, shade: number): void {
  matter.r = r * shade
  matter.g = g * shade
  matter.b = b * shade
}

const leaves =
  (strength: number): Pattern =>
  ({ tint }, matter) => {
    shadeBy(matter, strength * tint)
    matter.leafy = true
    matter.open = Math.min(1, 0.25 + 0.75 * strength * tint)
  }

const patterns: Partial<Record<number, Pattern>> = {
  [material.leaf]: leaves(1),
  [material.blade]: leaves(0.85),
  [material.paint]: (_, matter) => {
    matter.gloss = 1
  },
  [material.window]: ({ tint, light }, matter) => {
    setColour(matter, 0.03 + 0.02 * tint, 0.032 + 0.02 * tint, 0.036 + 0.02 * tint, 1)
    // In the evening some rooms are lit.
    matter.glow = 0.55 * light.lamps * (tint > 1.05 ? 1 : 0.03)
    matter.gloss = 1.5
    matter.sharpness = 300
  },
  [material.lamp]: ({ tint, light }, matter) => {
    setColour(matter, 0.7, 0.68, 0.6, tint)
    // Darker ones are reflectors.
    matter.glow = tint > 0.7 ? 4 * light.lamps : 0
  },
  [material.wall]: ({ x, y, z, wide, tiles }, matter) => {
    const stain = sampleTile(tiles.cloud, (x + z) / 7, y / 5, wide / 6)
    const streak = sampleTile(tiles.soft, (x + z) / 2.2, y / 23, wide / 8)
    shadeBy(matter, 0.84 + 0.22 * stain + 0.12 * (streak - 0.5))
    matter.gloss = 0.03
  },
  [material.brick]: ({ x, y, z, nx, nz, wide, tiles }, matter) => {
    const along = Math.abs(nx) > Math.abs(nz) ? z : x
    const row = Math.floor(y / 0.075)
    const shifted = along / 0.24 + 0.5 * (row & 1)
    const brick = Math.floor(shifted)
    const detail = smooth(0.018, 0.006, wide)
    const differ = sampleTile(tiles.grain, brick * 0.137 + row * 0.071, row * 0.213 + brick * 0.051) - 0.5
    const inMortar = y / 0.075 - row < 0.14 || shifted - brick < 0.05
    const mortar = inMortar ? detail : 0.17 * (1 - detail)
    const stain = sampleTile(tiles.cloud, along / 6, y / 6, wide / 6)
    shadeBy(matter, (0.8 + 0.35 * stain) * (1 + 0.55 * differ * detail))
    matter.r += (0.36 - matter.r) * mortar
    matter.g += (0.33 - matter.g) * mortar
    matter.b += (0.29 - matter.b) * mortar
  },
  [material.roof]: ({ x, y, z, wide, accent, tiles }, matter) => {
    const row = y / 0.17
    const inRow = row - Math.floor(row)
    const detail = smooth(0.13, 0.04, wide)
    const differ = sampleTile(tiles.grain, Math.floor((x + z) / 0.25) * 0.09, Math.floor(row) * 0.11) - 0.5
    const stain = sampleTile(tiles.cloud, (x + z) / 8, y / 5, wide / 6)
    const shade = (0.75 + 0.45 * stain) * (1 - 0.35 * detail * smooth(0.3, 0, inRow)) * (1 + 0.5 * differ * detail)
    setColour(matter, accent[0], accent[1], accent[2], shade)
    matter.gloss = 0.08
    matter.sharpness = 14
  },
  [material.wood]: ({ x, y, z, wide, tiles }, matter) => {
    setColour(matter, 0.19, 0.125, 0.075, 0.7 + 0.5 * sampleTile(tiles.grain, (x + z) / 0.35, y / 3, wide))
  },
  [material.bark]: ({ x, y, z, wide, tint, tiles }, matter) => {
    const streak = sampleTile(tiles.grain, (x + z) / 0.5, y / 2, wide)
    setColour(matter, 0.12, 0.09, 0.065, (0.6 + 0.7 * streak) * tint)
    matter.open = 0.75
  },
}

/** The material `what` of an instance at a place, into `matter`. */
export function matterAt(what: number, colour: Point, place: Place, matter: Matter): void {
  matter.gloss = 0
  matter.sharpness = 60
  matter.glow = 0
  matter.leafy = false
  matter.open = 1
  const simple = plain[what]
  if (simple !== undefined) {
    const { colour: own, tinted, gloss = 0, sharpness = 60, glow } = simple
    setColour(matter, own[0], own[1], own[2], tinted ? place.tint : 1)
    matter.gloss = gloss
    matter.sharpness = sharpness
    if (glow !== undefined) matter.glow = glow[0] + glow[1] * place.light.lamps
    return
  }
  setColour(matter, colour[0], colour[1], colour[2], 1)
  patterns[what]?.(place, matter)
}

/** Red, green and blue of a material's own light, as shares of its glow. */
export const glowColour = (what: number): Point => (what === material.lampRear ? rearGlow : warmGlow)
const rearGlow: Point = [1, 0.04, 0.03]
const warmGlow: Point = [1, 0.86, 0.62]
