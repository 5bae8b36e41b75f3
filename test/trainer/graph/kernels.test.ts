// Every kernel of tfjs-node: recorded as eager tfjs computes it, value and gradient, or refused by name.
import { readFileSync } from 'node:fs'
import * as tf from '@tensorflow/tfjs-node-gpu'
import { afterAll, describe, expect, it } from 'vitest'
import { cpuPrecision } from '../../../deploy/native-precision.ts'
import { Graph } from '../../../trainer/graph/graph.ts'
import { batchNormTraining, sparseSoftmaxCrossEntropy } from '../../../trainer/graph/ops.ts'
import { record, toTensor } from '../../../trainer/graph/recorder.ts'
import { difference, normal, recorded, withGradients } from './recorded.ts'

type Computation = (...inputs: tf.Tensor[]) => tf.Tensor

const [t1, t2, t3, t4] = [
  (x: unknown) => x as tf.Tensor1D,
  (x: unknown) => x as tf.Tensor2D,
  (x: unknown) => x as tf.Tensor3D,
  (x: unknown) => x as tf.Tensor4D,
]
const t5 = (x: unknown) => x as tf.Tensor5D
const ints = (values: number[]) => tf.tensor1d(values, 'int32')
const positive = (x: tf.Tensor) => tf.add(tf.square(x), 0.5)
const inside = (x: tf.Tensor) => tf.mul(tf.tanh(x), 0.9)

