// KITTI's road measures by category of road, and of all pictures together, which the benchmark calls urban.
import type { ClassIds } from '../data/dataset.ts'
import { type RoadMeasures, startRoadCounts } from './kitti-road.ts'

export interface CategoryMeasures extends RoadMeasures {
  pictures: number
}

export interface CategoryCounts {
  /** Counts one picture, as `update` of RoadCounts does. */
  add(category: string, truth: ClassIds['ids'], road: number, confidence: Float32Array | Uint8Array): void
  /** By category, in the order of their names, `urban` last. */
  compute(): Map<string, CategoryMeasures>
}

const together = 'urban'

export function startCategories(): CategoryCounts {
  const of = () => ({ counts: startRoadCounts(), pictures: 0 })
  const categories = new Map<string, ReturnType<typeof of>>()
  const all = of()
  return {
    add(category, truth, road, confidence) {
      const one = categories.get(category) ?? of()
      categories.set(category, one)
      for (const each of [one, all]) {
        each.counts.update(truth, road, confidence)
        each.pictures++
      }
    },
    compute: () =>
      new Map(
        [...[...categories].sort(([a], [b]) => (a < b ? -1 : 1)), [together, all] as const].map(
          ([name, { counts, pictures }]) => [name, { pictures, ...counts.compute() }],
        ),
      ),
  }
}

/** KITTI's measures by the names that its benchmark gives them. */
const roadNames = ({ pictures, maxF, ap, precision, recall, fpr, fnr, threshold }: CategoryMeasures) => ({
  pictures,
  MaxF: maxF,
  AP: ap,
  PRE: precision,
  REC: recall,
  FPR: fpr,
  FNR: fnr,
  threshold,
})

/** By category and by the benchmark's names. */
export const roadMeasures = (categories: ReadonlyMap<string, CategoryMeasures>) =>
  Object.fromEntries([...categories].map(([name, measures]) => [name, roadNames(measures)]))
