// Masks drawn by hand: one text a row, `#` is road, `.` is none, and a digit is a class id.
import type { View } from '../../../edge-agent/facts/view.ts'

export interface Drawn {
  road: Uint8Array
  /** Class ids, of which 1 is road. */
  ids: Int32Array
  width: number
  height: number
}

export function draw(...rows: string[]): Drawn {
  const letters = rows.join('')
  const ids = Int32Array.from(letters, (letter) => (letter === '#' ? 1 : letter === '.' ? 0 : Number(letter)))
  return { road: Uint8Array.from(ids, (id) => Number(id === 1)), ids, width: rows[0]!.length, height: rows.length }
}

/** A mask of a size by what a pixel is. */
export function paint(width: number, height: number, isRoad: (x: number, y: number) => boolean): Drawn {
  const ids = Int32Array.from({ length: width * height }, (_, at) => Number(isRoad(at % width, Math.floor(at / width))))
  return { road: Uint8Array.from(ids), ids, width, height }
}

/** The mask covers all of a camera's picture, which is ten times as large. */
export const plainView = ({ width, height }: Pick<Drawn, 'width' | 'height'>): View => ({
  width,
  height,
  cameraWidth: 10 * width,
  cameraHeight: 10 * height,
  region: [0, 0, 10 * width, 10 * height],
  seen: [0, 0, 10 * width, 10 * height],
})
