// Convolutions of 3 x 3 that are recorded as minimal filtering: the numbers of tfjs's own, to some more rounding.
import * as tf from '@tensorflow/tfjs-node-gpu'
import { describe, expect, it } from 'vitest'
import { Graph } from '../../../trainer/graph/graph.ts'
import { record, toTensor } from '../../../trainer/graph/recorder.ts'
import { openTraining } from '../../../trainer/graph/training.ts'
import { manyChannels } from '../../../trainer/graph/winograd.ts'
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

  it('trains as eager tfjs does, and goes on bit for bit from what was read', async () => {
    const [shape, filter] = [
      [2, 6, 10, manyChannels],
      [3, 3, manyChannels, manyChannels],
    ] as const
    const rate = 10
    const [x, y] = [normal([...shape], 1), normal([...shape], 2)]
    const kernel = tf.variable(tf.mul(normal([...filter], 3), 0.03)) as tf.Variable<tf.Rank.R4>
    const loss = (x: tf.Tensor, y: tf.Tensor) =>
      tf.mean(tf.squaredDifference(tf.relu(tf.conv2d(x as tf.Tensor4D, kernel, 1, 'same')), y)) as tf.Scalar
    const open = () =>
      openTraining({
        variables: new Map([['kernel', kernel]]),
        trainable: () => true,
        inputs: { x: { shape: [...shape], dtype: 'float32' }, y: { shape: [...shape], dtype: 'float32' } },
        loss: ({ x, y }) => loss(x!, y!),
        evaluate: ({ x }) => ({ x: x! }),
        optimizer: { kind: 'sgd', momentum: 0.9, weightDecay: 0, clipNorm: 0 },
      })
    const [whole, resumed] = [await open(), await open()]
    const momentum = tf.train.momentum(rate, 0.9)
    const losses: number[] = []
    for (let step = 1; step <= 4; step++) {
      if (step === 3) resumed.write(whole.read())
      const found = whole.step({ x, y }, rate, step)
      if (step >= 3) expect(resumed.step({ x, y }, rate, step)).toBe(found)
      const expected = momentum.minimize(() => loss(x, y), true)!.dataSync()[0]!
      expect(Math.abs(found / expected - 1)).toBeLessThan(1e-5)
      losses.push(found)
    }
    expect(losses[3]!).toBeLessThan(0.95 * losses[0]!)
    expect(resumed.read()).toEqual(whole.read())
    whole.close()
    resumed.close()
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
