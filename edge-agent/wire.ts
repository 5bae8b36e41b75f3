// CONTRACT: what leaves the agent. Topics, messages and the frame of a WebSocket message, typed once.
// Imports nothing, so that the dashboard, tests, examples and documents use this very file.
// JSON fields are snake_case, carry their unit in the name, and times are microseconds since 1970 (UTC).

/** Version of the messages below; raised when a reader of the old form would be misled. */
export const wireVersion = 1

/** @asType integer */
type Int = number

/** A rectangle in camera pixels, origin at the top left: [x, y, width, height]. */
export type Region = [x: number, y: number, width: number, height: number]

/** Milliseconds spent in each stage between the camera's clock and the moment the mask was handed to the outputs. */
export interface Timings {
  /** From the frame's capture time to its arrival in the inference process: decode, scale, convert and transfer. */
  capture: number
  /** Waiting for the model to be free. */
  wait: number
  /** The TensorFlow call, for the whole batch the frame was in. */
  infer: number
  /** What the mask says, in numbers: from classes by pixel to all that stands in `Result`. */
  facts: number
  /** Mask to PNG. */
  encode: number
  /** From the inference process to the outputs. */
  publish: number
}

/** A place in the camera's picture (the one that `region` lies in): 0 to 1 from its left and from its upper edge. */
export type Point = [x: number, y: number]

/** The border of a road area, or of something that it encloses. */
export interface Contour {
  /** Share that it encloses of what the mask shows of the camera's picture, 0 to 100, holes not taken off. */
  percent: number
  /** Whether it is the border of something in the road that is not road. */
  hole: boolean
  /** Corners of a closed polygon, at most so many as configured: clockwise, holes the other way round. */
  points: Point[]
}

/** How far the road reaches up the picture from its lower edge (or from the configured row above the own bonnet). */
export interface FreeSpace {
  /** For each of the equally wide sectors of what the model sees, from left to right: y of where the road ends, as in `Point`. */
  end_y: number[]
  /**
   * Distance on the ground from below the camera to there, straight ahead, for a flat road. Null where it is beyond 200 m or the
   * horizon. Only where the camera's mounting is configured.
   */
  metres?: (number | null)[]
}

/** A configured part of the picture. */
export interface ZoneFact {
  name: string
  /** Share of the zone that is road, 0 to 100; null where the model sees nothing of it. */
  road_percent: number | null
  /** Whether it held too little road for long enough, and since then not enough for long enough. */
  blocked: boolean
  /** What is seen speaks for the other state, but not yet for long enough. */
  pending?: true
}

/** Where a zone lies. */
export interface ZoneShape {
  name: string
  polygon: Point[]
}

/** Run-length encoding of the pixels that are road, as COCO has it and pycocotools reads it. */
export interface CocoMask {
  size: [height: Int, width: Int]
  counts: string
}

/** Whether the camera looks like what the model was trained on. */
export interface Drift {
  /** How strange its pictures of the last minute are: 99 % of the training pictures have less than 1. */
  score: number
  /** Whether that is an alarm. */
  active: boolean
}

/** Where the machine is, by its GPS receiver, as gpsd tells it. */
export interface Position {
  /** Degrees, WGS 84. */
  latitude: number
  longitude: number
  /** Above mean sea level; with a 3d fix only. */
  altitude_m?: number
  speed_mps?: number
  /** Direction of travel, clockwise from true north. */
  course_deg?: number
  /** How good it is: without or with altitude; the receiver's estimate of the horizontal error; the satellites it used. */
  fix: '2d' | '3d'
  error_m?: number
  satellites?: Int
  /** Age of the fix when this message was made. */
  age_ms: Int
}

