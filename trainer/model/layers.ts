// Layers that tfjs-layers lacks, or has in a form that a graph cannot hold.
import * as tf from '@tensorflow/tfjs-node-gpu'
import { batchNormTraining } from '../graph/ops.ts'

type Inputs = tf.Tensor | tf.Tensor[]
type Keywords = { training?: boolean }

const first = (inputs: Inputs): tf.Tensor4D => (Array.isArray(inputs) ? inputs[0]! : inputs) as tf.Tensor4D

/** Added to variances. */
export const epsilon = 1e-3
/** Share of the old moving average that a step keeps: an average over some 20 batches, short enough for small data sets. */
const momentum = 0.95

/**
 * Batch normalisation over [n, h, w] (Ioffe and Szegedy 2015), in TensorFlow's fused op in training too. Where it is not
 * trainable it keeps to its moving statistics in training as well, as in Keras.
 */
export class BatchNorm extends tf.layers.Layer {
  static className = 'RoadmaskBatchNorm'
  /** Its weights, as `variables` names them after the layer. */
  static readonly kinds = ['gamma', 'beta', 'moving_mean', 'moving_variance'] as const

  override build(inputShape: tf.Shape): void {
    const channels = [inputShape.at(-1)!]
    const [zeros, ones] = [tf.initializers.zeros(), tf.initializers.ones()]
    this.addWeight('gamma', channels, 'float32', ones)
    this.addWeight('beta', channels, 'float32', zeros)
    this.addWeight('moving_mean', channels, 'float32', zeros, undefined, false)
    this.addWeight('moving_variance', channels, 'float32', ones, undefined, false)
    this.built = true
  }

  override computeOutputShape(inputShape: tf.Shape): tf.Shape {
    return inputShape
  }

  override call(inputs: Inputs, { training }: Keywords): tf.Tensor {
    return tf.tidy(() => {
      const x = first(inputs)
      const [gamma, beta, movingMean, movingVariance] = [...this.trainableWeights, ...this.nonTrainableWeights]
      const read = [gamma, beta, movingMean, movingVariance].map((weight) => weight!.read() as tf.Tensor1D)
      if (!training || !this.trainable) return tf.batchNorm(x, read[2]!, read[3]!, read[1], read[0], epsilon)
      const { y, mean, variance } = batchNormTraining(x, read[0]!, read[1]!, epsilon)
      movingMean!.write(tf.add(tf.mul(read[2]!, momentum), tf.mul(mean, 1 - momentum)))
      movingVariance!.write(tf.add(tf.mul(read[3]!, momentum), tf.mul(variance, 1 - momentum)))
      mean.dispose()
      variance.dispose()
      return y
    })
  }
}

/** The kernel and bias of a convolution that does what `kernel` without bias and then batch normalisation did. */
export function foldBatchNorm(
  kernel: tf.Tensor,
  weights: { gamma: tf.Tensor; beta: tf.Tensor; mean: tf.Tensor; variance: tf.Tensor },
) {
  return tf.tidy(() => {
    const scale = tf.mul(weights.gamma, tf.rsqrt(tf.add(weights.variance, epsilon)))
    return { kernel: tf.mul(kernel, scale), bias: tf.sub(weights.beta, tf.mul(weights.mean, scale)) }
  })
}

/** Cuts the first input to the height and width of the second, from the top left, where pooling's cells begin. */
export class CropLike extends tf.layers.Layer {
  static className = 'RoadmaskCropLike'

  override computeOutputShape(inputShapes: tf.Shape[]): tf.Shape {
    const [x, like] = inputShapes as [tf.Shape, tf.Shape]
    return [x[0]!, like[1]!, like[2]!, x[3]!]
  }

  override call(inputs: Inputs): tf.Tensor {
    const [x, like] = inputs as [tf.Tensor4D, tf.Tensor4D]
    if (x.shape[1] === like.shape[1] && x.shape[2] === like.shape[2]) return tf.clone(x)
    return tf.slice(x, [0, 0, 0, 0], [x.shape[0], like.shape[1], like.shape[2], x.shape[3]])
  }
}
