// A recorded graph against tfjs-node's own eager computation, values and gradients.
import * as tf from '@tensorflow/tfjs-node-gpu'
import { describe, expect, it } from 'vitest'
import { Graph } from '../../../trainer/graph/graph.ts'
import { batchNormTraining, randomUniform, sparseSoftmaxCrossEntropy } from '../../../trainer/graph/ops.ts'
import { record, toOutput, toTensor } from '../../../trainer/graph/recorder.ts'
import { openSession } from '../../../trainer/graph/session.ts'

type Computation = (...inputs: tf.Tensor[]) => tf.Tensor

/** Runs `f` on `inputs` through a recorded graph. */
async function recorded(
  f: (...inputs: tf.Tensor[]) => tf.Tensor[],
  inputs: tf.Tensor[],
  dynamicBatch = false,
): Promise<tf.Tensor[]> {
  const graph = new Graph({ dynamicBatch })
  record(graph, () => {
    const placeholders = inputs.map(({ shape, dtype }, i) => graph.placeholder(`x${i}`, shape, dtype as 'float32'))
    const outputs = f(...placeholders.map(toTensor))
    graph.sign(
      'f',
      Object.fromEntries(placeholders.map((input, i) => [`x${i}`, input])),
      Object.fromEntries(outputs.map((output, i) => [`y${i}`, toOutput(output)])),
    )
  })
  const session = await openSession(graph)
  const called = session.call('f', Object.fromEntries(inputs.map((input, i) => [`x${i}`, input])))
  session.close()
  return Object.keys(called)
    .sort()
    .map((key) => called[key]!)
}

const difference = (a: tf.Tensor, b: tf.Tensor) =>
  tf.tidy(() => tf.max(tf.abs(tf.sub(tf.cast(a, 'float32'), tf.cast(b, 'float32')))).dataSync()[0]!)

const normal = (shape: number[], seed: number) => tf.randomNormal(shape, 0, 1, 'float32', seed)

/** Each with inputs whose gradient is wanted too. */
const computations: Record<string, [Computation, ...number[][]]> = {
  'conv2d, same': [(x, k) => tf.conv2d(x as tf.Tensor4D, k as tf.Tensor4D, 1, 'same'), [2, 7, 9, 3], [3, 3, 3, 4]],
  'conv2d, valid, stride 2': [(x, k) => tf.conv2d(x as tf.Tensor4D, k as tf.Tensor4D, 2, 'valid'), [2, 8, 9, 3], [3, 3, 3, 4]],
  'transposed convolution': [
    (x, k) => tf.conv2dTranspose(x as tf.Tensor4D, k as tf.Tensor4D, [2, 10, 14, 2], 2, 'same'),
    [2, 5, 7, 3],
    [4, 4, 2, 3],
  ],
  'depthwise convolution': [
    (x, k) => tf.depthwiseConv2d(x as tf.Tensor4D, k as tf.Tensor4D, 1, 'same'),
    [2, 6, 6, 3],
    [3, 3, 3, 2],
  ],
  'max pooling of odd sizes': [(x) => tf.maxPool(x as tf.Tensor4D, 2, 2, 'same'), [2, 7, 5, 3]],
  'average pooling': [(x) => tf.avgPool(x as tf.Tensor4D, 3, 2, 'same'), [2, 7, 6, 3]],
  relu: [(x) => tf.relu(x), [3, 5]],
  'relu of a sum, used twice': [(x, y) => tf.add(tf.relu(tf.add(x, y)), tf.mul(x, 2)), [3, 5], [5]],
  relu6: [(x) => tf.relu6(tf.mul(x, 5)), [3, 5]],
  elu: [(x) => tf.elu(x), [3, 5]],
  sigmoid: [(x) => tf.sigmoid(x), [3, 5]],
  tanh: [(x) => tf.tanh(x), [3, 5]],
  softplus: [(x) => tf.softplus(x), [3, 5]],
  softmax: [(x) => tf.softmax(x), [3, 5]],
  logSumExp: [(x) => tf.logSumExp(x, 1), [3, 5]],
  'log and sqrt': [(x) => tf.log(tf.sqrt(tf.add(tf.square(x), 1))), [3, 5]],
  'broadcast arithmetic': [(x, y) => tf.div(tf.sub(tf.mul(x, y), y), tf.add(tf.square(y), 1)), [4, 3, 5], [3, 1]],
  'mean and max': [(x) => tf.add(tf.mean(x, [0, 2], true), tf.max(x, 1, true)), [4, 3, 5]],
  'matMul, transposed': [(x, y) => tf.matMul(x, y, false, true), [4, 3], [5, 3]],
  'reshape, transpose, slice': [(x) => tf.slice(tf.transpose(tf.reshape(x, [6, 4]), [1, 0]), [1, 2], [2, 3]), [2, 3, 4]],
  'concat, stack, pad': [
    (x, y) =>
      tf.pad(tf.concat([x, tf.stack([y, y])], 1), [
        [1, 0],
        [0, 2],
      ]),
    [2, 3],
    [4],
  ],
  'expandDims and tile': [(x) => tf.tile(tf.expandDims(x, 1), [1, 3, 1]), [4, 2]],
  'bilinear resize': [(x) => tf.image.resizeBilinear(x as tf.Tensor4D, [9, 11], false, true), [2, 4, 5, 3]],
  'batch normalisation in inference': [
    (x, m, v, b, g) =>
      tf.batchNorm(x as tf.Tensor4D, m as tf.Tensor1D, tf.abs(v) as tf.Tensor1D, b as tf.Tensor1D, g as tf.Tensor1D, 1e-3),
    [2, 4, 5, 3],
    [3],
    [3],
    [3],
    [3],
  ],
  'batch normalisation in training': [
    (x, g, b) => batchNormTraining(x as tf.Tensor4D, g as tf.Tensor1D, b as tf.Tensor1D, 1e-3).y,
    [2, 4, 5, 3],
    [3],
    [3],
  ],
  'sparse softmax cross-entropy': [
    (x) => sparseSoftmaxCrossEntropy(x as tf.Tensor2D, tf.tensor1d([0, 2, 1, 1], 'int32')),
    [4, 3],
  ],
  where: [(x, y) => tf.where(tf.tensor1d([1, 0, 1], 'bool').expandDims(1), x, tf.mul(y, y)), [3, 4], [3, 4]],
  clip: [(x) => tf.clipByValue(x, -0.5, 0.5), [3, 4]],
}