/** Facts about one mask; topic `<p>/<camera>/result` and the header of a WebSocket mask message. */
export interface Result {
  version: typeof wireVersion
  camera: string
  /** Counts the frames that the camera process saw, from 1; gaps are frames that were dropped. Restarts with the process. */
  frame: Int
  captured_us: Int
  /** Age of the frame when this message was made. */
  age_ms: number
  /** Name of the bundle that made the mask. */
  model: string
  /** Size of the mask, in mask pixels. */
  width: Int
  height: Int
  /** Size of the camera's picture, and the part of it that the mask covers. With a letterbox it reaches beyond the picture. */
  camera_width: Int
  camera_height: Int
  region: Region
  /** What of the picture the model was given: where the camera has a region of its own no more than that. The rest of the mask is bars. */
  seen: Region
  /** Class names by class id, and which id is road. */
  classes: string[]
  road_class: Int
  /** Share of road in what the mask shows of the camera's picture, 0 to 100. Bars of a letterbox are neither. */
  road_percent: number
  /** Mean over the mask, bars and all, of the winning class's probability, 0 to 1. */
  confidence: number
  /** The largest connected area of road: its share of the same and of all road, 0 to 100. */
  largest_area: { percent: number; of_road_percent: number }
  /** Share of the same whose class is another one than in the camera's mask before, 0 to 100; absent in the first one. */
  changed_percent?: number
  /** Borders of the largest road areas and of the holes in them, the largest first. */
  contours?: Contour[]
  free_space?: FreeSpace
  /** By the order of the config. */
  zones?: ZoneFact[]
  /** Whether any of the zones is blocked. */
  blocked?: boolean
  rle?: CocoMask
  /** Absent until the camera was seen for half a minute, and where the bundle does not know what it was trained on. */
  drift?: Drift
  /** Absent without a fix, or where GPS is not configured. */
  position?: Position
  timings_ms: Timings
  /** Frames of this camera that were never segmented because a newer one was there, since the camera process started. */
  dropped: Int
}

export type CameraState = 'online' | 'offline' | 'disabled'

/** Topic `<p>/<camera>/status`, retained. */
export interface CameraStatus {
  version: typeof wireVersion
  camera: string
  state: CameraState
  since_us: Int
  /** Why, in words for a person; empty while all is well. */
  reason: string
}

/**
 * Topic `<p>/<camera>/event`. Delivered in order and at least once: after an outage the last ones may come twice, so a
 * subscriber passes over an event whose `sequence` is not above the one before, or whose `id` it has seen.
 */
export interface CameraEvent {
  version: typeof wireVersion
  /** The agent's outbox and `sequence`; the same whenever the same event comes again. */
  id: string
  /** Counts the events of the device from 1, over restarts. It begins anew where the agent's state folder was lost. */
  sequence: Int
  camera: string
  at_us: Int
  /**
   * What happens to the model of all cameras (it runs beside the old one, took its place, stays, was taken back, stays away) is
   * told of each of them with the same `at_us`, since whoever listens to one sees its masks change.
   */
  type:
    | 'camera_lost'
    | 'camera_back'
    | 'camera_enabled'
    | 'camera_disabled'
    | 'zone_blocked'
    | 'zone_clear'
    | 'drift_start'
    | 'drift_end'
    | 'clock_step'
    | 'model_shadow'
    | 'model_switched'
    | 'model_settled'
    | 'model_rolled_back'
    | 'model_refused'
  /**
   * How far the device's clock was set, for `clock_step`: times before it are off by so much. Each camera says so with the same
   * `at_us`, since whoever listens to one has its times to set right.
   */
  step_ms?: Int
  /** Name of the zone, for zones. */
  zone?: string
  detail: string
  /** Where the machine was; absent as in a result. */
  position?: Position
}

/** Topic `<p>/stats`, retained, every minute. */
export interface Stats {
  version: typeof wireVersion
  device: string
  at_us: Int
  uptime_s: Int
  model: string
  /** What TensorFlow computes on: `cpu` or `gpu`, or `loading` until the model is ready. */
  compute: string
  /** What its convolutions are computed in, such as `float32` or `bfloat16`; absent until the model is ready. */
  precision?: string
  /** Resident memory of each process, in MiB: `agent`, `segment`, `paint` while somebody wants overlays, `camera/<name>`. */
  memory_mib: Record<string, Int>
  cameras: Record<string, CameraStats>
  outputs: OutputStats
}

/** What went out and what did not, since the agent started. */
export interface OutputStats {
  mqtt: MqttStats
  websocket: ClientStats
  streams: ClientStats
  /** Where the agent records: messages that are in no file, because the disk was too slow or did not take them. */
  recorder?: { dropped: { slow_disk: Int; fault: Int } }
  /** Where the agent keeps hard frames: how many it has, and how many there was no time or no place for. */
  hard_frames?: { kept: Int; bytes: Int; dropped: { slow_disk: Int; fault: Int } }
}

/** Those who watch now, and what was dropped for those that take it too slowly. */
export interface ClientStats {
  clients: Int
  dropped: { slow_client: Int }
}