/** Each with the shapes of its inputs, whose gradients are wanted too. */
const differentiable: Record<string, [Computation, ...number[][]]> = {
  'conv2d, same': [(x, k) => tf.conv2d(t4(x), t4(k), 1, 'same'), [2, 7, 9, 3], [3, 3, 3, 4]],
  'conv2d, valid, stride 2': [(x, k) => tf.conv2d(t4(x), t4(k), 2, 'valid'), [2, 8, 9, 3], [3, 3, 3, 4]],
  conv1d: [(x, k) => tf.conv1d(t3(x), t3(k), 1, 'same'), [2, 9, 3], [3, 3, 4]],
  conv3d: [(x, k) => tf.conv3d(t5(x), t5(k), 1, 'same'), [2, 4, 5, 6, 2], [3, 3, 3, 2, 3]],
  'conv3d, valid, stride 2': [(x, k) => tf.conv3d(t5(x), t5(k), 2, 'valid'), [1, 5, 6, 7, 2], [2, 3, 3, 2, 3]],
  'transposed convolution': [(x, k) => tf.conv2dTranspose(t4(x), t4(k), [2, 10, 14, 2], 2, 'same'), [2, 5, 7, 3], [4, 4, 2, 3]],
  'depthwise convolution': [(x, k) => tf.depthwiseConv2d(t4(x), t4(k), 1, 'same'), [2, 6, 6, 3], [3, 3, 3, 2]],
  'separable convolution': [
    (x, d, p) => tf.separableConv2d(t4(x), t4(d), t4(p), 2, 'same'),
    [2, 6, 7, 3],
    [3, 3, 3, 2],
    [1, 1, 6, 4],
  ],
  'fused convolution': [
    (x, k, b) => tf.fused.conv2d({ x: t4(x), filter: t4(k), strides: 1, pad: 'same', bias: b, activation: 'relu' }),
    [2, 6, 7, 3],
    [3, 3, 3, 4],
    [4],
  ],
  'max pooling of odd sizes': [(x) => tf.maxPool(t4(x), 2, 2, 'same'), [2, 7, 5, 3]],
  'average pooling': [(x) => tf.avgPool(t4(x), 3, 2, 'same'), [2, 7, 6, 3]],
  'max pooling in 3D': [(x) => tf.maxPool3d(t5(x), 2, 2, 'same'), [2, 4, 5, 6, 3]],
  'average pooling in 3D': [(x) => tf.avgPool3d(t5(x), 2, 2, 'valid'), [2, 4, 5, 6, 3]],
  'local response normalisation': [(x) => tf.localResponseNormalization(t4(x), 2, 1, 0.5, 0.7), [2, 3, 4, 6]],
  relu: [(x) => tf.relu(x), [3, 5]],
  'relu of a sum, used twice': [(x, y) => tf.add(tf.relu(tf.add(x, y)), tf.mul(x, 2)), [3, 5], [5]],
  relu6: [(x) => tf.relu6(tf.mul(x, 5)), [3, 5]],
  leakyRelu: [(x) => tf.leakyRelu(x, 0.3), [3, 5]],
  prelu: [(x, a) => tf.prelu(x, a), [3, 5], [5]],
  elu: [(x) => tf.elu(x), [3, 5]],
  selu: [(x) => tf.selu(x), [3, 5]],
  sigmoid: [(x) => tf.sigmoid(x), [3, 5]],
  logSigmoid: [(x) => tf.logSigmoid(x), [3, 5]],
  tanh: [(x) => tf.tanh(x), [3, 5]],
  softplus: [(x) => tf.softplus(x), [3, 5]],
  softmax: [(x) => tf.softmax(x), [3, 5]],
  logSoftmax: [(x) => tf.logSoftmax(x), [3, 5]],
  logSumExp: [(x) => tf.logSumExp(x, 1), [3, 5]],
  'sin, cos, tan': [(x) => tf.add(tf.sin(x), tf.mul(tf.cos(x), tf.tan(inside(x)))), [3, 5]],
  'asin, acos, atan': [(x) => tf.add(tf.asin(inside(x)), tf.mul(tf.acos(inside(x)), tf.atan(x))), [3, 5]],
  'sinh, cosh, asinh': [(x) => tf.add(tf.sinh(x), tf.mul(tf.cosh(x), tf.asinh(x))), [3, 5]],
  'acosh, atanh, atan2': [
    (x, y) => tf.add(tf.acosh(tf.add(positive(x), 1)), tf.mul(tf.atanh(inside(x)), tf.atan2(y, positive(x)))),
    [3, 5],
    [3, 5],
  ],
  'log, log1p, exp, expm1': [
    (x) => tf.add(tf.log(positive(x)), tf.add(tf.log1p(positive(x)), tf.add(tf.exp(x), tf.expm1(x)))),
    [3, 5],
  ],
  'sqrt, rsqrt, reciprocal': [
    (x) => tf.add(tf.sqrt(positive(x)), tf.add(tf.rsqrt(positive(x)), tf.reciprocal(positive(x)))),
    [3, 5],
  ],
  'erf, abs, neg, sign': [(x) => tf.add(tf.erf(x), tf.add(tf.abs(x), tf.mul(tf.neg(x), tf.sign(x)))), [3, 5]],
  'floor, ceil, round': [(x) => tf.mul(x, tf.add(tf.floor(x), tf.add(tf.ceil(x), tf.round(x)))), [3, 5]],
  'pow, mod, squaredDifference': [
    (x, y) => tf.add(tf.pow(positive(x), y), tf.add(tf.squaredDifference(x, y), tf.mod(x, positive(y)))),
    [3, 5],
    [3, 5],
  ],
  'minimum, maximum, addN': [
    (x, y) => tf.add(tf.minimum(x, y), tf.add(tf.maximum(x, 0.2), tf.addN([x, y, x]))),
    [3, 5],
    [3, 5],
  ],
  step: [(x) => tf.mul(x, tf.step(x, 0.25)), [3, 5]],
  'broadcast arithmetic': [(x, y) => tf.div(tf.sub(tf.mul(x, y), y), tf.add(tf.square(y), 1)), [4, 3, 5], [3, 1]],
  'mean and max': [(x) => tf.add(tf.mean(x, [0, 2], true), tf.max(x, 1, true)), [4, 3, 5]],
  'min, prod, moments': [
    (x) => tf.add(tf.add(tf.min(x, 1), tf.prod(x, 1)), tf.add(tf.moments(x, 1).variance, tf.norm(x, 2, 1))),
    [4, 3],
  ],
  cumsum: [(x) => tf.cumsum(x, 1, true, true), [3, 4]],
  'matMul, transposed': [(x, y) => tf.matMul(x, y, false, true), [4, 3], [5, 3]],
  'matMul of batches': [(x, y) => tf.matMul(x, y, true), [2, 4, 3], [2, 4, 5]],
  'fused matMul': [(a, b, bias) => tf.fused.matMul({ a, b, bias, activation: 'elu' }), [4, 3], [3, 5], [5]],
  dot: [(x, y) => tf.dot(x, y), [4, 3], [3]],
  'reshape, transpose, slice': [(x) => tf.slice(tf.transpose(tf.reshape(x, [6, 4]), [1, 0]), [1, 2], [2, 3]), [2, 3, 4]],
  'concat, stack, pad': [
    (x, y) =>
      tf.pad(tf.concat([x, tf.stack([y, y])], 1), [
        [1, 0],
        [0, 2],
      ]),
    [2, 3],
    [4],
  ],
  'split and unstack': [
    (x) => tf.add(tf.mul(tf.split(x, [1, 3], 1)[1]!, 2), tf.add(tf.unstack(x)[1]!.slice(1), tf.split(x, 2)[0]!.slice([0, 1]))),
    [2, 4],
  ],
  mirrorPad: [
    (x) =>
      tf.mirrorPad(
        x,
        [
          [0, 0],
          [2, 1],
        ],
        'reflect',
      ),
    [2, 4],
  ],
  'spaceToBatchND and back': [
    (x) => {
      const crops = [
        [1, 0],
        [0, 1],
      ]
      return tf.batchToSpaceND(tf.tanh(tf.spaceToBatchND(x, [2, 2], crops)), [2, 2], crops)
    },
    [2, 3, 5, 2],
  ],
  'expandDims and tile': [(x) => tf.tile(tf.expandDims(x, 1), [1, 3, 1]), [4, 2]],
  gather: [(x) => tf.gather(x, tf.tensor2d([[2, 0, 2]], [1, 3], 'int32'), 1), [2, 3, 4]],
  unsortedSegmentSum: [(x) => tf.unsortedSegmentSum(x, ints([1, 0, 1]), 2), [3, 4]],
  reverse: [(x) => tf.reverse(x, 1), [3, 4]],
  'zerosLike and onesLike': [(x) => tf.mul(x, tf.add(tf.onesLike(x), tf.zerosLike(x))), [3, 4]],
  where: [(x, y) => tf.where(tf.tensor2d([1, 0, 1], [3, 1], 'bool'), x, tf.mul(y, y)), [3, 4], [3, 4]],
  clip: [(x) => tf.clipByValue(x, -0.5, 0.5), [3, 4]],
  'cast to int32 and back': [(x) => tf.mul(x, tf.cast(tf.cast(tf.mul(x, 9), 'int32'), 'float32')), [3, 4]],
  dilation2d: [(x, f) => tf.dilation2d(t4(x), t3(f), 1, 'same'), [1, 5, 6, 2], [3, 3, 2]],
  'bilinear resize': [(x) => tf.image.resizeBilinear(t4(x), [9, 11], false, true), [2, 4, 5, 3]],
  'bilinear resize, aligned': [(x) => tf.image.resizeBilinear(t4(x), [3, 7], true), [2, 4, 5, 3]],
  'nearest resize': [(x) => tf.image.resizeNearestNeighbor(t4(x), [8, 10]), [2, 4, 5, 3]],
  'batch normalisation in inference': [
    (x, m, v, b, g) => tf.batchNorm(t4(x), t1(m), t1(tf.abs(v)), t1(b), t1(g), 1e-3),
    [2, 4, 5, 3],
    [3],
    [3],
    [3],
    [3],
  ],
  'batch normalisation in training': [(x, g, b) => batchNormTraining(t4(x), t1(g), t1(b), 1e-3).y, [2, 4, 5, 3], [3], [3]],
  'sparse softmax cross-entropy': [(x) => sparseSoftmaxCrossEntropy(t2(x), ints([0, 2, 1, 1])), [4, 3]],
}

