// Weights in the files that Keras and tfjs write: HDF5 (.h5, .weights.h5) and model.json with its shards.
import { open, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import * as tf from '@tensorflow/tfjs-node-gpu'

/** A weight that lies in a file; its values are read when they are asked for. */
export interface StoredWeight {
  shape: number[]
  read(): Float32Array
}

export interface WeightFile {
  /** By the path or name that the file has them under. */
  weights: Map<string, StoredWeight>
  close(): void
}

/** What every HDF5 file begins with. */
const signature = Buffer.from('\x89HDF\r\n\x1a\n', 'latin1')

/** Opens a file of weights. Throws, naming it, where it is none or is cut off. */
export async function openWeightFile(path: string): Promise<WeightFile> {
  const start = await startOf(path, signature.length)
  try {
    if (start.equals(signature)) return await openHdf5(path)
    if (start.toString().trimStart().startsWith('{')) return await openTfjs(path)
  } catch (cause) {
    throw new Error(`${path} cannot be read (${(cause as Error).message}); fetch it again`, { cause })
  }
  throw new Error(
    `Expected weights in ${path}: an HDF5 file of Keras (.h5, .weights.h5) or a model.json of tfjs, found a file that begins with ${JSON.stringify(start.toString('latin1'))}`,
  )
}

async function startOf(path: string, length: number): Promise<Buffer> {
  const file = await open(path).catch((cause: unknown) => {
    throw new Error(`Expected a file of weights, but ${path} cannot be opened`, { cause })
  })
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, 0)
    return buffer.subarray(0, bytesRead)
  } catch (cause) {
    throw new Error(`Expected a file of weights, but ${path} cannot be read`, { cause })
  } finally {
    await file.close()
  }
}

async function openHdf5(path: string): Promise<WeightFile> {
  const { Dataset, File, ready } = await import('h5wasm/node')
  const module = await ready
  module.activate_throwing_error_handler() // else it prints and goes on
  let file: InstanceType<typeof File>
  try {
    file = new File(path, 'r')
  } catch (cause) {
    throw new Error('it is damaged or cut off', { cause })
  }
  const weights: WeightFile['weights'] = new Map()
  for (const name of file.paths()) {
    const found = file.get(name)
    if (!(found instanceof Dataset) || !found.shape || found.dtype !== '<f') continue
    const shape = found.shape
    weights.set(name, {
      shape,
      read() {
        const { value } = found
        if (value instanceof Float32Array && value.length === tf.util.sizeFromShape(shape)) return value
        throw new Error(`Expected ${name} of ${path} to be float32 [${shape}], found something else`)
      },
    })
  }
  return { weights, close: () => void file.close() }
}

/** What of a tfjs model.json says where its weights are. */
interface TfjsModel {
  weightsManifest?: { paths: string[]; weights: Parameters<typeof tf.io.decodeWeights>[1] }[]
}

async function readGroups(path: string) {
  const { weightsManifest } = JSON.parse(await readFile(path, 'utf8')) as TfjsModel
  if (!weightsManifest) throw new Error('it has no weightsManifest')
  return weightsManifest
}

/** Names of the files beside a file of weights without which it cannot be read: the shards of a model.json. */
export const shardsOf = async (path: string): Promise<string[]> =>
  path.endsWith('.json') ? (await readGroups(path)).flatMap(({ paths }) => paths) : []

async function openTfjs(path: string): Promise<WeightFile> {
  const weights: WeightFile['weights'] = new Map()
  for (const { paths, weights: entries } of await readGroups(path)) {
    const shards = await Promise.all(paths.map((shard) => readFile(join(dirname(path), shard))))
    const bytes = Uint8Array.from(Buffer.concat(shards)).buffer
    const decoded = tf.io.decodeWeights(bytes, entries)
    for (const [name, tensor] of Object.entries(decoded)) {
      const values = tensor.dataSync()
      tensor.dispose()
      if (values instanceof Float32Array) weights.set(name, { shape: tensor.shape, read: () => values })
    }
  }
  return { weights, close: () => {} }
}
