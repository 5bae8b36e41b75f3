import * as tf from '@tensorflow/tfjs-node-gpu'
import { describe, expect, it } from 'vitest'
import { savedModel } from '../../../trainer/graph/graph.ts'
import { openSession } from '../../../trainer/graph/session.ts'
import { roadOrNot } from '../../../trainer/metrics/predict.ts'
import { recordInference } from '../../../trainer/model/export.ts'
import { type Architecture, bilinearKernel, buildFcn, foldedFcn, normalise, variables } from '../../../trainer/model/fcn.ts'
import { type Ranges, widen } from '../../../trainer/model/quantise.ts'

const small: Architecture = { net: 'fcn8s', width: 0.05, fc: 16, batchNorm: true, dropout: 0.5, classes: 2 }

/** Weights as after training: normalisation that does something. */
function trained(architecture: Architecture, height: number, width: number) {
  const model = buildFcn(architecture, height, width)
  let seed = 1
  for (const [name, variable] of variables(model)) {
    if (!/_bn\//.test(name)) continue
    const drawn = tf.randomUniform(variable.shape, 0.5, 1.5, 'float32', seed++)
    variable.assign(drawn as tf.Tensor)
  }
  return model
}

const random = (shape: number[]) => tf.cast(tf.randomUniform(shape, 0, 256, 'float32', 5), 'int32')
const largest = (a: tf.Tensor, b: tf.Tensor) => tf.max(tf.abs(tf.sub(a, b))).dataSync()[0]!

describe('FCN on VGG16', () => {
  it('is VGG16 and the paper at full width', () => {
    const model = buildFcn({ ...small, width: 0.25, fc: 64, batchNorm: false }, 64, 64)
    expect(model.layers.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        'conv1_1',
        'conv5_3',
        'pool5',
        'fc6',
        'fc7',
        'score_fr',
        'upscore2',
        'score_pool4',
        'upscore_pool4',
        'score_pool3',
        'upscore8',
      ]),
    )
    // 64, 128, 256, 512, 512 channels times 0.25; biases and 3 x 3 kernels.
    const shapes = Object.fromEntries([...variables(model)].map(([name, { shape }]) => [name, shape]))
    expect(shapes['conv1_1/kernel']).toEqual([3, 3, 3, 16])
    expect(shapes['conv5_3/kernel']).toEqual([3, 3, 128, 128])
    expect(shapes['fc6/kernel']).toEqual([7, 7, 128, 64])
    model.dispose()
  })

  it.each([
    ['fcn8s', 64, 96],
    ['fcn8s', 45, 83],
    ['fcn16s', 33, 70],
    ['fcn32s', 45, 83],
    ['fcn32s', 7, 9],
  ] as const)('%s gives a mask of any picture size: %i x %i', (net, height, width) => {
    const model = buildFcn({ ...small, net }, height, width)
    const logits = tf.tidy(() => (model.predict(normalise(random([1, height, width, 3]))) as tf.Tensor).shape)
    expect(logits).toEqual([1, height, width, 2])
    model.dispose()
  })

  it('starts its upsampling bilinear', () => {
    expect(Array.from(bilinearKernel(4, 1).dataSync()).slice(0, 4)).toEqual([0.0625, 0.1875, 0.1875, 0.0625])
    // A constant map stays constant inside when it is upsampled by a bilinear kernel.
    const up = tf.conv2dTranspose(tf.ones([1, 6, 6, 1]) as tf.Tensor4D, bilinearKernel(16, 1), [1, 48, 48, 1], 8, 'same')
    const inside = tf.slice(up, [0, 8, 8, 0], [1, 32, 32, 1])
    expect(largest(inside, tf.onesLike(inside))).toBeLessThan(1e-6)
  })

  it('computes the same when batch normalisation is folded into the convolutions', () => {
    const model = trained(small, 48, 64)
    const folded = foldedFcn(model, small)
    const x = normalise(random([2, 48, 64, 3]))
    expect(largest(model.predict(x) as tf.Tensor, folded.predict(x) as tf.Tensor)).toBeLessThan(1e-4)
    expect(variables(folded).has('conv1_1/bias')).toBe(true)
  })

  it.each([2, 5])('exported, gives the logits of the eager network to 1e-4, and its mask (%i classes)', async (classes) => {
    const architecture = { ...small, classes }
    const [height, width] = [45, 83]
    const model = trained(architecture, height, width)
    const session = await openSession(recordInference(model, architecture))
    for (const n of [1, 3]) {
      const pictures = random([n, height, width, 3])
      const eager = model.predict(normalise(pictures)) as tf.Tensor4D
      const { logits } = session.call('logits', { pictures })
      expect(largest(logits!, eager)).toBeLessThan(1e-4)
      const served = session.call('serve', { pictures })
      expect(served.mask!.dtype).toBe('int32')
      const disagree = tf.mean(tf.cast(tf.notEqual(served.mask!, tf.argMax(eager, 3)), 'float32')).dataSync()[0]!
      expect(disagree).toBeLessThan(0.001)
      expect(served.class_share!.shape).toEqual([n, classes])
      expect(tf.sum(served.class_share!, 1).dataSync()[0]).toBeCloseTo(1, 5)
      expect(served.confidence!.dataSync().every((value) => value >= 1 / classes && value <= 1)).toBe(true)
      const { probability } = session.call('score', { pictures })
      const expected =
        classes === 2
          ? tf.slice(tf.softmax(eager), [0, 0, 0, 1], [n, height, width, 1]).reshape([n, height, width])
          : tf.softmax(eager)
      expect(probability!.shape).toEqual(expected.shape)
      expect(largest(probability!, expected)).toBeLessThan(1e-5)
    }
    session.close()
  })

  it('with a threshold, its mask is the score from there on, to the last pixel, and share and confidence are of that mask', async () => {
    const [height, width] = [48, 64]
    const model = trained(small, height, width)
    const pictures = random([2, height, width, 3])
    const plain = await openSession(recordInference(model, small))
    const scores = plain.call('score', { pictures }).probability!.dataSync() as Float32Array
    plain.close()
    // Two in the middle of what it says, one of them a value that occurs.
    const sorted = [...scores].sort((a, b) => a - b)
    for (const threshold of [sorted[Math.floor(0.3 * sorted.length)]!, 158 / 255]) {
      const session = await openSession(recordInference(model, small, { threshold }))
      const score = session.call('score', { pictures }).probability!.dataSync() as Float32Array
      const { mask, class_share, confidence } = session.call('serve', { pictures })
      const expected = Array.from(score, (p) => Number(p >= Math.fround(threshold)))
      expect([...mask!.dataSync()]).toEqual(expected)
      expect([...roadOrNot(score, 1, threshold)]).toEqual(expected)
      const half = score.length / 2
      const mean = (of: (at: number) => number) =>
        Array.from({ length: half }, (_, at) => of(at)).reduce((a, b) => a + b) / half
      expect(class_share!.dataSync()[1]).toBeCloseTo(
        mean((at) => expected[at]!),
        5,
      )
      expect(confidence!.dataSync()[0]).toBeCloseTo(
        mean((at) => (expected[at] ? score[at]! : 1 - score[at]!)),
        5,
      )
      session.close()
    }
  })

  it('stored in float16, says nearly the same in half the bytes', async () => {
    const [height, width] = [48, 64]
    const architecture = { ...small, width: 0.1 }
    const model = trained(architecture, height, width)
    const pictures = random([2, height, width, 3])
    const [whole, half] = [recordInference(model, architecture), recordInference(model, architecture, { storage: 'float16' })]
    const bytes = (graph: typeof whole) => savedModel(graph).reduce((sum, piece) => sum + piece.length, 0)
    expect(bytes(half) / bytes(whole)).toBeLessThan(0.6)
    const [a, b] = [await openSession(whole), await openSession(half)]
    const difference = largest(a.call('score', { pictures }).probability!, b.call('score', { pictures }).probability!)
    expect(difference).toBeGreaterThan(0)
    expect(difference).toBeLessThan(0.01)
    a.close()
    b.close()
  })

  // TensorFlow has these kernels for x86-64 alone.
  it.skipIf(process.arch !== 'x64')('in 8 bits, calibrated, says nearly the same in a quarter of the bytes', async () => {
    const [height, width] = [48, 64]
    const model = trained(small, height, width)
    const pictures = random([3, height, width, 3])
    const ranges: Ranges = new Map()
    const folded = foldedFcn(model, small)
    widen(ranges, folded, pictures as tf.Tensor4D)
    folded.dispose()
    expect([...ranges.keys()].filter((name) => name.startsWith('conv'))).toHaveLength(13)
    const [whole, bytes] = [recordInference(model, small), recordInference(model, small, { ranges })]
    const size = (graph: typeof whole) => savedModel(graph).reduce((sum, piece) => sum + piece.length, 0)
    expect(size(bytes) / size(whole)).toBeLessThan(0.5)
    const [a, b] = [await openSession(whole), await openSession(bytes)]
    for (const n of [1, 3]) {
      const some = tf.slice(pictures, [0, 0, 0, 0], [n, height, width, 3])
      const [exact, ours] = [a, b].map((session) => session.call('logits', { pictures: some }).logits!)
      expect(ours!.shape).toEqual(exact!.shape)
      const spread = tf.sub(tf.max(exact!), tf.min(exact!)).dataSync()[0]!
      expect(largest(exact!, ours!)).toBeGreaterThan(0)
      expect(largest(exact!, ours!)).toBeLessThan(0.1 * spread)
    }
    a.close()
    b.close()
  })
})
