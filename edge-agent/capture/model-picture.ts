// The model's picture out of GStreamer's buffer: rows without their padding to 4 bytes, RGB, grey bars where the picture is
// letterboxed. YUV is converted here and not by GStreamer, whose 8-bit conversion rounds down at each step (green came out
// 3.4 of 255 too dark, on CamVid and KITTI alike) and whose 16-bit one puts the middle of the chroma half a level off:
// masks at the limits of a model differed on 5 % of their pixels, and on 1 % so. It takes as long as GStreamer's.
import { barGrey, type Rectangle, type Size } from '../../deploy/fit-geometry.ts'
import type { YuvToRgb } from './colour.ts'

export interface Layout {
  /** Where the buffer's picture lies in the model's. */
  target: Rectangle
  model: Size
  /** Undefined: the buffer holds RGB. Else Y444: a plane of Y, one of U, one of V. */
  yuvToRgb: YuvToRgb | undefined
}

/** Length of a row in GStreamer's buffers. */
export const padded = (bytes: number) => (bytes + 3) & ~3

/** RGB of the model's size [height, width, 3]. Throws where the buffer is not of the layout's size. */
export function modelPicture(buffer: Uint8Array, { target, model, yuvToRgb }: Layout): Uint8Array {
  const { x, y, width, height } = target
  const stride = padded(yuvToRgb ? width : 3 * width)
  const expected = (yuvToRgb ? 3 : 1) * stride * height
  if (buffer.length !== expected)
    throw new Error(`Expected ${expected} bytes of ${width} x ${height} ${yuvToRgb ? 'Y444' : 'RGB'}, found ${buffer.length}`)
  const fills = width === model.width && height === model.height
  if (!yuvToRgb && fills && stride === 3 * width) return buffer

  const picture = new Uint8ClampedArray(3 * model.width * model.height)
  if (!fills) picture.fill(barGrey)
  for (let row = 0; row < height; row++) {
    const from = row * stride
    const to = 3 * ((y + row) * model.width + x)
    if (yuvToRgb) convertRow(buffer, from, stride * height, picture, to, width, yuvToRgb)
    else picture.set(buffer.subarray(from, from + 3 * width), to)
  }
  return new Uint8Array(picture.buffer)
}

function convertRow(
  planes: Uint8Array,
  from: number,
  plane: number,
  rgb: Uint8ClampedArray,
  to: number,
  width: number,
  yuvToRgb: YuvToRgb,
) {
  for (let i = 0; i < width; i++)
    yuvToRgb(planes[from + i]!, planes[from + plane + i]!, planes[from + 2 * plane + i]!, rgb, to + 3 * i)
}
