// A camera's JPEG with what its mask says: the road tinted and outlined for people, or everything else blurred for pictures
// that leave the device. Runs in the process that paints, never in main.
import sharp from 'sharp'
import { decodeMask } from '../../deploy/mask-png.ts'
import type { Place, Work } from './messages.ts'

type Rgb = readonly [number, number, number]

/** The page's own tint. */
const tint: Rgb = [0x1f, 0xe5, 0xc3]
const tintShare = 0.45
const quality = 75
/** What is blurred keeps about so many pixels in its width: a face that fills a tenth of the picture is left with three. */
const blurredWidth = 32

/** Paints on a JPEG of the whole camera picture, of whatever size. Throws where picture or mask cannot be decoded. */
export async function paintPicture(work: Work, jpeg: Uint8Array, mask: Uint8Array, place: Place): Promise<Buffer> {
  const decoded = sharp(jpeg).removeAlpha().toColourspace('srgb').raw()
  const { data, info } = await decoded.toBuffer({ resolveWithObject: true })
  const { width, height } = info
  const road = await roadOf(mask, place, width, height)
  if (work === 'overlay') tintRoad(data, road, width, height)
  else hideRest(data, await blurred(jpeg, width, height), road)
  return sharp(data, { raw: { width, height, channels: 3 } })
    .jpeg({ quality })
    .toBuffer()
}

/** How much of each pixel of the picture is road, 0 to 255; 0 where the model did not look. */
async function roadOf(
  png: Uint8Array,
  { camera_width, camera_height, region, classes, road_class }: Place,
  width: number,
  height: number,
) {
  const { ids, ...size } = decodeMask(png)
  const road = classes.length > 2 ? road_class : 1 // two classes: one bit a pixel, and it says road
  const grey = Uint8Array.from(ids, (id) => (id === road ? 255 : 0))
  // Where the mask lies in the picture; with a letterbox it reaches beyond it.
  const [sx, sy] = [width / camera_width, height / camera_height]
  const [left, top] = [Math.round(region[0] * sx), Math.round(region[1] * sy)]
  const fit = { width: Math.max(1, Math.round(region[2] * sx)), height: Math.max(1, Math.round(region[3] * sy)) }
  const large = await sharp(grey, { raw: { ...size, channels: 1 } })
    .resize({ ...fit, fit: 'fill', kernel: 'linear' })
    .toColourspace('b-w')
    .raw()
    .toBuffer()
  const share = new Uint8Array(width * height)
  const [from, to] = [Math.max(0, -left), Math.min(fit.width, width - left)]
  for (let y = Math.max(0, -top); y < Math.min(fit.height, height - top) && from < to; y++)
    share.set(large.subarray(y * fit.width + from, y * fit.width + to), (y + top) * width + left + from)
  return share
}

function tintRoad(rgb: Buffer, road: Uint8Array, width: number, height: number) {
  const line = Math.max(2, Math.round(width / 400))
  for (let y = 0, i = 0; y < height; y++)
    for (let x = 0; x < width; x++, i++) {
      if (road[i]! < 128) continue
      const edge =
        (x >= line && road[i - line]! < 128) ||
        (x + line < width && road[i + line]! < 128) ||
        (y >= line && road[i - line * width]! < 128) ||
        (y + line < height && road[i + line * width]! < 128)
      const share = edge ? 1 : tintShare
      for (let c = 0; c < 3; c++) rgb[3 * i + c] = (1 - share) * rgb[3 * i + c]! + share * tint[c]!
    }
}

/** A pixel is kept only where the mask is sure of it: all that it was enlarged from is road. */
function hideRest(rgb: Buffer, blurred: Buffer, road: Uint8Array) {
  for (let i = 0; i < road.length; i++) if (road[i] !== 255) blurred.copy(rgb, 3 * i, 3 * i, 3 * i + 3)
}

/** Made very small and large again, which nothing can undo. */
async function blurred(jpeg: Uint8Array, width: number, height: number): Promise<Buffer> {
  const small = {
    width: Math.min(width, blurredWidth),
    height: Math.max(1, Math.round((height * blurredWidth) / Math.max(width, blurredWidth))),
  }
  const tiny = await sharp(jpeg)
    .removeAlpha()
    .toColourspace('srgb')
    .resize({ ...small, fit: 'fill' })
    .raw()
    .toBuffer()
  return sharp(tiny, { raw: { ...small, channels: 3 } })
    .resize({ width, height, fit: 'fill', kernel: 'cubic' })
    .raw()
    .toBuffer()
}
