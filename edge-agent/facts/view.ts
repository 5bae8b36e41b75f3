// Where a mask lies in the camera's picture, and back. A point of the mask is in mask pixels, so that pixel (x, y) reaches
// from x to x + 1; a place in the picture is 0 to 1 of its width and height.
import type { Region } from '../wire.ts'

export interface View {
  /** Size of the mask. */
  width: number
  height: number
  cameraWidth: number
  cameraHeight: number
  /** The part of the camera's picture that the mask covers, in camera pixels; with a letterbox it reaches beyond. */
  region: Region
  /** What of the picture the model was given, in camera pixels. The rest of the mask is bars. */
  seen: Region
}

/** Place in the picture of a point in the mask; beside the picture it is that of the nearest edge. */
export const toPlaceX = ({ width, cameraWidth, region: [left, , across] }: View, x: number) =>
  within(0, (left + (x * across) / width) / cameraWidth, 1)
export const toPlaceY = ({ height, cameraHeight, region: [, top, , down] }: View, y: number) =>
  within(0, (top + (y * down) / height) / cameraHeight, 1)

/** Point in the mask of a place in the picture, perhaps outside of it. */
export const toMaskX = ({ width, cameraWidth, region: [left, , across] }: View, x: number) =>
  ((x * cameraWidth - left) * width) / across
export const toMaskY = ({ height, cameraHeight, region: [, top, , down] }: View, y: number) =>
  ((y * cameraHeight - top) * height) / down

/** The mask's pixels that show the picture and no bars: columns from `left` to before `right`, rows likewise. */
export interface Seen {
  left: number
  right: number
  top: number
  bottom: number
}

export function seenOf(view: View): Seen {
  const { cameraWidth, cameraHeight, seen } = view
  const [x, y, across, down] = seen
  const column = (at: number) => within(0, Math.round(toMaskX(view, at / cameraWidth)), view.width)
  const row = (at: number) => within(0, Math.round(toMaskY(view, at / cameraHeight)), view.height)
  return { left: column(x), right: column(x + across), top: row(y), bottom: row(y + down) }
}

export const within = (least: number, value: number, most: number) => Math.min(Math.max(value, least), most)
