// What main and the process that segments say to each other (Node's IPC, serialization `advanced`).
import type { Manifest } from '../../deploy/bundle.ts'
import type { Counts } from '../facts/agreement.ts'
import type { CameraFacts, MaskFacts } from '../facts/mask-facts.ts'
import type { Timings } from '../wire.ts'
import type { FrameHeader } from './frame-socket.ts'

interface Start {
  type: 'start'
  /** Folder of the bundle. */
  bundle: string
  /** Unix socket to listen on for frames. */
  socket: string
  compute: 'auto' | 'gpu' | 'cpu'
  /** Batch sizes to warm up. */
  batches: number[]
}

export type ToSegment =
  | Start
  /** What to say of each camera's masks, by camera; again whenever that changes. */
  | { type: 'facts'; cameras: Record<string, CameraFacts> }
  /** Where single frames go with their masks, as they are asked for: the process of a model that runs beside. */
  | { type: 'beside'; socket: string | undefined }
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

export type ToShadow =
  /** Frames come with their masks. */
  | (Start & {
      /** The model that makes those masks. */
      against: Manifest
      /** A frame may take so long. */
      timeoutMs: number
    })
  | { type: 'stop' }

export type FromShadow = { type: 'ready' } | { type: 'refused'; reason: string } | Compared

/** What two models make of one frame. */
export interface Compared {
  type: 'compared'
  counts: Counts
  /** Time of the TensorFlow call for a frame, the new model's and the old one's; the latter is not there for the first frame. */
  inferMs: number
  oldInferMs?: number | undefined
  confidence: number
  oldConfidence: number
  /** How unlike the training pictures of each; absent where one of the bundles does not know those. */
  strange?: [mine: number, old: number]
}

export interface MaskMade {
  type: 'mask'
  frame: FrameHeader
  png: Uint8Array
  facts: MaskFacts
  timings: Omit<Timings, 'publish'>
  /** When it was sent, on the monotonic clock. */
  sentMonotonicMicros: number
}
