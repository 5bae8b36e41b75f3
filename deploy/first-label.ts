// A model's mask as the first label of a picture, as Ground Truth takes it for a job in which people adjust it.
import type { Manifest } from './bundle.ts'
import type { Size } from './fit-geometry.ts'
import { background } from './groundtruth-line.ts'
import { encodeMask } from './mask-png.ts'

/** Name of the masks' attribute in a manifest's line; the adjusted ones get another. */
export const attribute = 'road-ref'

/** Class id of a pixel that the model did not look at. */
export const unseen = 255

/** Class ids [height, width]. */
export interface Ids extends Size {
  ids: Uint8Array
}

type Classes = Pick<Manifest, 'classes' | 'road'>

/** What people label: road alone where there are two classes, what is not being the background. */
export const labelledClasses = ({ classes, road }: Classes) => (classes.length === 2 ? [classes[road]!] : classes)

/** The label as palette PNG, its colours those of the manifest's line; what the model does not see is background. */
export function labelPicture({ ids, width, height }: Ids, { classes, road }: Classes): Buffer {
  const two = classes.length === 2
  const indices = Int32Array.from(ids, (id) => (id >= classes.length || (two && id !== road) ? 0 : id + 1))
  const colours = [background.colour, ...classes.map(({ colour }) => colour)]
  return encodeMask(indices, { width, height, colours, road }, {})
}

/** The label category configuration file of a job. */
export const categoriesFile = (names: readonly string[]): string =>
  `${JSON.stringify({ 'document-version': '2018-11-28', labels: names.map((label) => ({ label })) }, null, 2)}\n`

/**
 * A mask at the size of a picture, by nearest neighbour. `region`: where the mask lies, in pixels of a camera's picture of size
 * `camera`, of which the picture is a smaller copy.
 */
export function maskOnPicture(mask: Ids, region: readonly [number, number, number, number], camera: Size, picture: Size): Ids {
  const placed = new Uint8Array(picture.width * picture.height).fill(unseen)
  const axis = (length: number, of: number, start: number, extent: number, size: number) =>
    Int32Array.from({ length }, (_, at) => {
      const place = Math.floor(((((at + 0.5) * of) / length - start) * size) / extent)
      return place >= 0 && place < size ? place : -1
    })
  const across = axis(picture.width, camera.width, region[0], region[2], mask.width)
  const down = axis(picture.height, camera.height, region[1], region[3], mask.height)
  for (let y = 0, at = 0; y < picture.height; y++)
    for (let x = 0; x < picture.width; x++, at++)
      if (down[y]! >= 0 && across[x]! >= 0) placed[at] = mask.ids[down[y]! * mask.width + across[x]!]!
  return { ids: placed, width: picture.width, height: picture.height }
}
