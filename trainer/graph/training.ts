// The training step as one call of TensorFlow: forward, loss, gradient and update are recorded into one graph, in which
// weights, moments and statistics live as variables that can be read and written.
import * as tf from '@tensorflow/tfjs-node-gpu'
import type { Session } from '../../deploy/saved-model.ts'
import { applyAverages, averageOf } from './average.ts'
import { largeFilter } from './convolution-product.ts'
import { Graph, type Output, type Precision } from './graph.ts'
import { lossScaling, nextScale } from './loss-scale.ts'
import {
  applyOptimizer,
  declareState,
  type Optimizer,
  onGpu,
  type State,
  type Step,
  slots,
  unscaleAndClip,
} from './optimizers.ts'
import { record, toOutput, toTensor, withVariables } from './recorder.ts'
import { withSeed } from './seed.ts'
import { openSession } from './session.ts'
import { manyChannels } from './winograd.ts'

/**
 * What to train, in tfjs's terms. For a LayersModel `model` and one-hot labels:
 *
 *     const training = await openTraining({
 *       variables: new Map(model.weights.map((weight) => [weight.name, weight.read() as tf.Variable])),
 *       trainable: (name) => model.trainableWeights.some((weight) => weight.name === name),
 *       inputs: { x: { shape: [32, 28, 28, 1], dtype: 'float32' }, y: { shape: [32, 10], dtype: 'float32' } },
 *       loss: ({ x, y }) => tf.losses.softmaxCrossEntropy(y!, model.apply(x!, { training: true }) as tf.Tensor),
 *       evaluate: ({ x }) => ({ scores: model.apply(x!) as tf.Tensor }),
 *       optimizer: { kind: 'adamw', beta1: 0.9, beta2: 0.999, epsilon: 1e-7, weightDecay: 0.01, clipNorm: 1 },
 *     })
 *     for (let step = 1; step <= steps; step++) training.step({ x, y }, 1e-3, step)
 */
export interface TrainingGraph {
  /** Variables of the model by name; all are part of the state, those of `trainable` are learnt. */
  variables: Map<string, tf.Variable>
  trainable: (name: string) => boolean
  inputs: Record<string, { shape: number[]; dtype: 'uint8' | 'int32' | 'float32' }>
  /** Of the run; with the step it is the seed of `loss`, int32 [2]. Left out: 1. */
  seed?: number
  /**
   * The loss of a batch, a scalar, from symbolic inputs. What it assigns to variables is part of the step. tfjs's dropout
   * and noise layers draw from `seed` (int32 [2], another in each step) by themselves, see `withSeed`. `frozen`: in a step
   * in which what is `slow` stays as it is.
   */
  loss(inputs: Record<string, tf.Tensor>, seed: tf.Tensor1D, frozen: boolean): tf.Scalar
  /** What to compute from the inputs without learning. */
  evaluate(inputs: Record<string, tf.Tensor>): Record<string, tf.Tensor>
  optimizer: Optimizer
  /** What learns more slowly than the rest; left out: nothing. */
  slow?: Slow | undefined
  /**
   * Decay of the moving averages of what is learnt, see `applyAverages`; `evaluate` computes with them. What the loss
   * assigns to variables stays as it is: statistics of batch normalisation are averages already, and averaged once more they
   * lag behind (0.002 of road IoU on CamVid, halfway through a run). Left out or 0: no averages.
   */
  averageDecay?: number
  /** What convolutions compute in; weights and their updates are float32. */
  compute?: Precision
}

/** Learnt variables that stay as they are in the first `after` steps, as though training began later, or always where `rate` is 0. */
export interface Slow {
  is(name: string): boolean
  after: number
  /** Times the learning rate. */
  rate: number
}

/** A weight or a moment. */
export interface StateValue {
  shape: number[]
  values: Float32Array
}

export interface Training {
  /** One step. `step` counts from 1; with the rate it is all that a step draws on but state and inputs. Returns the loss before the update. */
  step(inputs: Record<string, tf.Tensor>, learningRate: number, step: number): number
  /** Runs `evaluate`. The caller disposes what comes back. */
  evaluate(inputs: Record<string, tf.Tensor>): Record<string, tf.Tensor>
  /** Weights, and under `<name>/<slot>` what the optimizer keeps (`adam_m`, `adam_v`) and averages (`ema`), as they are now. */
  read(): Map<string, StateValue>
  /** Replaces state. Throws where a name or a shape is not the session's. */
  write(state: Map<string, StateValue>): void
  close(): void
}

const float32 = { type: 'float32' } as const

