// A computation through a recorded graph, to compare with the same computation in eager tfjs.
import * as tf from '@tensorflow/tfjs-node-gpu'
import { Graph, type Precision } from '../../../trainer/graph/graph.ts'
import { record, toOutput, toTensor } from '../../../trainer/graph/recorder.ts'
import { openSession } from '../../../trainer/graph/session.ts'

/** Runs `f` on `inputs` through a graph recorded as `options` say. */
export async function recorded(
  f: (...inputs: tf.Tensor[]) => tf.Tensor[],
  inputs: tf.Tensor[],
  options: { compute?: Precision; storage?: Precision; productsFrom?: number; winogradFrom?: number } = {},
): Promise<tf.Tensor[]> {
  const graph = new Graph(options)
  const outputs = record(graph, () => {
    const placeholders = inputs.map(({ shape, dtype }, i) => graph.placeholder(`x${i}`, shape, dtype as 'float32'))
    const outputs = f(...placeholders.map(toTensor)).map(toOutput)
    const name = (prefix: string, list: typeof outputs) => Object.fromEntries(list.map((one, i) => [`${prefix}${i}`, one]))
    graph.sign('f', name('x', placeholders), name('y', outputs))
    return outputs
  })
  const session = await openSession(graph)
  const called = session.call('f', Object.fromEntries(inputs.map((input, i) => [`x${i}`, input])))
  session.close()
  return outputs.map(({ shape }, i) => {
    const found = called[`y${i}`]!
    // TensorFlow's own shape against the one that was inferred.
    if (found.shape.join() !== shape.join()) throw new Error(`Inferred the shape [${shape}], TensorFlow gave [${found.shape}]`)
    return found
  })
}

/** `f` and the gradient of each of its inputs, for outputs weighted at random. */
export function withGradients(f: (...inputs: tf.Tensor[]) => tf.Tensor) {
  return (...inputs: tf.Tensor[]): tf.Tensor[] => {
    const y = f(...inputs)
    const weights = normal(y.shape, 99)
    return [y, ...tf.grads((...x: tf.Tensor[]) => tf.sum(tf.mul(f(...x), weights)))(inputs)]
  }
}

/** The largest difference of two tensors' values, as a share of the larger value where that is above 1. */
export const difference = (a: tf.Tensor, b: tf.Tensor): number => {
  if (a.shape.join() !== b.shape.join()) return Number.POSITIVE_INFINITY
  return tf.tidy(() => {
    const [left, right] = [tf.cast(a, 'float32'), tf.cast(b, 'float32')]
    return tf.max(tf.div(tf.abs(tf.sub(left, right)), tf.maximum(1, tf.abs(right)))).dataSync()[0]!
  })
}

const drawn = new Map<string, tf.Tensor>()
/** The same random numbers for the same arguments; drawn before a recording, which would refuse to. */
export function normal(shape: number[], seed: number): tf.Tensor {
  const key = `${shape} ${seed}`
  const known = drawn.get(key)
  if (known) return known
  const made = tf.keep(tf.randomNormal(shape, 0, 1, 'float32', seed))
  drawn.set(key, made)
  return made
}
