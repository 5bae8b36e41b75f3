// A recorded graph against tfjs-node's own eager computation, values and gradients.
import * as tf from '@tensorflow/tfjs-node-gpu'
import { describe, expect, it } from 'vitest'
import { Graph, openSize } from '../../../trainer/graph/graph.ts'
import { randomNormal, randomUniform } from '../../../trainer/graph/ops.ts'
import { record, toOutput, toTensor } from '../../../trainer/graph/recorder.ts'
import { openSession } from '../../../trainer/graph/session.ts'
import { difference, normal, recorded } from './recorded.ts'

describe('a recorded graph', () => {
  it('records the gradient of relu as one op', () => {
    const graph = new Graph()
    record(graph, () => {
      const x = toTensor(graph.placeholder('x', [2, 3], 'float32'))
      toOutput(tf.grad((y: tf.Tensor) => tf.sum(tf.relu(y)))(x))
    })
    expect(graph.nodes.map(({ op }) => op)).toContain('ReluGrad')
  })

  const kernel = normal([4, 4, 2, 3], 1) as tf.Tensor4D
  const wide = normal([3, openSize], 5)
  const dense = tf.layers.dense({ units: 2, inputShape: [4, 3], weights: [normal([3, 2], 4), tf.zeros([2])] })
  tf.sequential({ layers: [dense] })
  const scale = [0, 1, 2, 3].map((i) => tf.add(tf.abs(normal([3], 10 + i)), 0.1)) as tf.Tensor1D[]
  it.each<[string, (x: tf.Tensor) => tf.Tensor, number[]]>([
    [
      'a transposed convolution, cut',
      (x) => {
        const [n] = x.shape as [number]
        const up = tf.conv2dTranspose(x as tf.Tensor4D, kernel, [n, 10, 14, 2], 2, 'same')
        return tf.reshape(tf.slice(up, [0, 0, 0, 0], [n, 9, 13, 1]), [n, 9, 13])
      },
      [5, 7, 3],
    ],
    ['batch normalisation of rows', (x) => tf.batchNorm(x, ...(scale as [tf.Tensor1D, tf.Tensor1D])), [3]],
    ['batch normalisation of sequences', (x) => tf.batchNorm(x, ...(scale as [tf.Tensor1D, tf.Tensor1D])), [4, 3]],
    [
      'a slice with the batch behind the channels',
      (x) => {
        const rows = tf.slice(tf.transpose(x, [1, 0]), [1, 0], [2, x.shape[0]!])
        return tf.transpose(tf.reshape(rows, [2, 1, x.shape[0]!]), [2, 0, 1])
      },
      [3],
    ],
    ['a dense layer over rows of rows', (x) => dense.apply(x) as tf.Tensor, [4, 3]],
    ['weights that have that size by chance', (x) => tf.matMul(x, wide), [3]],
    ['pairs gathered in the batch', (x) => tf.reshape(tf.concat([x, x], 1), [-1, 3]), [3]],
  ])('takes any number of pictures where the batch is open: %s', async (_, f, shape) => {
    const graph = new Graph({ dynamicBatch: true })
    record(graph, () => {
      const x = graph.placeholder('x', [-1, ...shape], 'float32')
      graph.sign('f', { x }, { y: toOutput(f(toTensor(x))) })
    })
    const session = await openSession(graph)
    for (const n of [1, 2, 5]) {
      const x = normal([n, ...shape], n)
      const { y } = session.call('f', { x })
      expect(difference(y!, f(x))).toBeLessThan(1e-5)
    }
    session.close()
  })

  const size = (x: tf.Tensor) => x.shape[0]!
  it.each<[string, (x: tf.Tensor) => unknown]>([
    ['as many zeros', (x) => tf.concat([x, tf.zeros([size(x), 1])], 1)],
    ['a fill', (x) => tf.concat([x, tf.fill([size(x), 1], 2)], 1)],
    ['a repeated row', (x) => tf.mul(x, tf.tile(tf.ones([1, 3]), [size(x), 1]))],
    ['its number as a divisor', (x) => tf.div(tf.sum(x, 0), size(x))],
    ['its reciprocal as a factor', (x) => tf.mul(tf.sum(x, 0), 1 / size(x))],
    ['one more than its number', (x) => tf.mul(x, size(x) + 1)],
    ['one fewer as a divisor, as a variance has it', (x) => tf.div(tf.sum(x, 0), size(x) - 1)],
    ['its reciprocal', (x) => tf.mul(tf.sum(x, 0), 1 / (size(x) - 1))],
    ['each picture by itself', (x) => tf.add(tf.unstack(x)[0]!, 1)],
    ['each picture by itself, split', (x) => tf.split(x, size(x))],
    ['all but the first picture', (x) => tf.slice(x, [1, 0], [size(x) - 1, 3])],
    ['one picture more', (x) => tf.concat([x, tf.ones([1, 3])], 0)],
    ['a square of pictures, one side by -1', (x) => tf.reshape(tf.matMul(x, x, false, true), [size(x), -1, 1])],
    ['a square of pictures', (x) => tf.reshape(tf.matMul(x, x, false, true), [size(x), 1, size(x)])],
  ])('refuses, for any number of pictures, what holds for one number only: %s', (_, f) => {
    const graph = new Graph({ dynamicBatch: true })
    const body = () => void f(toTensor(graph.placeholder('x', [-1, 3], 'float32')))
    expect(() => record(graph, body)).toThrow(/Expected what holds for any number of pictures, found .*recorder\.test\.ts/)
  })

  it.each([
    ['uniform', randomUniform],
    ['normal', randomNormal],
  ])('draws %s numbers by seed alone, the same recorded and eager', async (_, draw) => {
    const seed = tf.tensor1d([7, 3], 'int32')
    const [ours] = await recorded((s) => [draw([4, 5], s as tf.Tensor1D)], [seed])
    expect(difference(ours!, draw([4, 5], seed))).toBe(0)
    expect(difference(ours!, draw([4, 5], tf.tensor1d([8, 3], 'int32')))).toBeGreaterThan(0.1)
  })

  const x = (graph: Graph) => toTensor(graph.placeholder('x', [2, 3], 'float32'))
  const train = (layer: tf.layers.Layer) => (g: Graph) => layer.apply(x(g), { training: true })
  const draws = (op: string) => new RegExp(`Random numbers were drawn in JavaScript.*withSeed.*op ${op}`)
  const lasting = tf.layers.simpleRNN({ units: 2, stateful: true, batchInputShape: [2, 3, 1] })
  lasting.apply(tf.ones([2, 3, 1]))
  const normalised = tf.layers.batchNormalization()
  normalised.apply(tf.ones([2, 3]))
  it.each<[string, (g: Graph) => unknown, RegExp]>([
    ['dropout', (g) => tf.dropout(x(g), 0.5), draws('dropout > randomUniform')],
    ['dropout with a seed', (g) => tf.dropout(x(g), 0.5, undefined, 7), draws('dropout > randomUniform')],
    ['uniform numbers', (g) => tf.mul(x(g), tf.randomUniform([2, 3])), draws('randomUniform')],
    ['uniform numbers with a seed', (g) => tf.mul(x(g), tf.randomUniform([3], 0, 1, 'float32', 7)), draws('randomUniform')],
    ['uniform integers with a seed', () => tf.randomUniformInt([3], 0, 9, 7), draws('randomUniformInt')],
    ['normal numbers', (g) => tf.add(x(g), tf.randomNormal([2, 3])), draws('randomNormal')],
    ['normal numbers with a seed', (g) => tf.add(x(g), tf.randomNormal([3], 0, 1, 'float32', 7)), draws('randomNormal')],
    ['truncated normal numbers', () => tf.truncatedNormal([2, 3]), draws('truncatedNormal')],
    ['truncated normal numbers with a seed', () => tf.truncatedNormal([3], 0, 1, 'float32', 7), draws('truncatedNormal')],
    ['gamma numbers with a seed', () => tf.randomGamma([3], 1, 1, 'float32', 7), draws('randomGamma')],
    ['numbers from a function', () => tf.rand([3], () => 0.5), draws('rand')],
    ['multinomial draws', (g) => tf.multinomial(x(g) as tf.Tensor2D, 2), draws('multinomial')],
    ['multinomial draws with a seed', (g) => tf.multinomial(x(g) as tf.Tensor2D, 2, 7), /TensorFlow's Multinomial/],
    ['a coin tossed in JavaScript', (g) => (Math.random() < 0.5 ? x(g) : 0), /were drawn.*at .*recorder\.test\.ts/],
    ['a dropout layer without withSeed', train(tf.layers.dropout({ rate: 0.5, seed: 7 })), /layer dropout\w* of class Dropout/],
    ['a noise layer without withSeed', train(tf.layers.gaussianNoise({ stddev: 1 })), /layer \w+ of class GaussianNoise/],
    [
      'a layer built while recording',
      train(tf.layers.dense({ units: 2 })),
      /drawn in JavaScript.*layer dense\w* of class Dense/,
    ],
    ['a value that is read', (g) => x(g).dataSync(), /was read while it was recorded/],
    ['an open size', (g) => g.placeholder('x', [-1, 3], 'float32'), /shape of the input x in whole numbers, found \[-1,3\]/],
    [
      'a layer that keeps its state between calls',
      (g) => lasting.apply(tf.expandDims(x(g), 2)),
      /whose state would stay as it is now.*of class SimpleRNN/,
    ],
    [
      'a variable that is assigned and not given',
      (g) => normalised.apply(x(g), { training: true }),
      /found \S*moving_mean, whose new value would be lost.*of class BatchNormalization/,
    ],
    ['a body that waits', (g) => x(g).data(), /found one that waits/],
    [
      'an op without a shape',
      (g) => tf.unique(x(g)),
      /TensorFlow's UniqueV2.*\(kernel Unique, op unique, at .*recorder\.test\.ts:\d+/,
    ],
  ])('refuses %s', (_, body, message) => {
    const graph = new Graph()
    expect(() => record(graph, () => body(graph))).toThrow(message)
    // and the next recording, and eager tfjs, work as before
    expect(tf.getBackend()).toBe('tensorflow')
    expect(tf.add(1, 2).dataSync()[0]).toBe(3)
    expect(Math.random()).toBeLessThan(1)
    expect(() => record(new Graph(), () => tf.add(1, 2))).not.toThrow()
  })

  it('names nodes after the layer that asks for them', () => {
    const graph = new Graph()
    const model = tf.sequential({ layers: [tf.layers.dense({ units: 2, inputShape: [3], name: 'fc' })] })
    record(graph, () => void tf.square(model.apply(x(graph)) as tf.Tensor))
    expect(graph.nodes.map(({ name }) => name)).toEqual(expect.arrayContaining(['fc/BatchMatMulV2', 'Square']))
  })

  it('says which layer of a model and which line of the caller it refuses', () => {
    class Sorted extends tf.layers.Layer {
      static className = 'Sorted'
      override call(inputs: tf.Tensor | tf.Tensor[]) {
        return tf.unique(inputs as tf.Tensor).values
      }
    }
    const model = tf.sequential({ layers: [tf.layers.reLU({ inputShape: [3] }), new Sorted({ name: 'head' })] })
    const graph = new Graph()
    const line = /op unique, layer head of class Sorted, at \S*recorder\.test\.ts:\d+:\d+\)/
    expect(() => record(graph, () => void model.apply(x(graph)))).toThrow(line)
  })

  it('holds a tensor from outside as a constant in every graph that uses it', async () => {
    const weight = tf.tensor1d([1, 2, 3])
    for (const factor of [2, 3]) {
      const [y] = await recorded((x) => [tf.mul(tf.mul(x!, weight), factor)], [tf.ones([2, 3])])
      expect(Array.from(y!.dataSync()).slice(0, 3)).toEqual([factor, 2 * factor, 3 * factor])
    }
    expect(Array.from(weight.dataSync())).toEqual([1, 2, 3])
  })

  it('keeps the variables that it refuses to assign', () => {
    const graph = new Graph()
    expect(() => record(graph, () => normalised.apply(x(graph), { training: true }))).toThrow()
    expect(normalised.getWeights().map((weight) => Array.from(weight.dataSync()))).toEqual(
      [1, 0, 0, 1].map((value) => [value, value, value]),
    )
  })

  it('takes the mean of whole numbers as eager tfjs does', async () => {
    const x = tf.tensor2d([1, 2, 3, 5], [2, 2], 'int32')
    const [y] = await recorded((x) => [tf.mean(x!, 0)], [x])
    expect(difference(y!, tf.mean(x, 0))).toBe(0)
  })

  it('computes with bytes as eager tfjs does with whole numbers', async () => {
    const graph = new Graph()
    const f = (x: tf.Tensor) => tf.add(tf.reshape(tf.slice(x, [0, 1], [2, 2]), [4]), tf.max(x))
    record(graph, () => {
      const x = graph.placeholder('x', [2, 3], 'uint8')
      graph.sign('f', { x }, { y: toOutput(f(toTensor(x))) })
    })
    const session = await openSession(graph)
    const x = tf.tensor2d([1, 2, 250, 3, 4, 5], [2, 3], 'int32')
    expect(session.call('f', { x }).y!.dataSync()).toEqual(f(x).dataSync())
    session.close()
  })

  it('tells minus zero from zero', async () => {
    const [y] = await recorded((x) => [tf.add(tf.div(x!, tf.scalar(0)), 1), tf.div(x!, tf.scalar(-0))], [tf.ones([1])]).then(
      (all) => all.slice(1),
    )
    expect(y!.dataSync()[0]).toBe(Number.NEGATIVE_INFINITY)
  })

  it('gives every node a name of its own, whatever was asked for before', () => {
    const graph = new Graph()
    const names = ['a_1', 'a', 'a', 'a', 'a_1'].map((name) => graph.add('NoOp', [], {}, name))
    expect(new Set(names).size).toBe(names.length)
  })

  it('refuses a call with another size or type than was recorded, which TensorFlow would compute', async () => {
    const graph = new Graph()
    record(graph, () => {
      const x = graph.placeholder('x', [4, 3], 'float32')
      graph.sign('f', { x }, { y: toOutput(tf.div(tf.sum(toTensor(x), 0), 4)) })
    })
    const session = await openSession(graph)
    const call = (inputs: Record<string, tf.Tensor>) => () => session.call('f', inputs)
    expect(call({ x: tf.ones([3, 3]) })).toThrow('Expected float32 of shape [4,3] for the input x of f, found float32 [3,3]')
    expect(call({ x: tf.ones([4, 3], 'int32') })).toThrow('found int32 [4,3]')
    expect(call({})).toThrow('Expected the inputs x of f, found no x')
    expect(call({ x: tf.ones([4, 3]), z: tf.ones([1]) })).toThrow('found z too')
    expect(Array.from(session.call('f', { x: tf.ones([4, 3]) }).y!.dataSync())).toEqual([1, 1, 1])
    session.close()
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
