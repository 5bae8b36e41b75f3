// GStreamer pads rows of RGB to 4 bytes; a model takes them without, and perhaps with grey bars beside them.
import { barGrey, type Rectangle, type Size } from '../../deploy/fit-geometry.ts'

/** Bytes of a row of RGB as GStreamer lays it out. */
export const paddedRow = (width: number) => (3 * width + 3) & ~3

/** The model's picture, RGB [height, width, 3], from GStreamer's buffer of the `target` part of it; the rest is grey. */
export function unpackRows(buffer: Uint8Array, target: Rectangle, model: Size): Uint8Array {
  const expected = paddedRow(target.width) * target.height
  if (buffer.length !== expected)
    throw new Error(`Expected ${expected} bytes of ${target.width} x ${target.height} RGB, found ${buffer.length}`)
  const row = 3 * target.width
  if (paddedRow(target.width) === row && target.width === model.width && target.height === model.height) return buffer
  const picture = new Uint8Array(3 * model.width * model.height).fill(barGrey)
  for (let y = 0; y < target.height; y++) {
    const from = y * paddedRow(target.width)
    picture.set(buffer.subarray(from, from + row), 3 * ((target.y + y) * model.width + target.x))
  }
  return picture
}
