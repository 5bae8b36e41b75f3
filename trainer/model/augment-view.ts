// Random changes of where the camera looks, to picture and label alike: mirror, turn, tilt, zoom and crop.
import * as tf from '@tensorflow/tfjs-node-gpu'
import { barGrey } from '../../deploy/fit-geometry.ts'
import { ignore } from '../data/dataset.ts'
import { projected, selectRows } from '../graph/ops.ts'

export interface View {
  /** Mirror left and right, every other picture. */
  flip: boolean
  /**
   * Size of the part that is shown, as a share of the picture in both directions: below 1 zooms in on a part that lies
   * anywhere, above 1 zooms out, the picture lying anywhere in grey that counts nowhere. Zooming by f and by 1/f are equally likely.
   */
  field: readonly [least: number, most: number]
  /** Largest change of width against height: 0.1 is a factor of e^-0.1 to e^0.1. */
  aspect: number
  /** Largest turn about the middle, in degrees. */
  rotation: number
  /** Largest tilt and pan, as the change of scale from the middle to an edge. */
  perspective: number
}

/** A number in [0, 1) for each picture [n]. */
export type ViewDraws = Record<'flip' | 'scale' | 'across' | 'down' | 'aspect' | 'rotation' | 'tilt' | 'pan', tf.Tensor1D>

type Labelled = { pictures: tf.Tensor4D; labels: tf.Tensor3D }

/** From [0, 1) to [-most, most). */
const within = (u: tf.Tensor1D, most: number) => tf.mul(tf.sub(tf.mul(u, 2), 1), most) as tf.Tensor1D

/** @param pictures float32 [n, h, w, 3]. @param labels int32 [n, h, w]. @returns both, grey and `ignore` outside the picture */
export function changeView(pictures: tf.Tensor4D, labels: tf.Tensor3D, view: View, draws: ViewDraws): Labelled {
  const { flip, field, aspect, rotation, perspective } = view
  let seen: Labelled = { pictures, labels }
  if (flip) {
    const turned = tf.less(draws.flip, 0.5) as tf.Tensor1D
    seen = { pictures: selectRows(turned, mirror(pictures), pictures), labels: selectRows(turned, mirror(labels), labels) }
  }
  if (rotation > 0 || perspective > 0) seen = turn(seen, view, draws)
  if (field[0] !== 1 || field[1] !== 1 || aspect > 0) seen = zoom(seen, view, draws)
  return seen
}

/** Left and right exchanged. @param x [n, h, w] or [n, h, w, 3], flattened since TensorFlow is fastest with rank 3 */
function mirror<T extends tf.Tensor>(x: T): T {
  const [n, h, w, channels = 1] = x.shape as number[]
  return tf.reshape(tf.reverse(tf.reshape(x, [n! * h!, w!, channels]), 1), x.shape) as T
}

const asChannel = (labels: tf.Tensor3D) => tf.cast(tf.expandDims(labels, 3), 'float32') as tf.Tensor4D
const asLabels = (channel: tf.Tensor4D) => tf.cast(tf.squeeze(channel, [3]), 'int32') as tf.Tensor3D

/** A homography about the middle (Hartley and Zisserman 2004, section 2.3). */
function turn({ pictures, labels }: Labelled, { rotation, perspective }: View, draws: ViewDraws): Labelled {
  const [, h, w] = labels.shape
  const [x, y] = [(w - 1) / 2, (h - 1) / 2]
  const angle = within(draws.rotation, (rotation * Math.PI) / 180)
  const [cos, sin] = [tf.cos(angle), tf.sin(angle)]
  const [c0, c1] = [tf.div(within(draws.pan, perspective), x), tf.div(within(draws.tilt, perspective), y)]
  // Moved to the middle, turned, tilted, moved back; then all divided by the last number of the last row.
  const c2 = tf.sub(1, tf.add(tf.mul(c0, x), tf.mul(c1, y)))
  const row = (along: tf.Tensor, aside: tf.Tensor, middle: number) => [
    tf.add(along, tf.mul(c0, middle)),
    tf.add(aside, tf.mul(c1, middle)),
    tf.sub(tf.mul(c2, middle), tf.add(tf.mul(along, x), tf.mul(aside, y))),
  ]
  const rows = [...row(cos, tf.neg(sin), x), ...row(sin, cos, y), c0, c1]
  const transforms = tf.div(tf.stack(rows, 1), tf.expandDims(c2, 1)) as tf.Tensor2D
  return {
    pictures: projected(pictures, transforms, 'bilinear', barGrey),
    labels: asLabels(projected(asChannel(labels), transforms, 'nearest', ignore)),
  }
}

function zoom({ pictures, labels }: Labelled, { field: [least, most], aspect }: View, draws: ViewDraws): Labelled {
  const [n, h, w] = labels.shape
  const size = tf.exp(tf.add(tf.mul(draws.scale, Math.log(most / least)), Math.log(least)))
  const stretch = tf.exp(within(draws.aspect, aspect / 2))
  const [high, wide] = [tf.div(size, stretch), tf.mul(size, stretch)]
  const [top, left] = [tf.mul(draws.down, tf.sub(1, high)), tf.mul(draws.across, tf.sub(1, wide))]
  const boxes = tf.stack([top, left, tf.add(top, high), tf.add(left, wide)], 1) as tf.Tensor2D
  const own = tf.tensor1d(
    Array.from({ length: n }, (_, i) => i),
    'int32',
  )
  // A third of the time of a projection, and the label loses its border where the picture does.
  return {
    pictures: tf.image.cropAndResize(pictures, boxes, own, [h, w], 'bilinear', barGrey),
    labels: asLabels(tf.image.cropAndResize(asChannel(labels), boxes, own, [h, w], 'nearest', ignore)),
  }
}