/** Records the graph and loads it. The variables' present values become the state; the variables themselves stay as they are. */
export async function openTraining(recipe: TrainingGraph): Promise<Training> {
  expectRecordable(recipe)
  const graph = new Graph({
    compute: recipe.compute ?? 'float32',
    ...(!onGpu() && { productsFrom: largeFilter, winogradFrom: manyChannels }),
  })
  const states = new Map<string, State>()
  const { slow } = recipe
  record(graph, () => {
    const always = [...recipe.variables.keys()].filter((name) => recipe.trainable(name) && !slow?.is(name))
    const later = [...recipe.variables.keys()].filter((name) => recipe.trainable(name) && slow?.is(name) && slow.rate > 0)
    const names = [...always, ...later]
    for (const [name, { shape }] of recipe.variables) states.set(name, declareState(graph, name, shape))
    for (const name of names)
      for (const slot of slots(recipe.optimizer))
        states.set(`${name}/${slot}`, declareState(graph, `${name}/${slot}`, states.get(name)!.shape))
    const scales = graph.compute === 'float16' ? Object.keys(lossScaling) : []
    for (const name of scales) states.set(name, declareState(graph, name, []))

    const inputs = Object.fromEntries(
      Object.entries(recipe.inputs).map(([name, { shape, dtype }]) => [name, graph.placeholder(name, shape, dtype)]),
    )
    const feeds = {
      learningRate: graph.placeholder('learning_rate', [], 'float32'),
      step: graph.placeholder('step', [], 'float32'),
      seed: graph.placeholder('seed', [2], 'int32'),
    }
    const nameOf = (variable: tf.Variable) => [...recipe.variables].find(([, own]) => own === variable)![0]
    const symbols = () => Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, toTensor(input)]))
    const bound = [...recipe.variables].map(([name, variable]) => ({ variable, output: states.get(name)!.read }))

    const set = (handle: string, value: string, name: string, after: string[] = []) =>
      graph.add('AssignVariableOp', [handle, value, ...after], { dtype: float32 }, name)
    const signStep = (signature: string, names: readonly string[], frozen: boolean) => {
      const { result, assigned } = withVariables(bound, () => {
        const learnt = names.map((name) => recipe.variables.get(name)!)
        const seed = toTensor(feeds.seed) as tf.Tensor1D
        const [scale, steps] = scales.map((name) => toTensor(states.get(name)!.read))
        let loss: tf.Scalar | undefined
        const { grads } = tf.variableGrads(() => {
          loss = withSeed(seed, () => recipe.loss(symbols(), seed, frozen))
          return scale ? tf.mul<tf.Scalar>(loss, scale) : tf.clone(loss)
        }, learnt)
        // variableGrads names gradients by the variables' tfjs names, which are not ours.
        const missing = names.filter((_, i) => !grads[learnt[i]!.name])
        if (missing.length > 0) throw new Error(`Expected the loss to depend on all that is learnt, but not on ${missing}`)
        const ofAll = learnt.map(({ name }) => grads[name]!)
        const { gradients, finite } = unscaleAndClip(ofAll, recipe.optimizer.clipNorm, scale)
        const scaling = finite ? nextScale(scale!, steps!, finite) : {}
        return {
          loss: toOutput(loss!),
          gradients: names.map((name, i) => [name, toOutput(gradients[i]!)] as const),
          scaling: Object.entries<tf.Tensor>(scaling).map(([name, tensor]) => [name, toOutput(tensor)] as const),
          ...(finite && { finite: toOutput(finite) }),
        }
      })
      const { finite } = result
      const moment = { ...feeds, ...(finite && { finite }) }
      const of = (some: (name: string) => boolean) => result.gradients.filter(([name]) => some(name))
      const isSlow = (name: string) => slow?.is(name) === true
      const updates = applyOptimizer(
        graph,
        recipe.optimizer,
        states,
        of((name) => !isSlow(name)),
        moment,
      )
      if (slow && !frozen)
        updates.push(...applyOptimizer(graph, recipe.optimizer, states, of(isSlow), slowed(graph, moment, slow)))
      const learnt = names.map((name, i) => [name, updates[i]!] as const)
      const assign = (name: string, value: string) => {
        const { handle, read } = states.get(name)!
        // Forward comes first, even where the new value does not depend on the old one.
        updates.push(set(handle, value, `${name}/assign`, [`^${read.ref}`]))
      }
      for (const { variable, output } of assigned) {
        const name = nameOf(variable)
        if (recipe.trainable(name))
          throw new Error(
            `Expected ${name} to change by learning alone, but the loss assigns it. Leave that out, or set it by write`,
          )
        const inputs = finite && [finite.ref, output.ref, states.get(name)!.read.ref]
        assign(name, inputs ? graph.add('SelectV2', inputs, { T: float32 }) : output.ref)
      }
      for (const [name, output] of result.scaling) assign(name, output.ref)
      if (recipe.averageDecay) updates.push(...applyAverages(graph, recipe.averageDecay, states, learnt, moment))
      graph.sign(
        signature,
        { ...inputs, learning_rate: feeds.learningRate, step: feeds.step, seed: feeds.seed },
        { loss: result.loss },
        updates,
      )
    }
    // The whole one first: it declares all averages.
    if (later.length > 0 || !slow) signStep('step', names, false)
    if (slow && startsFrozen(slow)) signStep('step/frozen', always, true)

    const averaged = [...recipe.variables].map(([name, variable]) => ({
      variable,
      output: (states.get(averageOf(name)) ?? states.get(name)!).read,
    }))
    const { result: evaluated, assigned } = withVariables(averaged, () =>
      Object.fromEntries(Object.entries(recipe.evaluate(symbols())).map(([name, tensor]) => [name, toOutput(tensor)])),
    )
    if (assigned.length > 0)
      throw new Error(
        `Expected evaluate to change nothing, but it assigns ${assigned.map(({ variable }) => nameOf(variable))}; apply the model without training: true`,
      )
    graph.sign('evaluate', inputs, evaluated)
    const done = graph.constant(new Int32Array([1]), [], 'int32')
    for (const [i, names] of parts(states).entries()) {
      const part = names.map((name) => [name, states.get(name)!] as const)
      graph.sign(`read/${i}`, {}, Object.fromEntries(part.map(([name, { read }]) => [name, read])))
      const values = part.map(([name, { shape }]) => graph.placeholder(`${name}/value`, shape, 'float32'))
      const writes = part.map(([name, { handle }], k) => set(handle, values[k]!.ref, `${name}/write`))
      graph.sign(`write/${i}`, Object.fromEntries(names.map((name, k) => [name, values[k]!])), { done }, writes)
    }
  })

  const session = await openSession(graph)
  const training = bind(session, states, recipe.seed ?? 1, (step) => (slow && isFrozen(slow, step) ? 'step/frozen' : 'step'))
  const starts = new Map(
    [...recipe.variables].flatMap(([name, variable]) => [name, averageOf(name)].map((of) => [of, variable])),
  )
  writeState(session, states, (name, { shape }) => {
    const variable = starts.get(name)
    if (variable) return variable
    return tf.fill(shape, name in lossScaling ? lossScaling[name as keyof typeof lossScaling] : 0)
  })
  return training
}