describe('a recorded graph', () => {
  it.each(Object.entries(computations))('computes %s and its gradient as eager tfjs does', async (_, [f, ...shapes]) => {
    const inputs = shapes.map((shape, i) => normal(shape, i + 1))
    const [expected] = await recorded((...x) => [f(...x)], inputs)
    expect(difference(expected!, f(...inputs))).toBeLessThan(1e-5)

    const weights = normal(expected!.shape, 99)
    const gradients = (...x: tf.Tensor[]) => tf.grads((...y: tf.Tensor[]) => tf.sum(tf.mul(f(...y), weights)))(x)
    const [ours, eager] = [await recorded((...x) => gradients(...x), inputs), gradients(...inputs)]
    for (const [i, gradient] of eager.entries()) expect(difference(ours[i]!, gradient)).toBeLessThan(2e-5)
  })

  it('records the gradient of relu as one op', () => {
    const graph = new Graph()
    record(graph, () => {
      const x = toTensor(graph.placeholder('x', [2, 3], 'float32'))
      toOutput(tf.grad((y: tf.Tensor) => tf.sum(tf.relu(y)))(x))
    })
    expect(graph.nodes.map(({ op }) => op)).toContain('ReluGrad')
  })

  it('takes any number of pictures where the batch is open', async () => {
    const kernel = normal([4, 4, 2, 3], 1) as tf.Tensor4D
    const f = (x: tf.Tensor) => {
      const [n] = x.shape as [number]
      const up = tf.conv2dTranspose(x as tf.Tensor4D, kernel, [n, 10, 14, 2], 2, 'same')
      return tf.reshape(tf.slice(up, [0, 0, 0, 0], [n, 9, 13, 1]), [n, 9, 13])
    }
    const graph = new Graph({ dynamicBatch: true })
    record(graph, () => {
      const x = graph.placeholder('x', [2, 5, 7, 3], 'float32')
      graph.sign('f', { x }, { y: toOutput(f(toTensor(x))) })
    })
    const session = await openSession(graph)
    for (const n of [1, 2, 5]) {
      const x = normal([n, 5, 7, 3], n)
      const { y } = session.call('f', { x })
      expect(y!.shape).toEqual([n, 9, 13])
      expect(difference(y!, f(x))).toBeLessThan(1e-5)
    }
    session.close()
  })

  it('draws random numbers by seed alone, the same recorded and eager', async () => {
    const seed = tf.tensor1d([7, 3], 'int32')
    const [ours] = await recorded((s) => [randomUniform([4, 5], s as tf.Tensor1D)], [seed])
    expect(difference(ours!, randomUniform([4, 5], seed))).toBe(0)
    expect(difference(ours!, randomUniform([4, 5], tf.tensor1d([8, 3], 'int32')))).toBeGreaterThan(0.1)
  })

  const x = (graph: Graph) => toTensor(graph.placeholder('x', [2, 3], 'float32'))
  it.each([
    [
      'random numbers drawn in JavaScript',
      (g: Graph) => tf.mul(x(g), tf.randomUniform([2, 3])),
      /Random numbers were drawn in JavaScript/,
    ],
    ['a value that is read', (g: Graph) => x(g).dataSync(), /was read while it was recorded/],
    ['an op without a shape', (g: Graph) => tf.topk(x(g), 1), /found TopKV2/],
  ])('refuses %s', (_, body, message) => {
    const graph = new Graph()
    expect(() => record(graph, () => void body(graph))).toThrow(message)
    // and the next recording, and eager tfjs, work as before
    expect(tf.getBackend()).toBe('tensorflow')
    expect(tf.add(1, 2).dataSync()[0]).toBe(3)
    expect(() => record(new Graph(), () => tf.add(1, 2))).not.toThrow()
  })

  it('holds a tensor from outside as a constant in every graph that uses it', async () => {
    const weight = tf.tensor1d([1, 2, 3])
    for (const factor of [2, 3]) {
      const [y] = await recorded((x) => [tf.mul(tf.mul(x!, weight), factor)], [tf.ones([2, 3])])
      expect(Array.from(y!.dataSync()).slice(0, 3)).toEqual([factor, 2 * factor, 3 * factor])
    }
    expect(Array.from(weight.dataSync())).toEqual([1, 2, 3])
  })

  it('leaves no tensor behind', () => {
    const before = tf.memory().numTensors
    const graph = new Graph()
    record(graph, () => {
      const y = tf.relu(tf.mul(x(graph), 3))
      graph.sign('f', {}, { y: toOutput(y) })
    })
    expect(tf.memory().numTensors).toBe(before)
  })
})
