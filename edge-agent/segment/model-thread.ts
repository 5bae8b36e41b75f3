// The thread in which TensorFlow works: pictures in, masks out. It is the only one that may load TensorFlow: a second one in
// the same process fails.
import { parentPort, workerData } from 'node:worker_threads'
import type { Manifest } from '../../deploy/bundle.ts'
import { loadBundle, type Masks } from '../../deploy/run-bundle.ts'

export type ToModel = Uint8Array[]
export type FromModel = { manifest: Manifest; compute: 'cpu' | 'gpu'; tensorflow: string; precision: string } | Masks

const port = parentPort!
const { manifest, compute, tensorflow, precision, serve } = await loadBundle(workerData as string)

port.on('message', (pictures: ToModel) => {
  const answer = serve(pictures.length === 1 ? pictures[0]! : Buffer.concat(pictures), pictures.length)
  const { masks, confidence } = answer
  port.postMessage(
    answer satisfies FromModel,
    [masks, confidence].map(({ buffer }) => buffer as ArrayBuffer),
  )
})
port.postMessage({ manifest, compute, tensorflow, precision } satisfies FromModel)
