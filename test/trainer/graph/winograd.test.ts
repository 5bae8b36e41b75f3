// Convolutions of 3 x 3 that are recorded as minimal filtering: the numbers of tfjs's own, to some more rounding.
import * as tf from '@tensorflow/tfjs-node-gpu'
import { describe, expect, it } from 'vitest'
import { Graph } from '../../../trainer/graph/graph.ts'
import { record, toTensor } from '../../../trainer/graph/recorder.ts'
import { difference, normal, recorded, withGradients } from './recorded.ts'

type Case = [padding: 'same' | 'valid', x: number[], filter: number[]]

const conv = (padding: 'same' | 'valid') =>
  withGradients((x, filter) => tf.conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, 1, padding))

const opsOf = (filter: number[], options: ConstructorParameters<typeof Graph>[0], stride = 1) => {
  const graph = new Graph(options)
  record(graph, () => {
    const [x, k] = [[2, 5, 6, filter[2]!], filter].map((shape, i) => toTensor(graph.placeholder(`x${i}`, shape, 'float32')))
    const convolved = (...of: tf.Tensor[]) => tf.conv2d(of[0] as tf.Tensor4D, of[1] as tf.Tensor4D, stride, 'same')
    tf.grads((...of) => tf.sum(tf.square(convolved(...of))))([x!, k!])
  })
  return graph.nodes.map(({ op }) => op)
}

describe('a convolution as minimal filtering', () => {
  it.each<Case>([
    ['same', [2, 8, 12, 16], [3, 3, 16, 24]],
    ['same', [1, 5, 6, 3], [3, 3, 3, 4]],
    ['same', [3, 1, 2, 5], [3, 3, 5, 2]],
    ['valid', [2, 7, 9, 3], [3, 3, 3, 5]],
    ['valid', [1, 3, 10, 4], [3, 3, 4, 1]],
  ])('padded %s, of [%s] by [%s], is what eager tfjs computes, and so are its gradients', async (padding, ...shapes) => {
    const inputs = shapes.map((shape, i) => normal(shape, i + 1))
    const eager = conv(padding)(...inputs)
    const ours = await recorded(conv(padding), inputs, { winogradFrom: 1 })
    for (const [i, expected] of eager.entries()) expect(difference(ours[i]!, expected)).toBeLessThan(1e-4)
  })

  it('transforms picture and filter once for forward and gradients', () => {
    const ops = opsOf([3, 3, 8, 8], { winogradFrom: 8 })
    expect(ops.filter((op) => op === 'BatchMatMulV2')).toHaveLength(3)
    // Picture, filter and output; gradient for the input, and out; gradient for the filter, and out.
    expect(ops.filter((op) => op === 'MatMul')).toHaveLength(7)
    expect(ops).not.toContain('Conv2D')
  })

  it.each([
    ['fewer channels than asked for', [3, 3, 8, 7], { winogradFrom: 8 }, 1],
    ['other sizes than 3 x 3', [3, 5, 8, 8], { winogradFrom: 8 }, 1],
    ['other steps than 1', [3, 3, 8, 8], { winogradFrom: 8 }, 2],
    ['half precision, which its sums are too large for', [3, 3, 8, 8], { winogradFrom: 8, compute: 'bfloat16' as const }, 1],
  ])('is not recorded for %s', (_, filter, options, stride) => {
    expect(opsOf(filter, options, stride)).toEqual(
      expect.arrayContaining(['Conv2D', 'Conv2DBackpropFilter', 'Conv2DBackpropInput']),
    )
  })
})
