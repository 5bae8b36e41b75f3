// Sunlight and shade: a map of how high above the ground the sun is blocked, cast along the sun's direction on to the
// plane y 0, so that it lies square to x and z and repeats with the road.
import { material, type Point } from './mesh.ts'
import { type Instance, thinning } from './rasterise.ts'

export interface ShadowMap {
  /** Direction to the sun. */
  sun: Point
  /** x of the first texel; z begins at 0 and repeats after all rows. */
  x: number
  /** Metres a texel, and texels. */
  texel: number
  columns: number
  rows: number
  /** Greatest height of anything that blocks the sun there. */
  heights: Float32Array
}

const nothing = -1e6

/** An empty map of `width` metres of x and the whole `length` of z, with texels of about `texel` metres. */
export function makeShadowMap(
  sun: Point,
  { x, width, length, texel }: { x: number; width: number; length: number; texel: number },
): ShadowMap {
  const rows = Math.round(length / texel)
  const columns = Math.ceil(width / (length / rows))
  return { sun, x, texel: length / rows, columns, rows, heights: new Float32Array(columns * rows).fill(nothing) }
}

/** Rows and columns that were drawn on, to be restored by `restoreShadows`. */
export type Touched = [left: number, right: number, top: number, bottom: number][]

/** Adds the shadows of instances. Leaves are thinned as far as the map's texels hide it. */
export function castShadows(map: ShadowMap, instances: Instance[], touched?: Touched): void {
  const [sx, sy, sz] = [map.sun[0] / map.sun[1], 1, map.sun[2] / map.sun[1]]
  const { texel, columns, rows, heights } = map
  for (const { mesh, matrix: m } of instances) {
    const { positions, materials, thinnable } = mesh
    // Blades of grass shade too little to be worth their number.
    if (materials[0] === material.blade) continue
    let count = materials.length
    let growth = 1
    if (thinnable > 0) {
      const thin = thinning(370 * texel)
      growth = thin.growth
      count = thinnable + Math.ceil((count - thinnable) * thin.share)
    }
    const box: Touched[number] = [
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
    ]
    for (let triangle = 0; triangle < count; triangle++) {
      const at = 9 * triangle
      let px = 0
      let py = 0
      let pz = 0
      let grow = 1
      if (growth > 1 && triangle >= thinnable) {
        grow = growth
        px = (positions[at]! + positions[at + 3]! + positions[at + 6]!) / 3
        py = (positions[at + 1]! + positions[at + 4]! + positions[at + 7]!) / 3
        pz = (positions[at + 2]! + positions[at + 5]! + positions[at + 8]!) / 3
      }
      for (let corner = 0; corner < 3; corner++) {
        const x = px + (positions[at + 3 * corner]! - px) * grow
        const y = py + (positions[at + 3 * corner + 1]! - py) * grow
        const z = pz + (positions[at + 3 * corner + 2]! - pz) * grow
        const height = m[4]! * x + m[5]! * y + m[6]! * z + m[7]!
        point[3 * corner] = (m[0]! * x + m[1]! * y + m[2]! * z + m[3]! - height * sx - map.x) / texel
        point[3 * corner + 1] = (m[8]! * x + m[9]! * y + m[10]! * z + m[11]! - height * sz) / texel
        point[3 * corner + 2] = height * sy
      }
      fill(columns, rows, heights, box)
    }
    if (touched !== undefined && box[0] <= box[1]) touched.push(box)
  }
}

/** Puts back what `touched` names from the map as it was before. */
export function restoreShadows(map: ShadowMap, before: Float32Array, touched: Touched): void {
  for (const [left, right, top, bottom] of touched)
    for (let y = top; y <= bottom; y++) {
      const row = (((y % map.rows) + map.rows) % map.rows) * map.columns
      map.heights.set(before.subarray(row + left, row + right + 1), row + left)
    }
}

const point = new Float64Array(9)

function fill(columns: number, rows: number, heights: Float32Array, box: Touched[number]): void {
  const ax = point[0]!
  const ay = point[1]!
  const ah = point[2]!
  const bx = point[3]!
  const by = point[4]!
  const bh = point[5]!
  const cx = point[6]!
  const cy = point[7]!
  const ch = point[8]!
  const area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
  if (Math.abs(area) < 1e-9) return
  const left = Math.max(0, Math.ceil(Math.min(ax, bx, cx) - 0.5))
  const right = Math.min(columns - 1, Math.floor(Math.max(ax, bx, cx) - 0.5))
  const top = Math.ceil(Math.min(ay, by, cy) - 0.5)
  const bottom = Math.floor(Math.max(ay, by, cy) - 0.5)
  if (left > right || top > bottom) return
  box[0] = Math.min(box[0], left)
  box[1] = Math.max(box[1], right)
  box[2] = Math.min(box[2], top)
  box[3] = Math.max(box[3], bottom)
  const inverse = 1 / area
  const wbX = (cy - ay) * inverse
  const wbY = -(cx - ax) * inverse
  const wcX = -(by - ay) * inverse
  const wcY = (bx - ax) * inverse
  for (let y = top; y <= bottom; y++) {
    let wb = (left + 0.5 - ax) * wbX + (y + 0.5 - ay) * wbY
    let wc = (left + 0.5 - ax) * wcX + (y + 0.5 - ay) * wcY
    const row = (((y % rows) + rows) % rows) * columns
    for (let x = left; x <= right; x++, wb += wbX, wc += wcX) {
      if (wb < 0 || wc < 0 || wb + wc > 1) continue
      const height = ah + wb * (bh - ah) + wc * (ch - ah)
      if (height > heights[row + x]!) heights[row + x] = height
    }
  }
}

/** Share of the sun that reaches a point, 0 to 1; the light's edge is about `softness` texels wide. */
export function sunlight(map: ShadowMap, x: number, y: number, z: number, bias: number, softness: number): number {
  const { texel, columns, rows, heights, sun } = map
  const u = (x - (y * sun[0]) / sun[1] - map.x) / texel - 0.5
  const v = (z - (y * sun[2]) / sun[1]) / texel - 0.5
  if (u < 2 || u > columns - 3) return 1
  const limit = y + bias
  let lit = 0
  for (let tap = 0; tap < 5; tap++) {
    const tu = u + taps[2 * tap]! * softness
    const tv = v + taps[2 * tap + 1]! * softness
    const u0 = Math.floor(tu)
    const v0 = Math.floor(tv)
    const fu = tu - u0
    const fv = tv - v0
    const rowA = (((v0 % rows) + rows) % rows) * columns + u0
    const rowB = ((((v0 + 1) % rows) + rows) % rows) * columns + u0
    const a = heights[rowA]! < limit ? 1 - fu : 0
    const b = heights[rowA + 1]! < limit ? fu : 0
    const c = heights[rowB]! < limit ? 1 - fu : 0
    const d = heights[rowB + 1]! < limit ? fu : 0
    lit += (a + b) * (1 - fv) + (c + d) * fv
  }
  return lit / 5
}

/** A small even pattern around the middle. */
const taps = [0, 0, 0.9, 0.3, -0.3, 0.9, -0.9, -0.3, 0.3, -0.9]
