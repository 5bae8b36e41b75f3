// The losses against the same sums in plain JavaScript, and that training can make each small.
import * as tf from '@tensorflow/tfjs-node-gpu'
import { describe, expect, it } from 'vitest'
import { openLearner } from '../../../trainer/learn/learner.ts'
import { batchLoss, distillation, type Loss } from '../../../trainer/model/loss.ts'
import { readCommandLine } from '../../../trainer/run/command-line.ts'
import { settle } from '../../../trainer/run/settings.ts'
import { normal, recorded } from '../graph/recorded.ts'

const [n, h, w, classes] = [2, 5, 7, 3] as const
const pixels = n * h * w
const logits = normal([n, h, w, classes], 5) as tf.Tensor4D
const labels = Array.from({ length: pixels }, (_, i) => (i % 6 === 0 ? 255 : (i * i) % 5 === 1 ? 1 : i % 9 === 4 ? 2 : 0))
const ids = tf.tensor(labels, [n, h, w], 'int32')

/** Of each class, the probability at each pixel. */
function probabilities(values: ArrayLike<number>): number[][] {
  return Array.from({ length: pixels }, (_, i) => {
    const powers = Array.from({ length: classes }, (_, c) => Math.exp(values[i * classes + c]!))
    const sum = powers.reduce((a, b) => a + b)
    return powers.map((power) => power / sum)
  })
}

function golden(values: ArrayLike<number>, { loss, classWeights = [1, 1, 1] }: Loss): number {
  const p = probabilities(values)
  let [entropy, weight] = [0, 0]
  const [both, predicted, truth] = [0, 1, 2].map(() => Array<number>(classes).fill(0)) as [number[], number[], number[]]
  for (const [i, id] of labels.entries()) {
    if (id === 255) continue
    entropy -= classWeights[id]! * Math.log(p[i]![id]!)
    weight += classWeights[id]!
    both[id]! += p[i]![id]!
    truth[id]! += 1
    for (let c = 0; c < classes; c++) predicted[c]! += p[i]![c]!
  }
  const coefficients = both.map((one, c) => (2 * one + 1) / (predicted[c]! + truth[c]! + 1))
  const dice = 1 - coefficients.reduce((a, b) => a + b) / classes
  return (loss === 'dice' ? 0 : entropy / weight) + (loss === 'cross-entropy' ? 0 : dice)
}

const wanted: Loss[] = [
  { loss: 'cross-entropy' },
  { loss: 'cross-entropy', classWeights: [0.5, 2, 4] },
  { loss: 'cross-entropy', classWeights: [0, 1, 1] },
  { loss: 'dice' },
  { loss: 'cross-entropy+dice' },
  { loss: 'cross-entropy+dice', classWeights: [1, 1, 7] },
]

