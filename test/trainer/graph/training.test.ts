// The training step as one graph call, against tfjs's own eager training of the same network.
import * as tf from '@tensorflow/tfjs-node-gpu'
import { afterAll, describe, expect, it } from 'vitest'
import type { Precision } from '../../../trainer/graph/graph.ts'
import type { Optimizer } from '../../../trainer/graph/optimizers.ts'
import { withSeed } from '../../../trainer/graph/seed.ts'
import { openTraining, type Slow, type Training } from '../../../trainer/graph/training.ts'
import { type Architecture, buildFcn, normalise, variables } from '../../../trainer/model/fcn.ts'
import { batchLoss } from '../../../trainer/model/loss.ts'

const [n, h, w] = [2, 40, 52]
const pictures = Uint8Array.from({ length: n * h * w * 3 }, (_, i) => (i * 7919) % 251)
const labels = Uint8Array.from({ length: n * h * w }, (_, i) => (i % 5 === 0 ? 255 : Math.floor((i % w) / 20) % 2))
const adam = { kind: 'adamw' as const, beta1: 0.9, beta2: 0.999, epsilon: 1e-7, weightDecay: 0, clipNorm: 0 }

function network(architecture: Partial<Architecture>) {
  const model = buildFcn({ net: 'fcn8s', width: 0.1, fc: 24, batchNorm: true, dropout: 0, classes: 2, ...architecture }, h, w)
  const named = variables(model)
  const trainable = new Set(model.trainableWeights.map((weight) => weight.read()))
  const loss = (inputs: Record<string, tf.Tensor>) =>
    batchLoss(model.apply(normalise(inputs.pictures!), { training: true }) as tf.Tensor4D, inputs.labels!, {
      loss: 'cross-entropy',
    }).loss
  const open = (optimizer: Optimizer = adam, compute: Precision = 'float32', slow?: Slow, averageDecay = 0) =>
    openTraining({
      compute,
      slow,
      averageDecay,
      variables: named,
      trainable: (name) => trainable.has(named.get(name)!),
      inputs: { pictures: { shape: [n, h, w, 3], dtype: 'uint8' }, labels: { shape: [n, h, w], dtype: 'uint8' } },
      loss(inputs, _, frozen) {
        for (const layer of model.layers) if (layer.name.startsWith('conv')) layer.trainable = !frozen
        return loss(inputs)
      },
      evaluate: (inputs) => ({ logits: model.apply(normalise(inputs.pictures!)) as tf.Tensor }),
      optimizer,
    })
  return { model, named, learnt: [...named.values()].filter((variable) => trainable.has(variable)), loss, open }
}

const bytes = { pictures: tf.tensor(pictures, [n, h, w, 3], 'bool'), labels: tf.tensor(labels, [n, h, w], 'bool') }
const ints = {
  pictures: tf.tensor(Int32Array.from(pictures), [n, h, w, 3]),
  labels: tf.tensor(Int32Array.from(labels), [n, h, w]),
}

type State = ReturnType<Training['read']>

const opened: Training[] = []
afterAll(() => {
  for (const training of opened) training.close()
})
async function begin(start: Promise<Training>) {
  const training = await start
  opened.push(training)
  return training
}