/** What a step is fed with beside the recipe's inputs. */
const ownFeeds = ['learning_rate', 'step', 'seed']

function expectRecordable({ inputs, variables }: TrainingGraph): void {
  const taken = ownFeeds.find((name) => name in inputs)
  if (taken) throw new Error(`Expected inputs of other names than ${ownFeeds.join(', ')}, which each step has; rename ${taken}`)
  for (const [name, { dtype }] of variables)
    if (dtype !== 'float32') throw new Error(`Expected float32 variables, found ${dtype} in ${name}; keep it as float32`)
}

/** Names in groups of some 64 MiB, each of which is read or written in one call: all at once would take the memory twice. */
function parts(states: Map<string, State>): string[][] {
  const groups: string[][] = []
  let room = 0
  for (const [name, { shape }] of states) {
    const size = tf.util.sizeFromShape(shape)
    if (room < size) {
      groups.push([])
      room = 2 ** 24
    }
    groups.at(-1)!.push(name)
    room -= size
  }
  return groups
}

const isFrozen = ({ after, rate }: Slow, step: number) => rate === 0 || step <= after
const startsFrozen = (slow: Slow) => isFrozen(slow, 1)

/** What the updates of slow variables depend on. */
function slowed<T extends Step>(graph: Graph, moment: T, { after, rate }: Slow): T {
  const scalar = (value: number) => graph.constant(new Float32Array([value]), [], 'float32').ref
  const made = (op: string, of: Output, value: number): Output => ({
    ...of,
    ref: graph.add(op, [of.ref, scalar(value)], { T: float32 }),
  })
  return { ...moment, learningRate: made('Mul', moment.learningRate, rate), step: made('Sub', moment.step, after) }
}

function bind(session: Session, states: Map<string, State>, seed: number, signature: (step: number) => string): Training {
  return {
    step(inputs, learningRate, step) {
      if (!(Number.isInteger(step) && step >= 1)) throw new Error(`Expected steps to be counted from 1, found step ${step}`)
      return tf.tidy(() => {
        const feeds = {
          learning_rate: tf.scalar(learningRate),
          step: tf.scalar(step),
          seed: tf.tensor1d([seed, step], 'int32'),
        }
        return session.call(signature(step), { ...inputs, ...feeds }).loss!.dataSync()[0]!
      })
    },
    evaluate: (inputs) => session.call('evaluate', inputs),
    read() {
      const state = new Map<string, StateValue>()
      for (const i of parts(states).keys()) {
        const read = session.call(`read/${i}`, {})
        for (const [name, tensor] of Object.entries(read))
          state.set(name, { shape: tensor.shape, values: tensor.dataSync() as Float32Array })
        tf.dispose(read)
      }
      return state
    },
    write(state) {
      for (const [name, { shape }] of states) {
        const found = state.get(name)
        if (found?.shape.join() !== shape.join())
          throw new Error(`Expected state ${name} of shape [${shape}], found ${found ? `[${found.shape}]` : 'none'}`)
      }
      writeState(session, states, (name, { shape }) => tf.tensor(state.get(name)!.values, shape))
    },
    close: () => session.close(),
  }
}

function writeState(session: Session, states: Map<string, State>, value: (name: string, state: State) => tf.Tensor): void {
  for (const [i, names] of parts(states).entries())
    tf.tidy(() => {
      const feeds = Object.fromEntries(names.map((name) => [name, value(name, states.get(name)!)]))
      session.call(`write/${i}`, feeds)
    })
}
