// Exponential moving averages of weights (Polyak and Juditsky 1992), which are steadier than the last weights. As
// tf.train.ExponentialMovingAverage with num_updates (tensorflow/python/training/moving_averages.py).
import type { Graph, Output } from './graph.ts'
import { declareState, type State, type Step } from './optimizers.ts'

/** Under which name the average of a variable is part of the state. */
export const averageOf = (name: string) => `${name}/ema`

const float32 = { T: { type: 'float32' } } as const

/**
 * Records the averages' part of a step: average -= (1 - d) (average - value), with d = min(decay, (1 + step) / (10 + step)),
 * so that the first steps, which start from nothing, are soon forgotten. Declares the averages among `states`.
 * @param decay from 0 (the last value alone) to below 1 (some 1 / (1 - decay) steps)
 * @param learnt names of weights, and the node after which each has its new value
 * @returns the nodes that have to run for the step
 */
export function applyAverages(
  graph: Graph,
  decay: number,
  states: Map<string, State>,
  learnt: readonly (readonly [name: string, update: string])[],
  { step, finite }: Pick<Step, 'step' | 'finite'>,
): string[] {
  const scalar = (value: number) => graph.constant(new Float32Array([value]), [], 'float32').ref
  const plus = (value: number) => graph.add('AddV2', [step.ref, scalar(value)], float32)
  const warmUp = graph.add('RealDiv', [plus(1), plus(10)], float32)
  const share = graph.add('Sub', [scalar(1), graph.add('Minimum', [scalar(decay), warmUp], float32)], float32, 'ema_share')
  return learnt.map(([name, update]) => {
    const { handle, shape } = states.get(name)!
    const value = graph.add('ReadVariableOp', [handle, `^${update}`], { dtype: float32.T }, `${name}/updated`)
    const average: State = states.get(averageOf(name)) ?? declareState(graph, averageOf(name), shape)
    states.set(averageOf(name), average)
    const gone = graph.add('Sub', [average.read.ref, value], float32)
    // The update op makes no copy of the average, as adding and assigning would.
    const inputs = [average.handle, share, finite ? select(graph, finite, gone) : gone]
    return graph.add('ResourceApplyGradientDescent', inputs, { ...float32, use_locking: { bool: false } }, `${name}/average`)
  })
}

/** 0 in a step that does not count: then not even the sign of a zero changes. */
const select = (graph: Graph, finite: Output, value: string) =>
  graph.add('SelectV2', [finite.ref, value, graph.constant(new Float32Array([0]), [], 'float32').ref], float32)
