// TensorFlow ops that tfjs has no kernel for. Each runs on tfjs-node as it is and can be recorded into a graph.
import * as tf from '@tensorflow/tfjs-node-gpu'
import { createTensorsTypeOpAttr, type NodeJSKernelBackend } from '@tensorflow/tfjs-node-gpu/dist/nodejs_kernel_backend.js'

type OpAttribute = ReturnType<typeof createTensorsTypeOpAttr>

const node = () => tf.backend() as NodeJSKernelBackend

/**
 * Batch normalisation with the statistics of the batch itself (Ioffe and Szegedy 2015), in one op each way.
 * @param x float32 [n, h, w, c]
 * @param gamma float32 [c]
 * @param beta float32 [c]
 * @returns the normalised batch, and its mean and (unbiased) variance [c], through which no gradient flows
 */
export function batchNormTraining(x: tf.Tensor4D, gamma: tf.Tensor1D, beta: tf.Tensor1D, epsilon: number) {
  const { TF_ATTR_BOOL, TF_ATTR_FLOAT } = node().binding
  const attrs = [
    createTensorsTypeOpAttr('T', 'float32'),
    createTensorsTypeOpAttr('U', 'float32'),
    { name: 'epsilon', type: TF_ATTR_FLOAT, value: epsilon },
    { name: 'is_training', type: TF_ATTR_BOOL, value: true },
  ]
  let statistics: tf.Tensor[] = []
  const normalise = tf.customGrad((...args) => {
    const [x, gamma, beta, save] = args as unknown as [tf.Tensor, tf.Tensor, tf.Tensor, tf.GradSaveFunc]
    const none = tf.tensor1d([])
    const [y, mean, variance, ...reserved] = node().executeMultipleOutputs(
      'FusedBatchNormV3',
      attrs,
      [x, gamma, beta, none, none],
      6,
    )
    statistics = [tf.keep(mean!), tf.keep(variance!)]
    save([x, gamma, ...reserved])
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]) => {
      const [x, gamma, ...reserved] = saved as [tf.Tensor, tf.Tensor, ...tf.Tensor[]]
      return node()
        .executeMultipleOutputs('FusedBatchNormGradV3', attrs, [dy, x, gamma, ...reserved], 5)
        .slice(0, 3)
    }
    return { value: y!, gradFunc }
  })
  const y = normalise(x, gamma, beta) as tf.Tensor4D
  return { y, mean: statistics[0] as tf.Tensor1D, variance: statistics[1] as tf.Tensor1D }
}

/**
 * Softmax cross-entropy of each row, in one op with its gradient.
 * @param logits float32 [rows, classes]
 * @param labels int32 [rows], each in 0 … classes-1
 * @returns float32 [rows]
 */
export function sparseSoftmaxCrossEntropy(logits: tf.Tensor2D, labels: tf.Tensor1D): tf.Tensor1D {
  const attrs = [createTensorsTypeOpAttr('T', 'float32'), createTensorsTypeOpAttr('Tlabels', 'int32')]
  return crossEntropy('SparseSoftmaxCrossEntropyWithLogits', attrs, logits, labels)
}

/**
 * The same against probabilities, through which no gradient flows.
 * @param probabilities float32 [rows, classes]
 * @returns float32 [rows]
 */
export const softmaxCrossEntropy = (logits: tf.Tensor2D, probabilities: tf.Tensor2D): tf.Tensor1D =>
  crossEntropy('SoftmaxCrossEntropyWithLogits', [createTensorsTypeOpAttr('T', 'float32')], logits, probabilities)

/** Both ops give the gradient along with the loss. */
function crossEntropy(op: string, attrs: OpAttribute[], logits: tf.Tensor2D, target: tf.Tensor): tf.Tensor1D {
  const entropy = tf.customGrad((...args) => {
    const [logits, save] = args as unknown as [tf.Tensor, tf.GradSaveFunc]
    const [loss, gradient] = node().executeMultipleOutputs(op, attrs, [logits, target], 2)
    save([gradient!])
    return { value: loss!, gradFunc: (dy: tf.Tensor, [gradient]: tf.Tensor[]) => tf.mul(gradient!, tf.expandDims(dy, 1)) }
  })
  return entropy(logits) as tf.Tensor1D
}

/** Half the sum of the squares of all values, a scalar, in one pass and without a copy. Has no gradient here. */
export const l2Loss = (x: tf.Tensor): tf.Scalar =>
  node().executeSingleOutput('L2Loss', [createTensorsTypeOpAttr('T', 'float32')], [x]) as tf.Scalar

function draw(op: string, shape: number[], seed: tf.Tensor1D, salt: number): tf.Tensor {
  const attrs = [
    createTensorsTypeOpAttr('dtype', 'float32'),
    createTensorsTypeOpAttr('T', 'int32'),
    createTensorsTypeOpAttr('Tseed', 'int32'),
  ]
  return tf.tidy(() => {
    // Into the seed's first half: the second counts steps, and a salt there would repeat the numbers of a later step.
    const salted = tf.add(seed, tf.tensor1d([Math.imul(salt, 0x9e3779b1), 0], 'int32'))
    return node().executeSingleOutput(op, attrs, [tf.tensor1d(shape, 'int32'), salted])
  })
}

/**
 * Uniform random numbers in [0, 1) that depend on seed and salt alone (Philox, Salmon et al. 2011): the same in a resumed run.
 * @param seed int32 [2], in training of the run and of the step
 * @param salt tells the uses of one seed apart
 */
export const randomUniform = (shape: number[], seed: tf.Tensor1D, salt = 0): tf.Tensor =>
  draw('StatelessRandomUniform', shape, seed, salt)

/** Random numbers of mean 0 and variance 1, otherwise as `randomUniform`. */
export const randomNormal = (shape: number[], seed: tf.Tensor1D, salt = 0): tf.Tensor =>
  draw('StatelessRandomNormal', shape, seed, salt)

/**
 * Chooses whole rows, which costs no more than copying them: `tf.where` would make a condition for every element.
 * @param condition bool [n]
 * @returns row by row that of `a` where the condition is true, else that of `b`; [n, ...] like both
 */
export function selectRows<T extends tf.Tensor>(condition: tf.Tensor1D, a: T, b: T): T {
  return node().executeSingleOutput('Select', [createTensorsTypeOpAttr('T', a.dtype)], [condition, a, b]) as T
}

/**
 * Pictures seen through homographies (TensorFlow's ImageProjectiveTransformV3).
 * @param x float32 [n, h, w, channels]
 * @param transforms [n, 8]: output (x, y) shows what is at ((a0 x + a1 y + a2) / k, (b0 x + b1 y + b2) / k) with
 * k = c0 x + c1 y + 1, in pixels; in the order a, b, c
 * @param fill value of what lies outside
 */
export function projected(
  x: tf.Tensor4D,
  transforms: tf.Tensor2D,
  interpolation: 'bilinear' | 'nearest',
  fill: number,
): tf.Tensor4D {
  const { TF_ATTR_STRING } = node().binding
  const attrs = [
    createTensorsTypeOpAttr('dtype', 'float32'),
    { name: 'interpolation', type: TF_ATTR_STRING, value: interpolation.toUpperCase() },
    { name: 'fill_mode', type: TF_ATTR_STRING, value: 'CONSTANT' },
  ]
  return tf.tidy(() => {
    const size = tf.tensor1d([x.shape[1], x.shape[2]], 'int32')
    return node().executeSingleOutput('ImageProjectiveTransformV3', attrs, [
      x,
      transforms,
      size,
      tf.scalar(fill),
    ]) as tf.Tensor4D
  })
}
