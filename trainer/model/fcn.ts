// FCN-32s, FCN-16s and FCN-8s on VGG16 (Long, Shelhamer, Darrell, "Fully convolutional networks for semantic segmentation",
// CVPR 2015; Simonyan and Zisserman 2014), with the layer names of the paper's voc-fcn* networks.
// Padding is 'same' instead of the paper's 100 pixels and crops, so a picture of any size gives a mask of that size.
import * as tf from '@tensorflow/tfjs-node-gpu'
import { BatchNorm, CropLike, foldBatchNorm } from './layers.ts'

export interface Architecture {
  net: 'fcn32s' | 'fcn16s' | 'fcn8s'
  /** Multiplies the channels of VGG16's convolutions; 1 is VGG16. */
  width: number
  /** Channels of fc6 and fc7; the paper has 4096. */
  fc: number
  batchNorm: boolean
  /** Share of fc6 and fc7 that is dropped in training; the paper has 0.5. */
  dropout: number
  classes: number
}

/** Convolutions of a VGG16 block, each 3 x 3, and their channels. */
const blocks = [
  { convs: 2, channels: 64 },
  { convs: 2, channels: 128 },
  { convs: 3, channels: 256 },
  { convs: 3, channels: 512 },
  { convs: 3, channels: 512 },
]

/** Mean of ImageNet's pictures, RGB, as VGG16 was trained with. */
export const mean = [123.68, 116.779, 103.939]
/** Brings pixels to about unit size; a power of two, so that weights made for unscaled pixels can be scaled exactly. */
export const scale = 64

/** Camera pixels to what the network takes. @param pictures [n, h, w, 3] RGB, 0 to 255. @returns float32 of the same shape */
export const normalise = (pictures: tf.Tensor): tf.Tensor4D =>
  tf.tidy(() => {
    const [n, h, w] = pictures.shape as [number, number, number]
    // By rows, since TensorFlow is slow at broadcasting over three channels.
    const rows = tf.reshape(tf.cast(pictures, 'float32'), [n, h, 3 * w])
    const means = tf.tile(tf.tensor1d(mean), [w])
    return tf.reshape(tf.mul(tf.sub(rows, means), 1 / scale), [n, h, w, 3])
  })

/** Weights of a transposed convolution that interpolates bilinearly, class by class: [size, size, classes, classes]. */
export function bilinearKernel(size: number, classes: number): tf.Tensor4D {
  const factor = Math.ceil(size / 2)
  const centre = size % 2 === 1 ? factor - 1 : factor - 0.5
  const weight = (i: number) => 1 - Math.abs(i - centre) / factor
  const kernel = tf.buffer([size, size, classes, classes] as [number, number, number, number])
  for (let y = 0; y < size; y++)
    for (let x = 0; x < size; x++) for (let c = 0; c < classes; c++) kernel.set(weight(y) * weight(x), y, x, c, c)
  return kernel.toTensor() as tf.Tensor4D
}

/**
 * The network: float32 [n, height, width, 3] as `normalise` gives it, to logits [n, height, width, classes].
 * Weights are drawn from `seed` (He et al. 2015); upsampling starts bilinear, and the last one stays so, as in the paper.
 */
