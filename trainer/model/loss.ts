// What training makes small, and the state of it on validation pictures.
import * as tf from '@tensorflow/tfjs-node-gpu'
import { ignore } from '../data/dataset.ts'
import { softmaxCrossEntropy, sparseSoftmaxCrossEntropy } from '../graph/ops.ts'

export const losses = ['cross-entropy', 'dice', 'cross-entropy+dice'] as const

export interface Loss {
  loss: (typeof losses)[number]
  /** By class id, how much a pixel of it counts in the cross-entropy; left out: all the same. */
  classWeights?: readonly number[]
}

/**
 * How far the network is from its teacher: cross-entropy with the teacher's probabilities, mean of all pixels, labelled or not.
 * @param logits float32 [n, h, w, classes], and the teacher's of the same pictures
 */
export function distillation(logits: tf.Tensor4D, teacher: tf.Tensor4D): tf.Scalar {
  const [student, wanted] = [logits, teacher].map((of) => tf.reshape(of, [-1, logits.shape[3]]) as tf.Tensor2D)
  return tf.mean(softmaxCrossEntropy(student!, tf.softmax(wanted!)))
}

/** Below what any labelled pixels weigh: where there are none, the loss is 0 and not 0 / 0. */
const least = 1e-12

/**
 * The loss of a batch, and how much it weighs in the mean over several: the weights of its labelled pixels together.
 * @param logits float32 [n, h, w, classes]
 * @param labels uint8 [n, h, w] class ids; `ignore` counts nowhere
 */
export function batchLoss(logits: tf.Tensor4D, labels: tf.Tensor, { loss, classWeights }: Loss) {
  return tf.tidy(() => {
    const rows = tf.reshape(logits, [-1, logits.shape[3]]) as tf.Tensor2D
    const ids = tf.reshape(tf.cast(labels, 'int32'), [-1]) as tf.Tensor1D
    const labelled = tf.notEqual(ids, tf.scalar(ignore, 'int32'))
    const valid = tf.mul(ids, tf.cast(labelled, 'int32')) as tf.Tensor1D
    const counts = tf.cast(labelled, 'float32') as tf.Tensor1D
    const weights = classWeights ? tf.mul<tf.Tensor1D>(tf.gather(tf.tensor1d([...classWeights]), valid), counts) : counts
    const weight = tf.sum(weights) as tf.Scalar
    const parts: tf.Scalar[] = []
    if (loss !== 'dice')
      parts.push(tf.div(tf.sum(tf.mul(sparseSoftmaxCrossEntropy(rows, valid), weights)), tf.maximum(weight, least)))
    if (loss !== 'cross-entropy') parts.push(softDice(rows, ids, counts))
    return { loss: parts.length === 1 ? parts[0]! : tf.add<tf.Scalar>(parts[0]!, parts[1]!), weight }
  })
}

/**
 * 1 - the mean of the classes' Dice coefficients 2 |P ∩ G| / (|P| + |G|), with the probabilities of all labelled pixels of
 * the batch as the set P (Milletari et al. 2016); one pixel is added above and below, for classes that are not there.
 */
function softDice(logits: tf.Tensor2D, ids: tf.Tensor1D, counts: tf.Tensor1D): tf.Scalar {
  const truth = tf.oneHot(ids, logits.shape[1]) // of a pixel that is ignored, 0 for every class
  const predicted = tf.mul(tf.softmax(logits), tf.expandDims(counts, 1))
  const both = tf.sum(tf.mul(predicted, truth), 0)
  const either = tf.add(tf.sum(predicted, 0), tf.sum(truth, 0))
  return tf.sub(1, tf.mean(tf.div(tf.add(tf.mul(both, 2), 1), tf.add(either, 1))))
}
