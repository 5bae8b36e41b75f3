// All that the masks of one camera say, in numbers. What it remembers is the mask before and, for one size of the camera's
// picture, which pixels its zones are.
import type { FrameHeader } from '../segment/frame-socket.ts'
import type { Point, Result } from '../wire.ts'
import { findAreas, largest } from './areas.ts'
import { type Border, findBorders } from './contours.ts'
import { freeRows, metresTo } from './free-space.ts'
import { encodeRle } from './rle.ts'
import type { FactSettings, Mounting, Zone } from './settings.ts'
import { type Seen, seenOf, toPlaceX, toPlaceY, type View } from './view.ts'
import { type Runs, roadShare, runsOf } from './zones.ts'

/** What of a camera's settings decides on its facts. */
export interface CameraFacts {
  facts: FactSettings
  zones: Pick<Zone, 'name' | 'polygon'>[]
  mounting?: Mounting | undefined
}

/** What is known of a mask by itself; whether a zone is blocked also takes time. */
export type MaskFacts = Pick<
  Result,
  'road_percent' | 'confidence' | 'largest_area' | 'changed_percent' | 'contours' | 'free_space' | 'rle'
> & {
  /** Of a picture a second: how unlike the training pictures it is. */
  strange?: number
  zones: { name: string; road_percent: number | null }[]
}

type Frame = Pick<FrameHeader, 'process' | 'cameraWidth' | 'cameraHeight' | 'region' | 'seen'>

export interface Model {
  width: number
  height: number
  /** The class id that is road. */
  road: number
}

/**
 * Makes the function that looks at one mask of the camera after the other. `ids`: class ids [height, width], read at once;
 * those of a letterbox's bars become a class that is not road, since a model may say anything of them. `confidence`: the mean
 * of the winning class's probability, 0 to 1.
 */
export function lookAtMasks({ facts, zones, mounting }: CameraFacts, { width, height, road: roadId }: Model) {
  const road = new Uint8Array(width * height)
  const before = new Uint8Array(width * height)
  const beside = roadId === 0 ? 1 : 0
  let process: number | undefined // which gave the mask before
  let known: { view: View; seen: Seen; zones: Runs[] } | undefined

  function placesOf({ cameraWidth, cameraHeight, region, seen }: Frame) {
    const old = known?.view
    if (
      old?.cameraWidth === cameraWidth &&
      old.cameraHeight === cameraHeight &&
      String([old.region, old.seen]) === String([region, seen])
    )
      return known!
    const view = { width, height, cameraWidth, cameraHeight, region, seen }
    known = { view, seen: seenOf(view), zones: zones.map(({ polygon }) => runsOf(polygon, view)) }
    return known
  }

  /** Fills `road`, 1 for road, and returns how many pixels are of another class than in the mask before. */
  function take(ids: Int32Array, { left, right, top, bottom }: Seen): number {
    let changed = 0
    ids.fill(beside, 0, top * width).fill(beside, bottom * width)
    for (let y = top; y < bottom && (left > 0 || right < width); y++)
      ids.fill(beside, y * width, y * width + left).fill(beside, y * width + right, (y + 1) * width)
    for (let at = 0; at < ids.length; at++) {
      const id = ids[at]!
      if (id !== before[at]) changed++
      before[at] = id
      road[at] = id === roadId ? 1 : 0
    }
    return changed
  }

  return (ids: Int32Array, frame: Frame, confidence: number): MaskFacts => {
    const { view, seen, zones: runs } = placesOf(frame)
    const changed = take(ids, seen)
    const follows = process === frame.process
    process = frame.process
    const shown = Math.max(1, (seen.right - seen.left) * (seen.bottom - seen.top))
    const areas = findAreas(road, width)
    const [most, all] = [largest(areas), areas.pixels.reduce((sum, count) => sum + count, 0)]
    return {
      road_percent: percent(all / shown),
      confidence: round(confidence, 3),
      largest_area: { percent: percent(most / shown), of_road_percent: percent(all ? most / all : 0) },
      ...(follows && { changed_percent: percent(changed / shown) }),
      ...(facts.contours > 0 && {
        contours: findBorders(road, width, areas, facts.contours, facts.contour_points).map((border) =>
          contourOf(border, view, shown),
        ),
      }),
      ...(facts.sectors > 0 && { free_space: freeSpace(view, seen) }),
      zones: zones.map(({ name }, i) => {
        const share = roadShare(road, runs[i]!)
        return { name, road_percent: share === undefined ? null : percent(share) }
      }),
      ...(facts.rle && { rle: encodeRle(road, width) }),
    }
  }

  function contourOf({ pixels, hole, corners }: Border, view: View, shown: number) {
    const points: Point[] = []
    for (let i = 0; i < corners.length; i += 2)
      points.push([round(toPlaceX(view, corners[i]!), 4), round(toPlaceY(view, corners[i + 1]!), 4)])
    return { percent: percent(pixels / shown), hole, points }
  }

  function freeSpace(view: View, seen: Seen) {
    const ends = freeRows(road, view, seen, facts.sectors, facts.bottom).map((row) => toPlaceY(view, row))
    return {
      end_y: ends.map((y) => round(y, 4)),
      ...(mounting && {
        metres: ends.map((y) => {
          const metres = metresTo(y, view.cameraHeight, mounting)
          return metres === null ? null : round(metres, 1)
        }),
      }),
    }
  }
}

const percent = (share: number) => round(100 * share, 2)

function round(value: number, digits: number): number {
  const scale = 10 ** digits
  return Math.round(value * scale) / scale
}
