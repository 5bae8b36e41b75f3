// Shapes and types of what TensorFlow ops give, worked out from their inputs and attributes before anything runs.
// Follows the shape functions in tensorflow/core/framework/common_shape_fns.cc and the op definitions in core/ops.
import { backend_util, util } from '@tensorflow/tfjs-node-gpu'
import type { Attrs, DataType, Output } from './graph.ts'

export interface Inferred {
  shape: number[]
  dtype: DataType
}

type Infer = (inputs: Output[], attrs: Attrs) => Inferred[]

function attr<K extends string>(attrs: Attrs, name: string, kind: K) {
  const found = attrs[name]
  if (!found || !(kind in found))
    throw new Error(`Expected an attribute ${name} of kind ${kind}, found ${JSON.stringify(found)}`)
  return (found as Record<K, unknown>)[kind]
}
const ints = (attrs: Attrs, name: string) => attr(attrs, name, 'ints') as number[]
const type = (attrs: Attrs, name: string) => attr(attrs, name, 'type') as DataType

/** The numbers of an input that must be known while recording: axes, sizes, paddings. */
function known(input: Output | undefined, what: string): number[] {
  if (!input?.values)
    throw new Error(`Expected ${what} to be known while the graph is recorded, found a value that is computed in the graph`)
  return Array.from(input.values)
}

const same: Infer = ([x]) => [{ shape: x!.shape, dtype: x!.dtype }]
const broadcast =
  (dtype?: DataType): Infer =>
  ([a, b]) => [{ shape: backend_util.assertAndGetBroadcastShape(a!.shape, b!.shape), dtype: dtype ?? a!.dtype }]

const reduce: Infer = ([x, axis], attrs) => {
  const axes = new Set(util.parseAxisParam(known(axis, 'the axes of a reduction'), x!.shape))
  const keep = 'keep_dims' in attrs && (attr(attrs, 'keep_dims', 'bool') as boolean)
  const shape = x!.shape.flatMap((size, i) => (axes.has(i) ? (keep ? [1] : []) : [size]))
  return [{ shape, dtype: x!.dtype }]
}

/** Output size of a window along one dimension (tensorflow/core/framework/kernel_shape_util.cc). */
function windowed(size: number, window: number, stride: number, dilation: number, padding: unknown): number {
  if (padding === 'SAME') return Math.ceil(size / stride)
  if (padding === 'VALID') return Math.ceil((size - (window - 1) * dilation) / stride)
  throw new Error(`Expected padding SAME or VALID, found ${padding}`)
}

/** Throws for another order: tfjs-layers has none, nor has TensorFlow on the CPU. */
function channelsLast(attrs: Attrs): void {
  const format = 'data_format' in attrs ? (attr(attrs, 'data_format', 'string') as string) : 'NHWC'
  if (!format.endsWith('C'))
    throw new Error(`Expected channels last (NHWC, NDHWC), found data format ${format}; transpose first`)
}

/** Sizes between the batch and the channels after a convolution or pooling window, for any number of dimensions. */
function windows(shape: number[], window: number[], attrs: Attrs): number[] {
  channelsLast(attrs)
  const padding = attr(attrs, 'padding', 'string')
  const strides = ints(attrs, 'strides')
  const dilations = ['dilations', 'rates'].flatMap((name) => (name in attrs ? ints(attrs, name) : []))
  return window.map((size, i) => {
    const at = i + 1
    if (padding !== 'EXPLICIT') return windowed(shape[at]!, size, strides[at]!, dilations[at] ?? 1, padding)
    const pads = ints(attrs, 'explicit_paddings')
    return windowed(shape[at]! + pads[2 * at]! + pads[2 * at + 1]!, size, strides[at]!, dilations[at] ?? 1, 'VALID')
  })
}

const conv =
  (channels: (filter: number[]) => number): Infer =>
  ([x, filter], attrs) => {
    const inner = windows(x!.shape, filter!.shape.slice(0, x!.shape.length - 2), attrs)
    return [{ shape: [x!.shape[0]!, ...inner, channels(filter!.shape)], dtype: x!.dtype }]
  }

