// What main and a camera process say to each other (Node's IPC, serialization `advanced`).
import type { ModelInput } from '../../deploy/bundle.ts'
import type { CameraConfig, Config } from '../settings/config.ts'
import type { Chosen } from './elements.ts'
import type { CameraPicture } from './pipeline.ts'

/** Every frame is given, in order and as fast as it is taken; `finished` follows. */
export interface Replay {
  /** Number and capture time of each frame; left out, they are counted from 1 and timed as the stream says. */
  frames?: { number: number; capturedMicros: number }[]
}

export type ToCamera =
  | {
      type: 'start'
      camera: CameraConfig
      input: ModelInput
      preview: Config['preview']
      /** What the camera gave last time, which saves asking it again. */
      picture?: CameraPicture
      replay?: Replay
    }
  /** Where the process that segments listens; frames go there, straight. */
  | { type: 'segment'; socket: string }
  /** Whether anybody looks: pictures for people are made at full rate only then. */
  | { type: 'watched'; watched: boolean }
  /** How many frames a second the model may be given from now on; undefined: as many as it takes. */
  | { type: 'rate'; perSecond: number | undefined }
  /** A picture of the next frame is wanted, whoever looks. */
  | { type: 'want-picture' }
  | { type: 'stop' }

export type FromCamera =
  /** The first frame is there. */
  | { type: 'online'; picture: CameraPicture }
  /** A moment later: what GStreamer took for the heavy work. */
  | { type: 'chosen'; chosen: Chosen }
  /** The JPEG of a frame that the model was given. */
  | { type: 'picture'; frame: number; jpeg: Uint8Array }
  /** Twice a second: a sign of life with the frames so far. */
  | { type: 'alive'; frames: number }
  /** Of a replay: so many frames were there, and all are given or on their way. */
  | { type: 'finished'; frames: number }
  /**
   * The last word: why it ends, and when to start it again. `now`: a video that could not be wound back. `changed`: at once
   * too, the camera gives another picture than it did.
   */
  | { type: 'lost'; reason: string; again: 'later' | 'now' | 'changed' | 'never' }
