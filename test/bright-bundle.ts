// A bundle whose model is a formula: road is where a picture is brighter than mid-grey. It loads and answers at once, and a
// test knows what it must say.
import * as tf from '@tensorflow/tfjs-node-gpu'
import { type Manifest, type ModelInput, writeBundle } from '../deploy/bundle.ts'
import { Graph, savedModel } from '../trainer/graph/graph.ts'
import { signInference } from '../trainer/model/export.ts'

/** Writes the bundle into `dir`, which must not exist, and returns its input. */
export async function writeBrightBundle(
  dir: string,
  {
    name = 'bright',
    looks,
    card,
    ...size
  }: Partial<ModelInput> & { name?: string; looks?: Manifest['looks']; card?: string } = {},
): Promise<ModelInput> {
  const input: ModelInput = {
    width: 96,
    height: 64,
    fit: 'crop',
    resizer: 'bilinear',
    matrix: 'bt601',
    range: 'video',
    ...size,
  }
  const graph = new Graph({ dynamicBatch: true })
  signInference(graph, { ...input, classes: 2 }, (pictures) => {
    const grey = tf.mean(tf.cast(pictures, 'float32'), 3, true)
    const road = tf.div(tf.sub(grey, 127.5), 8)
    const logits = tf.concat([tf.zerosLike(road), road], 3) as tf.Tensor4D
    return { logits: () => logits }
  })
  await writeBundle(
    dir,
    {
      name,
      created: '2026-01-01T00:00:00Z',
      architecture: { net: 'fcn8s', encoder: 'vgg16', width: 0, fc: 0, batchNorm: false, parameters: 0 },
      input,
      classes: [
        { name: 'other', colour: '#000000' },
        { name: 'road', colour: '#00c86e' },
      ],
      road: 1,
      measures: { road_iou: 0.971, fpr: 0.02 },
      ...(looks && { looks }),
      data: [],
      commit: 'none',
      settings: {},
    },
    { 'model/saved_model.pb': Buffer.concat(savedModel(graph)), ...(card && { 'README.md': Buffer.from(card) }) },
  )
  return input
}
