// What a bundle says of a picture file, at the picture's own size.
import { fitGeometry, type Size } from '../../deploy/fit-geometry.ts'
import { fitPicture, pictureSize } from '../../deploy/fit-picture.ts'
import type { RunningBundle } from '../../deploy/run-bundle.ts'
import { ignore } from '../data/dataset.ts'

export interface PictureMask extends Size {
  /** Class ids [height, width]; `ignore` where the model does not look (outside a crop). */
  ids: Uint8Array
  /** Share of each class in what the model sees, 0 to 1, by class id. */
  shares: Float32Array
  /** Mean probability of the winning class, 0 to 1. */
  confidence: number
}

/** The mask of a picture, upright (EXIF), enlarged by nearest neighbour. Throws where the picture cannot be read. */
export async function maskPicture(
  bundle: Pick<RunningBundle, 'manifest' | 'serve'>,
  file: string | Buffer,
): Promise<PictureMask> {
  const { input } = bundle.manifest
  const pixels = await fitPicture(file, input)
  const { width, height } = await pictureSize(file)
  const { masks, confidence } = bundle.serve(pixels, 1)
  const { source, target } = fitGeometry({ width, height }, input)
  const ids = new Uint8Array(width * height).fill(ignore)
  const columns = Int32Array.from({ length: source.width }, (_, x) => target.x + nearest(x, source.width, target.width))
  for (let y = 0; y < source.height; y++) {
    const from = (target.y + nearest(y, source.height, target.height)) * input.width
    const to = (source.y + y) * width + source.x
    for (let x = 0; x < source.width; x++) ids[to + x] = masks[from + columns[x]!]!
  }
  // Counted here and not by the model, which says something of a letterbox's bars too.
  const counts = bundle.manifest.classes.map(() => 0)
  for (const id of ids) if (id !== ignore) counts[id]!++
  const shares = Float32Array.from(counts, (count) => count / (source.width * source.height))
  return { width, height, ids, shares, confidence: confidence[0]! }
}

/** The pixel of `size` nearest to the middle of pixel `at` of `length`. */
const nearest = (at: number, length: number, size: number) => Math.floor(((at + 0.5) * size) / length)
