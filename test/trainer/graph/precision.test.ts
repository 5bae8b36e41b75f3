// What a graph computes in 16 bits, and what it does not.
import * as tf from '@tensorflow/tfjs-node-gpu'
import { expect, test } from 'vitest'
import { Graph } from '../../../trainer/graph/graph.ts'
import { record, toOutput, toTensor } from '../../../trainer/graph/recorder.ts'
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
