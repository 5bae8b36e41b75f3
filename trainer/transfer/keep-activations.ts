// Batch normalisation put behind convolutions that were learnt without it, so that nothing changes at first.
import * as tf from '@tensorflow/tfjs-node-gpu'
import type { Pictures } from '../data/batches.ts'
import { normalise, variables } from '../model/fcn.ts'
import { epsilon } from '../model/layers.ts'

/**
 * Sets the batch normalisation of layers that were loaded without it, so that each computes convolution + bias as before:
 * the statistics are those of what the convolution gives on `pictures`, gamma is their standard deviation and beta their mean
 * plus the bias. Validation then sees exactly the loaded network, training the same up to the statistics of a batch (as
 * data-dependent initialisation, Krähenbühl et al. 2016, does it for random weights).
 * @param biases [channels] by layer, for those that need it
 * @param pictures some training pictures [1, h, w, 3], 0 to 255
 */
export function keepActivations(
  model: tf.LayersModel,
  biases: ReadonlyMap<string, tf.Tensor1D>,
  pictures: readonly tf.Tensor[],
): void {
  if (biases.size === 0) return
  if (pictures.length === 0) throw new Error('Expected pictures to take the statistics of batch normalisation from, found none')
  const named = variables(model)
  let left = biases.size
  let values = pictures.map((picture) => normalise(picture))
  // What stands before the scores is a chain: each layer takes what the one before gave.
  for (const layer of model.layers.filter(({ name }) => /^(conv|relu|pool|fc|drop)/.test(name))) {
    if (left === 0) break
    const bias = layer.name.endsWith('_bn') ? biases.get(layer.name.slice(0, -3)) : undefined
    if (bias) {
      const put = (kind: string, value: tf.Tensor) => named.get(`${layer.name}/${kind}`)!.assign(value)
      tf.tidy(() => {
        const { mean, variance } = momentsOf(values)
        put('moving_mean', mean)
        put('moving_variance', variance)
        put('gamma', tf.sqrt(tf.add(variance, epsilon)))
        put('beta', tf.add(mean, bias))
      })
      left--
    }
    values = values.map((value) => {
      const next = layer.apply(value) as tf.Tensor4D
      value.dispose()
      return next
    })
  }
  tf.dispose(values)
}

/** Mean and variance of each channel over all pictures, which are of one size. */
function momentsOf(values: readonly tf.Tensor4D[]) {
  const each = values.map((value) => tf.tidy(() => tf.moments(value, [0, 1, 2])))
  const means = tf.stack(each.map(({ mean }) => mean))
  const within = tf.mean(tf.stack(each.map(({ variance }) => variance)), 0)
  const { mean, variance: between } = tf.moments(means, 0)
  return { mean, variance: tf.add(within, between) }
}

/** Evenly spread pictures, int32 [1, h, w, 3] each, which are enough to take statistics from. The caller disposes them. */
export async function somePictures({ samples, input, get }: Pictures): Promise<tf.Tensor4D[]> {
  const taken = Math.min(8, samples.length)
  const indices = Array.from({ length: taken }, (_, i) => Math.floor((i * samples.length) / taken))
  const read = await Promise.all(indices.map(get))
  return read.map(({ picture }) => tf.tensor4d(Int32Array.from(picture), [1, input.height, input.width, 3], 'int32'))
}