/** What tfjs has no gradient for, or where there is none. */
const valuesOnly: Record<string, [Computation, ...number[][]]> = {
  comparisons: [
    (x, y) =>
      tf.stack([tf.equal(x, y), tf.notEqual(x, y), tf.greater(x, y), tf.greaterEqual(x, y), tf.less(x, y), tf.lessEqual(x, y)]),
    [3, 4],
    [3, 4],
  ],
  logic: [
    (x, y) => {
      const [a, b] = [tf.greater(x, 0), tf.greater(y, 0)]
      return tf.stack([tf.logicalAnd(a, b), tf.logicalOr(a, b), tf.logicalNot(a), tf.logicalXor(a, b)])
    },
    [3, 4],
    [3, 4],
  ],
  'all and any': [(x) => tf.stack([tf.all(tf.greater(x, 0), 1), tf.any(tf.greater(x, 0), 1)]), [3, 4]],
  'isNaN, isInf, isFinite': [(x) => tf.stack([tf.isNaN(tf.sqrt(x)), tf.isInf(tf.div(1, tf.relu(x))), tf.isFinite(x)]), [3, 4]],
  'argMax and argMin': [(x) => tf.stack([tf.argMax(x, 1), tf.argMin(x, 1)]), [3, 4]],
  'topk of values': [(x) => tf.topk(x, 2).values, [3, 4]],
  'topk of places': [(x) => tf.topk(x, 2).indices, [3, 4]],
  'oneHot of computed classes': [(x) => tf.oneHot(t1(tf.argMax(x, 1)), 4), [3, 4]],
  'gather at computed places': [(x) => tf.gather(x, t1(tf.argMax(x, 0))), [3, 4]],
  'gather of each batch': [
    (x) =>
      tf.gather(
        x,
        tf.tensor2d(
          [
            [1, 0],
            [2, 2],
          ],
          [2, 2],
          'int32',
        ),
        1,
        1,
      ),
    [2, 3, 4],
  ],
  'gatherND and scatterND': [
    (x) =>
      tf.scatterND(tf.tensor2d([[3], [1]], [2, 1], 'int32'), tf.gatherND(x, tf.tensor2d([[2], [0]], [2, 1], 'int32')), [5, 4]),
    [3, 4],
  ],
  tensorScatterUpdate: [(x) => tf.tensorScatterUpdate(x, tf.tensor2d([[1]], [1, 1], 'int32'), tf.ones([1, 4])), [3, 4]],
  sparseToDense: [(x) => tf.sparseToDense(ints([1, 3]), t1(x), [5], tf.scalar(0)), [2]],
  bincount: [(x) => tf.bincount(ints([1, 0, 1]), t1(x), 4), [3]],
  stridedSlice: [(x) => tf.stridedSlice(x, [0, 3], [3, 0], [2, -1]), [3, 4]],
  cumprod: [(x) => tf.cumprod(x, 1), [3, 4]],
  depthToSpace: [(x) => tf.depthToSpace(t4(x), 2), [2, 3, 4, 8]],
  diag: [(x) => tf.diag(x), [4]],
  'range, linspace, fill': [(x) => tf.add(tf.mul(x, tf.range(0, 7, 2)), tf.add(tf.linspace(0, 1, 4), tf.fill([4], 2))), [4]],
  'floor division': [(x, y) => tf.floorDiv(tf.mul(x, 9), positive(y)), [3, 4], [3, 4]],
  'convolution with explicit padding': [
    (x, k) =>
      tf.conv2d(t4(x), t4(k), 2, [
        [0, 0],
        [1, 2],
        [2, 0],
        [0, 0],
      ]),
    [2, 6, 7, 3],
    [3, 3, 3, 4],
  ],
  'dilated convolution': [(x, k) => tf.conv2d(t4(x), t4(k), 1, 'same', 'NHWC', 2), [2, 7, 9, 3], [3, 3, 3, 4]],
  'dilated depthwise convolution': [
    (x, k) => tf.depthwiseConv2d(t4(x), t4(k), 1, 'valid', 'NHWC', 2),
    [2, 7, 9, 3],
    [3, 3, 3, 1],
  ],
  'fused depthwise convolution': [
    (x, k) => tf.fused.depthwiseConv2d({ x: t4(x), filter: t4(k), strides: 1, pad: 'same', activation: 'relu6' }),
    [2, 6, 7, 3],
    [3, 3, 3, 2],
  ],
  flipLeftRight: [(x) => tf.image.flipLeftRight(t4(x)), [2, 4, 5, 3]],
  'cropAndResize, bilinear': [
    (x, boxes) => tf.image.cropAndResize(t4(x), t2(tf.sigmoid(boxes)), ints([1, 0, 1]), [4, 6], 'bilinear', 0.5),
    [2, 8, 9, 3],
    [3, 4],
  ],
  'cropAndResize, nearest': [
    (x, boxes) => tf.image.cropAndResize(t4(x), t2(boxes), ints([1, 0, 1]), [4, 6], 'nearest'),
    [2, 8, 9, 3],
    [3, 4],
  ],
  'rgbToGrayscale, by einsum': [(x) => tf.image.rgbToGrayscale(t4(x)), [2, 4, 5, 3]],
}

