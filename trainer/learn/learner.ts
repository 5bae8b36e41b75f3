// The network and its training graph, made from the settings of a run.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import * as tf from '@tensorflow/tfjs-node-gpu'
import type { ModelInput } from '../../deploy/bundle.ts'
import { averageOf } from '../graph/average.ts'
import { openTraining } from '../graph/training.ts'
import type { Scores } from '../metrics/validate.ts'
import { augment, augmentations } from '../model/augment.ts'
import { probability } from '../model/export.ts'
import { type Architecture, buildFcn, normalise, variables } from '../model/fcn.ts'
import { batchLoss, distillation } from '../model/loss.ts'
import type { State } from '../run/checkpoint.ts'
import type { Settings } from '../run/settings.ts'
import type { Teacher } from './teacher.ts'

export interface Network {
  architecture: Architecture
  /** With the weights it was made with or last given by `load`. */
  model: tf.LayersModel
  parameters: number
  /** Puts the weights of a state into `model`, to export it: their averages where it has them. */
  load(state: State): void
  close(): void
}

export interface Learner {
  parameters: number
  /** One step on uint8 pictures [batch, h, w, 3] and labels [batch, h, w]; returns the loss before it. */
  step(pictures: Uint8Array, labels: Uint8Array, learningRate: number, step: number): number
  /** With the weights' averages, where the run keeps them. */
  score(pictures: Uint8Array, labels: Uint8Array): Scores
  /** Weights, moments and averages as they are now. */
  state(): State
  /** Continues from a checkpoint's state. */
  restore(state: State): void
  close(): void
}

/** Builds the network of a run's settings. */
export function buildNetwork(settings: Settings, input: ModelInput, classes: number): Network {
  const { net, width, fc, batchNorm, dropout, seed } = settings
  const architecture = { net, width, fc, batchNorm, dropout, classes }
  const model = buildFcn(architecture, input.height, input.width, seed)
  const named = variables(model)
  return {
    architecture,
    model,
    parameters: model.countParams(),
    load(state) {
      for (const [name, variable] of named) {
        const { shape, values } = (state.get(averageOf(name)) ?? state.get(name))!
        const tensor = tf.tensor(values, shape)
        variable.assign(tensor)
        tensor.dispose()
      }
    },
    close: () => void model.dispose(),
  }
}

/** The layer of a variable or of its batch normalisation. */
const layerOf = (name: string) => name.replace(/\/.*$/, '').replace(/_bn$/, '')

/** Twice: the first time only finds the buffers that nothing refers to any more, the second gives them back. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  collect()
}

/** What a run learns from beside the labels. */
interface Guidance {
  /** By class id, as in `batchLoss`. */
  classWeights?: readonly number[] | undefined
  /** Its part in the loss is the settings' `teacherShare`. */
  teacher?: Teacher | undefined
  /** Layers that were loaded, and the steps in which they stay as they are; the settings' `encoderRate` is theirs afterwards. */
  loaded?: { layers: ReadonlySet<string>; headSteps: number } | undefined
  /** With the weights to start from; closed here. Left out, a new one. */
  network?: Network
}

/** Records the training step of a network; takes seconds. */
export async function openLearner(
  settings: Settings,
  input: ModelInput,
  classes: number,
  { classWeights, teacher, loaded, network = buildNetwork(settings, input, classes) }: Guidance = {},
): Promise<Learner> {
  const { model, parameters, close } = network
  const { batch, seed } = settings
  const wanted = { loss: settings.loss, ...(classWeights && { classWeights }) }
  const named = variables(model)
  const trainable = new Set(model.trainableWeights.map((weight) => weight.read()))
  const shapes = { pictures: [batch, input.height, input.width, 3], labels: [batch, input.height, input.width] }

  const rule =
    settings.optimizer === 'sgd'
      ? { kind: 'sgd' as const, momentum: settings.momentum }
      : { kind: 'adamw' as const, beta1: 0.9, beta2: 0.999, epsilon: 1e-7 }
  const training = await openTraining({
    compute: settings.compute === 'auto' ? 'float32' : settings.compute,
    averageDecay: settings.ema,
    variables: named,
    trainable: (name) => trainable.has(named.get(name)!),
    inputs: { pictures: { shape: shapes.pictures, dtype: 'uint8' }, labels: { shape: shapes.labels, dtype: 'uint8' } },
    seed,
    slow: loaded && { is: (name) => loaded.layers.has(layerOf(name)), after: loaded.headSteps, rate: settings.encoderRate },
    loss(inputs, seed, frozen) {
      // Their batch normalisation keeps to its statistics then, as in Keras.
      for (const layer of model.layers) if (loaded?.layers.has(layerOf(layer.name))) layer.trainable = !frozen
      const { pictures, labels } = augment(inputs.pictures!, inputs.labels!, seed, augmentations[settings.augment])
      const seen = normalise(pictures)
      const logits = model.apply(seen, { training: true }) as tf.Tensor4D
      const { loss } = batchLoss(logits, labels, wanted)
      if (!teacher) return loss
      const share = settings.teacherShare
      return tf.add<tf.Scalar>(tf.mul(loss, 1 - share), tf.mul(distillation(logits, teacher.logits(seen)), share))
    },
    evaluate({ pictures, labels }) {
      const logits = model.apply(normalise(pictures!)) as tf.Tensor4D
      return { probability: probability(logits), ...batchLoss(logits, labels!, wanted) }
    },
    optimizer: { ...rule, weightDecay: settings.weightDecay, clipNorm: settings.clipNorm },
  })

  close() // its weights are the session's from here on
  collectGarbage() // what JavaScript drew them in, which V8 would keep until it needs the room: 0.5 GB at full width

  /** As bool, tfjs-node hands bytes over without making 32-bit numbers of them. */
  const feed = (pictures: Uint8Array, labels: Uint8Array) => ({
    pictures: tf.tensor(pictures, shapes.pictures, 'bool'),
    labels: tf.tensor(labels, shapes.labels, 'bool'),
  })

  return {
    parameters,
    step: (pictures, labels, learningRate, step) => tf.tidy(() => training.step(feed(pictures, labels), learningRate, step)),
    score(pictures, labels) {
      const inputs = feed(pictures, labels)
      const outputs = training.evaluate(inputs)
      const [scores, loss, weight] = [outputs.probability!, outputs.loss!, outputs.weight!].map((tensor) => tensor.dataSync())
      tf.dispose([inputs, outputs])
      return { probability: scores as Float32Array, loss: loss![0]!, lossWeight: weight![0]! }
    },
    state: () => training.read(),
    restore: (state) => training.write(state),
    close: () => training.close(),
  }
}
