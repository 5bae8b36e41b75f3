// Layers of tfjs-layers in a LayersModel: recorded as eager tfjs computes them, with the gradient of input and weights.
import * as tf from '@tensorflow/tfjs-node-gpu'
import { describe, expect, it } from 'vitest'
import { toOutput, withVariables } from '../../../trainer/graph/recorder.ts'
import { withSeed } from '../../../trainer/graph/seed.ts'
import { difference, normal, recorded } from './recorded.ts'

const l = tf.layers
const image = [6, 7, 3]
const activations =
  'elu gelu gelu_new hardSigmoid linear logSoftmax mish relu relu6 selu sigmoid softmax softplus softsign swish tanh'.split(' ')

/** Each with the shape of an example of its input; more shapes make a layer of several inputs. */
const layers: Record<string, [tf.layers.Layer, ...number[][]]> = {
  conv1d: [l.conv1d({ filters: 4, kernelSize: 3, padding: 'same', activation: 'tanh' }), [8, 3]],
  conv2d: [l.conv2d({ filters: 4, kernelSize: 3, strides: 2, activation: 'relu' }), image],
  'conv2d, channels first': [l.conv2d({ filters: 4, kernelSize: 3, dataFormat: 'channelsFirst' }), [3, 6, 7]],
  conv2dTranspose: [l.conv2dTranspose({ filters: 2, kernelSize: 4, strides: 2, padding: 'same' }), image],
  conv3d: [l.conv3d({ filters: 3, kernelSize: 2, padding: 'same' }), [3, 4, 5, 2]],
  separableConv2d: [l.separableConv2d({ filters: 4, kernelSize: 3, depthMultiplier: 2 }), image],
  depthwiseConv2d: [l.depthwiseConv2d({ kernelSize: 3, depthMultiplier: 2, padding: 'same' }), image],
  dense: [l.dense({ units: 4, activation: 'sigmoid' }), [5]],
  'dense over time': [l.dense({ units: 4 }), [3, 5]],
  averagePooling1d: [l.averagePooling1d({ poolSize: 2 }), [8, 3]],
  averagePooling2d: [l.averagePooling2d({ poolSize: 3, strides: 2, padding: 'same' }), image],
  averagePooling3d: [l.averagePooling3d({ poolSize: 2 }), [4, 4, 5, 2]],
  maxPooling1d: [l.maxPooling1d({ poolSize: 2 }), [8, 3]],
  maxPooling2d: [l.maxPooling2d({ poolSize: 3, strides: 2, padding: 'same' }), image],
  maxPooling3d: [l.maxPooling3d({ poolSize: 2 }), [4, 4, 5, 2]],
  globalAveragePooling1d: [l.globalAveragePooling1d({}), [8, 3]],
  globalAveragePooling2d: [l.globalAveragePooling2d({}), image],
  globalMaxPooling1d: [l.globalMaxPooling1d({}), [8, 3]],
  globalMaxPooling2d: [l.globalMaxPooling2d({}), image],
  'batchNormalization of vectors': [l.batchNormalization(), [5]],
  'batchNormalization of pictures': [l.batchNormalization({ momentum: 0.5 }), image],
  layerNormalization: [l.layerNormalization(), [4, 5]],
  'layerNormalization of pictures': [l.layerNormalization({ axis: [1, 2, 3] }), image],
  ...Object.fromEntries(
    activations.map((activation): [string, [tf.layers.Layer, number[]]] => [
      `activation ${activation}`,
      [l.activation({ activation: activation as 'relu' }), [5]],
    ]),
  ),
  elu: [l.elu({ alpha: 1 }), [5]],
  leakyReLU: [l.leakyReLU({ alpha: 0.2 }), [5]],
  prelu: [l.prelu({ alphaInitializer: tf.initializers.constant({ value: 0.3 }) }), [4, 5]],
  'reLU up to a limit': [l.reLU({ maxValue: 0.5 }), [5]],
  add: [l.add(), [4, 5], [4, 5], [4, 5]],
  average: [l.average(), [4, 5], [4, 5]],
  concatenate: [l.concatenate({ axis: 2 }), [4, 5], [4, 3]],
  dot: [l.dot({ axes: 1 }), [4], [4]],
  'dot, normalised': [l.dot({ axes: [2, 1], normalize: true }), [4, 3], [3, 5]],
  maximum: [l.maximum(), [4, 5], [4, 5]],
  minimum: [l.minimum(), [4, 5], [4, 5]],
  multiply: [l.multiply(), [4, 5], [4, 5]],
  cropping2D: [l.cropping2D({ cropping: [[1, 2], [0, 3]] }), image], // biome-ignore format: a line
  'upSampling2d, nearest': [l.upSampling2d({ size: [2, 3] }), image],
  'upSampling2d, bilinear': [l.upSampling2d({ size: [2, 2], interpolation: 'bilinear' }), image],
  zeroPadding2d: [l.zeroPadding2d({ padding: [[1, 2], [0, 3]] }), image], // biome-ignore format: a line
  flatten: [l.flatten(), image],
  permute: [l.permute({ dims: [3, 1, 2] }), image],
  repeatVector: [l.repeatVector({ n: 3 }), [5]],
  reshape: [l.reshape({ targetShape: [-1, 6] }), image],
  rescaling: [l.rescaling({ scale: 0.1, offset: -1 }), [4, 5]],
  timeDistributed: [l.timeDistributed({ layer: l.dense({ units: 4 }) }), [3, 5]],
  dropout: [l.dropout({ rate: 0.4 }), [4, 5]],
  'dropout with a shape of noise': [l.dropout({ rate: 0.4, noiseShape: [2, 1, 5], seed: 3 }), [4, 5]],
  spatialDropout1d: [l.spatialDropout1d({ rate: 0.4 }), [4, 5]],
  gaussianNoise: [l.gaussianNoise({ stddev: 0.5 }), [4, 5]],
  gaussianDropout: [l.gaussianDropout({ rate: 0.4 }), [4, 5]],
  alphaDropout: [l.alphaDropout({ rate: 0.4 }), [4, 5]],
  simpleRNN: [l.simpleRNN({ units: 4, returnSequences: true }), [3, 5]],
  gru: [l.gru({ units: 4 }), [3, 5]],
  lstm: [l.lstm({ units: 4 }), [3, 5]],
}

