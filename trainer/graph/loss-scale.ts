// Dynamic loss scaling (Micikevicius et al. 2018, section 3.2): gradients too small for float16 are lifted into its range by
// scaling the loss. A step in which they leave the range at the other end is left out, and the scale halved.
import * as tf from '@tensorflow/tfjs-node-gpu'

/** Scalars that are part of the training's state, with their values at first. */
export const lossScaling = { loss_scale: 2 ** 15, loss_scale_steps: 0 }

/** Steps without overflow after which the scale is doubled, up to a limit. */
const patience = 2000
const largest = 2 ** 24

/** The scaling's next state, from its present one and whether this step's gradients were all numbers. */
export function nextScale(scale: tf.Tensor, steps: tf.Tensor, finite: tf.Tensor): Record<keyof typeof lossScaling, tf.Tensor> {
  const grows = tf.greaterEqual(steps, patience - 1)
  const after = tf.where(grows, tf.minimum(tf.mul(scale, 2), largest), scale)
  return {
    loss_scale: tf.where(finite, after, tf.maximum(tf.div(scale, 2), 1)),
    loss_scale_steps: tf.where(tf.logicalAnd(finite, tf.logicalNot(grows)), tf.add(steps, 1), tf.zerosLike(steps)),
  }
}
