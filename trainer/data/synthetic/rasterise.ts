// Triangles into a buffer of samples, 2 x 2 a pixel: how far, what, and which way it faces. Colour comes later, once for
// each thing that a pixel sees (deferred shading), so thousands of leaves cost little.
import type { Camera } from './camera.ts'
import type { Mesh, Point } from './mesh.ts'

/** Samples along each side of a pixel. */
export const perSide = 2

/** A mesh in the world. */
export interface Instance {
  mesh: Mesh
  /** Rows of a 3 x 4 matrix: turn, scale and place. */
  matrix: Float64Array
  /** Linear RGB of its paint, plaster or leaves. */
  colour: Point
  /** Linear RGB of its second colour: roof tiles, shutters. */
  accent: Point
  /** Metres a second in the world, for motion blur. */
  velocity: Point
}

export interface Samples {
  width: number
  height: number
  /** 1 / depth along the view; 0 where nothing but sky is. */
  inverseDepth: Float32Array
  /** Place in the list of instances + 1 (16 bits), material (8), tint (8). */
  keys: Uint32Array
  /** World normal, a byte an axis, 128 being 0. */
  normals: Uint32Array
}

export function makeSamples(width: number, height: number): Samples {
  const count = width * height * perSide * perSide
  return {
    width: width * perSide,
    height: height * perSide,
    inverseDepth: new Float32Array(count),
    keys: new Uint32Array(count),
    normals: new Uint32Array(count),
  }
}

export function clearSamples(samples: Samples): void {
  samples.inverseDepth.fill(0)
  samples.keys.fill(0)
}

const near = 0.25
/** Leaves are thinned beyond this distance, and grow to cover as much. */
const thinBeyond = 14
const scratch = { camera: new Float64Array(3 * 4096), screen: new Float64Array(3 * 4096), packed: new Uint32Array(4096) }

/** An instance at a place, turned about the vertical by `yaw` (to the right), scaled, and tilted along the way by `pitch`. */
export function place(
  mesh: Mesh,
  [x, y, z]: Point,
  {
    yaw = 0,
    scale = 1,
    stretch = 1,
    pitch = 0,
    colour = [1, 1, 1] as Point,
    accent = [0.2, 0.11, 0.07] as Point,
    velocity = [0, 0, 0] as Point,
  } = {},
): Instance {
  const [c, s, cp, sp] = [Math.cos(yaw) * scale, Math.sin(yaw) * scale, Math.cos(pitch), Math.sin(pitch)]
  const tall = scale * stretch
  return {
    mesh,
    matrix: Float64Array.of(c, -s * sp, s * cp, x, 0, tall * cp, tall * sp, y, -s, -c * sp, c * cp, z),
    colour,
    accent,
    velocity,
  }
}

/** Share of the leaves that are drawn at a distance, and how much larger each is then. */
export function thinning(distance: number): { share: number; growth: number } {
  const share = Math.max(0.02, Math.min(1, (thinBeyond / Math.max(distance, 1)) ** 1.5))
  return { share, growth: share ** -0.45 }
}

export function rasterise(samples: Samples, camera: Camera, instances: Instance[]): void {
  for (const [index, instance] of instances.entries()) drawInstance(samples, camera, instance, index + 1)
}

