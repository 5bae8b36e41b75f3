// What main and the process that segments say to each other (Node's IPC, serialization `advanced`).
import type { CameraFacts, MaskFacts } from '../facts/mask-facts.ts'
import type { Timings } from '../wire.ts'
import type { FrameHeader } from './frame-socket.ts'

export type ToSegment =
  | {
      type: 'start'
      /** Folder of the bundle. */
      bundle: string
      /** Unix socket to listen on for frames. */
      socket: string
      compute: 'auto' | 'gpu' | 'cpu'
      /** Batch sizes to warm up. */
      batches: number[]
    }
  /** What to say of each camera's masks, by camera; again whenever that changes. */
  | { type: 'facts'; cameras: Record<string, CameraFacts> }
  | { type: 'ping' }
  | { type: 'stop' }

export type FromSegment =
  /** The model is warm and frames are taken. */
  | {
      type: 'ready'
      compute: 'cpu' | 'gpu'
      /** Version of TensorFlow's library. */
      tensorflow: string
      /** What convolutions are computed in. */
      precision: string
      loadMs: number
      warmMs: number
      /** Why the model is slower here than it could be. */
      slow?: string
    }
  /** It will not work, and starting it again would not help. */
  | { type: 'refused'; reason: string }
  | { type: 'pong' }
  | MaskMade

export interface MaskMade {
  type: 'mask'
  frame: FrameHeader
  png: Uint8Array
  facts: MaskFacts
  timings: Omit<Timings, 'publish'>
  /** When it was sent, on the monotonic clock. */
  sentMonotonicMicros: number
}
