// Rules by which weights learn, as TensorFlow's own update ops (tensorflow/core/kernels/training_ops.cc). A rule is a line
// of a table: what it keeps per weight, its numbers, and the op.
import * as tf from '@tensorflow/tfjs-node-gpu'
import type { NodeJSKernelBackend } from '@tensorflow/tfjs-node-gpu/dist/nodejs_kernel_backend.js'
import type { Attrs, Graph, Output } from './graph.ts'
import { l2Loss } from './ops.ts'

export type Optimizer = {
  /** Taken from weights of rank 2 and more, times the learning rate (decoupled, Loshchilov and Hutter 2019); 0 for none. */
  weightDecay: number
  /** Largest norm of all gradients together (Pascanu et al. 2013); 0 for no limit. */
  clipNorm: number
} & (Sgd | Adam)

/** Gradient descent: v = momentum v + gradient, then weight -= rate v; with `nesterov`, weight -= rate (gradient + momentum v). */
export interface Sgd {
  kind: 'sgd'
  /** 0 for plain gradient descent. */
  momentum: number
  nesterov?: boolean
}

/** Adam (Kingma and Ba 2015, with the epsilon hat of its section 2, as TensorFlow and Keras); AdamW where `weightDecay` is not 0. */
export interface Adam {
  kind: 'adamw'
  beta1: number
  beta2: number
  epsilon: number
}

/** A variable in the graph. */
export interface State {
  handle: string
  /** Its value from before this call's updates. */
  read: Output
  shape: number[]
}

/** What the updates of a step depend on, all scalars float32 outputs of the graph. */
export interface Step {
  learningRate: Output
  /** Counts from 1. */
  step: Output
  /** bool: where false, the step changes no bit of weights and slots, whatever the gradients are. */
  finite?: Output
}

const float32 = { type: 'float32' } as const
const scalar = (graph: Graph, value: number) => graph.constant(new Float32Array([value]), [], 'float32')

export function declareState(graph: Graph, name: string, shape: number[]): State {
  const handle = graph.add('VarHandleOp', [], { dtype: float32, shape: { shape }, shared_name: { string: name } }, name)
  const ref = graph.add('ReadVariableOp', [handle], { dtype: float32 }, `${name}/read`)
  return { handle, shape, read: { ref, shape, dtype: 'float32' } }
}

/** Under `<name>/<slot>`, what an optimizer keeps for each weight: float32 of its shape, 0 at first. */
export const slots = (optimizer: Optimizer): string[] =>
  optimizer.kind === 'adamw' ? ['adam_m', 'adam_v'] : optimizer.momentum === 0 ? [] : ['momentum']

/**
 * Gradients divided by `scale`, and shortened so that their common norm is at most `clipNorm`.
 * @returns them, and whether all of them are numbers (bool scalar), where they had to be scaled
 */
export function unscaleAndClip(
  gradients: tf.Tensor[],
  clipNorm: number,
  scale?: tf.Tensor,
): { gradients: tf.Tensor[]; finite?: tf.Tensor } {
  if (clipNorm === 0 && !scale) return { gradients }
  const norm = tf.sqrt(tf.mul(tf.addN(gradients.map(l2Loss)), 2))
  const scaled = scale ? tf.div(norm, scale) : norm
  const clipped = clipNorm === 0 ? tf.scalar(1) : tf.div(clipNorm, tf.maximum(scaled, clipNorm))
  const factor = scale ? tf.div(clipped, scale) : clipped
  return { gradients: gradients.map((gradient) => tf.mul(gradient, factor)), ...(scale && { finite: tf.isFinite(norm) }) }
}

/** The update op of one weight and its inputs after the variables' handles, given its gradient. */
type Rule = (gradient: string) => { op: string; inputs: string[]; attrs?: Attrs }

