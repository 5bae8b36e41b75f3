// Overlay pictures of a model: its best, middling, worst and most uncertain validation pictures, and the test pictures.
import type { ModelInput } from '../../deploy/bundle.ts'
import { fitPicture, pictureSize } from '../../deploy/fit-picture.ts'
import type { Dataset, Sample } from '../data/dataset.ts'
import { startPredicting } from '../metrics/predict.ts'
import type { Validation } from '../metrics/validate.ts'
import type { OverlayCase } from './overlay.ts'
import { type OverlayGroup, pickCases, pickUncertain } from './overlays.ts'

/** Test pictures shown, spread evenly over the set. */
const testShown = 24

/** Chooses the pictures and asks the model for their masks. Groups without a picture are left out. */
export async function showCases(
  data: Dataset & { threshold?: number | undefined },
  { pictures }: Validation,
  { input, score }: { input: ModelInput; score(pictures: Uint8Array, n: number): Float32Array },
): Promise<OverlayGroup[]> {
  const predict = startPredicting(data)

  async function overlay(sample: Sample, roadIou?: number): Promise<OverlayCase> {
    const size = await pictureSize(sample.picture)
    const prediction = predict(size, score(await fitPicture(sample.picture, input), 1), input).whole
    const truth = sample.label === undefined ? undefined : await data.readLabel(sample.label)
    return { name: sample.name, picture: sample.picture, prediction, truth, road: data.road, roadIou }
  }

  async function cases(chosen: { sample: Sample; road_iou?: number }[]): Promise<OverlayCase[]> {
    const made: OverlayCase[] = []
    for (const { sample, road_iou } of chosen) made.push(await overlay(sample, road_iou))
    return made
  }

  const { best, middling, worst } = pickCases(pictures)
  const uncertain = pickUncertain(pictures, [...best, ...middling, ...worst])
  const every = Math.max(1, data.test.length / testShown)
  const test = Array.from({ length: Math.min(testShown, data.test.length) }, (_, i) => ({
    sample: data.test[Math.floor(i * every)]!,
  }))
  const groups = [
    { name: 'best', title: 'Best of validation', cases: await cases(best) },
    { name: 'middling', title: 'Middling', cases: await cases(middling) },
    { name: 'worst', title: 'Worst', cases: await cases(worst) },
    { name: 'uncertain', title: 'Of the others, those the model is least certain of', cases: await cases(uncertain) },
    { name: 'test', title: 'Test pictures', cases: await cases(test) },
  ]
  return groups.filter((group) => group.cases.length > 0)
}

/** The words above a contact sheet. */
export const headingOf = (title: string, { measures }: Validation) => ({
  title,
  subtitle: `road IoU ${measures.road_iou.toFixed(4)}, MaxF ${measures.max_f.toFixed(4)} on ${measures.pictures} validation pictures`,
})
