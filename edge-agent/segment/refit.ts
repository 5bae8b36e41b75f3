// A picture that was scaled for one model, scaled for another one: by a triangle filter as wide as the reduction, as everywhere.
// What the first model did not see the second one does not see either.
import { type ModelInput, modelRegion } from '../../deploy/bundle.ts'
import { barGrey, fitGeometry, type Rectangle } from '../../deploy/fit-geometry.ts'
import { seenOf, type View } from '../facts/view.ts'
import type { Region } from '../wire.ts'

export interface Refitted {
  /** RGB of the other model's size. */
  pixels: Uint8Array
  /** What it covers of the camera's picture. */
  region: Region
  /** What of the picture it shows. */
  seen: Region
}

/** `rgb`: [height, width, 3] of the view's size. */
export function refit(rgb: Uint8Array, view: View, input: ModelInput): Refitted {
  const { left, right, top, bottom } = seenOf(view)
  const [x, y, across, down] = view.region
  const part = { width: right - left, height: bottom - top }
  // Sizes in camera pixels, since a model's pixels need not be square.
  const [wide, high] = [across / view.width, down / view.height]
  const inCamera = { width: part.width * wide, height: part.height * high }
  const { source, target } = fitGeometry(inCamera, input)
  const region = modelRegion(inCamera, input)
  const columns = weights(left + source.x / wide, source.width / wide, target.width, { from: left, to: right })
  const rows = weights(top + source.y / high, source.height / high, target.height, { from: top, to: bottom })

  const narrow = new Float32Array(view.height * target.width * 3)
  for (let row = top; row < bottom; row++)
    columns.forEach(({ first, shares }, column) => {
      const to = 3 * (row * target.width + column)
      shares.forEach((share, i) => {
        const at = 3 * (row * view.width + first + i)
        for (let c = 0; c < 3; c++) narrow[to + c]! += share * rgb[at + c]!
      })
    })
  const pixels = new Uint8Array(3 * input.width * input.height).fill(barGrey)
  const line = new Float32Array(3 * target.width)
  rows.forEach(({ first, shares }, row) => {
    line.fill(0.5) // rounds
    shares.forEach((share, i) => {
      const at = 3 * (first + i) * target.width
      for (let c = 0; c < line.length; c++) line[c]! += share * narrow[at + c]!
    })
    pixels.set(Uint8Array.from(line), 3 * ((target.y + row) * input.width + target.x))
  })
  const from = [x + left * wide, y + top * high] as const
  const placed = (part: Rectangle): Region => [from[0] + part.x, from[1] + part.y, part.width, part.height]
  return { pixels, region: placed(region), seen: placed(source) }
}

/** Of which pixels, and with which shares that make 1, each of `size` new ones is made. */
function weights(start: number, length: number, size: number, { from, to }: { from: number; to: number }) {
  const step = length / size
  const reach = Math.max(1, step)
  return Array.from({ length: size }, (_, i) => {
    const middle = start + (i + 0.5) * step
    const first = Math.max(from, Math.ceil(middle - reach - 0.5))
    const last = Math.min(to - 1, Math.floor(middle + reach - 0.5))
    const raw: number[] = []
    for (let at = first; at <= last; at++) raw.push(Math.max(0, 1 - Math.abs(at + 0.5 - middle) / reach))
    const sum = raw.reduce((total, one) => total + one, 0)
    return { first, shares: raw.map((one) => one / sum) }
  })
}
