// Moving averages of weights, against the same sums in plain JavaScript.
import * as tf from '@tensorflow/tfjs-node-gpu'
import { afterAll, describe, expect, it } from 'vitest'
import type { Precision } from '../../../trainer/graph/graph.ts'
import { openTraining, type Training } from '../../../trainer/graph/training.ts'

const start = { weight: [0.5, -0, 2, -1], statistic: [1, 1, -0, 1], still: [3, 3, 3, 3] }
const x = tf.tensor1d([1, 0, -2, 0.5])

const opened: Training[] = []
afterAll(() => {
  for (const training of opened) training.close()
})

/** A weight that learns, a statistic that the loss assigns, as batch normalisation does, and a variable that stays. */
async function open(averageDecay: number, compute: Precision = 'float32') {
  const entries = Object.entries(start).map(([name, values]) => [name, tf.variable(tf.tensor1d(values), name === 'weight')])
  const { weight, statistic, still } = Object.fromEntries(entries) as Record<keyof typeof start, tf.Variable>
  const training = await openTraining({
    compute,
    averageDecay,
    variables: new Map(Object.entries({ weight, statistic, still })),
    trainable: (name) => name === 'weight',
    inputs: { x: { shape: [4], dtype: 'float32' } },
    loss({ x }) {
      statistic.assign(tf.add(tf.mul(statistic, 0.9), tf.mul(x!, 0.1)))
      return tf.sum(tf.square(tf.sub(tf.mul(weight, x!), 1))) as tf.Scalar
    },
    evaluate: () => ({ weight: tf.clone(weight as tf.Tensor), statistic: tf.clone(statistic as tf.Tensor) }),
    optimizer: { kind: 'sgd', momentum: 0.9, weightDecay: 0.01, clipNorm: 0 },
  })
  opened.push(training)
  tf.dispose([weight, statistic, still])
  return training
}

const valuesOf = (training: Training, name: string) => [...training.read().get(name)!.values]

describe('the moving averages of a training', () => {
  it('follow what each step makes of the weights, faster in the first steps', async () => {
    const training = await open(0.4)
    let expected = start.weight
    for (let step = 1; step <= 12; step++) {
      training.step({ x }, 0.05, step)
      // Below the decay of 0.4 up to step 5: 2/11, 3/12, 4/13, 5/14, 6/15.
      const decay = Math.min(0.4, (1 + step) / (10 + step))
      const now = valuesOf(training, 'weight')
      expected = expected.map((value, i) => decay * value + (1 - decay) * now[i]!)
      const found = valuesOf(training, 'weight/ema')
      for (const [i, value] of found.entries()) expect(value).toBeCloseTo(expected[i]!, 6)
      expect(found).not.toEqual(now)
    }
  })

  it('are what is evaluated; statistics and what does not learn have none', async () => {
    const training = await open(0.9)
    for (let step = 1; step <= 3; step++) training.step({ x }, 0.05, step)
    const { weight, statistic } = training.evaluate({ x })
    expect([...weight!.dataSync()]).toEqual(valuesOf(training, 'weight/ema'))
    expect([...statistic!.dataSync()]).toEqual(valuesOf(training, 'statistic'))
    expect([...training.read().keys()].filter((name) => name.endsWith('/ema'))).toEqual(['weight/ema'])
  })

  it('change nothing of how the weights learn, and are left out where the decay is 0', async () => {
    const [with_, without] = [await open(0.9), await open(0)]
    for (let step = 1; step <= 5; step++) expect(with_.step({ x }, 0.05, step)).toBe(without.step({ x }, 0.05, step))
    const kept = [...with_.read()].filter(([name]) => !name.endsWith('/ema'))
    expect(kept).toEqual([...without.read()])
  })

  it('go on bit for bit from what was read', async () => {
    const [whole, resumed] = [await open(0.9), await open(0.9)]
    for (let step = 1; step <= 5; step++) whole.step({ x }, 0.05, step)
    resumed.write(whole.read())
    for (const training of [whole, resumed]) for (let step = 6; step <= 9; step++) training.step({ x }, 0.05, step)
    expect(resumed.read()).toEqual(whole.read())
  })

  it('keep every bit in a step of float16 that is not finite', async () => {
    const training = await open(0.9, 'float16')
    const average = () => valuesOf(training, 'weight/ema')
    expect(average()).toEqual(start.weight)
    training.step({ x: tf.fill([4], Number.POSITIVE_INFINITY) }, 0.05, 1)
    expect(average()).toEqual(start.weight)
    training.step({ x }, 0.05, 2)
    expect(average()).not.toEqual(start.weight)
  })
})
