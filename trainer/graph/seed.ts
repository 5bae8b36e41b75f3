// tfjs-layers' dropout and noise layers draw their numbers in JavaScript, anew in each call: a graph cannot hold that.
// Here they draw them in TensorFlow, from a seed that is a tensor: the same recorded, eager and in a resumed run.
import * as tf from '@tensorflow/tfjs-node-gpu'
import { randomNormal, randomUniform } from './ops.ts'

/** What such a layer keeps of its arguments. */
interface Noisy extends tf.layers.Layer {
  rate: number
  stddev: number
  noiseShape?: number[]
  getNoiseShape?(x: tf.Tensor): number[] | null | undefined
}

interface Draw {
  uniform(shape: number[]): tf.Tensor
  normal(shape: number[]): tf.Tensor
}

const keep = (shape: number[], rate: number, draw: Draw) => tf.cast(tf.greaterEqual(draw.uniform(shape), rate), 'float32')

/** Classes of tfjs-layers, and what each does in training. */
const noisy: Record<string, (layer: Noisy, x: tf.Tensor, draw: Draw) => tf.Tensor> = {
  // Srivastava et al. 2014. SpatialDropout1D (Tompson et al. 2015) inherits from it, with another shape of noise.
  Dropout: (layer, x, draw) => tf.mul(x, tf.div(keep(layer.getNoiseShape?.(x) ?? x.shape, layer.rate, draw), 1 - layer.rate)),
  GaussianNoise: ({ stddev }, x, draw) => tf.add(x, tf.mul(draw.normal(x.shape), stddev)),
  GaussianDropout: ({ rate }, x, draw) => tf.mul(x, tf.add(1, tf.mul(draw.normal(x.shape), Math.sqrt(rate / (1 - rate))))),
  // Klambauer et al. 2017: what is dropped becomes selu's lower limit, and mean and variance stay. (In tfjs-layers 4.22 it
  // becomes minus that limit, by a sign, and they do not stay.)
  AlphaDropout: ({ rate, noiseShape }, x, draw) => {
    const kept = keep(noiseShape ?? x.shape, rate, draw)
    const limit = -1.6732632423543772 * 1.0507009873554805
    const scale = ((1 - rate) * (1 + rate * limit ** 2)) ** -0.5
    const dropped = tf.add(tf.mul(x, kept), tf.mul(tf.sub(1, kept), limit))
    return tf.add(tf.mul(dropped, scale), -scale * limit * rate)
  },
}

/** The first salt: far from those that a caller may use for numbers of its own. */
const firstSalt = 1 << 20

/**
 * Runs `body`, in which tfjs's dropout and noise layers draw from `seed` what they need in training: each layer, in the
 * order of their calls, numbers of its own, which differ where the seed does. A `seed` of the layer itself is left aside.
 * @param seed int32 [2], such as the run's and the step's number; eager, or symbolic while recording
 */
export function withSeed<T>(seed: tf.Tensor1D, body: () => T): T {
  let salt = firstSalt
  const draw: Draw = {
    uniform: (shape) => randomUniform(shape, seed, salt++),
    normal: (shape) => randomNormal(shape, seed, salt++),
  }
  const { classNameMap } = tf.serialization.SerializationMap.getMap()
  const replaced = Object.entries(noisy).map(([name, noise]) => {
    const prototype = classNameMap[name]![0].prototype as tf.layers.Layer
    const { call } = prototype
    prototype.call = function (this: tf.layers.Layer, inputs, kwargs) {
      const layer = this as Noisy
      const idle = layer.rate !== undefined && (layer.rate <= 0 || layer.rate >= 1)
      if (!kwargs.training || idle) return call.call(this, inputs, kwargs)
      return tf.tidy(() => noise(layer, Array.isArray(inputs) ? inputs[0]! : inputs, draw))
    }
    return { prototype, call }
  })
  try {
    return body()
  } finally {
    for (const { prototype, call } of replaced) prototype.call = call
  }
}
