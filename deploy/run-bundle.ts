// A bundle as a function: pictures in, masks out. The one way to run a model, used by evaluate and by the agent, so that a
// picture gets the same mask in both.
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs-node-gpu'
import type { NodeJSKernelBackend } from '@tensorflow/tfjs-node-gpu/dist/nodejs_kernel_backend.js'
import { inBfloat16, type Manifest, openBundle } from './bundle.ts'
import { nativePrecision } from './native-precision.ts'
import { openSavedModel } from './saved-model.ts'

export interface Masks {
  /** Class ids, [n, height, width]. */
  masks: Int32Array
  /** Mean over each mask of the winning class's probability, [n]. */
  confidence: Float32Array
}

export interface RunningBundle {
  manifest: Manifest
  /** What TensorFlow computes on. */
  compute: 'cpu' | 'gpu'
  /** Version of TensorFlow's library. */
  tensorflow: string
  /** What convolutions are computed in. */
  precision: string
  /** Masks of `n` pictures: uint8 RGB [n, height, width, 3] of the manifest's input size. Blocks until they are there. */
  serve(pictures: Uint8Array, n: number): Masks
  /** Probability of road [n, height, width] where there are two classes, else of every class [n, height, width, classes]. */
  score(pictures: Uint8Array, n: number): Float32Array
  /** Gives TensorFlow's memory back. */
  dispose(): void
}

/** Opens a bundle, checks its files and loads its model. Throws what is wrong with it. */
export async function loadBundle(dir: string): Promise<RunningBundle> {
  const { manifest } = await openBundle(dir)
  const { binding, isUsingGpuDevice } = tf.backend() as NodeJSKernelBackend
  const compute = isUsingGpuDevice ? 'gpu' : 'cpu'
  const stated = manifest.precision?.compute ?? 'float32'
  const halved = stated === 'auto' && (await nativePrecision(compute))?.bfloat16 === true
  const [serve, score] = halved ? [inBfloat16('serve'), inBfloat16('score')] : ['serve', 'score']
  const session = await openSavedModel(join(dir, 'model'), [serve, score])
  const { width, height } = manifest.input

  function call(signature: string, pictures: Uint8Array, n: number): Record<string, tf.Tensor> {
    const expected = n * height * width * 3
    if (pictures.length !== expected)
      throw new Error(`Expected ${n} pictures of ${width} x ${height} RGB, ${expected} bytes, found ${pictures.length} bytes`)
    // As bool, tfjs-node hands the bytes over without making 32-bit numbers of them.
    const tensor = tf.tensor4d(pictures, [n, height, width, 3], 'bool')
    try {
      return session.call(signature, { pictures: tensor })
    } finally {
      tensor.dispose()
    }
  }

  const valuesOf = <T>(output: tf.Tensor | undefined) => output!.dataSync() as T

  return {
    manifest,
    compute,
    tensorflow: binding.TF_Version ?? '',
    precision: stated !== 'auto' ? stated : halved ? 'bfloat16' : 'float32',
    serve(pictures, n) {
      const outputs = call(serve, pictures, n)
      const answer = { masks: valuesOf<Int32Array>(outputs.mask), confidence: valuesOf<Float32Array>(outputs.confidence) }
      tf.dispose(outputs) // the share of each class too, which the facts tell better: they know the bars
      return answer
    },
    score(pictures, n) {
      const outputs = call(score, pictures, n)
      const probability = valuesOf<Float32Array>(outputs.probability)
      tf.dispose(outputs)
      return probability
    },
    dispose: () => session.close(),
  }
}
