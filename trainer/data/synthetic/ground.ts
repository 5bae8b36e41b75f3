// The ground as a mesh: the road's section carried along its course, and fields and hills on both sides.
import { type Mesh, material, meshBuilder, type Point, unit } from './mesh.ts'
import { sampleTile, smooth, type Tile } from './noise.ts'
import { type Instance, place } from './rasterise.ts'
import { kerbWidth, type Road, type Side, sectionHeight, xAt } from './road.ts'

export interface Terrain {
  road: Road
  /** Height of the hills beside the road, metres. */
  hills: number
  shape: Tile
}

const sliceMetres = 2
const slicesInPiece = 12

/** Height of the ground in the world at a distance from the centre line. */
export function groundHeight({ road, hills, shape }: Terrain, u: number, z: number): number {
  const away = Math.abs(u)
  const built = road.height(z) + sectionHeight(road.profile, u)
  if (away < 7) return built
  const along = z / road.length
  const broad = sampleTile(shape, u / 420 + 0.37, along * Math.max(1, Math.round(road.length / 420))) - 0.42
  const small = sampleTile(shape, u / 70 + 0.1, along * Math.max(1, Math.round(road.length / 70))) - 0.5
  return (
    built +
    hills * (broad * 2.2 * smooth(12, 190, away) + 0.12 * small * smooth(7, 22, away)) +
    0.0008 * hills * smooth(40, 400, away) * away
  )
}

/** Offsets outwards from the edge of the asphalt at which the section bends. */
function outwards({ kind, width }: Side): number[] {
  const built =
    kind === 'kerb'
      ? [0.014, kerbWidth, kerbWidth + width, kerbWidth + width + 0.4]
      : [width, width + 0.5, width + 1, width + 1.6, width + 2.2, width + 3.2]
  const far = [4.5, 6, 8, 10.5, 14, 19, 26, 36, 50, 70, 100, 150, 230, 380].filter((at) => at > built.at(-1)! + 0.5)
  return [0, ...built, ...far]
}

/** The ground from z 0 to one length of the road, in pieces. */
export function makeGround(terrain: Terrain): Instance[] {
  const { road } = terrain
  const { left, right, sides } = road.profile
  const columns = [
    ...outwards(sides.left)
      .map((at) => left - at)
      .reverse(),
    0,
    ...outwards(sides.right).map((at) => right + at),
  ]
  const slices = Math.round(road.length / sliceMetres)
  const spot = (column: number, slice: number): Point => {
    const z = (slice * road.length) / slices
    // The foot of the kerb belongs to the asphalt.
    const u = columns[column]!
    return [xAt(road, u, z), groundHeight(terrain, u, z), z]
  }
  const isKerbFace = (column: number) => columns[column + 1]! - columns[column]! < 0.02
  const normal = (column: number, slice: number): Point => {
    const [a, b] = [spot(column, slice - 1), spot(column, slice + 1)]
    const alongSlope = (b[1] - a[1]) / (b[2] - a[2])
    const from = column > 0 && !isKerbFace(column - 1) ? column - 1 : column
    const to = column + 1 < columns.length && !isKerbFace(column) ? column + 1 : column
    const [c, d] = [spot(from, slice), spot(to, slice)]
    const acrossSlope = (d[1] - c[1]) / (d[0] - c[0] || 1)
    return unit([-acrossSlope, 1, -alongSlope])
  }
  const pieces: Instance[] = []
  for (let start = 0; start < slices; start += slicesInPiece) {
    const end = Math.min(start + slicesInPiece, slices)
    const middle: Point = [road.centre(((start + end) / 2) * sliceMetres), 0, ((start + end) / 2) * sliceMetres]
    const made = meshBuilder()
    for (let slice = start; slice < end; slice++)
      for (let column = 0; column + 1 < columns.length; column++) {
        const corners = [
          spot(column, slice),
          spot(column, slice + 1),
          spot(column + 1, slice + 1),
          spot(column + 1, slice),
        ].map(([x, y, z]): Point => [x - middle[0], y - middle[1], z - middle[2]]) as [Point, Point, Point, Point]
        if (isKerbFace(column)) {
          made.quad(...corners, material.ground)
          continue
        }
        const [na, nb, nc, nd] = [
          normal(column, slice),
          normal(column, slice + 1),
          normal(column + 1, slice + 1),
          normal(column + 1, slice),
        ]
        made.shaded([corners[0], corners[1], corners[2]], [na, nb, nc], material.ground)
        made.shaded([corners[0], corners[2], corners[3]], [na, nc, nd], material.ground)
      }
    const mesh: Mesh = made.build()
    pieces.push(place(mesh, middle))
  }
  return pieces
}