const pool: Infer = ([x], attrs) => {
  const inner = windows(x!.shape, ints(attrs, 'ksize').slice(1, -1), attrs)
  return [{ shape: [x!.shape[0]!, ...inner, x!.shape.at(-1)!], dtype: x!.dtype }]
}

/** Moves sizes between the batch and the dimensions after it; `sign` 1 gathers blocks in the batch, -1 lays them out. */
const blocks =
  (sign: 1 | -1): Infer =>
  ([x, block, paddings]) => {
    const [sizes, pads] = [known(block, 'the sizes of blocks'), known(paddings, 'the paddings of blocks')]
    const count = sizes.reduce((product, size) => product * size ** sign, 1)
    const inner = sizes.map((size, i) =>
      sign === 1
        ? (x!.shape[i + 1]! + pads[2 * i]! + pads[2 * i + 1]!) / size
        : x!.shape[i + 1]! * size - pads[2 * i]! - pads[2 * i + 1]!,
    )
    return [{ shape: [Math.round(x!.shape[0]! * count), ...inner, ...x!.shape.slice(sizes.length + 1)], dtype: x!.dtype }]
  }

/** For ops one of whose inputs states the whole output shape. */
const sizedBy =
  (at: number, like: number): Infer =>
  (inputs) => [{ shape: known(inputs[at], 'an output shape'), dtype: inputs[like]!.dtype }]

const resize: Infer = ([x, size]) => {
  const [height, width] = known(size, 'the size of a resize') as [number, number]
  return [{ shape: [x!.shape[0]!, height, width, x!.shape[3]!], dtype: 'float32' }]
}

const reshape: Infer = ([x, wanted]) => {
  const shape = known(wanted, 'the shape of a reshape')
  const rest = shape.reduce((product, size) => (size === -1 ? product : product * size), 1)
  return [{ shape: shape.map((size) => (size === -1 ? util.sizeFromShape(x!.shape) / rest : size)), dtype: x!.dtype }]
}

const lossAndGradient: Infer = ([logits]) => [
  { shape: logits!.shape.slice(0, 1), dtype: logits!.dtype },
  { shape: logits!.shape, dtype: logits!.dtype },
]

const drawn: Infer = ([shape], attrs) => [{ shape: known(shape, 'the shape of random numbers'), dtype: type(attrs, 'dtype') }]