export function buildFcn(architecture: Architecture, height: number, width: number, seed = 1): tf.LayersModel {
  const { net, batchNorm, dropout, classes, fc } = architecture
  let drawn = seed * 1000
  const conv = (x: tf.SymbolicTensor, name: string, filters: number, kernelSize: number): tf.SymbolicTensor => {
    const settings = {
      name,
      filters,
      kernelSize,
      padding: 'same' as const,
      kernelInitializer: tf.initializers.heNormal({ seed: drawn++ }),
    }
    if (!batchNorm) return tf.layers.conv2d({ ...settings, activation: 'relu' }).apply(x) as tf.SymbolicTensor
    const y = tf.layers.conv2d({ ...settings, useBias: false }).apply(x)
    const normalised = new BatchNorm({ name: `${name}_bn` }).apply(y)
    return tf.layers.reLU({ name: `relu${name.replace(/^(conv|fc)/, '')}` }).apply(normalised) as tf.SymbolicTensor
  }
  const score = (x: tf.SymbolicTensor, name: string) =>
    tf.layers
      .conv2d({
        name,
        filters: classes,
        kernelSize: 1,
        kernelInitializer: tf.initializers.randomNormal({ stddev: 0.01, seed: drawn++ }),
      })
      .apply(x) as tf.SymbolicTensor
  const upsample = (x: tf.SymbolicTensor, name: string, factor: number, like: tf.SymbolicTensor, trainable: boolean) => {
    const up = tf.layers.conv2dTranspose({
      name,
      filters: classes,
      kernelSize: 2 * factor,
      strides: factor,
      padding: 'same',
      useBias: false,
      trainable,
    })
    const upsampled = up.apply(x) as tf.SymbolicTensor
    const kernel = bilinearKernel(2 * factor, classes)
    up.setWeights([kernel])
    kernel.dispose()
    return new CropLike({ name: `${name}c` }).apply([upsampled, like]) as tf.SymbolicTensor
  }
  const add = (name: string, a: tf.SymbolicTensor, b: tf.SymbolicTensor) =>
    tf.layers.add({ name }).apply([a, b]) as tf.SymbolicTensor

  const input = tf.input({ shape: [height, width, 3], name: 'data' })
  const pools: tf.SymbolicTensor[] = []
  let x: tf.SymbolicTensor = input
  blocks.forEach(({ convs, channels }, block) => {
    for (let i = 1; i <= convs; i++)
      x = conv(x, `conv${block + 1}_${i}`, Math.max(1, Math.round(channels * architecture.width)), 3)
    x = tf.layers
      .maxPooling2d({ name: `pool${block + 1}`, poolSize: 2, strides: 2, padding: 'same' })
      .apply(x) as tf.SymbolicTensor
    pools.push(x)
  })
  const [, , pool3, pool4] = pools as [tf.SymbolicTensor, tf.SymbolicTensor, tf.SymbolicTensor, tf.SymbolicTensor]
  x = conv(x, 'fc6', fc, 7)
  x = tf.layers.dropout({ name: 'drop6', rate: dropout }).apply(x) as tf.SymbolicTensor
  x = conv(x, 'fc7', fc, 1)
  x = tf.layers.dropout({ name: 'drop7', rate: dropout }).apply(x) as tf.SymbolicTensor
  x = score(x, 'score_fr')
  if (net === 'fcn32s') x = upsample(x, 'upscore', 32, input, false)
  else {
    x = add('fuse_pool4', upsample(x, 'upscore2', 2, pool4, true), score(pool4, 'score_pool4'))
    if (net === 'fcn16s') x = upsample(x, 'upscore16', 16, input, false)
    else {
      x = add('fuse_pool3', upsample(x, 'upscore_pool4', 2, pool3, true), score(pool3, 'score_pool3'))
      x = upsample(x, 'upscore8', 8, input, false)
    }
  }
  return tf.model({ inputs: input, outputs: x, name: `${net}-vgg16` })
}

/** The network up to its last upsampling, and that one's kernel [2 stride, 2 stride, classes, classes] and stride. */
export function lastUpsampling(model: tf.LayersModel, { net }: Architecture) {
  const stride = { fcn32s: 32, fcn16s: 16, fcn8s: 8 }[net]
  const last = model.getLayer(net === 'fcn32s' ? 'upscore' : `upscore${stride}`)
  const before = tf.model({ inputs: model.inputs, outputs: last.input as tf.SymbolicTensor })
  return { before, kernel: last.weights[0]!.read() as tf.Tensor4D, stride }
}

/** All variables of the model, by name: `conv1_1/kernel`, `conv1_1_bn/moving_mean`. */
export function variables(model: tf.LayersModel): Map<string, tf.Variable> {
  const named = new Map<string, tf.Variable>()
  for (const layer of model.layers)
    for (const weight of layer.weights) {
      // tfjs numbers names anew for each model of a process (kernel_1); the layer and the kind of weight are enough.
      const kind = weight.originalName.split('/').at(-1)!.replace(/_\d+$/, '')
      named.set(`${layer.name}/${kind}`, weight.read() as tf.Variable)
    }
  return named
}

/** The same function without batch normalisation and dropout: a network to export. The caller disposes it. */
export function foldedFcn(model: tf.LayersModel, architecture: Architecture): tf.LayersModel {
  const [, height, width] = model.inputs[0]!.shape as [null, number, number]
  const folded = buildFcn({ ...architecture, batchNorm: false, dropout: 0 }, height, width)
  const trained = variables(model)
  tf.tidy(() => {
    const at = (name: string) => trained.get(name) as tf.Tensor
    for (const [name, variable] of variables(folded)) {
      const [layer, kind] = name.split('/') as [string, string]
      if (!trained.has(`${layer}_bn/gamma`)) {
        variable.assign(tf.clone(at(name)))
        continue
      }
      const bn = `${layer}_bn`
      const { kernel, bias } = foldBatchNorm(at(`${layer}/kernel`), {
        gamma: at(`${bn}/gamma`),
        beta: at(`${bn}/beta`),
        mean: at(`${bn}/moving_mean`),
        variance: at(`${bn}/moving_variance`),
      })
      variable.assign(kind === 'kernel' ? kernel : bias)
    }
  })
  return folded
}
