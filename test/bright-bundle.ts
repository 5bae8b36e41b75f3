// A bundle whose model is a formula: road is where a picture is brighter than mid-grey. It loads and answers at once, and a
// test knows what it must say.
import * as tf from '@tensorflow/tfjs-node-gpu'
import { type Manifest, type ModelInput, writeBundle } from '../deploy/bundle.ts'
import { Graph, savedModel } from '../trainer/graph/graph.ts'
import { signInference } from '../trainer/model/export.ts'

/** A number that takes time. */
function waste(from: tf.Tensor, products: number): tf.Tensor {
  let product = tf.mul(tf.ones([1024, 1024]), from) as tf.Tensor2D
  for (let i = 0; i < products; i++) product = tf.div(tf.matMul(product, product), 1e6)
  return tf.mean(product)
}

/** Writes the bundle into `dir`, which must not exist, and returns its input. */
export async function writeBrightBundle(
  dir: string,
  {
    name = 'bright',
    looks,
    card,
    threshold = 127.5,
    products = 0,
    road: roadName = 'road',
    ...size
  }: Partial<ModelInput> & {
    name?: string
    looks?: Manifest['looks']
    card?: string
    /** Grey from which on it is road. */
    threshold?: number
    /** Makes it slow: so many products of large matrices that change nothing. */
    products?: number
    /** Name of the class. */
    road?: string
  } = {},
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
    const quick = tf.div(tf.sub(grey, threshold), 8)
    const road = products ? tf.add(quick, tf.mul(waste(tf.mean(grey), products), 1e-30)) : quick
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
        { name: roadName, colour: '#00c86e' },
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
