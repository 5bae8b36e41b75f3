// Where a part of a camera picture lands in the picture that a model takes. Numbers only: shared by the trainer, by
// evaluate and by whoever builds a camera pipeline, so that all of them cut and scale alike.
import { type ModelInput, modelRegion } from './bundle.ts'

/** Level of the bars beside a letterboxed picture, in all three channels. */
export const barGrey = 128

export interface Size {
  width: number
  height: number
}

export interface Rectangle extends Size {
  x: number
  y: number
}

export interface Fit {
  /** The part of the picture that is taken, in picture pixels. */
  source: Rectangle
  /** Where that part lies in the model's picture, in the model's pixels; the rest of it is border. */
  target: Rectangle
}

/** Where the edge `at` of the span that begins at `start` comes to lie when `length` is scaled to `size`. */
const scaled = (at: number, start: number, length: number, size: number) => Math.round(((at - start) * size) / length)

/** Maps the region of a picture that `modelRegion` names on to the whole of a model's picture. What lies beyond is border. Throws where nothing of the picture would be seen. */
export function fitGeometry(picture: Size, input: Pick<ModelInput, 'width' | 'height' | 'fit'>): Fit {
  const region = modelRegion(picture, input)
  const left = Math.max(0, region.x)
  const top = Math.max(0, region.y)
  const right = Math.min(picture.width, region.x + region.width)
  const bottom = Math.min(picture.height, region.y + region.height)
  const x = scaled(left, region.x, region.width, input.width)
  const y = scaled(top, region.y, region.height, input.height)
  const width = scaled(right, region.x, region.width, input.width) - x
  const height = scaled(bottom, region.y, region.height, input.height) - y
  if (right <= left || bottom <= top || width < 1 || height < 1)
    throw new Error(
      `Expected a region inside a picture of ${picture.width}x${picture.height}, found ${region.width}x${region.height} at ${region.x},${region.y}`,
    )
  return { source: { x: left, y: top, width: right - left, height: bottom - top }, target: { x, y, width, height } }
}
