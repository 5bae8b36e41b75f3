// Run by doctor in a process of its own, since TensorFlow that does not fit a machine ends the process: computes a matrix
// product and a convolution, compares them with the same sums in JavaScript, measures a convolution, prints JSON.
import * as tf from '@tensorflow/tfjs-node-gpu'
import type { NodeJSKernelBackend } from '@tensorflow/tfjs-node-gpu/dist/nodejs_kernel_backend.js'

export interface ComputeProof {
  tensorflow: string
  device: 'cpu' | 'gpu'
  /** Largest difference from the reference, over both computations. Small integers, so any device gives 0 or rounding. */
  difference: number
  /** Median time of a 3 x 3 convolution, 128 to 128 channels, on 80 x 144: a middle layer of the net at full width. */
  convolutionMs: number
  gflops: number
}

/** Integers from -4 to 4: exact in every precision that a device may compute convolutions in. */
const integers = (count: number, step: number) => Float32Array.from({ length: count }, (_, i) => ((i * step) % 9) - 4)

function largestDifference(found: Float32Array | Int32Array | Uint8Array, expected: Float32Array): number {
  if (found.length !== expected.length) return Number.POSITIVE_INFINITY
  return expected.reduce((largest, value, i) => Math.max(largest, Math.abs(value - found[i]!)), 0)
}

function checkProduct(): number {
  const [rows, inner, columns] = [37, 53, 29]
  const a = integers(rows * inner, 7)
  const b = integers(inner * columns, 5)
  const expected = new Float32Array(rows * columns)
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++)
      for (let k = 0; k < inner; k++) expected[i * columns + j]! += a[i * inner + k]! * b[k * columns + j]!
  return tf.tidy(() =>
    largestDifference(tf.matMul(tf.tensor2d(a, [rows, inner]), tf.tensor2d(b, [inner, columns])).dataSync(), expected),
  )
}

function checkConvolution(): number {
  const [height, width, from, to] = [11, 13, 8, 16]
  const picture = integers(height * width * from, 7)
  const kernel = integers(9 * from * to, 5)
  const expected = new Float32Array(height * width * to)
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let tap = 0; tap < 9; tap++) {
        const [v, u] = [y + Math.floor(tap / 3) - 1, x + (tap % 3) - 1]
        if (v < 0 || v >= height || u < 0 || u >= width) continue
        for (let c = 0; c < from; c++)
          for (let o = 0; o < to; o++)
            expected[(y * width + x) * to + o]! += picture[(v * width + u) * from + c]! * kernel[(tap * from + c) * to + o]!
      }
  return tf.tidy(() => {
    const input = tf.tensor4d(picture, [1, height, width, from])
    return largestDifference(tf.conv2d(input, tf.tensor4d(kernel, [3, 3, from, to]), 1, 'same').dataSync(), expected)
  })
}

function measureConvolution(): number {
  const input = tf.randomNormal([1, 80, 144, 128]) as tf.Tensor4D
  const kernel = tf.randomNormal([3, 3, 128, 128]) as tf.Tensor4D
  const times: number[] = []
  for (let i = 0; i < 25; i++) {
    const began = performance.now()
    // One number comes back: on a GPU the call itself returns before the work is done.
    tf.tidy(() => tf.conv2d(input, kernel, 1, 'same').slice([0, 0, 0, 0], [1, 1, 1, 1]).dataSync())
    if (i >= 5) times.push(performance.now() - began)
  }
  tf.dispose([input, kernel])
  return times.sort((a, b) => a - b)[times.length >> 1]!
}

const backend = tf.backend() as NodeJSKernelBackend
const difference = Math.max(checkProduct(), checkConvolution())
const convolutionMs = measureConvolution()
const proof: ComputeProof = {
  tensorflow: backend.binding.TF_Version,
  device: backend.isUsingGpuDevice ? 'gpu' : 'cpu',
  difference,
  convolutionMs,
  gflops: (2 * 80 * 144 * 128 * 128 * 9) / convolutionMs / 1e6,
}
console.log(JSON.stringify(proof))
