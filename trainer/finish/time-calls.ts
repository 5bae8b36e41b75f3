// How long a SavedModel's calls take on this machine.
import { randomBytes } from 'node:crypto'
import { cpus } from 'node:os'
import * as tf from '@tensorflow/tfjs-node-gpu'
import type { NodeJSKernelBackend } from '@tensorflow/tfjs-node-gpu/dist/nodejs_kernel_backend.js'
import { openSavedModel } from '../../deploy/saved-model.ts'
import type { Signature } from '../graph/graph.ts'
import { median } from '../report/quantile.ts'

export interface Timing {
  signature: string
  /** Pictures a call. */
  batch: number
  /** Median of `calls` calls, from the pictures' bytes to the answers' values. */
  milliseconds: number
  calls: number
}

/**
 * Times calls of each signature with each number of pictures, one after the other in turn, so that all have the same share of
 * what else the machine does. Takes some `seconds`, and at least five calls of each; the pictures are noise.
 */
export async function timeCalls(
  dir: string,
  signatures: Record<string, Signature>,
  { batches, seconds }: { batches: readonly number[]; seconds: number },
): Promise<Timing[]> {
  const names = Object.keys(signatures)
  const session = await openSavedModel(dir, names)
  const cases = names.flatMap((signature) =>
    batches.map((batch) => ({ signature, batch, inputs: noise(signatures[signature]!, batch), times: [] as number[] })),
  )
  const call = ({ signature, inputs }: (typeof cases)[number]) => {
    const began = performance.now()
    const outputs = session.call(signature, inputs)
    for (const output of Object.values(outputs)) output.dataSync()
    const took = performance.now() - began
    tf.dispose(outputs)
    return took
  }
  // The first calls choose kernels and reorder weights.
  for (const one of cases) for (let i = 0; i < 2; i++) call(one)
  const until = performance.now() + 1000 * seconds
  do for (const one of cases) one.times.push(call(one))
  while (cases[0]!.times.length < 5 || performance.now() < until)
  for (const { inputs } of cases) tf.dispose(inputs)
  session.close()
  return cases.map(({ signature, batch, times }) => ({
    signature,
    batch,
    milliseconds: median(times),
    calls: times.length,
  }))
}

/** What a picture takes a model, alone in its call: the median of some half second, and at least five calls, on this machine. */
export interface Latency {
  milliseconds: number
  /** `AMD EPYC 7B13, 2 cores`, or `GPU`. */
  machine: string
}

/** Times `score` with one picture of noise. */
export function timePicture(
  score: (pictures: Uint8Array, n: number) => Float32Array,
  { width, height }: { width: number; height: number },
): Latency {
  const picture = new Uint8Array(randomBytes(width * height * 3))
  const times: number[] = []
  for (let i = 0; i < 2; i++) score(picture, 1)
  const until = performance.now() + 500
  while (times.length < 5 || performance.now() < until) {
    const began = performance.now()
    score(picture, 1)
    times.push(performance.now() - began)
  }
  const gpu = (tf.backend() as NodeJSKernelBackend).isUsingGpuDevice
  const processors = cpus()
  return {
    milliseconds: median(times),
    machine: gpu ? 'GPU' : `${processors[0]?.model.trim() ?? 'CPU'}, ${processors.length} cores`,
  }
}

function noise(signature: Signature, batch: number): Record<string, tf.Tensor> {
  return Object.fromEntries(
    Object.entries(signature.inputs).map(([name, { shape, dtype }]) => {
      if (dtype !== 'uint8') throw new Error(`Expected an input of uint8 pictures, found ${name} of type ${dtype}`)
      const sizes = shape.map((size) => (size === -1 ? batch : size))
      return [name, tf.tensor(new Uint8Array(randomBytes(tf.util.sizeFromShape(sizes))), sizes, 'bool')]
    }),
  )
}