const table: Record<string, Infer> = {
  ...Object.fromEntries(
    (
      'Abs Acos Acosh AddN Asin Asinh Atan Atanh BiasAdd Ceil Cos Cosh Elu Erf Exp Expm1 Floor Identity LeakyRelu Log Log1p LogSoftmax ' +
      'LogicalNot LRN Neg OnesLike Reciprocal Relu Relu6 Rint Round Rsqrt Selu Sigmoid Sign Sin Sinh Softmax Softplus Sqrt Square Tan ' +
      'Tanh ZerosLike Cumprod Cumsum Dilation2DBackpropInput EluGrad LeakyReluGrad LRNGrad MaxPool3DGrad MaxPoolGrad TensorScatterUpdate Relu6Grad ReluGrad SeluGrad SigmoidGrad TanhGrad StopGradient'
    )
      .split(' ')
      .map((op) => [op, same]),
  ),
  ...Object.fromEntries(
    'Add AddV2 Atan2 Div DivNoNan FloorDiv FloorMod Maximum Minimum Mod Mul Pow Prelu RealDiv SquaredDifference Sub'
      .split(' ')
      .map((op) => [op, broadcast()]),
  ),
  ...Object.fromEntries(
    'Equal Greater GreaterEqual Less LessEqual LogicalAnd LogicalOr NotEqual'.split(' ').map((op) => [op, broadcast('bool')]),
  ),
  ...Object.fromEntries('All Any Max Mean Min Prod Sum'.split(' ').map((op) => [op, reduce])),
  IsNan: ([x]) => [{ shape: x!.shape, dtype: 'bool' }],
  L2Loss: ([x]) => [{ shape: [], dtype: x!.dtype }],
  IsFinite: ([x]) => [{ shape: x!.shape, dtype: 'bool' }],
  IsInf: ([x]) => [{ shape: x!.shape, dtype: 'bool' }],
  ArgMax: ([x, axis], attrs) => {
    const [at] = util.parseAxisParam(known(axis, 'the axis of an arg max'), x!.shape)
    const dtype = 'output_type' in attrs ? type(attrs, 'output_type') : 'int64'
    return [{ shape: x!.shape.filter((_, i) => i !== at), dtype }]
  },
  ArgMin: (inputs, attrs) => table.ArgMax!(inputs, attrs),
  /** To a type of the same size. */
  Bitcast: ([x], attrs) => [{ shape: x!.shape, dtype: type(attrs, 'type') }],
  Cast: ([x], attrs) => [{ shape: x!.shape, dtype: type(attrs, 'DstT') }],
  Fill: ([shape, value]) => [{ shape: known(shape, 'the shape of a fill'), dtype: value!.dtype }],
  Reshape: reshape,
  ExpandDims: ([x, axis]) => {
    const at = known(axis, 'an axis')[0]!
    return [{ shape: x!.shape.toSpliced(at < 0 ? x!.shape.length + 1 + at : at, 0, 1), dtype: x!.dtype }]
  },
  Transpose: ([x, perm]) => [{ shape: known(perm, 'a permutation').map((i) => x!.shape[i]!), dtype: x!.dtype }],
  ReverseV2: same,
  DepthToSpace: ([x], attrs) => {
    channelsLast(attrs)
    const [[n, h, w, c], block] = [x!.shape as [number, number, number, number], attr(attrs, 'block_size', 'int') as number]
    return [{ shape: [n, h * block, w * block, c / (block * block)], dtype: x!.dtype }]
  },
  Select: ([, a]) => [{ shape: a!.shape, dtype: a!.dtype }],
  SelectV2: ([c, a, b]) => [
    {
      shape: backend_util.assertAndGetBroadcastShape(c!.shape, backend_util.assertAndGetBroadcastShape(a!.shape, b!.shape)),
      dtype: a!.dtype,
    },
  ],
  Slice: ([x, begin, size]) => {
    const from = known(begin, 'the begin of a slice')
    const sizes = known(size, 'the size of a slice')
    return [{ shape: sizes.map((n, i) => (n === -1 ? x!.shape[i]! - from[i]! : n)), dtype: x!.dtype }]
  },
  ConcatV2: (inputs) => {
    const parts = inputs.slice(0, -1)
    const axis = util.parseAxisParam(known(inputs.at(-1), 'the axis of a concat'), parts[0]!.shape)[0]!
    const total = parts.reduce((sum, part) => sum + part.shape[axis]!, 0)
    return [{ shape: parts[0]!.shape.with(axis, total), dtype: parts[0]!.dtype }]
  },
  Pack: (inputs, attrs) => [
    { shape: inputs[0]!.shape.toSpliced(attr(attrs, 'axis', 'int') as number, 0, inputs.length), dtype: inputs[0]!.dtype },
  ],
  SplitV: ([x, sizes, axis]) => {
    const at = util.parseAxisParam(known(axis, 'the axis of a split'), x!.shape)[0]!
    return known(sizes, 'the sizes of a split').map((size) => ({ shape: x!.shape.with(at, size), dtype: x!.dtype }))
  },
  Unpack: ([x], attrs) => {
    const axis = attr(attrs, 'axis', 'int') as number
    return Array.from({ length: x!.shape[axis]! }, () => ({ shape: x!.shape.toSpliced(axis, 1), dtype: x!.dtype }))
  },
  PadV2: ([x, paddings]) => {
    const pads = known(paddings, 'the paddings of a pad')
    return [{ shape: x!.shape.map((n, i) => n + pads[2 * i]! + pads[2 * i + 1]!), dtype: x!.dtype }]
  },
  MirrorPad: (inputs, attrs) => table.PadV2!(inputs, attrs),
  Tile: ([x, multiples]) => {
    const times = known(multiples, 'the multiples of a tile')
    return [{ shape: x!.shape.map((n, i) => n * times[i]!), dtype: x!.dtype }]
  },
  GatherV2: ([x, indices, axis], attrs) => {
    const at = known(axis, 'the axis of a gather')[0]!
    const batchDims = 'batch_dims' in attrs ? (attr(attrs, 'batch_dims', 'int') as number) : 0
    return [{ shape: x!.shape.toSpliced(at, 1, ...indices!.shape.slice(batchDims)), dtype: x!.dtype }]
  },
  GatherNd: ([x, indices]) => [
    { shape: [...indices!.shape.slice(0, -1), ...x!.shape.slice(indices!.shape.at(-1))], dtype: x!.dtype },
  ],
  ScatterNd: sizedBy(2, 1),
  SparseToDense: sizedBy(1, 2),
  UnsortedSegmentSum: ([x, ids, count]) => [
    { shape: [known(count, 'the number of segments')[0]!, ...x!.shape.slice(ids!.shape.length)], dtype: x!.dtype },
  ],
  Bincount: ([, size, weights]) => [{ shape: known(size, 'the number of bins'), dtype: weights!.dtype }],
  TopKV2: ([x, k]) => {
    const shape = [...x!.shape.slice(0, -1), known(k, 'the k of a top-k')[0]!]
    return [
      { shape, dtype: x!.dtype },
      { shape, dtype: 'int32' },
    ]
  },
  Range: ([start, stop, step]) => {
    const [from, to, by] = [start, stop, step].map((input) => known(input, 'the ends and the step of a range')[0]!)
    return [{ shape: [Math.max(0, Math.ceil((to! - from!) / by!))], dtype: start!.dtype }]
  },
  LinSpace: ([start, , count]) => [{ shape: known(count, 'the number of places of a linspace'), dtype: start!.dtype }],
  Diag: ([x]) => [{ shape: [...x!.shape, ...x!.shape], dtype: x!.dtype }],
  StridedSlice: ([x, begin, end, strides], attrs) => {
    const [from, to, by] = [begin, end, strides].map((input) => known(input, 'the ends of a strided slice'))
    const masks = ['begin_mask', 'end_mask', 'ellipsis_mask', 'new_axis_mask', 'shrink_axis_mask'].map(
      (name) => attr(attrs, name, 'int') as number,
    ) as [number, number, number, number, number]
    const { finalShape } = backend_util.slice_util.sliceInfo(x!.shape, from!, to!, by!, ...masks)
    return [{ shape: finalShape, dtype: x!.dtype }]
  },
  OneHot: ([indices, depth, on]) => [{ shape: [...indices!.shape, known(depth, 'a depth')[0]!], dtype: on!.dtype }],
  // Letters alone, as tfjs has it: an ellipsis is refused there.
  Einsum: (inputs, attrs) => {
    const [terms, result] = (attr(attrs, 'equation', 'string') as string).split('->') as [string, string]
    const letters = terms
      .split(',')
      .flatMap((term, i) => Array.from(term, (letter, j) => [letter, inputs[i]!.shape[j]!] as const))
    const sizes = new Map(letters)
    return [{ shape: Array.from(result, (letter) => sizes.get(letter)!), dtype: inputs[0]!.dtype }]
  },
  MatMul: ([a, b], attrs) => {
    const size = (x: Output, transposed: string, axis: number) => x.shape[attr(attrs, transposed, 'bool') ? 1 - axis : axis]!
    return [{ shape: [size(a!, 'transpose_a', 0), size(b!, 'transpose_b', 1)], dtype: a!.dtype }]
  },
  BatchMatMulV2: ([a, b], attrs) => {
    const [m, n] = [
      attr(attrs, 'adj_x', 'bool') ? a!.shape.at(-1)! : a!.shape.at(-2)!,
      attr(attrs, 'adj_y', 'bool') ? b!.shape.at(-2)! : b!.shape.at(-1)!,
    ]
    return [
      {
        shape: [...backend_util.assertAndGetBroadcastShape(a!.shape.slice(0, -2), b!.shape.slice(0, -2)), m, n],
        dtype: a!.dtype,
      },
    ]
  },
  Conv2D: conv((filter) => filter[3]!),
  Conv3D: conv((filter) => filter[4]!),
  DepthwiseConv2dNative: conv((filter) => filter[2]! * filter[3]!),
  Dilation2D: conv((filter) => filter[2]!),
  Conv2DBackpropInput: sizedBy(0, 2),
  Conv2DBackpropFilter: sizedBy(1, 0),
  DepthwiseConv2dNativeBackpropInput: sizedBy(0, 2),
  DepthwiseConv2dNativeBackpropFilter: sizedBy(1, 0),
  Conv3DBackpropInputV2: sizedBy(0, 2),
  Conv3DBackpropFilterV2: sizedBy(1, 0),
  MaxPool: pool,
  QuantizedMaxPool: (inputs, attrs) => [
    ...pool(inputs, attrs),
    { shape: [], dtype: 'float32' },
    { shape: [], dtype: 'float32' },
  ],
  _FusedQuantizedConv2D: ([x, filter], attrs) => [
    { ...conv((filter) => filter.at(-1)!)([x!, filter!], attrs)[0]!, dtype: type(attrs, 'out_type') },
    { shape: [], dtype: 'float32' },
    { shape: [], dtype: 'float32' },
  ],
  MaxPool3D: pool,
  AvgPool: pool,
  AvgPool3D: pool,
  AvgPoolGrad: sizedBy(0, 1),
  AvgPool3DGrad: sizedBy(0, 1),
  SpaceToBatchND: blocks(1),
  BatchToSpaceND: blocks(-1),
  Dilation2DBackpropFilter: ([, filter]) => [{ shape: filter!.shape, dtype: filter!.dtype }],
  ResizeBilinear: resize,
  CropAndResize: ([x, boxes, , size]) => [
    { shape: [boxes!.shape[0]!, ...known(size, 'the size of crops'), x!.shape[3]!], dtype: 'float32' },
  ],
  ImageProjectiveTransformV3: ([x, , size]) => [
    { shape: [x!.shape[0]!, ...known(size, 'the size of pictures'), x!.shape[3]!], dtype: x!.dtype },
  ],
  ResizeNearestNeighbor: (inputs, attrs) => [{ ...resize(inputs, attrs)[0]!, dtype: inputs[0]!.dtype }],
  ResizeBilinearGrad: ([, original]) => [{ shape: original!.shape, dtype: 'float32' }],
  ResizeNearestNeighborGrad: ([dy, size]) => {
    const [height, width] = known(size, 'a size') as [number, number]
    return [{ shape: [dy!.shape[0]!, height, width, dy!.shape[3]!], dtype: dy!.dtype }]
  },
  FusedBatchNorm: (inputs, attrs) => table.FusedBatchNormV3!(inputs, attrs).slice(0, 5),
  FusedBatchNormV3: ([x, scale]) => [
    { shape: x!.shape, dtype: x!.dtype },
    ...Array.from({ length: 5 }, (): Inferred => ({ shape: scale!.shape, dtype: 'float32' })),
  ],
  FusedBatchNormGradV3: ([dy, , scale]) => [
    { shape: dy!.shape, dtype: dy!.dtype },
    { shape: scale!.shape, dtype: 'float32' },
    { shape: scale!.shape, dtype: 'float32' },
    { shape: [0], dtype: 'float32' },
    { shape: [0], dtype: 'float32' },
  ],
  SoftmaxCrossEntropyWithLogits: lossAndGradient,
  SparseSoftmaxCrossEntropyWithLogits: lossAndGradient,
  StatelessRandomUniform: drawn,
  StatelessRandomNormal: drawn,
}

/** Shapes and types of all outputs of an op. Throws for an op that graphs cannot be recorded with. */
export function inferOutputs(op: string, inputs: Output[], attrs: Attrs): Inferred[] {
  const infer = table[op]
  if (!infer)
    throw new Error(
      `Expected an op that graphs can be recorded with, found TensorFlow's ${op}. Write it with other ops, or add its shape to trainer/graph/shapes.ts`,
    )
  return infer(inputs, attrs)
}
