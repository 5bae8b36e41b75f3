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
 * Reads a label picture. `ids`: 8-bit greyscale PNG, one class id a pixel. `indices`: that, or a palette PNG, whose indices
 * are the ids. `colours`: any PNG without partial transparency, given as RGB. Throws with the file, what was expected and
 * what was found.
 */
export async function readLabelPicture(file: string, kind: 'ids' | 'indices' | 'colours'): Promise<LabelPicture> {
  const content = await readFile(file).catch((cause: unknown) => {
    throw new Error(`${file}: expected a label picture, which cannot be read: ${(cause as Error).message}`, { cause })
  })
  const picture = sharp(content, { ignoreIcc: true })
  const found = await picture.metadata().catch((cause: unknown) => {
    throw new Error(`${file}: expected a label picture, found ${content.length} bytes that are none`, { cause })
  })
  if (found.format !== 'png')
    throw new Error(`${file}: expected a PNG, whose pixels are exact, found ${found.format}; export the label again as PNG`)
  const palette = kind === 'indices' && found.isPalette
  if (kind !== 'colours' && !palette && (found.channels !== 1 || found.bitsPerSample !== 8 || found.isPalette))
    throw new Error(
      `${file}: expected class ids in an 8-bit greyscale PNG, found ${found.isPalette ? 'a palette' : `${found.channels} channels of ${found.bitsPerSample} bits`}`,
    )
  if (kind === 'colours' && found.bitsPerSample === 16) throw new Error(`${file}: expected 8 bits a channel, found 16`)
  const { data, info } = await picture
    .removeAlpha()
    .toColourspace(kind === 'colours' || palette ? 'srgb' : 'b-w')
    .raw()
    .toBuffer({ resolveWithObject: true })
    .catch((cause: unknown) => {
      throw new Error(`${file}: cannot be decoded (${(cause as Error).message.trim()}); copy it again`, { cause })
    })
  const size = { width: info.width, height: info.height }
  if (palette) return { ...size, channels: 1, bytes: indicesOf(file, content, data) }
  return { ...size, channels: kind === 'colours' ? 3 : 1, bytes: data }
}

/** The palette's index of every RGB pixel. Throws where a colour stands in the palette more than once. */
function indicesOf(file: string, png: Buffer, pixels: Uint8Array): Uint8Array {
  const at = png.indexOf('PLTE', 'latin1')
  const colours = png.subarray(at + 4, at + 4 + png.readUInt32BE(at - 4))
  const colour = (bytes: Uint8Array, at: number) => (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!
  const indexOf = new Map<number, number>()
  const twice = new Set<number>()
  for (let index = 0; index < colours.length / 3; index++) {
    const one = colour(colours, 3 * index)
    if (indexOf.has(one)) twice.add(one)
    else indexOf.set(one, index)
  }
  return Uint8Array.from({ length: pixels.length / 3 }, (_, pixel) => {
    const one = colour(pixels, 3 * pixel)
    if (twice.has(one))
      throw new Error(
        `${file}: expected a palette with every colour once, found #${one.toString(16).padStart(6, '0')} twice; export the label as greyscale PNG`,
      )
    return indexOf.get(one)!
  })
}

/** Where a pixel is, for an error: `x 12, y 3`. */
export const pixelPlace = (pixel: number, width: number): string => `x ${pixel % width}, y ${Math.floor(pixel / width)}`
