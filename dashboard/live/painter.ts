// The page's end of paint-worker.ts: one worker for all tiles, each of which has one drawing under way at most.
import type { Painted, Wanted } from './paint-worker.ts'

export interface Brush {
  /** Draws a frame, or with no message the last one again; undefined where there is none. Throws where it cannot be drawn. */
  paint(wanted: Omit<Wanted, 'tile'>): Promise<ImageBitmap | undefined>
  /** Lets go of the last frame. */
  forget(): void
}

type Waiting = { done(bitmap: ImageBitmap | undefined): void; failed(error: Error): void }

const waiting = new Map<number, Waiting>()
let worker: Worker | undefined
let tiles = 0

function theWorker(): Worker {
  if (worker) return worker
  worker = new Worker(new URL('./paint-worker.js', import.meta.url), { type: 'module' })
  worker.onmessage = ({ data: { tile, bitmap, fault } }: MessageEvent<Painted>) => {
    const { done, failed } = waiting.get(tile) ?? {}
    waiting.delete(tile)
    if (fault !== undefined) failed?.(new Error(fault))
    else if (done) done(bitmap)
    else bitmap?.close()
  }
  worker.onerror = ({ message }) => {
    // Its module did not load, as when the agent went away just then: the next drawing tries again.
    worker?.terminate()
    worker = undefined
    for (const { failed } of waiting.values())
      failed(new Error(`The worker that draws failed: ${message || 'it did not load'}`))
    waiting.clear()
  }
  return worker
}

theWorker() // it loads while the page does

export function takeBrush(): Brush {
  const tile = tiles++
  return {
    paint({ message, ...wanted }) {
      // Bytes of their own, which move to the worker; the message's lie in one buffer with everything else of it.
      const mask = message && new Uint8Array(message.mask)
      const picture = message && new Uint8Array(message.picture)
      const moved = message && mask && picture && { message: { result: message.result, mask, picture } }
      return new Promise((done, failed) => {
        waiting.set(tile, { done, failed })
        theWorker().postMessage({ tile, ...wanted, ...moved } satisfies Wanted, moved ? [mask.buffer, picture.buffer] : [])
      })
    },
    forget() {
      waiting.get(tile)?.done(undefined)
      waiting.delete(tile)
      worker?.postMessage({ forget: tile })
    },
  }
}
