// Upsampling by a transposed convolution, in the form that is quick where there are few channels.
import * as tf from '@tensorflow/tfjs-node-gpu'

/**
 * The kernel of a transposed convolution, [2 stride, 2 stride, to, from] with an even stride, as that of the convolution
 * that `upsampled` wants: [2, 2, from, stride x stride x to].
 */
export function shuffleKernel(kernel: tf.Tensor4D, stride: number): tf.Tensor4D {
  const [, , to, from] = kernel.shape
  return tf.tidy(() => {
    // Row y of the result takes its share from x's rows q - 1 and q, where q = floor((y + stride / 2) / stride).
    const taps = tf.reverse(tf.reshape(kernel, [2, stride, 2, stride, to, from]), [0, 2])
    return tf.reshape<tf.Rank.R4>(tf.transpose(taps, [0, 2, 5, 1, 3, 4]), [2, 2, from, stride * stride * to])
  })
}

/**
 * A transposed convolution ('same' padding, kernel of twice the stride), cut to `size`, as a convolution to stride x stride
 * times the channels and a shuffle of these into pixels (Shi et al. 2016): each pixel of the result depends on two by two
 * of x. With a handful of channels this is many times quicker than oneDNN's transposed convolution.
 * @param x [n, h, w, from]
 * @param weights of `shuffleKernel`
 * @returns [n, size[0], size[1], to], size at most stride times that of x
 */
export function upsampled(x: tf.Tensor4D, weights: tf.Tensor4D, stride: number, size: [number, number]): tf.Tensor4D {
  return tf.tidy(() => {
    const edge: [number, number] = [1, 1]
    const padded = tf.pad(x, [[0, 0], edge, edge, [0, 0]])
    const cells = tf.conv2d(padded, weights, 1, 'valid')
    const [n, rows, columns, channels] = cells.shape
    const to = channels / stride ** 2
    // As depthToSpace does, which takes twice as long for several pictures: a cell's rows change places with cells of its row.
    const swapped = tf.transpose(tf.reshape(cells, [n * rows, columns, stride, stride * to]), [0, 2, 1, 3])
    const shuffled = tf.reshape<tf.Rank.R4>(swapped, [n, rows * stride, columns * stride, to])
    return tf.slice(shuffled, [0, stride / 2, stride / 2, 0], [n, ...size, to])
  })
}