/**
 * TensorFlow takes oneDNN's kernels by itself where the processor has instructions for networks (VNNI or newer); its own ones
 * know no dilated depthwise convolution, and where bfloat16 is not the processor's they sum in it too.
 */
const { int8: hasOneDnn, bfloat16: hasBfloat16 } = cpuPrecision(readFileSync('/proc/cpuinfo', 'utf8'))
const needsOneDnn = ['dilated depthwise convolution']
const bfloat16Limit = hasBfloat16 ? 0.15 : 0.3

const boxes = () => [t2(tf.ones([3, 4])), t1(tf.ones([3]))] as const
/** Kernels that graphs cannot be recorded with, each with a call: sizes that only values tell, complex numbers, strings. */
const refused: Record<string, (x: tf.Tensor) => unknown> = {
  BroadcastArgs: () => tf.broadcastArgs(ints([3, 1]), ints([1, 4])),
  Complex: (x) => tf.complex(x, x),
  Multinomial: (x) => tf.multinomial(t2(x), 2, 7),
  NonMaxSuppressionV3: () => tf.image.nonMaxSuppression(...boxes(), 2),
  NonMaxSuppressionV5: () => tf.image.nonMaxSuppressionWithScore(...boxes(), 2),
  Unique: (x) => tf.unique(x),
}
/** Those that need what is refused above to be called at all. */
const unreachable = ['ComplexAbs', 'FFT', 'IFFT', 'Imag', 'NonMaxSuppressionV4', 'Real', 'StaticRegexReplace']

