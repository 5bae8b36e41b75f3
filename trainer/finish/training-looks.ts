// What the training pictures look like, for the bundle: some hundred of them, evenly spread, as the model sees them.
import type { Manifest, ModelInput } from '../../deploy/bundle.ts'
import { mapBounded } from '../../deploy/each.ts'
import { fitGeometry } from '../../deploy/fit-geometry.ts'
import { fitPicture, pictureSize } from '../../deploy/fit-picture.ts'
import { lookOf, summariseLooks } from '../../deploy/picture-look.ts'
import type { Sample } from '../data/dataset.ts'

const mostPictures = 400
const decodedAtOnce = 6

/** Undefined where there are too few to tell what is usual. */
export async function trainingLooks(samples: readonly Sample[], input: ModelInput): Promise<Manifest['looks']> {
  const step = Math.max(1, samples.length / mostPictures)
  const some = Array.from({ length: Math.min(samples.length, mostPictures) }, (_, i) => samples[Math.floor(i * step)]!)
  if (some.length < 2) return undefined
  const looks = await mapBounded(some, decodedAtOnce, async ({ picture }) => {
    const { x, y, width, height } = fitGeometry(await pictureSize(picture), input).target
    return lookOf(await fitPicture(picture, input), input.width, { left: x, right: x + width, top: y, bottom: y + height })
  })
  return summariseLooks(looks)
}
