// Messages as the agent makes them, for tests of the ways out.
import type { Updates } from '../../edge-agent/update/updates.ts'
import { type CameraEvent, type CameraStatus, type MaskMessage, type OutputStats, wireVersion } from '../../edge-agent/wire.ts'

export const statusOf = (camera: string, state: CameraStatus['state'] = 'online', reason = ''): CameraStatus => ({
  version: wireVersion,
  camera,
  state,
  since_us: 1,
  reason,
})

export const eventOf = (camera: string, detail: string, sequence = 1): CameraEvent => ({
  version: wireVersion,
  id: `box-${sequence}`,
  sequence,
  camera,
  at_us: 1,
  type: 'camera_lost',
  detail,
})

/** A mask message whose bytes tell which frame it is; `bytes`: size of its picture. */
export const maskOf = (camera: string, frame: number, bytes = 0): MaskMessage => ({
  result: {
    version: wireVersion,
    camera,
    frame,
    captured_us: 1_000_000 + frame,
    age_ms: 20,
    model: 'run-1',
    width: 4,
    height: 2,
    camera_width: 40,
    camera_height: 30,
    region: [0, 5, 40, 20],
    seen: [0, 5, 40, 20],
    classes: ['other', 'road'],
    road_class: 1,
    road_percent: 12.5,
    confidence: 0.9,
    largest_area: { percent: 12, of_road_percent: 96 },
    timings_ms: { capture: 1, wait: 2, infer: 3, facts: 0.5, encode: 4, publish: 5 },
    dropped: 0,
  },
  mask: Buffer.from(`mask ${frame}`),
  picture: new Uint8Array(bytes).fill(frame),
})

export const outputStats: OutputStats = {
  mqtt: {
    version: '5',
    problem: '',
    sent_bytes: {},
    dropped: { offline: 0, slow_link: 0, refused: 0, too_large: 0, not_painted: 0 },
    outbox: { messages: 0, bytes: 0, oldest_s: 0, dropped: { full: 0, old: 0, damaged: 0 } },
  },
  websocket: { clients: 0, dropped: { slow_client: 0 } },
  streams: { clients: 0, dropped: { slow_client: 0 } },
}

/** Nothing is offered to a device that has taken nothing. */
export const noUpdates: Pick<Updates, 'wish' | 'state' | 'onChange'> = {
  wish() {},
  state: () => ({
    version: wireVersion,
    device: 'd',
    agent_version: '0.1.0',
    groups: [],
    model: { name: 'run-1' },
    state: 'idle',
    since_us: 1,
  }),
  onChange() {},
}
