// A picture file as a model sees it: the same part, scale and colour that the agent's GStreamer pipeline gives it.
// Scaling is a triangle filter as wide as the reduction (antialiased); GStreamer's twin is videoscale's `bilinear2`.
import sharp, { type Sharp } from 'sharp'
import type { ModelInput } from './bundle.ts'
import { enlarge } from './enlarge.ts'
import { barGrey, fitGeometry, type Size } from './fit-geometry.ts'

/** A decoded picture: RGB, row by row, one byte a channel. */
export interface Pixels extends Size {
  pixels: Uint8Array
}

/**
 * The part of a picture that the model sees, at the model's size, as uint8 RGB [height, width, 3].
 * Grey, 16-bit, transparent and EXIF-turned pictures become plain upright RGB; like a camera's, their numbers are taken
 * as they are: no colour profile is applied. Throws, naming the file, where it cannot be read.
 */
export async function fitPicture(
  file: string | Buffer,
  input: Pick<ModelInput, 'width' | 'height' | 'fit'>,
): Promise<Uint8Array> {
  return named(file, async () => {
    const size = await pictureSize(file)
    return place(upright(file), size, input)
  })
}

/** Decodes a picture to upright RGB at its own size. Throws, naming the file, where it cannot be read. */
export async function decodePicture(file: string | Buffer): Promise<Pixels> {
  return named(file, async () => {
    const { data, info } = await upright(file).raw().toBuffer({ resolveWithObject: true })
    return { pixels: data, width: info.width, height: info.height }
  })
}

/** Width and height of a picture as a person sees it (EXIF turned), in pixels, from its header alone. */
export async function pictureSize(file: string | Buffer): Promise<Size> {
  const { autoOrient } = await sharp(file).metadata()
  return { width: autoOrient.width, height: autoOrient.height }
}

/**
 * What pictures have in common that a decoder takes one after the other: kind of file, size, and how its numbers are stored.
 * Read from the header alone. Throws, naming the file, where it cannot be read.
 */
export async function pictureForm(file: string): Promise<string> {
  return named(file, async () => {
    const { format, width, height, orientation = 1, channels, depth, chromaSubsampling } = await sharp(file).metadata()
    return [format, width, height, orientation, channels, depth, chromaSubsampling].join(' ')
  })
}

const upright = (file: string | Buffer): Sharp =>
  sharp(file, { ignoreIcc: true }).autoOrient().removeAlpha().toColourspace('srgb')

async function place(picture: Sharp, size: Size, input: Pick<ModelInput, 'width' | 'height' | 'fit'>): Promise<Uint8Array> {
  const { source, target } = fitGeometry(size, input)
  const reduced = { width: Math.min(source.width, target.width), height: Math.min(source.height, target.height) }
  const part = picture
    .extract({ left: source.x, top: source.y, width: source.width, height: source.height })
    .resize({ ...reduced, fit: 'fill', kernel: 'linear', fastShrinkOnLoad: false })
  const bars = {
    left: target.x,
    top: target.y,
    right: input.width - target.x - target.width,
    bottom: input.height - target.y - target.height,
    background: { r: barGrey, g: barGrey, b: barGrey },
  }
  if (reduced.width === target.width && reduced.height === target.height) return await part.extend(bars).raw().toBuffer()
  const larger = enlarge(await part.raw().toBuffer(), reduced, target)
  const raw = { width: target.width, height: target.height, channels: 3 } as const
  return await sharp(larger, { raw }).extend(bars).raw().toBuffer()
}

async function named<T>(file: string | Buffer, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    const name = typeof file === 'string' ? file : `The picture of ${file.length} bytes`
    throw new Error(`${name} cannot be read as a picture: ${(cause as Error).message}`, { cause })
  }
}
