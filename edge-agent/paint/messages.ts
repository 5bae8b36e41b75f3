// What main and the process that paints say to each other (Node's IPC, serialization `advanced`).
import type { Result } from '../wire.ts'

/** What of a mask's facts is needed to find its road in the picture. */
export type Place = Pick<Result, 'camera_width' | 'camera_height' | 'region' | 'classes' | 'road_class'>

/** `overlay`: the road tinted, with its outline. `blur`: all but the road made unrecognisable. */
export type Work = 'overlay' | 'blur'

export type ToPaint =
  | { type: 'paint'; job: number; work: Work; picture: Uint8Array; mask: Uint8Array; place: Place }
  | { type: 'stop' }

export type FromPaint = { type: 'painted'; job: number; jpeg: Uint8Array } | { type: 'failed'; job: number; reason: string }