/** Those without a gradient in tfjs itself. */
const inferenceOnly: typeof layers = {
  conv3dTranspose: [l.conv3dTranspose({ filters: 3, kernelSize: 2, strides: 2 }), [3, 4, 5, 2]],
  'batchNormalization along another axis': [l.batchNormalization({ axis: 1 }), image],
  thresholdedReLU: [l.thresholdedReLU({ theta: 0.3 }), [5]],
  masking: [l.masking({ maskValue: 0 }), [4, 5]],
}

const batch = 2
const seed = tf.tensor1d([5, 9], 'int32')

function build([layer, ...shapes]: [tf.layers.Layer, ...number[][]], dtype: tf.DataType = 'float32'): tf.LayersModel {
  const inputs = shapes.map((shape) => tf.input({ shape, dtype }))
  const outputs = layer.apply(inputs.length === 1 ? inputs[0]! : inputs) as tf.SymbolicTensor
  return tf.model({ inputs, outputs })
}

/** The outputs in inference and training, what training leaves in weights not learnt, and the gradients by inputs and weights. */
function computed(model: tf.LayersModel, inputs: tf.Tensor[], differentiable: boolean): tf.Tensor[] {
  const apply = (x: tf.Tensor[], training: boolean) => model.apply(x.length === 1 ? x[0]! : x, { training }) as tf.Tensor
  const loss = (x: tf.Tensor[]) => {
    const y = withSeed(seed, () => apply(x, true))
    return tf.sum(tf.mul(y, normal(y.shape, 99))) as tf.Scalar
  }
  const learnt = model.trainableWeights.map((weight) => weight.read() as tf.Variable)
  return [
    apply(inputs, false),
    withSeed(seed, () => apply(inputs, true)),
    ...model.nonTrainableWeights.map((weight) => tf.clone(weight.read())),
    ...(differentiable ? tf.grads((...x: tf.Tensor[]) => loss(x))(inputs) : []),
    ...(learnt.length > 0 ? Object.values(tf.variableGrads(() => loss(inputs), learnt).grads) : []),
  ]
}

/** Expects the same eager and recorded; weights are inputs of the graph, as they are in training. */
async function compare(model: tf.LayersModel, inputs: tf.Tensor[], differentiable = true) {
  const variables = model.weights.map((weight) => weight.read() as tf.Variable)
  const weights = variables.map(({ shape }, i) => tf.abs(normal(shape, 50 + i)))
  model.setWeights(weights)
  const eager = computed(model, inputs, differentiable)
  const graph = (...x: tf.Tensor[]) => {
    const bound = variables.map((variable, i) => ({ variable, output: toOutput(x[inputs.length + i]!) }))
    return withVariables(bound, () => computed(model, x.slice(0, inputs.length), differentiable)).result
  }
  const ours = await recorded(graph, [...inputs, ...weights])
  expect(ours.length).toBe(eager.length)
  for (const [i, expected] of eager.entries()) expect(difference(ours[i]!, expected)).toBeLessThan(2e-5)
}

