// What a camera makes of the light: motion blur, glare, exposure, vignette, noise, rain on the way; then eight bits.
import { random } from '../random.ts'
import type { Camera } from './camera.ts'
import type { Instance } from './rasterise.ts'
import type { Frame } from './shade.ts'

export interface Lens {
  /** Multiplies all light. */
  exposure: number
  /** Strength of the glow around bright spots, and of the darkening of corners. */
  bloom: number
  vignette: number
  /** Standard deviation of the sensor's noise at mid-grey, in levels of 255. */
  noise: number
  /** Seconds that the shutter is open. */
  shutter: number
  /** Levels of red, green and blue, 1 is neutral. */
  cast: [number, number, number]
  saturation: number
  contrast: number
  /** Rain streaks, 0 to 1. */
  streaks: number
  seed: number
}

/** The finished picture, RGB. */
export function develop(
  frame: Frame,
  camera: Camera,
  instances: Instance[],
  speed: [number, number, number],
  lens: Lens,
): Uint8Array {
  const { width, height } = frame
  const light = lens.shutter > 0 ? blurMotion(frame, camera, instances, speed, lens.shutter) : frame.light
  const glow = lens.bloom > 0 ? glowOf(light, width, height) : undefined
  const picture = new Uint8Array(width * height * 3)
  const next = random(lens.seed, 31)
  const [castR, castG, castB] = lens.cast
  const halfW = width / 2
  const halfH = height / 2
  const corner = halfW * halfW + halfH * halfH
  const streaks = lens.streaks > 0 ? rain(width, height, lens.streaks, lens.seed) : undefined
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const pixel = y * width + x
      let r = light[3 * pixel]!
      let g = light[3 * pixel + 1]!
      let b = light[3 * pixel + 2]!
      if (glow !== undefined) {
        const at = 3 * ((y >> 2) * glow.width + (x >> 2))
        r += glow.light[at]! * lens.bloom
        g += glow.light[at + 1]! * lens.bloom
        b += glow.light[at + 2]! * lens.bloom
      }
      if (streaks !== undefined) {
        const drop = streaks[pixel]!
        r += drop
        g += drop
        b += drop * 1.05
      }
      const fall = 1 - (lens.vignette * ((x - halfW) ** 2 + (y - halfH) ** 2)) / corner
      const gain = lens.exposure * fall
      r = film(r * gain * castR)
      g = film(g * gain * castG)
      b = film(b * gain * castB)
      const grey = 0.3 * r + 0.59 * g + 0.11 * b
      r = grey + (r - grey) * lens.saturation
      g = grey + (g - grey) * lens.saturation
      b = grey + (b - grey) * lens.saturation
      r = 0.5 + (r - 0.5) * lens.contrast
      g = 0.5 + (g - 0.5) * lens.contrast
      b = 0.5 + (b - 0.5) * lens.contrast
      let nr = 0
      let ng = 0
      let nb = 0
      if (lens.noise > 0) {
        // Three uniform numbers make a good enough bell; channels share part of it.
        const shared = next() + next() + next() - 1.5
        const own = next() - 0.5
        const amount = lens.noise * 1.6
        nr = (shared + own) * amount
        ng = shared * amount
        nb = (shared - own) * amount
      }
      picture[3 * pixel] = Math.max(0, Math.min(255, 255 * r + nr + 0.5))
      picture[3 * pixel + 1] = Math.max(0, Math.min(255, 255 * g + ng + 0.5))
      picture[3 * pixel + 2] = Math.max(0, Math.min(255, 255 * b + nb + 0.5))
    }
  return picture
}

/** The exposure that a camera would choose: the ground and what stands on it count more than the sky. */
export function exposureFor({ width, height, light }: Frame): number {
  let sum = 0
  let weight = 0
  for (let y = 0; y < height; y += 4)
    for (let x = 0; x < width; x += 4) {
      const at = 3 * (y * width + x)
      const counts = y > 0.4 * height ? 1 : 0.35
      sum += counts * Math.log(0.004 + 0.3 * light[at]! + 0.59 * light[at + 1]! + 0.11 * light[at + 2]!)
      weight += counts
    }
  return 0.27 / Math.exp(sum / weight)
}

/** A film's curve with soft shoulder and toe (Narkowicz's fit of ACES), already in display levels of 0 to 1. */
function filmCurve(light: number): number {
  const x = light * 0.62
  const mapped = Math.min(1, (x * (2.51 * x + 0.03)) / (x * (2.43 * x + 0.59) + 0.14))
  return mapped <= 0.0031308 ? 12.92 * mapped : 1.055 * mapped ** (1 / 2.4) - 0.055
}

/** The curve at light = t² × 16, t in steps of 1 / 4096. */
const curve = Float32Array.from({ length: 4098 }, (_, at) => filmCurve((at / 4096) ** 2 * 16))

function film(light: number): number {
  if (light <= 0) return 0
  if (light >= 16) return 1
  const at = Math.sqrt(light) * 1024
  const index = at | 0
  const low = curve[index]!
  return low + (curve[index + 1]! - low) * (at - index)
}

