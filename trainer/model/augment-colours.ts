// Random changes of the light and of the camera's picture of it: levels, colours, shadow and glare, blur, noise and
// compression.
import * as tf from '@tensorflow/tfjs-node-gpu'
import { randomNormal } from '../graph/ops.ts'
import { compress } from './augment-jpeg.ts'

export interface Colours {
  /** Largest shift of all levels up or down, 0 to 1 of full scale. */
  brightness: number
  /** Largest change of contrast around mid-grey: 0.2 is a factor of 0.8 to 1.2. */
  contrast: number
  /** Levels to the power of e^-gamma to e^gamma, with black and white where they are. */
  gamma: number
  /** Largest change of saturation: 0.4 is a factor of 0.6 to 1.4. */
  saturation: number
  /** Largest turn of all hues, in degrees. */
  hue: number
  /** Largest change of red against blue: 0.1 is red times 1.1 and blue times 0.9, or the other way round. */
  temperature: number
  /** Largest darkening or brightening of one side of a soft edge that lies anywhere: 0.5 is a factor of 0.5 to 1.5. */
  shade: number
  /** Largest share of a mean over 3 x 3 pixels. */
  blur: number
  /** Largest standard deviation of noise, in levels of 255. */
  noise: number
  /** Lowest quality of JPEG, as libjpeg counts it, from which on to 100 it is drawn; 0 for none. */
  jpeg: number
}

/** A number in [0, 1) for each picture [n]; where the edge of the shade lies takes two more. */
export type ColourDraws = Record<keyof Colours | 'angle' | 'offset', tf.Tensor1D>

/** Tells the noise from other uses of a step's seed. */
const salt = 2

/** From [0, 1) to [-1, 1). */
const signed = (u: tf.Tensor1D) => tf.sub(tf.mul(u, 2), 1) as tf.Tensor1D

/** @param x float32 RGB [n, h, w, 3], 0 to 255. @param seed int32 [2], of the step. @returns the same kind */
export function changeColours(x: tf.Tensor4D, largest: Colours, draws: ColourDraws, seed: tf.Tensor1D): tf.Tensor4D {
  const { brightness, contrast, gamma, saturation, hue, temperature, shade, blur, noise, jpeg } = largest
  const [n, h, w] = x.shape
  const each = [n, 1, 1, 1]
  let y: tf.Tensor = x
  if (shade > 0) {
    const gain = tf.mul(edge(draws, h, w), tf.reshape(tf.mul(signed(draws.shade), shade), each))
    y = tf.mul(y, tf.add(gain, 1))
  }
  if (saturation > 0 || hue > 0 || temperature > 0) {
    const warmth = tf.mul(signed(draws.temperature), temperature)
    const gains = tf.stack([tf.add(1, warmth), tf.onesLike(warmth), tf.sub(1, warmth)], 1)
    const factor = tf.add(tf.mul(signed(draws.saturation), saturation), 1)
    const matrix = colourMatrix(factor, tf.mul(signed(draws.hue), (hue * Math.PI) / 180))
    y = tf.reshape(tf.matMul(tf.reshape(y, [n, h * w, 3]), tf.mul(matrix, tf.expandDims(gains, 1))), x.shape)
  }
  if (gamma > 0) {
    const exponent = tf.reshape(tf.exp(tf.mul(signed(draws.gamma), gamma)), each)
    y = tf.mul(tf.pow(tf.clipByValue(tf.mul(y, 1 / 255), 0, 1), exponent), 255)
  }
  if (brightness > 0 || contrast > 0) {
    const gain = tf.add(tf.mul(signed(draws.contrast), contrast), 1)
    const offset = tf.add(tf.mul(tf.sub(1, gain), 127.5), tf.mul(signed(draws.brightness), 255 * brightness))
    y = tf.add(tf.mul(y, tf.reshape(gain, each)), tf.reshape(offset, each))
  }
  if (blur > 0) {
    const share = tf.reshape(tf.mul(draws.blur, blur), each)
    y = tf.add(y, tf.mul(tf.sub(tf.avgPool(y as tf.Tensor4D, 3, 1, 'same'), y), share))
  }
  if (noise > 0) {
    const deviation = tf.reshape(tf.mul(draws.noise, noise), each)
    y = tf.add(y, tf.mul(randomNormal(x.shape, seed, salt), deviation))
  }
  if (jpeg > 0) {
    const quality = tf.add(tf.mul(draws.jpeg, 100 - jpeg), jpeg) as tf.Tensor1D
    y = compress(tf.clipByValue(y, 0, 255) as tf.Tensor4D, quality)
  }
  return (y === x ? x : tf.clipByValue(y, 0, 255)) as tf.Tensor4D
}

/** 0 on one side of a line through the picture, 1 on the other, soft over some tenth of it; [n, h, w, 1]. */
function edge({ angle, offset }: ColourDraws, h: number, w: number): tf.Tensor {
  const turn = tf.reshape(tf.mul(angle, 2 * Math.PI), [-1, 1, 1, 1])
  const across = tf.reshape(tf.linspace(-0.5, 0.5, w), [1, 1, w, 1])
  const down = tf.reshape(tf.linspace(-0.5, 0.5, h), [1, h, 1, 1])
  const distance = tf.add(tf.mul(tf.cos(turn), across), tf.mul(tf.sin(turn), down))
  return tf.sigmoid(tf.mul(tf.sub(distance, tf.reshape(tf.mul(signed(offset), 0.4), [-1, 1, 1, 1])), 40))
}

/**
 * For each picture the matrix that scales its saturation and turns its hues and leaves its greys, to be multiplied with
 * rows of RGB: `saturate` and `hueRotate` of https://www.w3.org/TR/filter-effects-1/#feColorMatrixElement in one.
 * @param saturation factor [n]
 * @param angle radians [n]
 * @returns [n, 3, 3]
 */
function colourMatrix(saturation: tf.Tensor, angle: tf.Tensor): tf.Tensor3D {
  const luminance = tf.tensor2d([0.213, 0.213, 0.213, 0.715, 0.715, 0.715, 0.072, 0.072, 0.072], [3, 3])
  const chroma = tf.tensor2d([0.787, -0.213, -0.213, -0.715, 0.285, -0.715, -0.072, -0.072, 0.928], [3, 3])
  const turned = tf.tensor2d([-0.213, 0.143, -0.787, -0.715, 0.14, 0.715, 0.928, -0.283, 0.072], [3, 3])
  const times = (matrix: tf.Tensor, factor: tf.Tensor) => tf.mul(matrix, tf.reshape(factor, [-1, 1, 1]))
  const [along, aside] = [tf.mul(saturation, tf.cos(angle)), tf.mul(saturation, tf.sin(angle))]
  return tf.add(luminance, tf.add(times(chroma, along), times(turned, aside)))
}
