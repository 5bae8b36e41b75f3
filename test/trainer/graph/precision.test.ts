// What a graph computes in 16 bits, and what it does not.
import * as tf from '@tensorflow/tfjs-node-gpu'
import { expect, test } from 'vitest'
import { Graph } from '../../../trainer/graph/graph.ts'
import { toBfloat16s, toHalves } from '../../../trainer/graph/half.ts'
import { record, toOutput, toTensor } from '../../../trainer/graph/recorder.ts'
import { inferShapes } from '../../../trainer/graph/saved-shapes.ts'
import { difference, normal, recorded } from './recorded.ts'

const kernel = normal([3, 3, 4, 4], 1) as tf.Tensor4D
const bias = normal([4], 2)
const convolved = (x: tf.Tensor) => tf.conv2d(x as tf.Tensor4D, kernel, 1, 'same')

/** What can lie between two convolutions without a cast. */
const between: Record<string, (x: tf.Tensor) => tf.Tensor> = {
  bias: (x) => tf.add(x, bias),
  concat: (x) => tf.concat([x, x], 1),
  'max pooling': (x) => tf.maxPool(x as tf.Tensor4D, 2, 2, 'same'),
  pad: (x) =>
    tf.pad(x, [
      [0, 0],
      [1, 1],
      [1, 1],
      [0, 0],
    ]),
  relu: (x) => tf.relu(x),
  'reshape and transpose': (x) => tf.transpose(tf.reshape(x, [2, 6, 8, 4]), [0, 2, 1, 3]),
  slice: (x) => tf.slice(x, [0, 1, 1, 0], [2, 5, 5, 4]),
}

test.each(Object.entries(between))('between convolutions in bfloat16 it stays one: %s', async (_, f) => {
  const network = (x: tf.Tensor) => convolved(f(convolved(x)))
  const graph = new Graph({ compute: 'bfloat16' })
  record(graph, () => {
    const x = graph.placeholder('x', [2, 8, 6, 4], 'float32')
    graph.sign('f', { x }, { y: toOutput(network(toTensor(x))) })
  })
  const back = graph.nodes.filter(({ op, attrs }) => op === 'Cast' && JSON.stringify(attrs.DstT) === '{"type":"float32"}')
  expect(back).toHaveLength(1)
  const x = normal([2, 8, 6, 4], 3)
  const [ours] = await recorded((x) => [network(x!)], [x], { compute: 'bfloat16' })
  const expected = network(x)
  const scale = tf.max(tf.abs(expected))
  expect(difference(tf.div(ours!, scale), tf.div(expected, scale))).toBeLessThan(0.02)
})

test.each(['float16', 'bfloat16'] as const)(
  'a large weight stored in %s is what it is rounded to, whole and in order',
  async (storage) => {
    const weight = normal([3, 100, 333], 5)
    const [ours] = await recorded((x) => [tf.add(x!, weight)], [tf.zeros(weight.shape)], { storage })
    const [values, exact] = [ours!.dataSync() as Float32Array, weight.dataSync() as Float32Array]
    const rounded = storage === 'float16' ? toHalves(exact) : toBfloat16s(exact)
    const again = storage === 'float16' ? toHalves(values) : toBfloat16s(values)
    expect(again).toEqual(rounded)
    expect(values.every((value, i) => Math.abs(value - exact[i]!) <= Math.abs(exact[i]!) / 128 + 1e-7)).toBe(true)
  },
)

/** Beyond so much TensorFlow's optimiser makes no constant of what grows (grappler's kMaxConstantSize). */
test('no cast of a stored weight is larger than what TensorFlow works out once', () => {
  const graph = new Graph({ storage: 'float16' })
  graph.constant(new Float32Array(1_000_000).fill(0.1), [1000, 1000], 'float32', 'fc/kernel')
  const shapes = inferShapes(graph.nodes, 1)
  const sizes = graph.nodes.filter(({ op }) => op === 'Cast').map(({ name }) => shapes.get(name)![0]!.shape[0]!)
  expect(sizes.reduce((sum, size) => sum + size)).toBe(1_000_000)
  expect(4 * Math.max(...sizes)).toBeLessThan(100 * 1024)
})