function drawInstance(samples: Samples, camera: Camera, { mesh, matrix: m }: Instance, id: number): void {
  const { position: o, right: r, up: u, ahead: a, focal, centreX, centreY } = camera
  const [dx, dy, dz] = [m[3]! - o[0], m[7]! - o[1], m[11]! - o[2]]
  const scale = Math.max(Math.hypot(m[0]!, m[8]!), Math.hypot(m[1]!, m[5]!, m[9]!))
  const radius = mesh.radius * scale
  const depth = dx * a[0] + dy * a[1] + dz * a[2]
  if (depth < near - radius) return
  const wide = camera.width / 2 / focal
  const tall = Math.max(centreY, camera.height - centreY) / focal
  const across = Math.abs(dx * r[0] + dy * r[1] + dz * r[2])
  const upwards = Math.abs(dx * u[0] + dy * u[1] + dz * u[2])
  if (across - wide * depth > radius * Math.hypot(1, wide) || upwards - tall * depth > radius * Math.hypot(1, tall)) return

  let count = mesh.materials.length
  let growth = 1
  if (mesh.thinnable > 0) {
    const thin = thinning(Math.hypot(dx, dy, dz))
    growth = thin.growth
    count = mesh.thinnable + Math.ceil((count - mesh.thinnable) * thin.share)
  }
  const vertices = 3 * count
  if (scratch.packed.length < vertices) {
    scratch.camera = new Float64Array(3 * vertices)
    scratch.screen = new Float64Array(3 * vertices)
    scratch.packed = new Uint32Array(vertices)
  }
  // Object to camera in one matrix.
  const row = (v: Point) => [
    v[0] * m[0]! + v[1] * m[4]! + v[2] * m[8]!,
    v[0] * m[1]! + v[1] * m[5]! + v[2] * m[9]!,
    v[0] * m[2]! + v[1] * m[6]! + v[2] * m[10]!,
    v[0] * dx + v[1] * dy + v[2] * dz,
  ]
  const [x0, x1, x2, x3] = row(r) as [number, number, number, number]
  const [y0, y1, y2, y3] = row(u) as [number, number, number, number]
  const [z0, z1, z2, z3] = row(a) as [number, number, number, number]
  const { positions, normals, materials, tints, twoSided, thinnable } = mesh
  const { camera: seen, screen, packed } = scratch
  const f = focal * perSide
  const [ox, oy] = [centreX * perSide, centreY * perSide]
  for (let triangle = 0; triangle < count; triangle++) {
    const first = 9 * triangle
    let px = 0
    let py = 0
    let pz = 0
    let grow = 1
    if (growth > 1 && triangle >= thinnable) {
      grow = growth
      for (let at = first; at < first + 9; at += 3) {
        px += positions[at]! / 3
        py += positions[at + 1]! / 3
        pz += positions[at + 2]! / 3
      }
    }
    let behind = 0
    for (let at = first; at < first + 9; at += 3) {
      const x = px + (positions[at]! - px) * grow
      const y = py + (positions[at + 1]! - py) * grow
      const z = pz + (positions[at + 2]! - pz) * grow
      const cz = z0 * x + z1 * y + z2 * z + z3
      seen[at] = x0 * x + x1 * y + x2 * z + x3
      seen[at + 1] = y0 * x + y1 * y + y2 * z + y3
      seen[at + 2] = cz
      if (cz < near) behind++
      const inverse = 1 / cz
      screen[at] = ox + f * seen[at]! * inverse
      screen[at + 1] = oy - f * seen[at + 1]! * inverse
      screen[at + 2] = inverse
      const nx = normals[at]!
      const ny = normals[at + 1]!
      const nz = normals[at + 2]!
      packed[at / 3] = pack(
        (m[0]! * nx + m[1]! * ny + m[2]! * nz) / scale,
        (m[4]! * nx + m[5]! * ny + m[6]! * nz) / scale,
        (m[8]! * nx + m[9]! * ny + m[10]! * nz) / scale,
      )
    }
    if (behind === 3) continue
    const key = ((id << 16) | (materials[triangle]! << 8) | tints[triangle]!) >>> 0
    const na = packed[3 * triangle]!
    const nb = packed[3 * triangle + 1]!
    const nc = packed[3 * triangle + 2]!
    if (behind === 0) fill(samples, screen, first, first + 3, first + 6, key, na, nb, nc, twoSided)
    else clip(samples, seen, first, key, [na, nb, nc], f, ox, oy, twoSided)
  }
}

const level = (value: number) => Math.max(0, Math.min(255, Math.round(value * 127 + 128)))
const pack = (x: number, y: number, z: number) => level(x) | (level(y) << 8) | (level(z) << 16)

const clipped = new Float64Array(12)