export interface MqttStats {
  /** MQTT version spoken, `5` or `3.1.1`; empty without a connection. */
  version: string
  /** What is wrong, in words for a person; empty while all is well. */
  problem: string
  /** Bytes of topics and payloads, by the last level of the topic. */
  sent_bytes: Record<string, Int>
  /**
   * Messages that never left: no connection, a link slower than them, refused by the broker, larger than it takes; overlays that
   * were not painted, because a newer one was to be or it went wrong.
   */
  dropped: { offline: Int; slow_link: Int; refused: Int; too_large: Int; not_painted: Int }
  outbox: OutboxStats
}

/** Events and states on their way. */
export interface OutboxStats {
  messages: Int
  /** On disk. */
  bytes: Int
  /** Age of the oldest. */
  oldest_s: Int
  /** Messages that went undelivered: there was no room, they were too old, the disk lost them. */
  dropped: { full: Int; old: Int; damaged: Int }
}

export interface CameraStats {
  state: CameraState
  /** Over the last minute. */
  camera_fps: number
  mask_fps: number
  dropped: Int
  /** Times the camera process was started again. */
  restarts: Int
  /** Median of the last minute. */
  latency_ms: number
}

export type Stage = keyof Timings

/** A line over time: a number for each point, null where nothing is known, as while the agent did not run. */
export type Line = (number | null)[]

/** Durations in milliseconds, each within 4.5 %. */
export interface DurationLines {
  median: Line
  p99: Line
}

/** What a camera was like at each point. */
export interface CameraHistory {
  road_percent: { mean: Line; least: Line; most: Line }
  masks_per_second: Line
  /** Frames that were never segmented because a newer one was there. */
  dropped_per_second: Line
  /** Age of a frame when its mask went out. */
  age_ms: DurationLines
  stages_ms: Record<Stage, DurationLines>
  /** By name: the share of each that was road, and the share of the time that it was blocked. */
  zones: Record<string, { road_percent: Line; blocked_percent: Line }>
}

/** Answer of `/api/history`: `points` points, `step_s` apart, the first one standing for the `step_s` from `from_us` on. */
export interface History {
  version: typeof wireVersion
  /** Whether the agent goes on to record. */
  recording: boolean
  from_us: Int
  step_s: Int
  points: Int
  /** All processes of the agent together; the warmest part of the machine, where it tells. */
  device: { memory_mib: { mean: Line; most: Line }; temperature_c: { mean: Line; most: Line } }
  /** Those of which something is known in this time, also of cameras that are gone. */
  cameras: Record<string, CameraHistory>
}

/** An event that the agent kept, with the picture of its moment where there is one. */
export interface KeptEvent extends CameraEvent {
  /** When the picture was taken; absent where there is none. */
  picture_us?: Int
}

/** Answer of `/api/events`, the newest first. */
export interface EventPage {
  version: typeof wireVersion
  /** Whether the agent goes on to record. */
  recording: boolean
  events: KeptEvent[]
  /** What to ask for as `before` to get the ones before these; null where there are none. */
  next: string | null
}

/** Names a release to people and programs. */
export interface ReleaseName {
  /** First 12 hex digits of the SHA-256 of what was signed. */
  id: string
  name: string
  kind: 'bundle' | 'image'
}

/** The model that a device runs, or ran before. */
export interface RunningModel {
  name: string
  /** Id of the release it came by, and when that was signed; absent where the config names the bundle. */
  release?: string
  released?: string
}

/** How the new model compared with the old one on the same frames. */
export interface ModelComparison {
  frames: Int
  /** Share of the pixels of the same class, and overlap of the road (intersection over union), 0 to 1. */
  agreement: number
  road_iou: number
  /** Time of the TensorFlow call for a frame: the new one's over the old one's, medians, measured while both work. */
  latency_ratio: number
  /** What the new one's process takes at most. */
  memory_mib: Int
  /** Means over the frames: the new one's less the old one's. */
  confidence_change: number
  /** Absent where one of the bundles does not know what it was trained on. */
  drift_change?: number
}

/**
 * Topic `<p>/update`, retained: what the device runs and what becomes of what it was offered. `refused` was never taken,
 * `failed` may yet work when it is offered again, `rolled_back` was taken back.
 */
