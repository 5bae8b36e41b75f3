// Label pictures as their exact bytes: no colour profile, no change of depth, no smoothing.
import { readFile } from 'node:fs/promises'
import sharp from 'sharp'
import type { Size } from '../../deploy/fit-geometry.ts'

/** Samples of a label picture, row by row, `channels` bytes a pixel. */
export interface LabelPicture extends Size {
  channels: 1 | 3
  bytes: Uint8Array
}

/**
 * Reads a label picture. `ids`: 8-bit greyscale PNG, one class id a pixel. `colours`: any PNG without partial
 * transparency, given as RGB. Throws with the file, what was expected and what was found.
 */
export async function readLabelPicture(file: string, kind: 'ids' | 'colours'): Promise<LabelPicture> {
  const content = await readFile(file).catch((cause: unknown) => {
    throw new Error(`${file}: expected a label picture, which cannot be read: ${(cause as Error).message}`, { cause })
  })
  const picture = sharp(content, { ignoreIcc: true })
  const found = await picture.metadata().catch((cause: unknown) => {
    throw new Error(`${file}: expected a label picture, found ${content.length} bytes that are none`, { cause })
  })
  if (found.format !== 'png')
    throw new Error(`${file}: expected a PNG, whose pixels are exact, found ${found.format}; export the label again as PNG`)
  if (kind === 'ids' && (found.channels !== 1 || found.bitsPerSample !== 8 || found.isPalette))
    throw new Error(
      `${file}: expected class ids in an 8-bit greyscale PNG, found ${found.isPalette ? 'a palette' : `${found.channels} channels of ${found.bitsPerSample} bits`}`,
    )
  if (kind === 'colours' && found.bitsPerSample === 16) throw new Error(`${file}: expected 8 bits a channel, found 16`)
  const { data, info } = await picture
    .removeAlpha()
    .toColourspace(kind === 'ids' ? 'b-w' : 'srgb')
    .raw()
    .toBuffer({ resolveWithObject: true })
    .catch((cause: unknown) => {
      throw new Error(`${file}: cannot be decoded (${(cause as Error).message.trim()}); copy it again`, { cause })
    })
  return { width: info.width, height: info.height, channels: kind === 'ids' ? 1 : 3, bytes: data }
}

/** Where a pixel is, for an error: `x 12, y 3`. */
export const pixelPlace = (pixel: number, width: number): string => `x ${pixel % width}, y ${Math.floor(pixel / width)}`