/** Cuts a triangle at the near plane and draws the one or two that remain. */
function clip(
  samples: Samples,
  seen: Float64Array,
  first: number,
  key: number,
  normals: number[],
  f: number,
  ox: number,
  oy: number,
  twoSided: boolean,
): void {
  let corners = 0
  const kept: number[] = []
  const add = (x: number, y: number, z: number, normal: number) => {
    clipped[3 * corners] = ox + (f * x) / z
    clipped[3 * corners + 1] = oy - (f * y) / z
    clipped[3 * corners + 2] = 1 / z
    kept.push(normal)
    corners++
  }
  for (let corner = 0; corner < 3; corner++) {
    const a = first + 3 * corner
    const b = first + 3 * ((corner + 1) % 3)
    const [za, zb] = [seen[a + 2]!, seen[b + 2]!]
    if (za >= near) add(seen[a]!, seen[a + 1]!, za, normals[corner]!)
    if (za >= near !== zb >= near) {
      const t = (near - za) / (zb - za)
      add(seen[a]! + (seen[b]! - seen[a]!) * t, seen[a + 1]! + (seen[b + 1]! - seen[a + 1]!) * t, near, normals[corner]!)
    }
  }
  fill(samples, clipped, 0, 3, 6, key, kept[0]!, kept[1]!, kept[2]!, twoSided)
  if (corners === 4) fill(samples, clipped, 0, 6, 9, key, kept[0]!, kept[2]!, kept[3]!, twoSided)
}

function fill(
  { width, height, inverseDepth, keys, normals }: Samples,
  screen: Float64Array,
  a: number,
  b: number,
  c: number,
  key: number,
  na: number,
  nb: number,
  nc: number,
  twoSided: boolean,
): void {
  const ax = screen[a]!
  const ay = screen[a + 1]!
  const bx = screen[b]!
  const by = screen[b + 1]!
  const cx = screen[c]!
  const cy = screen[c + 1]!
  const area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
  if (area === 0 || (area < 0 && !twoSided)) return
  const left = Math.max(0, Math.ceil(Math.min(ax, bx, cx) - 0.5))
  const right = Math.min(width - 1, Math.floor(Math.max(ax, bx, cx) - 0.5))
  const top = Math.max(0, Math.ceil(Math.min(ay, by, cy) - 0.5))
  const bottom = Math.min(height - 1, Math.floor(Math.max(ay, by, cy) - 0.5))
  if (left > right || top > bottom) return
  // Weights of the corners: linear over the screen.
  const inverse = 1 / area
  const wbX = (cy - ay) * inverse
  const wbY = -(cx - ax) * inverse
  const wcX = -(by - ay) * inverse
  const wcY = (bx - ax) * inverse
  const da = screen[a + 2]!
  const db = screen[b + 2]! - da
  const dc = screen[c + 2]! - da
  const flat = na === nb && nb === nc
  for (let y = top; y <= bottom; y++) {
    const py = y + 0.5 - ay
    let wb = (left + 0.5 - ax) * wbX + py * wbY
    let wc = (left + 0.5 - ax) * wcX + py * wcY
    for (let x = left, at = y * width + left; x <= right; x++, at++, wb += wbX, wc += wcX) {
      if (wb < 0 || wc < 0 || wb + wc > 1) continue
      const depth = da + wb * db + wc * dc
      if (depth <= inverseDepth[at]!) continue
      inverseDepth[at] = depth
      keys[at] = key
      normals[at] = flat ? na : blend(na, nb, nc, 1 - wb - wc, wb, wc)
    }
  }
}

function blend(a: number, b: number, c: number, wa: number, wb: number, wc: number): number {
  const x = (a & 255) * wa + (b & 255) * wb + (c & 255) * wc
  const y = ((a >> 8) & 255) * wa + ((b >> 8) & 255) * wb + ((c >> 8) & 255) * wc
  const z = (a >> 16) * wa + (b >> 16) * wb + (c >> 16) * wc
  return (x + 0.5) | ((y + 0.5) << 8) | ((z + 0.5) << 16)
}
