// Update rules against those of eager tfjs, and the state of a training: exact in a resumed run, nothing left behind.
import * as tf from '@tensorflow/tfjs-node-gpu'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { Graph } from '../../../trainer/graph/graph.ts'
import {
  applyOptimizer,
  decayed,
  decayedInPlace,
  declareState,
  type Optimizer,
  slots,
} from '../../../trainer/graph/optimizers.ts'
import { openSession } from '../../../trainer/graph/session.ts'
import { openTraining, type Training } from '../../../trainer/graph/training.ts'
import { normal } from './recorded.ts'

const layers = [
  tf.layers.conv2d({ inputShape: [8, 8, 3], filters: 6, kernelSize: 3, activation: 'elu' }),
  tf.layers.batchNormalization(),
  tf.layers.dropout({ rate: 0.2 }),
  tf.layers.flatten(),
  tf.layers.dense({ units: 5 }),
]
const model = tf.sequential({ layers })
model.setWeights(model.getWeights().map((weight, i) => (weight.rank < 2 ? weight : tf.mul(normal(weight.shape, i), 0.2))))
const variables = new Map(model.weights.map((weight) => [weight.name, weight.read() as tf.Variable]))
const learnt = new Set(model.trainableWeights.map(({ name }) => name))
const start = new Map([...variables].map(([name, variable]) => [name, tf.clone(variable as tf.Tensor)]))
const inputs = { x: normal([4, 8, 8, 3], 21), y: normal([4, 5], 22) }

/** Eager training is compared without dropout. */
const loss = (dropout: boolean) => (given: Record<string, tf.Tensor>) => {
  let x = given.x!
  for (const layer of layers) x = layer.apply(x, { training: dropout || layer.getClassName() !== 'Dropout' }) as tf.Tensor
  return tf.losses.meanSquaredError(given.y!, x) as tf.Scalar
}

const opened: Training[] = []
afterAll(() => {
  for (const training of opened) training.close()
})
async function open(optimizer: Optimizer, dropout = false) {
  const training = await openTraining({
    variables,
    trainable: (name) => learnt.has(name),
    inputs: { x: { shape: [4, 8, 8, 3], dtype: 'float32' }, y: { shape: [4, 5], dtype: 'float32' } },
    loss: loss(dropout),
    evaluate: (given) => ({ y: model.apply(given.x!) as tf.Tensor }),
    optimizer,
  })
  opened.push(training)
  return training
}

afterEach(() => {
  for (const [name, variable] of variables) variable.assign(start.get(name)!)
})

const plain = { weightDecay: 0, clipNorm: 0 }
const adam = { kind: 'adamw', beta1: 0.8, beta2: 0.99, epsilon: 1e-8, ...plain } as const
/** Rates that change, as a schedule's do. */
const rate = (step: number) => 0.01 / step

