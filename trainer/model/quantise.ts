// The network in 8 bits, calibrated after training (Jacob et al. 2018): activations after a relu as bytes from 0 to the
// largest that calibration saw, weights as bytes symmetric around 0 for each output channel, sums in 32 bits. In oneDNN's
// kernels, so for x86-64 processors (tensorflow/core/kernels/mkl/mkl_conv_ops.cc, QuantizedFusedConvOp).
import * as tf from '@tensorflow/tfjs-node-gpu'
import type { Attr, Attrs, Graph, Output } from '../graph/graph.ts'
import { toTensor } from '../graph/recorder.ts'
import { inferOutputs } from '../graph/shapes.ts'
import { mean, normalise, scale } from './fcn.ts'

/** Largest activation of each layer that ends in a relu, by its name. */
export type Ranges = Map<string, number>

const endsInRelu = (layer: tf.layers.Layer) => layer.getClassName() === 'Conv2D' && layer.getConfig().activation === 'relu'

/**
 * Widens the ranges by what a network without batch normalisation makes of some pictures; thirty like those in use are
 * enough altogether.
 * @param pictures uint8 RGB [n, h, w, 3], as a bool tensor
 */
export function widen(ranges: Ranges, model: tf.LayersModel, pictures: tf.Tensor4D): void {
  const layers = model.layers.filter(endsInRelu)
  const activations = tf.model({ inputs: model.inputs, outputs: layers.map(({ output }) => output as tf.SymbolicTensor) })
  tf.tidy(() => {
    const outputs = activations.predict(normalise(pictures)) as tf.Tensor[]
    for (const [i, { name }] of layers.entries())
      ranges.set(name, Math.max(ranges.get(name) ?? 0, tf.max(outputs[i]!).dataSync()[0]!))
  })
}

/** Bytes in the graph that stand for 0 to `max`. */
interface Bytes {
  output: Output
  max: number
  /** The camera's. */
  raw?: true
}

const isBytes = (value: Bytes | tf.Tensor | undefined): value is Bytes => value !== undefined && !(value instanceof tf.Tensor)

/**
 * Records `model` with its convolutions in 8 bits from the first on as long as relus and max pooling follow one another;
 * what comes after (scores and upsampling, a thousandth of the work) in float32.
 * @param pictures uint8 [n, h, w, 3]
 * @returns what `model` gives
 */
export function applyQuantised(graph: Graph, model: tf.LayersModel, pictures: Output, ranges: Ranges): tf.Tensor4D {
  const values = new Map<number, Bytes | tf.Tensor>()
  for (const layer of model.layers) {
    const output = layer.output as tf.SymbolicTensor
    if (layer.getClassName() === 'InputLayer') {
      values.set(output.id, { output: framed(graph, pictures), max: 255, raw: true })
      continue
    }
    const inputs = [layer.input].flat().map(({ id }) => values.get(id)!)
    const [x] = inputs
    const max = ranges.get(layer.name)
    if (isBytes(x) && max !== undefined) values.set(output.id, convolution(graph, layer, x, max))
    else if (isBytes(x) && layer.getClassName() === 'Dropout') values.set(output.id, x)
    else if (isBytes(x) && layer.getClassName() === 'MaxPooling2D') values.set(output.id, maxPooling(graph, layer, x))
    else {
      const tensors = inputs.map((input) => (isBytes(input) ? dequantised(graph, input) : input))
      values.set(output.id, layer.apply(tensors.length === 1 ? tensors[0]! : tensors) as tf.Tensor)
    }
  }
  return values.get((model.outputs[0] as tf.SymbolicTensor).id) as tf.Tensor4D
}

/** Adds a node whose first output is wanted. */
function node(graph: Graph, op: string, inputs: Output[], attrs: Attrs, name?: string): Output {
  const [first] = inferOutputs(op, inputs, attrs)
  const refs = inputs.map(({ ref }) => ref)
  return { ...first!, ref: graph.add(op, refs, attrs, name) }
}

const [float32, int32, uint8, qint8, quint8] = (['float32', 'int32', 'uint8', 'qint8', 'quint8'] as const).map((type) => ({
  type,
})) as [Attr, Attr, Attr, Attr, Attr]
const scalar = (graph: Graph, value: number) => graph.constant(new Float32Array([value]), [], 'float32')

