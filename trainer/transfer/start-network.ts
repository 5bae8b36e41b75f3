// What a new run's network begins with, where that is not random weights alone.
import * as tf from '@tensorflow/tfjs-node-gpu'
import type { Pictures } from '../data/batches.ts'
import type { Settings } from '../run/settings.ts'
import { adoptWeights, type Start, startTable } from './adopt.ts'
import { vgg16File } from './fetch.ts'
import { somePictures } from './keep-activations.ts'
import type { Previous } from './previous.ts'
import { openVgg16 } from './vgg16.ts'

/**
 * Loads the weights of an earlier run or a bundle, or VGG16's, into `model` and prints what became of each layer. Nothing
 * where neither was asked for.
 * @param from `vgg16` is the value of --vgg16: a published name or a file
 */
export async function startNetwork(
  model: tf.LayersModel,
  from: { previous: Previous | undefined; vgg16: string | undefined },
  { fc, vgg16: name }: Pick<Settings, 'fc' | 'vgg16'>,
  classes: readonly { name: string }[],
  pictures: Pictures,
): Promise<Start | undefined> {
  const { previous, vgg16 } = from
  const source = previous?.source ?? (vgg16 === undefined ? undefined : await openVgg16(await vgg16File(vgg16, fc), name))
  if (!source) return undefined
  const some = await somePictures(pictures)
  const start = adoptWeights(model, source, { classes: classes.map(({ name }) => name), pictures: some })
  tf.dispose(some)
  console.log(`\n${startTable(start)}`)
  return { ...start, ...(previous && { data: previous.data }) }
}
