// The peer that runs op for op: the network as one writes it with tfjs's own layers, losses and optimizers.
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs-node-gpu'
import { serve } from '../model/export.ts'
import { normalise } from '../model/fcn.ts'
import { readCheckpoint } from '../run/checkpoint.ts'
import type { Examples, Make, Task } from './contestant.ts'

const blocks = [
  [2, 64],
  [2, 128],
  [3, 256],
  [3, 512],
  [3, 512],
] as const

/** FCN-8s on VGG16 with the weights in the folder, from normalised pictures to logits. */
async function eagerFcn({ height, width, multiplier, fc, classes }: Task, folder: string): Promise<tf.LayersModel> {
  const { state } = await readCheckpoint(join(folder, 'weights.safetensors'))
  const batchNorm = state.has('conv1_1_bn/gamma')
  type Symbol = tf.SymbolicTensor
  const conv = (x: Symbol, name: string, filters: number, kernelSize: number) => {
    const settings = { name, filters, kernelSize, padding: 'same' } as const
    if (!batchNorm) return tf.layers.conv2d({ ...settings, activation: 'relu' }).apply(x) as Symbol
    const y = tf.layers.conv2d({ ...settings, useBias: false }).apply(x) as Symbol
    const normalised = tf.layers.batchNormalization({ name: `${name}_bn`, momentum: 0.95, epsilon: 1e-3 }).apply(y)
    return tf.layers.reLU().apply(normalised) as Symbol
  }
  const score = (x: Symbol, name: string) => tf.layers.conv2d({ name, filters: classes, kernelSize: 1 }).apply(x) as Symbol
  const up = (x: Symbol, name: string, strides: number, like: Symbol) => {
    const trainable = name !== 'upscore8'
    const settings = { name, filters: classes, kernelSize: 2 * strides, strides, padding: 'same', useBias: false } as const
    const y = tf.layers.conv2dTranspose({ ...settings, trainable }).apply(x) as Symbol
    // Pooling rounds sizes up.
    const more = [1, 2].map((axis) => [0, y.shape[axis]! - like.shape[axis]!]) as [[number, number], [number, number]]
    return tf.layers.cropping2D({ cropping: more }).apply(y) as Symbol
  }
  const add = (...both: Symbol[]) => tf.layers.add().apply(both) as Symbol

  const input = tf.input({ shape: [height, width, 3] })
  const pools: Symbol[] = []
  let x: Symbol = input
  for (const [block, [convs, channels]] of blocks.entries()) {
    for (let i = 1; i <= convs; i++) x = conv(x, `conv${block + 1}_${i}`, Math.round(channels * multiplier), 3)
    x = tf.layers.maxPooling2d({ poolSize: 2, padding: 'same' }).apply(x) as Symbol
    pools.push(x)
  }
  x = conv(conv(x, 'fc6', fc, 7), 'fc7', fc, 1)
  x = add(up(score(x, 'score_fr'), 'upscore2', 2, pools[3]!), score(pools[3]!, 'score_pool4'))
  x = add(up(x, 'upscore_pool4', 2, pools[2]!), score(pools[2]!, 'score_pool3'))
  const model = tf.model({ inputs: input, outputs: up(x, 'upscore8', 8, input) })

  for (const layer of model.layers)
    tf.tidy(() =>
      layer.setWeights(
        layer.weights.map((weight) => {
          const { values, shape } = state.get(`${layer.name}/${weight.originalName.split('/').at(-1)}`)!
          return tf.tensor(values, shape)
        }),
      ),
    )
  return model
}

/** Computes and reads the answer. */
export function readMask(answer: () => Record<string, tf.Tensor>): ArrayLike<number> {
  let read: Record<string, ArrayLike<number>> = {}
  // Not as the result of `tidy`, which looks for tensors in it, value by value.
  tf.tidy(() => {
    read = Object.fromEntries(Object.entries(answer()).map(([name, output]) => [name, output.dataSync()]))
  })
  return read.mask!
}

/** Masks of pictures. */
export async function serveEager(task: Task, folder: string, examples: Examples): Promise<Make> {
  const model = await eagerFcn(task, folder)
  return (batch) => {
    const { pictures, shape } = examples(batch)
    return () =>
      readMask(() => {
        const logits = model.apply(normalise(tf.tensor(pictures, [...shape, 3], 'int32'))) as tf.Tensor4D
        return serve({ logits: () => logits }, task.classes)
      })
  }
}

/** A step of Adam; tfjs has no decoupled weight decay, which spares it some work. */
export async function trainEager(task: Task, folder: string, examples: Examples): Promise<Make> {
  const model = await eagerFcn(task, folder)
  const learnt = model.trainableWeights.map((weight) => weight.read() as tf.Variable)
  const optimizer = tf.train.adam(task.learningRate, 0.9, 0.999, 1e-7)
  return (batch) => {
    const { pictures, labels, shape } = examples(batch)
    return () =>
      tf.tidy(() => {
        const x = normalise(tf.tensor(pictures, [...shape, 3], 'int32'))
        const ids = tf.tensor(labels, shape, 'int32')
        const loss = () =>
          tf.losses.softmaxCrossEntropy(
            tf.oneHot(ids, task.classes),
            model.apply(x, { training: true }) as tf.Tensor4D,
            tf.cast(tf.notEqual(ids, task.ignore), 'float32'),
          ) as tf.Scalar
        return optimizer.minimize(loss, true, learnt)!.dataSync()[0]!
      })
  }
}
