// What the augmentation makes of training pictures: a sheet in the run folder, to look at before hours are spent.
import * as tf from '@tensorflow/tfjs-node-gpu'
import type { Pictures } from './data/batches.ts'
import { ignore } from './data/dataset.ts'
import { augment, augmentations } from './model/augment.ts'
import { contactSheet, darkSwatch, type Mark, makeTile, type SheetGroup, swatch } from './report/contact-sheet.ts'
import { paintTint, unseen } from './report/overlay.ts'
import { writeAtomically } from './report/write-atomically.ts'
import type { Settings } from './settings.ts'

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

  async function addTiles(name: string, pictures: ArrayLike<number>[], labels: ArrayLike<number>[]) {
    for (const [i, { tiles }] of groups.entries()) {
      const pixels = Uint8Array.from(pictures[i]!)
      for (let at = 0; at < width * height; at++) {
        const id = labels[i]![at]
        if (id === road) paintTint(pixels, at, 'right')
        if (id === ignore) for (let c = 0; c < 3; c++) pixels[3 * at + c]! *= unseen
      }
      tiles.push(await makeTile({ width, height, pixels }, { left: name, right: '' }))
    }
  }

  const [pictureBytes, labelBytes] = [labelled.map(({ picture }) => picture), labelled.map(({ label }) => label)]
  await addTiles('as it is', pictureBytes, labelBytes)
  const stacked = (bytes: Uint8Array[], shape: number[]) => tf.stack(bytes.map((one) => tf.tensor(Int32Array.from(one), shape)))
  const each = (tensor: tf.Tensor) => tf.unstack(tensor).map((one) => one.dataSync())
  for (let step = 1; step <= variants; step++) {
    const changed = tf.tidy(() => {
      const pictures = stacked(pictureBytes, [height, width, 3])
      const labels = stacked(labelBytes, [height, width])
      const made = augment(pictures, labels, tf.tensor1d([seed, step], 'int32'), augmentations[name])
      return { pictures: each(made.pictures), labels: each(made.labels) }
    })
    await addTiles(`variant ${step}`, changed.pictures, changed.labels)
  }
  const title = `Training pictures, augment ${name}`
  const subtitle = Object.entries(augmentations[name])
    .map(([key, value]) => `${key} ${typeof value === 'object' ? value.join(' to ') : value}`)
    .join(', ')
  const legend: Mark[] = [
    [swatch('right'), 'labelled road'],
    [darkSwatch, 'dark: counts nowhere'],
  ]
  await writeAtomically(file, await contactSheet(groups, legend, { title, subtitle }))
}