export interface UpdateState {
  version: typeof wireVersion
  device: string
  agent_version: string
  /** The agent's own image by its digest, where it runs as a container that is updated so. */
  image?: string
  groups: string[]
  model: RunningModel
  /** The model that stays on disk to go back to. */
  previous?: RunningModel
  state: 'idle' | 'verifying' | 'downloading' | 'shadow' | 'trial' | 'settled' | 'refused' | 'failed' | 'rolled_back'
  /** What `state` is about. */
  release?: ReleaseName
  progress?: { bytes: Int; of: Int }
  comparison?: ModelComparison
  /** Why, for a person. */
  reason?: string
  since_us: Int
}

/** Topic `<p>/update/set`, and that of a group and of the fleet: retained; empty where nothing is wanted. */
export type UpdateWish =
  | {
      /** A DSSE envelope: deploy/release.ts. */
      release: { payloadType: string; payload: string; signatures: { keyid: string; sig: string }[] }
      /** The folder that holds manifest.json and its files; not for images. */
      url?: string
    }
  /**
   * Back to the model before. On the device's own topic alone; each `id` once. With `from` only where the device runs that release
   * or is about to, so that it may be retained.
   */
  | { rollback: true; id: string; from?: string }

/** Every topic the agent uses. `p` is `<prefix>/<device>`. */
export function topics(prefix: string, device: string) {
  const p = `${prefix}/${device}`
  return {
    available: `${p}/available`,
    stats: `${p}/stats`,
    camera: (camera: string) => ({
      status: `${p}/${camera}/status`,
      mask: `${p}/${camera}/mask`,
      result: `${p}/${camera}/result`,
      event: `${p}/${camera}/event`,
      overlay: `${p}/${camera}/overlay`,
      enabled: `${p}/${camera}/enabled`,
      enabledSet: `${p}/${camera}/enabled/set`,
    }),
  }
}

/** Where models are offered, and what becomes of them. No device is named `group` or `fleet`. */
export const updateTopics = (prefix: string, device: string) => ({
  state: `${prefix}/${device}/update`,
  set: `${prefix}/${device}/update/set`,
  group: (group: string) => `${prefix}/group/${group}/update/set`,
  fleet: `${prefix}/fleet/update/set`,
})

/** First thing a WebSocket client hears, and again when the settings change. */
export interface Hello {
  type: 'hello'
  version: typeof wireVersion
  device: string
  model: string
  cameras: CameraStatus[]
  /** By camera, of those that have some. */
  zones: Record<string, ZoneShape[]>
  /** Whether hard frames are kept, so that an operator can ask for one. */
  collecting: boolean
}

/** Text messages of the WebSocket at `/ws`. Masks come as binary messages, see `packMask`. */
export type SocketMessage =
  | Hello
  | ({ type: 'status' } & CameraStatus)
  | { type: 'event'; event: CameraEvent } // an event has a `type` of its own
  | ({ type: 'stats' } & Stats)

/** The one text message that the WebSocket takes: of which cameras masks are sent from now on. All, until a client says so. */
export interface SocketWish {
  masks: 'all' | string[]
}

/** A mask with its facts and, when there is a new one, the JPEG of the same frame. */
export interface MaskMessage {
  result: Result
  /** PNG: one bit a pixel, white is road, for two classes; else a palette picture whose indices are class ids. */
  mask: Uint8Array
  /** JPEG of the whole camera picture, or empty. */
  picture: Uint8Array
}

/**
 * One binary WebSocket message: u32 length of the JSON, u32 length of the mask (both big-endian), the JSON of `Result`
 * in UTF-8, the mask's PNG, and the picture's JPEG (the rest; may be empty).
 */
export function packMask({ result, mask, picture }: MaskMessage): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify(result))
  const bytes = new Uint8Array(8 + json.length + mask.length + picture.length)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, json.length)
  view.setUint32(4, mask.length)
  bytes.set(json, 8)
  bytes.set(mask, 8 + json.length)
  bytes.set(picture, 8 + json.length + mask.length)
  return bytes
}

/** Reverse of `packMask`. Throws where the lengths do not fit the bytes. */
export function unpackMask(bytes: Uint8Array): MaskMessage {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const jsonLength = bytes.length >= 8 ? view.getUint32(0) : 0
  const maskEnd = 8 + jsonLength + (bytes.length >= 8 ? view.getUint32(4) : 0)
  if (bytes.length < 8 || maskEnd > bytes.length)
    throw new Error(`Expected a mask message of at least ${Math.max(8, maskEnd)} bytes, found ${bytes.length}`)
  return {
    result: JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + jsonLength))) as Result,
    mask: bytes.subarray(8 + jsonLength, maskEnd),
    picture: bytes.subarray(maskEnd),
  }
}
