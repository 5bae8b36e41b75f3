// Road IoU drive by drive: neighbouring frames look alike, so a drive is the unit that says how a model carries over.
import type { Sample } from '../data/dataset.ts'
import type { Validation } from '../metrics/validate.ts'

export interface DriveMeasures {
  drive: string
  pictures: number
  /** Of the road IoU of single pictures. */
  mean: number
  least: number
}

/** The worst drive first; pictures without road in them or in the mask do not count. */
export function byDrive(pictures: Validation['pictures']): DriveMeasures[] {
  const drives = new Map<string, number[]>()
  for (const { sample, road_iou } of pictures)
    if (Number.isFinite(road_iou)) drives.set(sample.drive, [...(drives.get(sample.drive) ?? []), road_iou])
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  return [...drives]
    .map(([drive, ious]) => ({ drive, pictures: ious.length, mean: mean(ious), least: Math.min(...ious) }))
    .sort((a, b) => a.mean - b.mean)
}

/** How many pictures are of drives that are also trained on. */
export function countKnownDrives(train: readonly Sample[], pictures: readonly Sample[]): number {
  const drives = new Set(train.map(({ drive }) => drive))
  return pictures.filter(({ drive }) => drives.has(drive)).length
}