describe('the training graph', () => {
  it.each([
    ['with batch normalisation', { batchNorm: true }],
    ['without', { batchNorm: false }],
    ['with dropout', { dropout: 0.5 }],
    ['of FCN-32s', { net: 'fcn32s' as const }],
  ])('has the losses of eager tfjs %s', async (_, architecture) => {
    const { learnt, loss, open } = network(architecture)
    const training = await begin(open())
    const optimizer = tf.train.adam(1e-3, adam.beta1, adam.beta2, adam.epsilon)
    for (let step = 1; step <= 4; step++) {
      const ours = training.step(bytes, 1e-3, step)
      const eager = tf.tidy(() => {
        const { value, grads } = withSeed(tf.tensor1d([1, step], 'int32'), () => tf.variableGrads(() => loss(ints), learnt))
        optimizer.applyGradients(Object.entries(grads).map(([name, tensor]) => ({ name, tensor })))
        return value.dataSync()[0]!
      })
      expect(Math.abs(ours - eager) / eager).toBeLessThan(2e-3)
    }
  })

  it('keeps the moving averages of batch normalisation', async () => {
    const { model, open } = network({})
    const training = await begin(open())
    training.step(bytes, 1e-3, 1)
    tf.tidy(() => void model.apply(normalise(ints.pictures), { training: true }))
    const expected = variables(model).get('conv1_1_bn/moving_mean')!.dataSync()
    const found = training.read().get('conv1_1_bn/moving_mean')!.values
    for (const [i, value] of found.entries()) expect(value).toBeCloseTo(expected[i]!, 5)
    expect(found.some((value) => value !== 0)).toBe(true)
  })

  it.each([
    ['adamw', adam, 'float32'],
    ['sgd', { kind: 'sgd', momentum: 0.9, weightDecay: 0.1, clipNorm: 1 }, 'float32'],
    ['adamw in float16', adam, 'float16'],
  ] as const)('keeps loaded layers and their statistics in the first steps, then learns them slowly (%s)', async (...given) => {
    const [, optimizer, compute] = given
    const slow = { is: (name: string) => name.startsWith('conv'), after: 2, rate: 0.25 }
    const { named, open } = network({})
    const training = await begin(open(optimizer, compute, slow, 0.9))
    const states = [training.read()]
    for (let step = 1; step <= 3; step++) {
      expect(training.step(bytes, 1e-3, step)).toBeGreaterThan(0)
      states.push(training.read())
    }
    const ofLoaded = [...named.keys()].filter((name) => name.startsWith('conv'))
    const [before, , frozen, after] = states as [State, State, State, State]
    for (const name of ofLoaded) {
      expect(frozen.get(name)!.values).toEqual(before.get(name)!.values)
      expect(after.get(name)!.values, name).not.toEqual(before.get(name)!.values)
    }
    expect(frozen.get('fc7/kernel')!.values).not.toEqual(before.get('fc7/kernel')!.values)
    expect(frozen.get('fc7_bn/moving_mean')!.values).not.toEqual(before.get('fc7_bn/moving_mean')!.values)
    if (optimizer.kind !== 'adamw') return
    // Adam's first step, whatever the gradient, is the learning rate at most, and nearly that for all but tiny ones.
    const moved = after
      .get('conv5_1/kernel')!
      .values.map((value, i) => Math.abs(value - before.get('conv5_1/kernel')!.values[i]!))
    expect(Math.max(...moved) / (0.25 * 1e-3)).toBeCloseTo(1, 1)
  })

  it('never learns what is slow at rate 0, nor keeps moments for it', async () => {
    const { named, open } = network({})
    const training = await begin(open(adam, 'float32', { is: (name) => name.startsWith('conv'), after: 0, rate: 0 }))
    const before = training.read()
    training.step(bytes, 1e-2, 1)
    const after = training.read()
    for (const name of named.keys()) if (name.startsWith('conv')) expect(after.get(name)).toEqual(before.get(name))
    expect(after.get('score_fr/kernel')).not.toEqual(before.get('score_fr/kernel'))
    expect([...after.keys()].filter((name) => /^conv.*adam/.test(name))).toEqual([])
  })

  it('leaves the last upsampling bilinear, and decays weights but not biases', async () => {
    const { named, open } = network({ batchNorm: false })
    const before = new Map([...named].map(([name, variable]) => [name, variable.dataSync().slice()]))
    const training = await begin(open({ ...adam, weightDecay: 0.5 }))
    training.step(bytes, 1e-9, 1)
    training.step(bytes, 0.1, 2)
    const after = training.read()
    expect(after.get('upscore8/kernel')!.values).toEqual(before.get('upscore8/kernel'))
    // In a step of rate 0.1 with decay 0.5 a weight loses 5 %, and Adam moves it by 0.1 at most.
    const kernel = after.get('conv3_1/kernel')!.values
    const moved = kernel.every((value, i) => Math.abs(value - 0.95 * before.get('conv3_1/kernel')![i]!) <= 0.1 + 1e-4)
    expect(moved).toBe(true)
    expect(after.get('conv3_1/bias')!.values.every((value) => Math.abs(value) <= 0.1 + 1e-4)).toBe(true)
  })

  it.each([
    ['bfloat16', 0.05],
    ['float16', 0.02],
  ] as const)('in %s learns as in float32, with weights and moments in float32', async (compute, tolerance) => {
    const { open } = network({ batchNorm: true })
    const [whole, halves] = [await begin(open()), await begin(open(adam, compute))]
    for (let step = 1; step <= 6; step++) {
      const [a, b] = [whole.step(bytes, 1e-3, step), halves.step(bytes, 1e-3, step)]
      expect(Math.abs(a - b) / a).toBeLessThan(tolerance)
      expect(a).not.toBe(b)
    }
    // A weight that only halves could hold would have lost its last bits.
    const kernel = halves.read().get('conv1_1/kernel')!.values
    expect(new Uint32Array(kernel.buffer, kernel.byteOffset, kernel.length).some((bits) => bits & 0xfff)).toBe(true)
  })

  it('leaves out a step whose gradients overflow float16, halves the scale and goes on', async () => {
    const training = await begin(network({ batchNorm: true }).open(adam, 'float16'))
    training.step(bytes, 1e-3, 1)
    const before = training.read()
    expect(before.get('loss_scale')!.values[0]).toBe(2 ** 15)
    training.write(new Map([...before, ['loss_scale', { shape: [], values: new Float32Array([2 ** 100]) }]]))
    expect(training.step(bytes, 1e-3, 2)).toBeGreaterThan(0)
    const after = training.read()
    expect(after.get('loss_scale')!.values[0]).toBe(2 ** 99)
    for (const [name, { values }] of after) if (!name.startsWith('loss_scale')) expect(values).toEqual(before.get(name)!.values)
    training.write(before)
    training.step(bytes, 1e-3, 3)
    expect(training.read().get('conv1_1/kernel')!.values).not.toEqual(before.get('conv1_1/kernel')!.values)
  })

  it('limits the gradient to the norm it is given', async () => {
    const { open } = network({})
    // Adam's moment m after one step is (1 - beta1) x gradient.
    const norm = (training: Training) =>
      Math.sqrt(
        [...training.read()]
          .filter(([name]) => name.endsWith('adam_m'))
          .reduce((sum, [, { values }]) => values.reduce((s, v) => s + (10 * v) ** 2, sum), 0),
      )
    const [free, limited] = [await begin(open()), await begin(open({ ...adam, clipNorm: 0.01 }))]
    free.step(bytes, 1e-3, 1)
    limited.step(bytes, 1e-3, 1)
    expect(norm(free)).toBeGreaterThan(0.1)
    expect(norm(limited)).toBeCloseTo(0.01, 5)
  })

  it('continues from what was read as if it had never stopped', async () => {
    const { open } = network({ dropout: 0.3 })
    const [whole, resumed] = [await begin(open()), await begin(open())]
    for (let step = 1; step <= 3; step++) whole.step(bytes, 1e-3, step)
    const state = whole.read()
    resumed.write(state)
    // Bit for bit on a CPU, with as many threads and the same oneDNN; a GPU adds in another order.
    for (let step = 4; step <= 5; step++) expect(resumed.step(bytes, 1e-3, step)).toBe(whole.step(bytes, 1e-3, step))
    expect(resumed.read()).toEqual(whole.read())
    expect(() => resumed.write(new Map([...state].slice(1)))).toThrow(/Expected state conv1_1\/kernel/)
  })
})
