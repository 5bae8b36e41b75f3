// The report of a run or of a bundle, from what was measured of it.
import type { Dataset } from '../data/dataset.ts'
import type { Finished } from '../finish/finish-run.ts'
import type { CategoryMeasures } from '../metrics/categories.ts'
import { countKnownDrives } from './by-drive.ts'
import type { EpochRow } from './log.ts'
import type { Compared, MeasuredOn } from './measured.ts'
import { writeReport } from './report.ts'

interface About {
  data: Dataset
  measuredOn: MeasuredOn
  split: string
  rows: readonly EpochRow[]
  /** Left out, the epoch of the largest road IoU. */
  bestEpoch?: number
  compared: readonly Compared[]
  /** KITTI's measures in bird's-eye view by category, where there are calibration files. */
  birdsEye?: ReadonlyMap<string, CategoryMeasures>
}

/** Writes the report to `path`, an .html file. */
export async function reportRun(path: string, finished: Finished, about: About): Promise<void> {
  const { manifest, validation } = finished
  const { data, measuredOn, split, rows, compared } = about
  const best = rows.reduce<EpochRow | undefined>(
    (most, row) => (most && !(row.road_iou > most.road_iou) ? most : row),
    undefined,
  )
  // Of data that the model was not trained on, nothing is known of its drives.
  const trainedOn = new Set(manifest.data.map(({ fingerprint }) => fingerprint))
  const same = split !== 'train' && measuredOn.every(({ fingerprint }) => trainedOn.has(fingerprint))
  const samples = validation.pictures.map(({ sample }) => sample)
  await writeReport(path, {
    ...finished,
    split,
    data: measuredOn,
    ofKnownDrives: same ? countKnownDrives(data.train, samples) : 0,
    rows,
    bestEpoch: about.bestEpoch ?? best?.epoch ?? 0,
    compared,
    ...(about.birdsEye ? { birdsEye: about.birdsEye } : {}),
  })
}
