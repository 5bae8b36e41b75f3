// Which part of a camera's picture the model looks at. A camera may be mounted on its side, so there are two pictures: the
// one it gives, and the upright one that people see. All settings and messages speak of the upright one.
import { type ModelInput, modelRegion } from '../../deploy/bundle.ts'
import { type Fit, fitGeometry, type Rectangle, type Size } from '../../deploy/fit-geometry.ts'
import type { CameraConfig } from '../settings/config.ts'

/** How far the camera's picture is turned clockwise to stand upright. */
export type Rotation = CameraConfig['rotation']

export interface View {
  /** Size of the upright picture. */
  upright: Size
  /** What the model's picture covers, in pixels of the upright picture; with a letterbox it reaches beyond. */
  region: Rectangle
  /** What of the upright picture is in it; the rest is bars. */
  seen: Rectangle
  /** The same in the picture as the camera gives it: what is cut out. */
  cut: Rectangle
  /** Where that lies in the model's picture, once it is turned. */
  target: Fit['target']
}

/** Throws where the configured region does not fit the picture. */
export function viewOf(given: Size, { region, rotation }: Pick<CameraConfig, 'region' | 'rotation'>, input: ModelInput): View {
  const upright = turned(given, rotation)
  const part = region ? partOf(upright, region) : { x: 0, y: 0, ...upright }
  const { source, target } = fitGeometry(part, input)
  const moved = (inside: Rectangle) => ({ ...inside, x: inside.x + part.x, y: inside.y + part.y })
  const seen = moved(source)
  return { upright, region: moved(modelRegion(part, input)), seen, cut: asGiven(seen, upright, rotation), target }
}

/** A size after a quarter turn or two. */
export const turned = ({ width, height }: Size, rotation: Rotation): Size =>
  rotation % 180 === 0 ? { width, height } : { width: height, height: width }

/** The region in whole pixels, even ones, since colour comes for two by two of them. */
function partOf({ width, height }: Size, region: readonly number[]): Rectangle {
  const shares = region.every((number) => number <= 1)
  const inPixels = region.map((number, i) => (shares ? number * (i % 2 ? height : width) : number))
  const [x = 0, y = 0, wide = 0, high = 0] = inPixels.map((number) => 2 * Math.round(number / 2))
  const part = { x, y, width: Math.min(wide, width - x), height: Math.min(high, height - y) }
  const beyond = x + wide > width + 1 || y + high > height + 1
  if (beyond || part.width < 2 || part.height < 2)
    throw new Error(`The region [${region.join(', ')}] of the config does not lie within the picture of ${width} x ${height}`)
  return part
}

/** Where a rectangle of the upright picture lies in the one that the camera gives. */
function asGiven({ x, y, width, height }: Rectangle, upright: Size, rotation: Rotation): Rectangle {
  const right = upright.width - x - width
  const bottom = upright.height - y - height
  if (rotation === 90) return { x: y, y: right, width: height, height: width }
  if (rotation === 180) return { x: right, y: bottom, width, height }
  if (rotation === 270) return { x: bottom, y: x, width: height, height: width }
  return { x, y, width, height }
}
