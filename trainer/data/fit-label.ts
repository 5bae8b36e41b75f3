// A label picture as the model's output should be: the same part as the picture, class ids by nearest neighbour.
import type { ModelInput } from '../../deploy/bundle.ts'
import { fitGeometry } from '../../deploy/fit-geometry.ts'
import { type ClassIds, ignore } from './dataset.ts'

/**
 * Class ids [height, width] under the geometry of `fitPicture`. Each is the id under the pixel's middle; what lies
 * outside the label, such as the bars of a letterbox, is `ignore`.
 */
export function fitLabel({ width, height, ids }: ClassIds, input: Pick<ModelInput, 'width' | 'height' | 'fit'>): Uint8Array {
  const { source, target } = fitGeometry({ width, height }, input)
  const fitted = new Uint8Array(input.width * input.height).fill(ignore)
  const columns = Int32Array.from(
    { length: target.width },
    (_, x) => source.x + Math.floor(((x + 0.5) * source.width) / target.width),
  )
  for (let y = 0; y < target.height; y++) {
    const from = (source.y + Math.floor(((y + 0.5) * source.height) / target.height)) * width
    const to = (target.y + y) * input.width + target.x
    for (let x = 0; x < target.width; x++) fitted[to + x] = ids[from + columns[x]!]!
  }
  return fitted
}