/**
 * Camera pixels as the first convolution takes them: mean and scale are in its weights, so the zeros that 'same' padding
 * adds would be black and not the mean; grey stands there instead.
 */
function framed(graph: Graph, pictures: Output): Output {
  const grey = Math.round(mean.reduce((sum, value) => sum + value, 0) / mean.length)
  const paddings = graph.constant(new Int32Array([0, 0, 1, 1, 1, 1, 0, 0]), [4, 2], 'int32')
  const value = graph.constant(new Uint8Array([grey]), [], 'uint8')
  const padded = node(graph, 'PadV2', [pictures, paddings, value], { T: uint8, Tpaddings: int32 })
  return node(graph, 'Bitcast', [padded], { T: uint8, type: quint8 })
}

/** A convolution with bias and relu. The first one takes raw pixels. */
function convolution(graph: Graph, layer: tf.layers.Layer, x: Bytes, max: number): Bytes {
  const [kernel, bias] = layer.weights.map((weight) => weight.read()) as [tf.Tensor4D, tf.Tensor1D]
  const [, , from, to] = kernel.shape
  const weights = Float32Array.from(kernel.dataSync(), (weight) => (x.raw ? weight / scale : weight))
  const offsets = Float32Array.from(bias.dataSync())
  if (x.raw) for (const [i, weight] of weights.entries()) offsets[i % to]! -= weight * mean[Math.floor(i / to) % from]!
  const reach = new Float32Array(to)
  for (const [i, weight] of weights.entries()) reach[i % to] = Math.max(reach[i % to]!, Math.abs(weight))
  const bytes = Int8Array.from(weights, (weight, i) => Math.round((127 * weight) / (reach[i % to]! || 1)))
  const perChannel = (values: Float32Array, name: string) => graph.constant(values, [to], 'float32', name)
  const inputs = [
    x.output,
    graph.constant(bytes, kernel.shape, 'qint8', `${layer.name}/kernel`),
    perChannel(offsets, `${layer.name}/bias`),
    ...[0, x.max].map((value) => scalar(graph, value)),
    perChannel(
      reach.map((value) => -value),
      `${layer.name}_least`,
    ),
    perChannel(reach, `${layer.name}_most`),
    ...[0, max].map((value) => scalar(graph, value)),
  ]
  const attrs = {
    Tinput: quint8,
    Tfilter: qint8,
    Tbias: float32,
    Tsummand: quint8,
    out_type: quint8,
    Tdevice_inputs: { types: ['quint8', 'qint8', 'float32'] },
    Thost_inputs: { types: Array.from({ length: 6 }, () => 'float32') },
    Tdevice_outputs: { types: ['quint8'] },
    Thost_outputs: { types: ['float32', 'float32'] },
    fused_ops: { strings: ['BiasAdd', 'Relu', 'Requantize'] },
    strides: { ints: [1, 1, 1, 1] },
    dilations: { ints: [1, 1, 1, 1] },
    padding: { string: x.raw ? 'VALID' : 'SAME' },
    data_format: { string: 'NHWC' },
    is_filter_const: { bool: true },
    is_bias_const: { bool: true },
  } as Attrs
  return { output: node(graph, '_FusedQuantizedConv2D', inputs, attrs, `${layer.name}/Conv2D`), max }
}

/** 2 x 2 by steps of 2, as all of the network's. */
function maxPooling(graph: Graph, { name }: tf.layers.Layer, { output, max }: Bytes): Bytes {
  const window = { ints: [1, 2, 2, 1] }
  const attrs = { T: quint8, ksize: window, strides: window, padding: { string: 'SAME' } }
  return { output: node(graph, 'QuantizedMaxPool', [output, scalar(graph, 0), scalar(graph, max)], attrs, name), max }
}

function dequantised(graph: Graph, { output, max }: Bytes): tf.Tensor {
  const bytes = node(graph, 'Bitcast', [output], { T: quint8, type: uint8 })
  const whole = node(graph, 'Cast', [bytes], { SrcT: uint8, DstT: float32 })
  return toTensor(node(graph, 'Mul', [whole, scalar(graph, max / 255)], { T: float32 }))
}