describe('an optimizer in the graph', () => {
  it.each([decayed, decayedInPlace])('takes the share of a weight that decays, nothing where it is 0: %o', async (decay) => {
    const graph = new Graph()
    const [shape, scalar] = [[3, 40], []]
    const weight = declareState(graph, 'weight', shape)
    const value = graph.placeholder('value', shape, 'float32')
    const gradient = graph.placeholder('gradient', shape, 'float32')
    const share = graph.placeholder('share', scalar, 'float32')
    const float32 = { type: 'float32' } as const
    const written = graph.add('AssignVariableOp', [weight.handle, value.ref], { dtype: float32 })
    graph.sign('write', { value }, { value }, [written])
    graph.sign('decay', { gradient, share }, { share }, [decay(graph, weight, share.ref, gradient.ref)])
    graph.sign('read', {}, { weight: weight.read })
    const session = await openSession(graph)
    const before = normal(shape, 5)
    for (const part of [0, 1e-6, 0.01, 0.5]) {
      session.call('write', { value: before })
      session.call('decay', { gradient: normal(shape, 6), share: tf.scalar(part) })
      const after = session.call('read', {}).weight!.dataSync()
      const wanted = [...before.dataSync()].map((number) => number * (1 - part))
      if (part === 0) expect([...after]).toEqual(wanted)
      expect(Math.max(...wanted.map((number, i) => Math.abs(after[i]! - number) / Math.abs(number)))).toBeLessThan(3e-7)
    }
    session.close()
  })

  it.each<[string, Optimizer, () => tf.Optimizer]>([
    ['SGD', { kind: 'sgd', momentum: 0, ...plain }, () => tf.train.sgd(rate(1))],
    ['SGD with momentum', { kind: 'sgd', momentum: 0.9, ...plain }, () => tf.train.momentum(rate(1), 0.9)],
    [
      'SGD with Nesterov',
      { kind: 'sgd', momentum: 0.9, nesterov: true, ...plain },
      () => tf.train.momentum(rate(1), 0.9, true),
    ],
    ['Adam', adam, () => tf.train.adam(rate(1), adam.beta1, adam.beta2, adam.epsilon)],
  ])('moves the weights as eager tfjs does: %s', async (_, optimizer, eager) => {
    const training = await open(optimizer)
    const reference = eager() as tf.SGDOptimizer
    for (let step = 1; step <= 5; step++) {
      const found = training.step(inputs, rate(step), step)
      if (optimizer.kind === 'sgd') reference.setLearningRate(rate(step))
      else Object.assign(reference, { learningRate: rate(step) })
      const list = [...learnt].map((name) => variables.get(name)!)
      const value = tf.tidy(() => reference.minimize(() => loss(false)(inputs), true, list)!)
      expect(Math.abs(found / value.dataSync()[0]! - 1)).toBeLessThan(1e-4)
    }
    const state = training.read()
    for (const [name, variable] of variables) {
      const expected = variable.dataSync()
      for (const [i, value] of state.get(name)!.values.entries()) expect(value).toBeCloseTo(expected[i]!, 4)
      expect(expected).not.toEqual(start.get(name)!.dataSync())
    }
  })

  it.each<[string, Optimizer]>([
    ['Adam', { ...adam, weightDecay: 0.3 }],
    ['SGD', { kind: 'sgd', momentum: 0.9, clipNorm: 0, weightDecay: 0.3 }],
  ])('decays weights apart from the gradient, and biases not: %s', async (_, optimizer) => {
    const [with_, without] = [await open(optimizer), await open({ ...optimizer, weightDecay: 0 })]
    for (const training of [with_, without]) training.step(inputs, 0.1, 1)
    const [decayed, kept] = [with_.read(), without.read()]
    for (const [name, variable] of start) {
      const share = learnt.has(name) && variable.rank >= 2 ? 0.1 * 0.3 : 0
      const before = variable.dataSync()
      for (const [i, value] of decayed.get(name)!.values.entries())
        expect(value).toBeCloseTo(kept.get(name)!.values[i]! - share * before[i]!, 6)
    }
  })

  it.each<[string, Optimizer]>([
    ['Adam', { ...adam, weightDecay: 0.3 }],
    ['SGD', { kind: 'sgd', momentum: 0.9, clipNorm: 0, weightDecay: 0.3 }],
  ])('changes nothing in a step that is not finite: %s', async (_, optimizer) => {
    const graph = new Graph()
    const names = ['w', ...slots(optimizer).map((slot) => `w/${slot}`)]
    const states = new Map(names.map((name) => [name, declareState(graph, name, [3, 2])]))
    const given = {
      gradient: graph.placeholder('gradient', [3, 2], 'float32'),
      learningRate: graph.placeholder('rate', [], 'float32'),
      step: graph.placeholder('step', [], 'float32'),
      finite: graph.placeholder('finite', [], 'bool'),
    }
    const done = graph.constant(new Int32Array([1]), [], 'int32')
    graph.sign('step', given, { done }, applyOptimizer(graph, optimizer, states, [['w', given.gradient]], given))
    const float32 = { type: 'float32' } as const
    const value = graph.placeholder('value', [3, 2], 'float32')
    const writes = [...states.values()].map(({ handle }) =>
      graph.add('AssignVariableOp', [handle, value.ref], { dtype: float32 }),
    )
    graph.sign('write', { value }, { done }, writes)
    graph.sign('read', {}, Object.fromEntries([...states].map(([name, { read }]) => [name.replace('/', '_'), read])))
    const session = await openSession(graph)
    session.call('write', { value: normal([3, 2], 1) })
    const read = () => Object.values(session.call('read', {})).map((tensor) => Array.from(tensor.dataSync()))
    const step = (gradient: tf.Tensor, finite: boolean, step: number) =>
      session.call('step', {
        gradient,
        learningRate: tf.scalar(0.1),
        step: tf.scalar(step),
        finite: tf.scalar(finite, 'bool'),
      })
    step(normal([3, 2], 2), true, 1)
    const before = read()
    step(tf.fill([3, 2], Number.NaN), false, 2)
    step(tf.fill([3, 2], Number.POSITIVE_INFINITY), false, 3)
    expect(read()).toEqual(before)
    step(normal([3, 2], 2), true, 2)
    for (const [i, values] of read().entries()) expect(values).not.toEqual(before[i])
    session.close()
  })
})

