// What training makes small, and the state of it on validation pictures.
import * as tf from '@tensorflow/tfjs-node-gpu'
import { ignore } from '../data/dataset.ts'
import { sparseSoftmaxCrossEntropy } from '../graph/ops.ts'

/**
 * Cross-entropy summed over the labelled pixels, and how many there are.
 * @param logits float32 [n, h, w, classes]
 * @param labels uint8 [n, h, w] class ids; `ignore` counts nowhere
 */
export function crossEntropy(logits: tf.Tensor4D, labels: tf.Tensor): { sum: tf.Scalar; pixels: tf.Scalar } {
  return tf.tidy(() => {
    const ids = tf.reshape(tf.cast(labels, 'int32'), [-1]) as tf.Tensor1D
    const labelled = tf.notEqual(ids, tf.scalar(ignore, 'int32'))
    const valid = tf.mul(ids, tf.cast(labelled, 'int32')) as tf.Tensor1D
    const weight = tf.cast(labelled, 'float32')
    const each = sparseSoftmaxCrossEntropy(tf.reshape(logits, [-1, logits.shape[3]]), valid)
    return { sum: tf.sum(tf.mul(each, weight)) as tf.Scalar, pixels: tf.sum(weight) as tf.Scalar }
  })
}

/** The mean over labelled pixels; 0 where there are none. */
export function meanCrossEntropy(logits: tf.Tensor4D, labels: tf.Tensor): tf.Scalar {
  return tf.tidy(() => {
    const { sum, pixels } = crossEntropy(logits, labels)
    return tf.div<tf.Scalar>(sum, tf.maximum(pixels, 1))
  })
}