/** @param number gives a constant, or its second argument in a step that is not to count */
function rule(
  graph: Graph,
  optimizer: Optimizer,
  rate: string,
  step: Output,
  number: (value: number, neutral: number) => string,
): Rule {
  const nesterov = { use_nesterov: { bool: optimizer.kind === 'sgd' && optimizer.nesterov === true } }
  if (optimizer.kind === 'sgd') {
    if (optimizer.momentum === 0) return (gradient) => ({ op: 'ResourceApplyGradientDescent', inputs: [rate, gradient] })
    const momentum = number(optimizer.momentum, 1)
    return (gradient) => ({ op: 'ResourceApplyMomentum', inputs: [rate, gradient, momentum], attrs: nesterov })
  }
  // The powers correct the moments' bias and divide: they stay those of the true betas.
  const powers = [optimizer.beta1, optimizer.beta2].map((beta) =>
    graph.add('Pow', [scalar(graph, beta).ref, step.ref], { T: float32 }),
  )
  const betas = [number(optimizer.beta1, 1), number(optimizer.beta2, 1)]
  const scalars = [...powers, rate, ...betas, scalar(graph, optimizer.epsilon).ref]
  return (gradient) => ({ op: 'ResourceApplyAdam', inputs: [...scalars, gradient], attrs: nesterov })
}

/**
 * Records one step of an optimizer.
 * @param states variables by name, with the optimizer's slots under `<name>/<slot>`
 * @param gradients by name of what is learnt, float32 of the variable's shape
 * @returns the nodes that have to run for the step
 */
export function applyOptimizer(
  graph: Graph,
  optimizer: Optimizer,
  states: Map<string, State>,
  gradients: readonly (readonly [string, Output])[],
  { learningRate, step, finite }: Step,
): string[] {
  /** `value`, or in a step that is not to count `neutral`, with which an op leaves its variables as they are. */
  const unless = (value: Output, neutral: number): string =>
    finite ? graph.add('SelectV2', [finite.ref, value.ref, scalar(graph, neutral).ref], { T: float32 }) : value.ref
  const rate = unless(learningRate, 0)
  const share = graph.add('Mul', [rate, scalar(graph, optimizer.weightDecay).ref], { T: float32 }, 'decay_share')
  const update = rule(graph, optimizer, rate, step, (value, neutral) => unless(scalar(graph, value), neutral))
  return gradients.map(([name, gradient]) => {
    const { handle, read, shape } = states.get(name)!
    const kept = slots(optimizer).map((slot) => states.get(`${name}/${slot}`)!.handle)
    const counting = unless(gradient, 0)
    const { op, inputs, attrs } = update(counting)
    const types = { T: float32, use_locking: { bool: false } }
    if (optimizer.weightDecay === 0 || shape.length < 2)
      // Forward comes first, even where the gradient does not depend on the value.
      return graph.add(op, [handle, ...kept, ...inputs, `^${read.ref}`], { ...types, ...attrs }, `${name}/update`)
    const decay = (onGpu() ? decayed : decayedInPlace)(graph, states.get(name)!, share, counting)
    return graph.add(op, [handle, ...kept, ...inputs, `^${decay}`], { ...types, ...attrs }, `${name}/update`)
  })
}

/** Whether TensorFlow computes on a GPU here. */
export const onGpu = () => (tf.findBackend('tensorflow') as NodeJSKernelBackend).isUsingGpuDevice

/** A node that leaves 1 - `share` of a weight, once its gradient is there: until then the product would take its memory again. */
export function decayed(graph: Graph, { handle, read }: State, share: string, gradient: string): string {
  const rest = graph.add('Sub', [scalar(graph, 1).ref, share], { T: float32 })
  const product = graph.add('Mul', [read.ref, rest, `^${gradient.split(':')[0]}`], { T: float32 })
  return graph.add('AssignVariableOp', [handle, product], { dtype: float32 }, 'decay')
}

/**
 * The same without a copy of the weight, by an op that TensorFlow has for CPUs alone: a proximal step of nearly no length is
 * weight / (1 + length * pull), and its gradient is not felt.
 */
export function decayedInPlace(graph: Graph, { handle, read }: State, share: string, gradient: string): string {
  const length = scalar(graph, 1e-30)
  const rest = graph.add('Sub', [scalar(graph, 1).ref, share], { T: float32 })
  const relative = graph.add('RealDiv', [share, rest], { T: float32 })
  const pull = graph.add('RealDiv', [relative, length.ref], { T: float32 })
  const inputs = [handle, length.ref, scalar(graph, 0).ref, pull, gradient, `^${read.ref}`]
  return graph.add('ResourceApplyProximalGradientDescent', inputs, { T: float32, use_locking: { bool: false } }, 'decay')
}
