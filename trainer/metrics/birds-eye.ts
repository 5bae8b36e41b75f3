// From the camera's perspective to the bird's-eye view in which KITTI's road benchmark measures: the plane of the road, 10 m
// to both sides and 6 m to 46 m ahead, in cells of 5 cm (Fritsch, Kühnl, Geiger, ITSC 2013; BirdsEyeView.py and
// transform2BEV.py of its development kit, whose roundings are kept).
import { readFile } from 'node:fs/promises'
import type { Size } from '../../deploy/fit-geometry.ts'

/** Metres a cell, and where the cells begin: on the left, and furthest ahead. */
const cell = 0.05
const left = -10
const farthest = 46

/** Cells across and ahead; the first row is the farthest. */
export const birdsEyeSize = { width: 400, height: 800 } as const

type Row = [number, number, number]

/** From (x, z, 1) on the road, metres, to homogeneous pixels (u, v, w), a row each. The first pixel's centre is (1, 1). */
export type RoadPlane = [Row, Row, Row]

const shapes = { P2: [3, 4], R0_rect: [3, 3], Tr_cam_to_road: [3, 4] } as const

/** Reads a calibration file of the benchmark. Throws with the file where a matrix is missing, has other numbers or no inverse. */
export async function readRoadPlane(file: string): Promise<RoadPlane> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new Error(`Expected a calibration file of KITTI's road benchmark, but ${file} cannot be read`, { cause })
  })
  const [p2, rectification, toRoad] = Object.entries(shapes).map(([name, [rows, columns]]) => {
    const line = text.split('\n').find((one) => one.startsWith(`${name}:`))
    const values =
      line
        ?.slice(name.length + 1)
        .trim()
        .split(/\s+/)
        .map(Number) ?? []
    if (values.length !== rows * columns || !values.every(Number.isFinite))
      throw new Error(
        `${file}: expected a line "${name}:" of ${rows * columns} numbers, found ${line ? `"${line.trim().slice(0, 60)}"` : 'none'}`,
      )
    return values
  }) as [number[], number[], number[]]
  const camera = affine(inverse(rotation(toRoad), file), toRoad)
  const projection = multiply(multiply(p2, extended(rectification)), camera)
  // On the road y is 0.
  return [0, 1, 2].map((row) => [0, 2, 3].map((column) => projection[4 * row + column]!)) as RoadPlane
}

/** The 3 x 3 part of a 3 x 4 matrix. */
const rotation = (matrix: number[]) => matrix.filter((_, i) => i % 4 !== 3)

/** A 3 x 3 matrix as 4 x 4, row by row. */
const extended = (m: number[]) => [0, 1, 2].flatMap((row) => [...m.slice(3 * row, 3 * row + 3), 0]).concat(0, 0, 0, 1)

/** 4 x 4: the inverse of x -> matrix x + translation, from the inverse of the matrix; `original` is 3 x 4. */
function affine(inverted: number[], original: number[]): number[] {
  const [tx, ty, tz] = [3, 7, 11].map((i) => original[i]!) as [number, number, number]
  const rows = [0, 3, 6].flatMap((at) => {
    const [a, b, c] = inverted.slice(at, at + 3) as [number, number, number]
    return [a, b, c, -(a * tx + b * ty + c * tz)]
  })
  return [...rows, 0, 0, 0, 1]
}

/** Rows of 4 by 4 x 4. */
const multiply = (a: number[], b: number[]) =>
  a.map((_, at) => [0, 1, 2, 3].reduce((sum, k) => sum + a[at - (at % 4) + k]! * b[4 * k + (at % 4)]!, 0))

function inverse(m: number[], file: string): number[] {
  const [a, b, c, d, e, f, g, h, i] = m as [number, number, number, number, number, number, number, number, number]
  const minors = [e * i - f * h, c * h - b * i, b * f - c * e, f * g - d * i, a * i - c * g, c * d - a * f, d * h - e * g]
  const adjugate = [...minors, b * g - a * h, a * e - b * d]
  const determinant = a * adjugate[0]! + b * adjugate[3]! + c * adjugate[6]!
  if (Math.abs(determinant) < 1e-12)
    throw new Error(`${file}: expected a rotation in Tr_cam_to_road, found a matrix without an inverse`)
  return adjugate.map((value) => value / determinant)
}

/** Positions of cell centres as numpy's arange makes them, in single precision. */
const centres = (count: number, first: number, step: number) =>
  Float32Array.from({ length: count }, (_, i) => first + i * (first + step - first))

/**
 * The pixel that each cell takes its value from, [800, 400], as its index in a picture of this size; -1 where the cell lies
 * outside. It is the pixel whose 1-based coordinates, rounded down, are the cell's centre.
 */
export function birdsEyeView([[ux, uz, u1], [vx, vz, v1], [wx, wz, w1]]: RoadPlane, { width, height }: Size): Int32Array {
  const xs = centres(birdsEyeSize.width, left + cell / 2, cell)
  const zs = centres(birdsEyeSize.height, farthest - cell / 2, -cell)
  const pixels = new Int32Array(xs.length * zs.length)
  let at = 0
  for (const z of zs)
    for (const x of xs) {
      const w = wx * x + wz * z + w1
      const u = (ux * x + uz * z + u1) / w
      const v = (vx * x + vz * z + v1) / w
      const inside = u >= 1 && v >= 1 && u <= width && v <= height
      pixels[at++] = inside ? (Math.trunc(v) - 1) * width + Math.trunc(u) - 1 : -1
    }
  return pixels
}

/** A picture of one value a pixel in bird's-eye view, [800, 400]; `outside` where the picture does not show the road. */
export const toBirdsEye = <T extends Uint8Array | Float32Array>(values: T, view: Int32Array, outside: number): T =>
  (values instanceof Uint8Array
    ? Uint8Array.from(view, (pixel) => (pixel < 0 ? outside : values[pixel]!))
    : Float32Array.from(view, (pixel) => (pixel < 0 ? outside : values[pixel]!))) as T