describe('a training', () => {
  it('continues from what was read bit for bit', async () => {
    const [whole, resumed] = [await open({ ...adam, clipNorm: 1 }, true), await open({ ...adam, clipNorm: 1 }, true)]
    for (let step = 1; step <= 20; step++) whole.step(inputs, 0.01, step)
    resumed.write(whole.read())
    for (let step = 21; step <= 40; step++) expect(resumed.step(inputs, 0.01, step)).toBe(whole.step(inputs, 0.01, step))
    expect(resumed.read()).toEqual(whole.read())
  })

  const recipe = (given: Map<string, tf.Variable>, loss: (x: tf.Tensor) => tf.Tensor) =>
    openTraining({
      variables: given,
      trainable: () => true,
      inputs: { x: { shape: [3], dtype: 'float32' } },
      loss: ({ x }) => tf.sum(loss(x!)) as tf.Scalar,
      evaluate: () => ({}),
      optimizer: { kind: 'sgd', momentum: 0, ...plain },
    })

  it('refuses a variable that would not learn, and a loss that does not depend on one', async () => {
    const [a, b] = [tf.variable(tf.ones([3])), tf.variable(tf.ones([3]))]
    const given = new Map(Object.entries({ a, b }))
    const product = (x: tf.Tensor) => tf.mul(tf.mul(x, a), b)
    await expect(recipe(new Map([['a', a]]), product)).rejects.toThrow(
      /Expected all variables that learn to be given.*optimizers\.test/,
    )
    await expect(recipe(given, (x) => tf.mul(x, a))).rejects.toThrow(/depend on all that is learnt, but not on b/)
    b.trainable = false
    opened.push(await recipe(new Map([['a', a]]), product))
  })

  it('reads a variable before the loss assigns it, also where the new value does not depend on the old one', async () => {
    const [w, last] = [tf.variable(tf.scalar(1)), tf.variable(tf.zeros([1000]), false)]
    const training = await openTraining({
      variables: new Map(Object.entries({ w, last })),
      trainable: (name) => name === 'w',
      inputs: { x: { shape: [1000], dtype: 'float32' } },
      loss({ x }) {
        const loss = tf.mul(w, tf.mean(last)) as tf.Scalar
        last.assign(x!)
        return loss
      },
      evaluate: () => ({}),
      optimizer: { kind: 'sgd', momentum: 0, ...plain },
    })
    opened.push(training)
    const losses = Array.from({ length: 500 }, (_, i) => training.step({ x: tf.fill([1000], i + 1) }, 0, i + 1))
    expect(losses).toEqual(losses.map((_, i) => i))
  })

  it('refuses what would be lost: what the loss assigns to a weight, or evaluate to any variable', async () => {
    const [a, counted] = [tf.variable(tf.ones([3])), tf.variable(tf.ones([3]), false)]
    const given = new Map(Object.entries({ a, counted }))
    const shared = {
      inputs: { x: { shape: [3], dtype: 'float32' as const } },
      optimizer: { kind: 'sgd' as const, momentum: 0, ...plain },
    }
    const product = (x: tf.Tensor) => tf.sum(tf.mul(x, a)) as tf.Scalar
    const trainable = (name: string) => name === 'a'
    const assigning = (x: tf.Tensor) => {
      const loss = product(x)
      a.assign(tf.clipByValue(a, -1, 1))
      return loss
    }
    const evaluate = () => ({})
    await expect(
      openTraining({ ...shared, variables: given, trainable, loss: ({ x }) => assigning(x!), evaluate }),
    ).rejects.toThrow('Expected a to change by learning alone')
    const counting = ({ x }: Record<string, tf.Tensor>) => {
      counted.assign(tf.add(counted, x!))
      return {}
    }
    await expect(
      openTraining({ ...shared, variables: given, trainable, loss: ({ x }) => product(x!), evaluate: counting }),
    ).rejects.toThrow('Expected evaluate to change nothing, but it assigns counted')
  })

  it('refuses a step 0, in which the moments would be divided by nothing', async () => {
    const training = await open(adam)
    expect(() => training.step(inputs, 0.01, 0)).toThrow('counted from 1, found step 0')
  })

  it('refuses inputs called as its own, and variables of whole numbers', async () => {
    const w = tf.variable(tf.ones([3]))
    const open = (inputs: string, variable: tf.Variable) =>
      openTraining({
        variables: new Map([['w', variable]]),
        trainable: () => true,
        inputs: { [inputs]: { shape: [3], dtype: 'float32' } },
        loss: (given) => tf.sum(tf.mul(given[inputs]!, w)) as tf.Scalar,
        evaluate: () => ({}),
        optimizer: { kind: 'sgd', momentum: 0, ...plain },
      })
    await expect(open('step', w)).rejects.toThrow('rename step')
    await expect(open('x', tf.variable(tf.ones([3], 'int32')))).rejects.toThrow('found int32 in w')
  })

  it('leaves nothing behind in a thousand steps', async () => {
    const training = await open({ ...adam, clipNorm: 1 }, true)
    training.step(inputs, 0.01, 1)
    const before = tf.memory()
    for (let step = 2; step <= 1000; step++) {
      training.step(inputs, 0.01, step)
      if (step % 100 === 0) tf.dispose(training.evaluate(inputs))
      if (step % 100 === 0) training.write(training.read())
    }
    const { numTensors, numBytes } = tf.memory()
    expect({ numTensors, numBytes }).toEqual({ numTensors: before.numTensors, numBytes: before.numBytes })
  })
})