/** Averages along the way that each pixel moved while the shutter was open. */
function blurMotion(
  { width, height, light, inverseDepth, instance }: Frame,
  camera: Camera,
  instances: Instance[],
  speed: [number, number, number],
  shutter: number,
): Float32Array {
  const { right, up, ahead, focal, centreX, centreY } = camera
  const blurred = new Float32Array(light.length)
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const pixel = y * width + x
      const inverse = inverseDepth[pixel]!
      let mx = 0
      let my = 0
      if (inverse > 0) {
        const velocity = instances[instance[pixel]! - 1]!.velocity
        const vx = (velocity[0] - speed[0]) * shutter
        const vy = (velocity[1] - speed[1]) * shutter
        const vz = (velocity[2] - speed[2]) * shutter
        const across = (x + 0.5 - centreX) / focal
        const upwards = (centreY - y - 0.5) / focal
        const sideways = vx * right[0] + vy * right[1] + vz * right[2]
        const climbing = vx * up[0] + vy * up[1] + vz * up[2]
        const nearing = vx * ahead[0] + vy * ahead[1] + vz * ahead[2]
        mx = Math.max(-24, Math.min(24, (sideways - across * nearing) * inverse * focal))
        my = Math.max(-24, Math.min(24, (upwards * nearing - climbing) * inverse * focal))
      }
      if (mx * mx + my * my < 0.3) {
        blurred[3 * pixel] = light[3 * pixel]!
        blurred[3 * pixel + 1] = light[3 * pixel + 1]!
        blurred[3 * pixel + 2] = light[3 * pixel + 2]!
        continue
      }
      // A tap for every pixel and a half of the way leaves no stripes.
      const taps = 3 + Math.ceil(Math.hypot(mx, my) / 1.5)
      let r = 0
      let g = 0
      let b = 0
      for (let tap = 0; tap < taps; tap++) {
        const t = tap / (taps - 1) - 0.5
        const tx = Math.max(0, Math.min(width - 1, Math.round(x + mx * t)))
        const ty = Math.max(0, Math.min(height - 1, Math.round(y + my * t)))
        const at = 3 * (ty * width + tx)
        r += light[at]!
        g += light[at + 1]!
        b += light[at + 2]!
      }
      blurred[3 * pixel] = r / taps
      blurred[3 * pixel + 1] = g / taps
      blurred[3 * pixel + 2] = b / taps
    }
  return blurred
}

/** Light above white, at a quarter of the size, spread wide. */
function glowOf(light: Float32Array, width: number, height: number): { light: Float32Array; width: number } {
  const [w, h] = [(width + 3) >> 2, (height + 3) >> 2]
  const small = new Float32Array(3 * w * h)
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const from = 3 * (y * width + x)
      const to = 3 * ((y >> 2) * w + (x >> 2))
      for (let channel = 0; channel < 3; channel++)
        small[to + channel]! += Math.min(12, Math.max(0, light[from + channel]! - 0.9)) / 16
    }
  let spread: Float32Array = small
  for (const radius of [2, 5]) spread = boxBlur(boxBlur(spread, w, h, radius), w, h, radius)
  for (let at = 0; at < small.length; at++) spread[at] = 0.5 * spread[at]! + 0.25 * small[at]!
  return { light: spread, width: w }
}

function boxBlur(from: Float32Array, width: number, height: number, radius: number): Float32Array {
  const across = new Float32Array(from.length)
  const both = new Float32Array(from.length)
  const wide = 2 * radius + 1
  const pass = (source: Float32Array, target: Float32Array, lines: number, length: number, lineStep: number, step: number) => {
    for (let line = 0; line < lines; line++)
      for (let channel = 0; channel < 3; channel++) {
        const base = line * lineStep + channel
        let sum = 0
        for (let at = -radius; at <= radius; at++) sum += source[base + step * Math.max(0, Math.min(length - 1, at))]!
        for (let at = 0; at < length; at++) {
          target[base + step * at] = sum / wide
          sum += source[base + step * Math.min(length - 1, at + radius + 1)]! - source[base + step * Math.max(0, at - radius)]!
        }
      }
  }
  pass(from, across, height, width, 3 * width, 3)
  pass(across, both, width, height, 3, 3 * width)
  return both
}

/** Streaks of falling drops: light to add to each pixel. */
function rain(width: number, height: number, amount: number, seed: number): Float32Array {
  const drops = new Float32Array(width * height)
  const next = random(seed, 32)
  const slant = (next() - 0.5) * 0.5
  const count = Math.round((amount * width * height) / 420)
  for (let drop = 0; drop < count; drop++) {
    let x = next() * width
    let y = next() * height
    const near = next() ** 3
    const length = Math.round(height * (0.03 + 0.11 * near))
    const strength = 0.03 + 0.07 * near
    for (let part = 0; part < length; part++, y++, x += slant) {
      const [px, py] = [Math.round(x), Math.round(y)]
      if (px < 0 || px >= width || py < 0 || py >= height) continue
      drops[py * width + px]! += strength * Math.sin((Math.PI * part) / length)
    }
  }
  return drops
}
