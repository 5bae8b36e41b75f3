// KITTI's measures in bird's-eye view of a model's own predictions, for pictures with calibration files beside them.
import { stat } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'
import { type ClassIds, ignore, type Sample } from '../data/dataset.ts'
import { birdsEyeView, type RoadPlane, readRoadPlane, toBirdsEye } from './birds-eye.ts'
import { type CategoryMeasures, startCategories } from './categories.ts'
import { type Predicted, roadOfWhole } from './predict.ts'

export interface BirdsEyeMeasuring {
  /** Counts a picture; one without a calibration file is passed over. */
  add(sample: Sample, truth: ClassIds, predicted: Predicted): void
  /** By category, and of all together (`urban`). */
  compute(): Map<string, CategoryMeasures>
}

/** `training/calib/um_000000.txt` for `training/image_2/um_000000.png`, or in `calib`. */
const calibrationFile = (picture: string, calib = join(dirname(picture), '../calib')) =>
  join(calib, `${basename(picture, extname(picture))}.txt`)

/**
 * The planes of the road of pictures in KITTI's layout: where a folder `calib` is beside that of the pictures, or in the
 * folder given. Empty where there is none. Throws where a file is missing in such a folder or cannot be read.
 */
export async function readRoadPlanes(samples: readonly Sample[], calib?: string): Promise<Map<Sample, RoadPlane>> {
  const planes = new Map<Sample, RoadPlane>()
  for (const sample of samples) {
    const file = calibrationFile(sample.picture, calib)
    if (calib || (await stat(dirname(file)).catch(() => undefined))) planes.set(sample, await readRoadPlane(file))
  }
  return planes
}

/** Starts measuring. What the model does not see, outside its crop, counts as not road, as in what the benchmark is sent. */
export function startBirdsEye(planes: ReadonlyMap<Sample, RoadPlane>, road: number): BirdsEyeMeasuring {
  const categories = startCategories()
  return {
    add(sample, truth, predicted) {
      const plane = planes.get(sample)
      if (!plane) return
      const view = birdsEyeView(plane, truth)
      const confidence = toBirdsEye(roadOfWhole(predicted, truth), view, 0)
      categories.add(sample.drive, toBirdsEye(truth.ids, view, ignore), road, confidence)
    },
    compute: categories.compute,
  }
}
