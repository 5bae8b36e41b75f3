// A recorded graph on disk as a SavedModel, and at work.
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type * as tf from '@tensorflow/tfjs-node-gpu'
import { openSavedModel, type Session } from '../../deploy/saved-model.ts'
import { type DataType, type Graph, type Output, opened, savedModel } from './graph.ts'

/** Writes the graph as a SavedModel, which any TensorFlow from 2.12 on loads. `dir` must exist. */
export async function writeSavedModel(graph: Graph, dir: string): Promise<void> {
  const pieces = savedModel(graph)
  const file = await open(join(dir, 'saved_model.pb'), 'w')
  try {
    // Piece by piece (writev takes at most 1024), so that large constants are not copied.
    for (let i = 0; i < pieces.length; i += 1000) await file.writev(pieces.slice(i, i + 1000))
  } finally {
    await file.close()
  }
}

/** What a call may bring for an input: tfjs has no uint8. */
const fedAs: Partial<Record<DataType, readonly string[]>> = { uint8: ['bool', 'int32'] }

/** TensorFlow takes what it is fed: with another number of pictures a graph would compute, and wrongly. */
function expectInputs(signature: string, inputs: Record<string, Output>, fed: Record<string, tf.Tensor>): void {
  const names = Object.keys(inputs)
  const unknown = Object.keys(fed).find((name) => !inputs[name])
  const missing = names.find((name) => !fed[name])
  if (unknown ?? missing)
    throw new Error(
      `Expected the inputs ${names.join(', ')} of ${signature}, found ${unknown ? `${unknown} too` : `no ${missing}`}`,
    )
  for (const [name, { shape, dtype }] of Object.entries(inputs)) {
    const tensor = fed[name]!
    const sizes = opened(shape)
    const fits = tensor.shape.length === sizes.length && tensor.shape.every((size, i) => sizes[i] === -1 || size === sizes[i])
    if (!fits || !(fedAs[dtype] ?? [dtype]).includes(tensor.dtype))
      throw new Error(
        `Expected ${dtype} of shape [${sizes}] for the input ${name} of ${signature}, found ${tensor.dtype} [${tensor.shape}]`,
      )
  }
}

/** Loads a graph that was just recorded, through a temporary folder. Calls throw where inputs are not as they were recorded. */
export async function openSession(graph: Graph): Promise<Session> {
  const dir = await mkdtemp(join(tmpdir(), 'roadmask-graph-'))
  try {
    await writeSavedModel(graph, dir)
    const session = await openSavedModel(dir, Object.keys(graph.signatures))
    return {
      call(signature, fed) {
        const inputs = graph.signatures[signature]?.inputs
        if (inputs) expectInputs(signature, inputs, fed)
        return session.call(signature, fed)
      },
      close: () => session.close(),
    }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}