describe('a layer of tfjs-layers in a recorded graph', () => {
  it.each(Object.entries(layers))('does as in eager tfjs: %s', async (_, [layer, ...shapes]) => {
    const model = build([layer, ...shapes])
    await compare(
      model,
      shapes.map((shape, i) => normal([batch, ...shape], i + 1)),
    )
  })

  it.each(Object.entries(inferenceOnly))('infers as eager tfjs does: %s', async (_, [layer, ...shapes]) => {
    const model = build([layer, ...shapes])
    const x = shapes.map((shape, i) => normal([batch, ...shape], i + 1))
    const [ours] = await recorded((x) => [model.apply(x!) as tf.Tensor], x)
    expect(difference(ours!, model.apply(x) as tf.Tensor)).toBeLessThan(2e-5)
  })

  it('looks up embeddings at computed places, with their gradient', async () => {
    const model = build([l.embedding({ inputDim: 6, outputDim: 3 }), [4]], 'int32')
    await compare(model, [tf.tensor2d([0, 5, 2, 5, 1, 1, 3, 4], [batch, 4], 'int32')], false)
  })

  it('drops another part in another step, and each layer its own', async () => {
    const drop = () => l.dropout({ rate: 0.5 })
    const model = tf.sequential({ layers: [l.inputLayer({ inputShape: [100] }), drop(), drop()] })
    const f = (s: tf.Tensor) => {
      const x = tf.ones([1, 100])
      const once = withSeed(s as tf.Tensor1D, () => model.layers[1]!.apply(x, { training: true }))
      return [once as tf.Tensor, withSeed(s as tf.Tensor1D, () => model.apply(x, { training: true })) as tf.Tensor]
    }
    const kept = async (step: number) =>
      (await recorded(f, [tf.tensor1d([step, 0], 'int32')])).map((y) => Array.from(y.dataSync()).filter((v) => v > 0).length)
    const [[one, two], again, [other]] = [await kept(1), await kept(1), await kept(2)]
    expect(again).toEqual([one, two])
    // Half of 100 is kept by one layer and a quarter by both; five standard deviations either way.
    expect(Math.abs(one! - 50)).toBeLessThan(25)
    expect(Math.abs(two! - 25)).toBeLessThan(22)
    expect(other).not.toBe(one)
  })

  const spread = (y: tf.Tensor) => {
    const { mean, variance } = tf.moments(y)
    return { mean: mean.dataSync()[0]!, deviation: Math.sqrt(variance.dataSync()[0]!) }
  }
  const seeded = (layer: tf.layers.Layer, x: tf.Tensor) =>
    spread(withSeed(seed, () => layer.apply(x, { training: true })) as tf.Tensor)

  it.each(
    Object.entries({
      dropout: l.dropout({ rate: 0.3 }),
      gaussianNoise: l.gaussianNoise({ stddev: 0.5 }),
      gaussianDropout: l.gaussianDropout({ rate: 0.3 }),
    }),
  )('spreads as tfjs spreads it: %s', (_, layer) => {
    const x = tf.fill([1, 40_000], 0.8)
    const [ours, theirs] = [seeded(layer, x), spread(layer.apply(x, { training: true }) as tf.Tensor)]
    // Means of 40 000 draws of deviation 1 differ by 0.007.
    expect(Math.abs(ours.mean - theirs.mean)).toBeLessThan(0.04)
    expect(Math.abs(ours.deviation - theirs.deviation)).toBeLessThan(0.04)
    expect(ours.deviation).toBeGreaterThan(0.1)
  })

  it('keeps mean and variance in alpha dropout, as its paper has it', () => {
    const { mean, deviation } = seeded(l.alphaDropout({ rate: 0.3 }), normal([1, 40_000], 3))
    expect(Math.abs(mean)).toBeLessThan(0.04)
    expect(Math.abs(deviation - 1)).toBeLessThan(0.04)
  })

  it('draws as tfjs does without a seed again afterwards', () => {
    const x = tf.ones([1, 1000])
    const layer = l.dropout({ rate: 0.5 })
    withSeed(seed, () => layer.apply(x, { training: true }))
    const [a, b] = [layer.apply(x, { training: true }) as tf.Tensor, layer.apply(x, { training: true }) as tf.Tensor]
    expect(difference(a, b)).toBeGreaterThan(0)
  })
})
