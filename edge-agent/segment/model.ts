// The bundle at work beside this thread: TensorFlow's calls block a thread of their own, and frames and masks go on meanwhile.
import { Worker } from 'node:worker_threads'
import type { Manifest } from '../../deploy/bundle.ts'
import type { Masks } from '../../deploy/run-bundle.ts'
import type { FromModel, ToModel } from './model-thread.ts'

export interface Model {
  manifest: Manifest
  compute: 'cpu' | 'gpu'
  tensorflow: string
  precision: string
  /** Masks of the pictures, uint8 RGB of the manifest's input size. One call at a time. */
  serve(pictures: Uint8Array[]): Promise<Masks>
}

/** Loads a bundle. Throws what is wrong with it; an error later ends the process. */
export function openModel(dir: string): Promise<Model> {
  const worker = new Worker(new URL('./model-thread.js', import.meta.url), { workerData: dir })
  return new Promise((opened, failed) => {
    let answer: ((masks: Masks) => void) | undefined
    worker.on('error', (error) => {
      if (answer) throw error
      failed(error)
    })
    worker.on('message', (message: FromModel) => {
      if ('masks' in message) return answer?.(message)
      opened({
        ...message,
        serve: (pictures) =>
          new Promise((resolve) => {
            answer = resolve
            worker.postMessage(pictures satisfies ToModel) // a copy: facts look at them afterwards
          }),
      })
    })
  })
}

/** The first calls of each batch size are slow: TensorFlow plans, and a GPU searches for its fastest convolutions. */
export async function warmUp({ manifest: { input }, serve }: Model, batches: number[]): Promise<void> {
  const picture = () => new Uint8Array(input.width * input.height * 3)
  for (const n of batches) for (let i = 0; i < 2; i++) await serve(Array.from({ length: n }, picture))
}

/** TensorFlow's words where memory is short, which may pass. Any other reason not to load a model will stay. */
export const outOfMemory = /OOM|out of memory|resource exhausted/i

export const noGpu =
  'The config wants "compute: gpu", but TensorFlow found no GPU it can use and would compute on the CPU. ' +
  '"npm run doctor" says what it found; "compute: auto" takes what there is.'
