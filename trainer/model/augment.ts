// Random changes to training pictures and their labels, inside the training graph: flip, zoom, crop and colour. Runs
// eagerly too. Every picture of a batch is changed in its own way; seed and step decide how, so a resumed run sees the same.
import * as tf from '@tensorflow/tfjs-node-gpu'
import { barGrey } from '../../deploy/fit-geometry.ts'
import { ignore } from '../data/dataset.ts'
import { randomUniform, selectRows } from '../graph/ops.ts'

export interface Augmentation {
  /** Mirror left and right, every other picture. */
  flip: boolean
  /**
   * Size of the part that is shown, as a share of the picture in both directions: below 1 zooms in on a part that lies
   * anywhere, above 1 zooms out, the picture lying anywhere in grey that counts nowhere. Zooming by f and by 1/f are equally likely.
   */
  field: readonly [least: number, most: number]
  /** Largest shift of all levels up or down, 0 to 1 of full scale. */
  brightness: number
  /** Largest change of contrast around mid-grey: 0.2 is a factor of 0.8 to 1.2. */
  contrast: number
  /** Largest change of saturation: 0.4 is a factor of 0.6 to 1.4. */
  saturation: number
  /** Largest turn of all hues, in degrees. */
  hue: number
}

const none: Augmentation = { flip: false, field: [1, 1], brightness: 0, contrast: 0, saturation: 0, hue: 0 }
/** Gave 0.86 road IoU on a drive that training never saw, CamVid's test, from nothing in 30 epochs. */
const plain: Augmentation = { ...none, flip: true, brightness: 0.1, contrast: 0.2 }

/**
 * The choices of `--augment`. More is not better: zooming in to half the picture, with saturation, strong contrast and
 * brightness, gave 0.81 on that drive (30 epochs at 256 x 320, still rising). `strong` zooms out instead, for roads and
 * colours of other cameras; what it is worth has not been measured.
 */
export const augmentations = {
  none,
  plain,
  mild: { ...plain, field: [0.85, 1.15] },
  strong: { ...plain, field: [0.85, 1.3], saturation: 0.4, hue: 15 },
} as const satisfies Record<string, Augmentation>

/** Tells these random numbers from those of the dropout layers. */
const salt = 1

/**
 * Changes a batch.
 * @param pictures RGB [n, h, w, 3], 0 to 255, of any type
 * @param labels class ids [n, h, w], of any type
 * @param seed int32 [2]; must differ from step to step
 * @returns float32 pictures, 0 to 255, and int32 labels; outside the picture grey and `ignore`
 */
export function augment(
  pictures: tf.Tensor,
  labels: tf.Tensor,
  seed: tf.Tensor1D,
  { flip, field, brightness, contrast, saturation, hue }: Augmentation,
): { pictures: tf.Tensor4D; labels: tf.Tensor3D } {
  return tf.tidy(() => {
    const [n, h, w] = labels.shape as [number, number, number]
    let x = tf.cast(pictures, 'float32') as tf.Tensor4D
    let ids = tf.cast(labels, 'int32') as tf.Tensor3D
    // Always as many numbers, so that one setting does not change what another draws.
    const draws = tf.unstack(randomUniform([8, n], seed, salt)) as tf.Tensor1D[]
    const [mirrored, scale, across, down, ...levels] = draws as [tf.Tensor1D, tf.Tensor1D, tf.Tensor1D, tf.Tensor1D]
    const [shift, factor, chroma, turn] = levels.map((u) => tf.sub(tf.mul(u, 2), 1)) as [
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
    ]

    if (saturation > 0 || hue > 0) {
      const matrix = colourMatrix(tf.add(tf.mul(chroma, saturation), 1), tf.mul(turn, (hue * Math.PI) / 180))
      x = tf.reshape(tf.matMul(tf.reshape(x, [n, h * w, 3]), matrix), x.shape)
    }
    if (brightness > 0 || contrast > 0) {
      const gain = tf.add(tf.mul(factor, contrast), 1)
      const offset = tf.add(tf.mul(tf.sub(1, gain), 127.5), tf.mul(shift, 255 * brightness))
      const each = [n, 1, 1, 1]
      x = tf.add(tf.mul(x, tf.reshape(gain, each)), tf.reshape(offset, each))
    }
    if (brightness > 0 || contrast > 0 || saturation > 0 || hue > 0) x = tf.clipByValue(x, 0, 255)

    if (flip) {
      const turned = tf.less(mirrored, 0.5) as tf.Tensor1D
      x = selectRows(turned, mirror(x), x)
      ids = selectRows(turned, mirror(ids), ids)
    }

    const [least, most] = field
    if (least !== 1 || most !== 1) {
      const size = tf.exp(tf.add(tf.mul(scale, Math.log(most / least)), Math.log(least)))
      const [top, left] = [down, across].map((u) => tf.mul(u, tf.sub(1, size))) as [tf.Tensor, tf.Tensor]
      const boxes = tf.stack([top, left, tf.add(top, size), tf.add(left, size)], 1) as tf.Tensor2D
      const own = tf.tensor1d(
        Array.from({ length: n }, (_, i) => i),
        'int32',
      )
      // A third of the time of ImageProjectiveTransformV3, and the label loses its border where the picture does.
      x = tf.image.cropAndResize(x, boxes, own, [h, w], 'bilinear', barGrey)
      const channel = tf.cast(tf.expandDims(ids, 3), 'float32') as tf.Tensor4D
      const moved = tf.image.cropAndResize(channel, boxes, own, [h, w], 'nearest', ignore)
      ids = tf.cast(tf.squeeze(moved, [3]), 'int32')
    }
    return { pictures: x, labels: ids }
  })
}

/** Left and right exchanged. @param x [n, h, w] or [n, h, w, 3], flattened since TensorFlow is fastest with rank 3 */
function mirror<T extends tf.Tensor>(x: T): T {
  const [n, h, w, channels = 1] = x.shape as number[]
  return tf.reshape(tf.reverse(tf.reshape(x, [n! * h!, w!, channels]), 1), x.shape) as T
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
