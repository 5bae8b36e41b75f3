// How far the road reaches up the picture, sector by sector, and how far that is on the ground.
import type { Mounting } from './settings.ts'
import { type Seen, toMaskY, type View, within } from './view.ts'

/** A row of a sector is road where so much of it is: rather too short a way than one through a post. */
const leastShare = 0.8
/** Further off, a pixel is metres and the road not flat. */
const furthestM = 200

/**
 * For each of `sectors` equally wide groups of the columns seen, from left to right: the row, in mask pixels, at which the road
 * that begins at `bottom` (0 to 1 of the picture's height) ends; that row itself where there is none.
 */
export function freeRows(road: Uint8Array, view: View, seen: Seen, sectors: number, bottom: number): number[] {
  const { width } = view
  const lowest = within(seen.top, Math.round(toMaskY(view, bottom)), seen.bottom)
  return Array.from({ length: sectors }, (_, sector) => {
    const from = seen.left + Math.floor(((seen.right - seen.left) * sector) / sectors)
    const to = seen.left + Math.floor(((seen.right - seen.left) * (sector + 1)) / sectors)
    let y = lowest
    for (; y > seen.top; y--) {
      let count = 0
      for (let at = (y - 1) * width + from; at < (y - 1) * width + to; at++) count += road[at]!
      if (count < leastShare * (to - from) || from === to) break
    }
    return y
  })
}

/**
 * Metres along the ground from below the camera to what is seen at place `y` (0 to 1 of the picture's height), by a pinhole
 * camera without roll over a flat road: Z = h (cos p - t sin p) / (sin p + t cos p), where t is the pixels below the middle
 * over the focal length and p the pitch, positive downwards. For p = 0 it is Z = f h / y of Stein, Mano and Shashua,
 * "Vision-based ACC with a single camera" (IEEE IV 2003). It is the same for all columns of a row. Null beyond 200 m and the horizon.
 */
export function metresTo(y: number, cameraHeight: number, { height_m, pitch_deg, focal_px }: Mounting): number | null {
  const pitch = (pitch_deg * Math.PI) / 180
  const below = ((y - 0.5) * cameraHeight) / focal_px
  const down = Math.sin(pitch) + below * Math.cos(pitch)
  const metres = (height_m * (Math.cos(pitch) - below * Math.sin(pitch))) / down
  return down > 0 && metres <= furthestM ? metres : null
}
