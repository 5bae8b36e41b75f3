// What JPEG leaves of a picture (ITU-T T.81): 8 x 8 blocks of luma and chroma as cosines, rounded to multiples of a table that
// quality scales, and back. No chroma is left out (4:4:4), and nothing is coded.
import * as tf from '@tensorflow/tfjs-node-gpu'

const size = 8

/** The standard's tables K.1 and K.2, which libjpeg scales. */
const luma = [
  [16, 11, 10, 16, 24, 40, 51, 61],
  [12, 12, 14, 19, 26, 58, 60, 55],
  [14, 13, 16, 24, 40, 57, 69, 56],
  [14, 17, 22, 29, 51, 87, 80, 62],
  [18, 22, 37, 56, 68, 109, 103, 77],
  [24, 35, 55, 64, 81, 104, 113, 92],
  [49, 64, 78, 87, 103, 121, 120, 101],
  [72, 92, 95, 98, 112, 100, 103, 99],
]
const chroma = [
  [17, 18, 24, 47],
  [18, 21, 26, 66],
  [24, 26, 56],
  [47, 66],
]
const table = (row: number, column: number, channel: number) =>
  channel === 0 ? luma[row]![column]! : (chroma[row]?.[column] ?? 99)

/** The cosine transform of eight values: row k is the k-th wave. */
const waves = Array.from({ length: size }, (_, k) =>
  Array.from({ length: size }, (_, x) => (k === 0 ? Math.SQRT1_2 : 1) * 0.5 * Math.cos(((2 * x + 1) * k * Math.PI) / 16)),
)
/** From RGB to Y, Cb, Cr, and back, without the offset of 128 (JFIF 1.02). */
const toYcc = [
  [0.299, 0.587, 0.114],
  [-0.168736, -0.331264, 0.5],
  [0.5, -0.418688, -0.081312],
]
const toRgb = [
  [1, 0, 1.402],
  [1, -0.344136, -0.714136],
  [1, 1.772, 0],
]

/**
 * 24 x 24: what eight neighbouring pixels of three channels, as a row, are multiplied with to become eight cosines of three
 * others. `wave(k, x)`: the share of pixel or cosine x in k.
 */
const acrossBlock = (wave: (k: number, x: number) => number, colours: readonly (readonly number[])[]) =>
  tf.tensor2d(
    Array.from({ length: 24 * 24 }, (_, i) => {
      const [from, to] = [Math.floor(i / 24), i % 24]
      return wave(Math.floor(to / 3), Math.floor(from / 3)) * colours[to % 3]![from % 3]!
    }),
    [24, 24],
  )

/**
 * Pictures as a JPEG of that quality gives them back, unrounded.
 * @param x float32 RGB [n, h, w, 3], 0 to 255
 * @param quality libjpeg's, 1 to 100, for each picture [n]
 * @returns the same shape; levels may lie a little below 0 and above 255
 */
export function compress(x: tf.Tensor4D, quality: tf.Tensor1D): tf.Tensor4D {
  const [n, h, w] = x.shape
  const [rows, columns] = [Math.ceil(h / size), Math.ceil(w / size)]
  const padding: [number, number][] = [
    [0, 0],
    [0, rows * size - h],
    [0, columns * size - w],
    [0, 0],
  ]
  const whole = rows * size === h && columns * size === w ? x : tf.mirrorPad(x, padding, 'symmetric')
  const down = tf.tensor2d(waves.flat(), [size, size])
  const line = columns * 24

  const across = tf.matMul(
    tf.reshape(tf.sub(whole, 128), [-1, 24]),
    acrossBlock((k, at) => waves[k]![at]!, toYcc),
  )
  const cosines = tf.reshape(tf.matMul(down, tf.reshape(across, [n * rows, size, line])), [n, rows, size, line])

  // libjpeg: a table's entry times 5000 / quality below 50, and 200 - 2 quality from there on, in hundredths; 1 at least.
  const scale = tf.where(tf.less(quality, 50), tf.div(5000, quality), tf.sub(200, tf.mul(quality, 2)))
  const entries = Array.from({ length: size * line }, (_, i) => table(Math.floor(i / line), Math.floor((i % 24) / 3), i % 3))
  const scaled = tf.mul(tf.tensor4d(entries, [1, 1, size, line]), tf.reshape(scale, [n, 1, 1, 1]))
  const steps = tf.clipByValue(tf.floor(tf.mul(tf.add(scaled, 50), 0.01)), 1, 255)
  const kept = tf.mul(tf.round(tf.div(cosines, steps)), steps)

  const back = tf.matMul(down, tf.reshape(kept, [n * rows, size, line]), true)
  const pixels = tf.matMul(
    tf.reshape(back, [-1, 24]),
    acrossBlock((at, k) => waves[k]![at]!, toRgb),
  )
  const made = tf.add(tf.reshape(pixels, [n, rows * size, columns * size, 3]), 128) as tf.Tensor4D
  return whole === x ? made : tf.slice(made, [0, 0, 0, 0], x.shape)
}
