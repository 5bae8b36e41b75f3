// What the augmentation makes of training pictures: a sheet in the run folder, to look at before hours are spent.
import * as tf from '@tensorflow/tfjs-node-gpu'
import type { Pictures } from '../data/batches.ts'
import { ignore } from '../data/dataset.ts'
import { augment, augmentations } from '../model/augment.ts'
import type { Settings } from '../run/settings.ts'
import { contactSheet, darkSwatch, type Mark, makeTile, type SheetGroup, swatch } from './contact-sheet.ts'
import { paintTint, unseen } from './overlay.ts'
import { writeAtomically } from './write-atomically.ts'

/** Pictures shown, spread evenly over the set, and how often each is changed. */
const [shown, variants] = [4, 5]

/** Draws `shown` pictures as they are and as the training step would change them, the road tinted, into the JPEG `file`. */
export async function showAugmentation(
  file: string,
  { samples, input, get }: Pictures,
  { augment: name, seed }: Pick<Settings, 'augment' | 'seed'>,
  road: number,
): Promise<void> {
  const { width, height } = input
  const count = Math.min(shown, samples.length)
  const chosen = Array.from({ length: count }, (_, i) => Math.floor((i * samples.length) / count))
  const labelled = await Promise.all(chosen.map(get))
  const groups: SheetGroup[] = chosen.map((index) => ({ title: samples[index]!.name, tiles: [] }))

  const stacked = (bytes: Uint8Array[], shape: number[]) => tf.tensor(Int32Array.from(Buffer.concat(bytes)), [count, ...shape])
  const batch = {
    pictures: stacked(
      labelled.map(({ picture }) => picture),
      [height, width, 3],
    ),
    labels: stacked(
      labelled.map(({ label }) => label),
      [height, width],
    ),
  }
  for (let step = 0; step <= variants; step++) {
    const random = tf.tensor1d([seed, step], 'int32')
    const changed = augment(batch.pictures, batch.labels, random, augmentations[step === 0 ? 'none' : name])
    const [pictures, labels] = [Uint8Array.from(changed.pictures.dataSync()), changed.labels.dataSync()]
    tf.dispose([random, changed.pictures, changed.labels])
    for (const [at, id] of labels.entries()) {
      if (id === road) paintTint(pictures, at, 'right')
      if (id === ignore) for (let c = 0; c < 3; c++) pictures[3 * at + c]! *= unseen
    }
    const bytes = 3 * width * height
    for (const [i, { tiles }] of groups.entries()) {
      const picture = { width, height, pixels: pictures.subarray(i * bytes, (i + 1) * bytes) }
      tiles.push(await makeTile(picture, { left: step === 0 ? 'as it is' : `variant ${step}`, right: '' }))
    }
  }
  tf.dispose([batch.pictures, batch.labels])

  const title = `Training pictures, augment ${name}`
  // What is left as it is goes without saying.
  const subtitle = Object.entries(augmentations[name])
    .flatMap(([key, value]) => (value === true ? [key] : typeof value === 'number' && value > 0 ? [`${key} ${value}`] : []))
    .concat(augmentations[name].field.some((size) => size !== 1) ? [`field ${augmentations[name].field.join(' to ')}`] : [])
    .join(', ')
  const legend: Mark[] = [
    [swatch('right'), 'labelled road'],
    [darkSwatch, 'dark: counts nowhere'],
  ]
  await writeAtomically(file, await contactSheet(groups, legend, { title, subtitle }))
}