/** Kernels that some eager computation of this file used. */
const met = new Set<string>()
afterAll(() => tf.disposeVariables())

const eagerly = async (f: () => tf.Tensor[]) => {
  let outputs: tf.Tensor[] = []
  const { kernelNames } = await tf.profile(() => {
    outputs = f()
    return outputs
  })
  for (const name of kernelNames) met.add(name)
  return outputs
}

describe('a recorded graph', () => {
  const all = [
    ...Object.entries(differentiable).map(
      ([name, [f, ...shapes]]) => [`${name} and its gradient`, withGradients(f), shapes] as const,
    ),
    ...Object.entries(valuesOnly).map(([name, [f, ...shapes]]) => [name, (...x: tf.Tensor[]) => [f(...x)], shapes] as const),
  ]
  it.each(all.filter(([name]) => hasOneDnn || !needsOneDnn.includes(name)))(
    'computes %s as eager tfjs does',
    async (_, f, shapes) => {
      const inputs = shapes.map((shape, i) => normal(shape, i + 1))
      const eager = await eagerly(() => f(...inputs))
      const [ours, halves] = [await recorded(f, inputs), await recorded(f, inputs, { compute: 'bfloat16' })]
      for (const [i, expected] of eager.entries()) {
        expect(ours[i]!.dtype).toBe(expected.dtype)
        expect(difference(ours[i]!, expected)).toBeLessThan(2e-5)
        expect(difference(halves[i]!, expected)).toBeLessThan(bfloat16Limit)
      }
    },
  )

  it.each(Object.entries(refused))('refuses the kernel %s by name', (kernel, call) => {
    const graph = new Graph()
    const body = () => call(toTensor(graph.placeholder('x', [3, 4], 'float32')))
    expect(() => record(graph, () => void body())).toThrow(new RegExp(`kernel ${kernel}, op `))
  })

  it('has or refuses every kernel of tfjs-node', () => {
    const known = new Set([...met, ...Object.keys(refused), ...unreachable])
    const kernels = tf.getKernelsForBackend('tensorflow').map(({ kernelName }) => kernelName)
    expect(kernels.filter((kernel) => !known.has(kernel))).toEqual([])
    expect(Object.keys(refused).filter((kernel) => met.has(kernel))).toEqual([])
  })
})
