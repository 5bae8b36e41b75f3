// Convolutions that are recorded as matrix products: the same numbers as tfjs's own.
import * as tf from '@tensorflow/tfjs-node-gpu'
import { describe, expect, it } from 'vitest'
import { Graph } from '../../../trainer/graph/graph.ts'
import { record, toTensor } from '../../../trainer/graph/recorder.ts'
import { difference, normal, recorded, withGradients } from './recorded.ts'

type Case = [padding: 'same' | 'valid', x: number[], filter: number[]]

const conv = (padding: 'same' | 'valid', stride = 1) =>
  withGradients((x, filter) => tf.conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, stride, padding))

const opsOf = (filter: number[], productsFrom: number, stride = 1) => {
  const graph = new Graph({ productsFrom })
  record(graph, () => {
    const [x, k] = [[2, 5, 6, 3], filter].map((shape, i) => toTensor(graph.placeholder(`x${i}`, shape, 'float32')))
    const convolved = (...of: tf.Tensor[]) => tf.conv2d(of[0] as tf.Tensor4D, of[1] as tf.Tensor4D, stride, 'same')
    tf.grads((...of) => tf.sum(tf.square(convolved(...of))))([x!, k!])
  })
  return graph.nodes.map(({ op }) => op)
}

describe('a convolution as a matrix product', () => {
  it.each<Case>([
    ['same', [2, 5, 6, 3], [7, 7, 3, 4]],
    ['same', [1, 4, 3, 2], [2, 4, 2, 5]],
    ['same', [2, 3, 4, 5], [1, 1, 5, 6]],
    ['same', [2, 2, 4, 3], [7, 3, 3, 4]],
    ['same', [2, 12, 4, 3], [4, 3, 3, 2]],
    ['valid', [2, 7, 8, 3], [3, 5, 3, 2]],
  ])('padded %s, of [%s] by [%s], is what eager tfjs computes, and so are its gradients', async (padding, ...shapes) => {
    const inputs = shapes.map((shape, i) => normal(shape, i + 1))
    const eager = conv(padding)(...inputs)
    const ours = await recorded(conv(padding), inputs, { productsFrom: 1 })
    const halves = await recorded(conv(padding), inputs, { productsFrom: 1, compute: 'bfloat16' })
    for (const [i, expected] of eager.entries()) {
      expect(difference(ours[i]!, expected)).toBeLessThan(2e-5)
      expect(difference(halves[i]!, expected)).toBeLessThan(0.15)
    }
  })

  it('is recorded for filters from the size that was asked for on, and no others', () => {
    expect(opsOf([3, 3, 3, 4], 108)).not.toContain('Conv2D')
    expect(opsOf([3, 3, 3, 4], 108).filter((op) => op === 'MatMul')).toHaveLength(3)
    expect(opsOf([3, 3, 3, 4], 109)).toEqual(expect.arrayContaining(['Conv2D', 'Conv2DBackpropFilter', 'Conv2DBackpropInput']))
  })

  it('leaves out what rows of the filter would multiply with padding alone', () => {
    // Of 7 x 5 pairs of rows 12 meet nothing of a picture 5 high: a product for each row, but one for the filter's gradient.
    expect(opsOf([7, 3, 3, 4], 1).filter((op) => op === 'MatMul')).toHaveLength(7 + 7 + 1)
    expect(opsOf([5, 3, 3, 4], 1).filter((op) => op === 'MatMul')).toHaveLength(5 + 5 + 1)
    expect(opsOf([3, 7, 3, 4], 1).filter((op) => op === 'MatMul')).toHaveLength(3)
  })

  it('is not recorded for other steps than 1', () => {
    expect(opsOf([3, 3, 3, 4], 1, 2)).toContain('Conv2D')
  })
})
