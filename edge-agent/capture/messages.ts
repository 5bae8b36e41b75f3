// What main and a camera process say to each other (Node's IPC, serialization `advanced`).
import type { ModelInput } from '../../deploy/bundle.ts'
import type { CameraConfig, Config } from '../config.ts'
import type { CameraPicture } from './pipeline.ts'

export type ToCamera =
  | {
      type: 'start'
      camera: CameraConfig
      input: ModelInput
      preview: Config['preview']
      /** What the camera gave last time, which saves asking it again. */
      picture?: CameraPicture
    }
  /** Where the process that segments listens; frames go there, straight. */
  | { type: 'segment'; socket: string }
  /** Whether anybody looks: pictures for people are made at full rate only then. */
  | { type: 'watched'; watched: boolean }
  | { type: 'stop' }

export type FromCamera =
  /** The first frame is there. */
  | { type: 'online'; picture: CameraPicture }
  /** The JPEG of a frame that the model was given. */
  | { type: 'picture'; frame: number; jpeg: Uint8Array }
  /** Every second: a sign of life with the frames so far. */
  | { type: 'alive'; frames: number }
  /** The last word: why it ends, and when to start it again. `now`: a video that could not be wound back. */
  | { type: 'lost'; reason: string; again: 'later' | 'now' | 'never'; forgetPicture: boolean }
