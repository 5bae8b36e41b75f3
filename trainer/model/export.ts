// The trained network as the graph that goes onto the device: camera bytes in, mask out.
import * as tf from '@tensorflow/tfjs-node-gpu'
import { Graph, type Output, type Precision } from '../graph/graph.ts'
import { record, toOutput, toTensor } from '../graph/recorder.ts'
import { type Architecture, foldedFcn, normalise } from './fcn.ts'

/** Probability of each class [n, h, w, classes], or of class 1 alone [n, h, w] where there are two. @param logits [n, h, w, classes] */
export function probability(logits: tf.Tensor4D): tf.Tensor {
  const [n, h, w, classes] = logits.shape
  if (classes !== 2) return tf.softmax(logits)
  return tf.sigmoid(
    tf.reshape(tf.sub(tf.slice(logits, [0, 0, 0, 1], [n, h, w, 1]), tf.slice(logits, [0, 0, 0, 0], [n, h, w, 1])), [n, h, w]),
  )
}

/** What `serve` answers, from logits: class ids [n, h, w], share of each class [n, classes], mean probability of the winning class [n]. */
function answer(logits: tf.Tensor4D) {
  const classes = logits.shape[3]
  const scores = probability(logits)
  const mask = classes === 2 ? tf.cast(tf.greater(scores, 0.5), 'int32') : (tf.argMax(scores, 3) as tf.Tensor)
  const winner = classes === 2 ? tf.maximum(scores, tf.sub(1, scores)) : tf.max(scores, 3)
  const shares = Array.from({ length: classes }, (_, id) =>
    tf.mean(tf.cast(tf.equal(mask, tf.scalar(id, 'int32')), 'float32'), [1, 2]),
  )
  return { mask, class_share: tf.stack(shares, 1), confidence: tf.mean(winner, [1, 2]) }
}

/**
 * Records the network for inference, batch normalisation folded and dropout gone, for any number of pictures a call.
 * Signature `serve`: pictures uint8 [n, h, w, 3] RGB to mask int32 [n, h, w], class_share float32 [n, classes] and
 * confidence float32 [n]. Signature `score`: the same pictures to probability float32 [n, h, w] of class 1, or
 * [n, h, w, classes] for more than two. Signature `logits`: what the network itself gives, to compare with.
 */
export function recordInference(
  model: tf.LayersModel,
  architecture: Architecture,
  precision: { storage?: Precision; compute?: Precision } = {},
): Graph {
  const [, height, width] = model.inputs[0]!.shape as [null, number, number]
  const folded = foldedFcn(model, architecture)
  const graph = new Graph({ dynamicBatch: true, ...precision })
  signInference(graph, { height, width }, (pictures) => folded.apply(normalise(pictures)) as tf.Tensor4D)
  folded.dispose()
  return graph
}

/**
 * Gives a graph the signatures that a bundle has, for a function from pictures [n, h, w, 3], 0 to 255, to logits
 * [n, h, w, classes]. Recorded with two pictures, so that no size of 1 is taken for the number of pictures.
 */
export function signInference(
  graph: Graph,
  size: { height: number; width: number },
  network: (pictures: tf.Tensor) => tf.Tensor4D,
): void {
  record(graph, () => {
    const pictures = graph.placeholder('pictures', [2, size.height, size.width, 3], 'uint8')
    const logits = network(toTensor(pictures))
    const outputs = (tensors: Record<string, tf.Tensor>): Record<string, Output> =>
      Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, toOutput(tensor)]))
    graph.sign('serve', { pictures }, outputs(answer(logits)))
    graph.sign('score', { pictures }, outputs({ probability: probability(logits) }))
    graph.sign('logits', { pictures }, outputs({ logits }))
  })
}