describe('the loss of a batch', () => {
  it.each(wanted)('is that of the definition, and so is its gradient: $loss, weights $classWeights', async (one) => {
    const values = logits.dataSync()
    const both = (x: tf.Tensor, y: tf.Tensor) => {
      const of = (x: tf.Tensor) => batchLoss(x as tf.Tensor4D, y, one).loss
      return [of(x), tf.grad(of)(x)]
    }
    for (const [value, gradient] of [both(logits, ids), await recorded(both, [logits, ids])]) {
      expect(value!.dataSync()[0]).toBeCloseTo(golden(values, one), 5)
      const found = gradient!.dataSync()
      for (const at of Array.from({ length: 20 }, (_, k) => 11 * k)) {
        const moved = (by: number) =>
          golden(
            values.map((v, i) => (i === at ? v + by : v)),
            one,
          )
        // 2^-8 is added to a float32 without loss.
        expect(found[at]).toBeCloseTo((moved(2 ** -8) - moved(-(2 ** -8))) / 2 ** -7, 5)
      }
      for (const [i, id] of labels.entries())
        if (id === 255) expect([...found.slice(i * classes, (i + 1) * classes)].map(Math.abs)).toEqual([0, 0, 0])
    }
  })

  it.each(wanted)('is a number where nothing is labelled: $loss, weights $classWeights', (one) => {
    const nothing = tf.fill([n, h, w], 255, 'int32')
    const of = (x: tf.Tensor) => batchLoss(x as tf.Tensor4D, nothing, one).loss
    expect(of(logits).dataSync()[0]).toBe(0)
    expect(
      tf
        .grad(of)(logits)
        .dataSync()
        .every((value) => value === 0),
    ).toBe(true)
    expect(batchLoss(logits, nothing, one).weight.dataSync()[0]).toBe(0)
  })

  it('weighs in a mean over batches as much as its labelled pixels do', () => {
    const of = (one: Loss) => batchLoss(logits, ids, one).weight.dataSync()[0]
    const count = (id: number) => labels.filter((label) => label === id).length
    expect(of({ loss: 'dice' })).toBe(pixels - count(255))
    expect(of({ loss: 'cross-entropy', classWeights: [0.5, 2, 4] })).toBe(0.5 * count(0) + 2 * count(1) + 4 * count(2))
  })

  it('leaves no tensors behind', () => {
    const before = tf.memory().numTensors
    for (const one of wanted) tf.dispose(Object.values(batchLoss(logits, ids, one)))
    expect(tf.memory().numTensors).toBe(before)
  })
})

describe('what a teacher says', () => {
  const teacher = normal([n, h, w, classes], 6) as tf.Tensor4D

  it('counts as cross-entropy with its probabilities, at every pixel', async () => {
    const [wanted, values] = [probabilities(teacher.dataSync()), logits.dataSync()]
    const of = (x: tf.Tensor, y: tf.Tensor) => distillation(x as tf.Tensor4D, y as tf.Tensor4D)
    const both = (x: tf.Tensor, y: tf.Tensor) => [of(x, y), tf.grad((x) => of(x, y))(x)]
    const student = probabilities(values)
    const golden =
      wanted.flatMap((row, i) => row.map((p, c) => -p * Math.log(student[i]![c]!))).reduce((a, b) => a + b) / pixels
    for (const [value, gradient] of [both(logits, teacher), await recorded(both, [logits, teacher])]) {
      expect(value!.dataSync()[0]).toBeCloseTo(golden, 5)
      for (const [i, found] of gradient!.dataSync().entries()) {
        const [pixel, c] = [Math.floor(i / classes), i % classes]
        expect(found).toBeCloseTo((student[pixel]![c]! - wanted[pixel]![c]!) / pixels, 6)
      }
    }
  })
})

describe('training', () => {
  const input = { width: 64, height: 48, fit: 'crop', resizer: 'bilinear', matrix: 'bt601', range: 'video' } as const
  const area = input.width * input.height
  const pictures = Uint8Array.from({ length: 2 * 3 * area }, (_, i) => (Math.floor(i / 3) % 64 < 30 ? 200 : 40) + (i % 13))
  const truth = Uint8Array.from({ length: 2 * area }, (_, i) => (i % 17 === 0 ? 255 : i % 64 < 30 ? 1 : 0))

  it.each([
    ['dice', 'float32'],
    ['cross-entropy+dice', 'float32'],
    ['dice', 'float16'],
  ])('makes %s small in %s', async (loss, compute) => {
    const args = ['--preset', 'jetson', '--width', '0.1', '--fc', '16', '--batch', '2', '--augment', 'none', '--dropout', '0']
    const settings = settle(readCommandLine([...args, '--loss', loss, '--compute', compute])!, false)
    const learner = await openLearner(settings, input, 2)
    const first = learner.step(pictures, truth, 0.01, 1)
    let last = first
    for (let step = 2; step <= 12; step++) last = learner.step(pictures, truth, 0.01, step)
    expect(last).toBeLessThan(0.6 * first)
    expect(learner.score(pictures, truth)).toMatchObject({
      loss: expect.any(Number),
      lossWeight: truth.filter((id) => id < 2).length,
    })
    learner.close()
  })
})
