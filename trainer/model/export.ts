// The trained network as the graph that goes onto the device: camera bytes in, mask out.
import * as tf from '@tensorflow/tfjs-node-gpu'
import { inBfloat16 } from '../../deploy/bundle.ts'
import { Graph, type Precision } from '../graph/graph.ts'
import { record, toOutput, toTensor } from '../graph/recorder.ts'
import { type Architecture, foldedFcn, lastUpsampling, normalise } from './fcn.ts'
import { applyQuantised, type Ranges } from './quantise.ts'
import { shuffleKernel, upsampled } from './upsample.ts'

/** Probability of each class [n, h, w, classes], or of class 1 alone [n, h, w] where there are two. @param logits [n, h, w, classes] */
export function probability(logits: tf.Tensor4D): tf.Tensor {
  return logits.shape[3] === 2 ? tf.sigmoid(margin(logits)) : tf.softmax(logits)
}

/** By how much class 1 leads class 0 [n, h, w]. */
function margin(logits: tf.Tensor4D): tf.Tensor3D {
  const [n, h, w] = logits.shape
  const [zero, one] = [0, 1].map((id) => tf.slice(logits, [0, 0, 0, id], [n, h, w, 1]))
  return tf.reshape(tf.sub(one!, zero!), [n, h, w])
}

/** What a network says of each pixel, and of two classes the lead of the second, where that is cheaper to have than logits. */
export interface Answer {
  logits: () => tf.Tensor4D
  margin?: () => tf.Tensor3D
}

/**
 * What `serve` answers: class ids [n, h, w], share of each class [n, classes], mean probability of the mask's class [n]. Of two
 * classes the second is taken from the probability `threshold` on; left out, where it is the more probable one.
 */
export function serve(answer: Answer, classes: number, threshold?: number): Record<string, tf.Tensor> {
  if (classes === 2) {
    const lead = answer.margin?.() ?? margin(answer.logits())
    if (threshold !== undefined) return serveAt(tf.sigmoid(lead), threshold)
    const road = tf.greater(lead, 0)
    const share = tf.mean(tf.cast(road, 'float32'), [1, 2])
    return {
      mask: tf.cast(road, 'int32'),
      class_share: tf.stack([tf.sub(1, share), share], 1),
      confidence: tf.mean(tf.sigmoid(tf.abs(lead)), [1, 2]),
    }
  }
  const scores = tf.softmax(answer.logits())
  const mask = tf.argMax(scores, 3)
  const shares = Array.from({ length: classes }, (_, id) =>
    tf.mean(tf.cast(tf.equal(mask, tf.scalar(id, 'int32')), 'float32'), [1, 2]),
  )
  return { mask, class_share: tf.stack(shares, 1), confidence: tf.mean(tf.max(scores, 3), [1, 2]) }
}

/** From the probability itself, not the lead that it stands for, so that a mask is what `score` says to the last pixel. */
function serveAt(probability: tf.Tensor, threshold: number): Record<string, tf.Tensor> {
  const road = tf.greaterEqual(probability, threshold)
  const share = tf.mean(tf.cast(road, 'float32'), [1, 2])
  return {
    mask: tf.cast(road, 'int32'),
    class_share: tf.stack([tf.sub(1, share), share], 1),
    confidence: tf.mean(tf.where(road, probability, tf.sub(1, probability)), [1, 2]),
  }
}

export interface InferencePrecision {
  storage?: Precision
  compute?: Precision | 'auto'
  ranges?: Ranges
  threshold?: number
}

/**
 * Records the network for inference, batch normalisation folded and dropout gone, for any number of pictures a call.
 * Signature `serve`: pictures uint8 [n, h, w, 3] RGB to mask int32 [n, h, w], class_share float32 [n, classes] and
 * confidence float32 [n]. Signature `score`: the same pictures to probability float32 [n, h, w] of class 1, or
 * [n, h, w, classes] for more than two. Signature `logits`: what the network itself gives, to compare with.
 * With `ranges` (quantise.ts), convolutions are in 8 bits; `threshold` is that of `serve`. To compute in `auto` is in float32,
 * and beside it, of the same weights, in bfloat16.
 */
export function recordInference(
  model: tf.LayersModel,
  architecture: Architecture,
  { ranges, threshold, compute = 'float32', ...stored }: InferencePrecision = {},
): Graph {
  const [, height, width] = model.inputs[0]!.shape as [null, number, number]
  const folded = foldedFcn(model, architecture)
  const { before, kernel, stride } = lastUpsampling(folded, architecture)
  const graph = new Graph({ dynamicBatch: true, ...stored, compute: compute === 'auto' ? 'float32' : compute })
  tf.tidy(() => {
    const weights = shuffleKernel(kernel, stride)
    // The last step is linear: upsampling the lead is half the work of upsampling both and subtracting.
    const lead = architecture.classes === 2 && shuffleKernel(difference(kernel), stride)
    const beside = compute === 'auto'
    signInference(graph, { height, width, classes: architecture.classes, threshold, beside }, (pictures) => {
      const x = ranges
        ? applyQuantised(graph, before, toOutput(pictures), ranges)
        : (before.apply(normalise(pictures)) as tf.Tensor4D)
      const upsample = (by: tf.Tensor4D) => upsampled(x, by, stride, [height, width])
      return {
        logits: () => upsample(weights),
        ...(lead && { margin: () => tf.squeeze(upsample(lead), [3]) as tf.Tensor3D }),
      }
    })
  })
  folded.dispose()
  return graph
}

/** Of a kernel [size, size, 2, 2] to two classes: the second's minus the first's, [size, size, 1, 2]. */
function difference(kernel: tf.Tensor4D): tf.Tensor4D {
  const [zero, one] = tf.split(kernel, 2, 2)
  return tf.sub(one!, zero!)
}

interface Signed {
  height: number
  width: number
  classes: number
  threshold?: number | undefined
  /** Signatures in bfloat16 too. */
  beside?: boolean
}

/** Gives a graph the signatures that a bundle has, for a function of pictures [n, h, w, 3], 0 to 255. */
export function signInference(
  graph: Graph,
  { height, width, classes, threshold, beside = false }: Signed,
  network: (pictures: tf.Tensor) => Answer,
): void {
  record(graph, () => {
    const pictures = graph.placeholder('pictures', [-1, height, width, 3], 'uint8')
    const sign = (name: string, tensors: Record<string, tf.Tensor>) =>
      graph.sign(name, { pictures }, Object.fromEntries(Object.entries(tensors).map(([key, one]) => [key, toOutput(one)])))
    const signAs = (named: (signature: string) => string) => {
      const answer = network(toTensor(pictures))
      const road = answer.margin && tf.sigmoid(answer.margin())
      sign(named('serve'), serve(answer, classes, threshold))
      sign(named('score'), { probability: road ?? probability(answer.logits()) })
      return answer
    }
    const answer = signAs((name) => name)
    sign('logits', { logits: answer.logits() })
    if (!beside) return
    graph.compute = 'bfloat16'
    signAs(inBfloat16)
  })
}
