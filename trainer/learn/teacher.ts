// Distillation (Hinton, Vinyals, Dean 2015): a trained network that tells one in training, pixel by pixel, how sure of each
// class it is. It sees the same changed pictures, inside the same graph call, and needs no labels.
import type * as tf from '@tensorflow/tfjs-node-gpu'
import type { Manifest } from '../../deploy/bundle.ts'
import { buildFcn } from '../model/fcn.ts'
import { adoptWeights } from '../transfer/adopt.ts'
import { openPrevious } from '../transfer/previous.ts'

export interface Teacher {
  name: string
  /** What it was trained on: its licences hold for what is learnt from it. */
  data: Manifest['data']
  /** Logits [n, h, w, classes] for float32 pictures [n, h, w, 3] as `normalise` gives them; no gradient goes through. */
  logits(pictures: tf.Tensor4D): tf.Tensor4D
  close(): void
}

/**
 * Opens a run's best epoch or a bundle to teach pictures of `size`, which may differ from what it was trained on.
 * Throws where it knows other classes.
 */
export async function openTeacher(
  dir: string,
  { width, height }: { width: number; height: number },
  wanted: readonly { name: string }[],
): Promise<Teacher> {
  const { source, network, data } = await openPrevious(dir, '--teacher')
  const classes = wanted.map(({ name }) => name)
  // Without batch normalisation, which is folded into the weights.
  const architecture = { ...network, batchNorm: false, dropout: 0, classes: classes.length }
  const model = buildFcn(architecture, height, width)
  const { layers } = adoptWeights(model, source, { classes, pictures: [] })
  const unknown = layers.find(({ start }) => start === 'new')
  if (unknown)
    throw new Error(
      `--teacher: expected a network that knows ${classes.join(', ')}; of ${dir}, ${unknown.layer} does not fit (${unknown.note})`,
    )
  for (const weight of model.weights) weight.trainable = false
  return { name: source.name, data, logits: (pictures) => model.apply(pictures) as tf.Tensor4D, close: () => model.dispose() }
}
