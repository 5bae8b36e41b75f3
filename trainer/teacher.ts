// Distillation (Hinton, Vinyals, Dean 2015): a trained network that tells one in training, pixel by pixel, how sure of each
// class it is. It sees the same changed pictures, inside the same graph call, and needs no labels.
import type * as tf from '@tensorflow/tfjs-node-gpu'
import { openBundle } from '../deploy/bundle.ts'
import { readCheckpoint } from './checkpoint.ts'
import { buildNetwork } from './learner.ts'
import { foldedFcn } from './model/fcn.ts'
import { readRun, runPaths } from './run.ts'

export interface Teacher {
  parameters: number
  /** Logits [n, h, w, classes] for float32 pictures [n, h, w, 3] as `normalise` gives them; no gradient goes through. */
  logits(pictures: tf.Tensor4D): tf.Tensor4D
  close(): void
}

/**
 * Opens the best epoch of a finished run to teach pictures of `size`, which may differ from what it was trained on.
 * Throws where it knows other classes.
 */
export async function openTeacher(
  run: string,
  size: { width: number; height: number },
  classes: readonly { name: string }[],
): Promise<Teacher> {
  const { settings, input } = await readRun(run)
  const paths = runPaths(run)
  const { manifest } = await openBundle(paths.bundle)
  const names = (list: readonly { name: string }[]) => list.map(({ name }) => name).join(', ')
  if (names(manifest.classes) !== names(classes))
    throw new Error(
      `--teacher: expected a network that knows ${names(classes)}, found one in ${run} that knows ${names(manifest.classes)}`,
    )
  const { state } = await readCheckpoint(paths.best)
  const network = buildNetwork(settings, { ...input, ...size }, classes.length)
  network.load(state)
  const folded = foldedFcn(network.model, network.architecture)
  network.close()
  for (const weight of folded.weights) weight.trainable = false
  return {
    parameters: network.parameters,
    logits: (pictures) => folded.apply(pictures) as tf.Tensor4D,
    close: () => folded.dispose(),
  }
}
