// What stands in a recording: an MCAP file (https://mcap.dev/spec) with a channel for each kind of message of each camera, as
// JSON. Masks and pictures are foxglove.CompressedImage, which Foxglove shows as they are:
// https://docs.foxglove.dev/docs/sdk/schemas/compressed-image
import { createReadStream } from 'node:fs'
import { McapStreamReader } from '@mcap/core'

export type Kind = 'mask' | 'picture' | 'result' | 'event' | 'status' | 'stats'

/** `/<camera>/<kind>`; what is of no camera, `/<kind>`. */
export const topicOf = (kind: Kind, camera?: string) => (camera === undefined ? `/${kind}` : `/${camera}/${kind}`)

const seconds = { type: 'object', title: 'time', properties: { sec: { type: 'integer' }, nsec: { type: 'integer' } } }
const compressedImage = {
  title: 'foxglove.CompressedImage',
  type: 'object',
  properties: {
    timestamp: seconds,
    frame_id: { type: 'string' },
    data: { type: 'string', contentEncoding: 'base64' },
    format: { type: 'string', description: 'png or jpeg' },
  },
}
/** The messages of edge-agent/wire.ts, which describes their fields. */
const ofWire = (title: string) => ({ name: `roadmask.${title}`, schema: { title: `roadmask.${title}`, type: 'object' } })

/** Name and JSON Schema of each kind. */
export const schemas: Record<Kind, { name: string; schema: object }> = {
  mask: { name: 'foxglove.CompressedImage', schema: compressedImage },
  picture: { name: 'foxglove.CompressedImage', schema: compressedImage },
  result: ofWire('Result'),
  event: ofWire('CameraEvent'),
  status: ofWire('CameraStatus'),
  stats: ofWire('Stats'),
}

/** A picture as a message. */
export const imageMessage = (camera: string, micros: number, format: 'png' | 'jpeg', bytes: Uint8Array) => ({
  timestamp: { sec: Math.floor(micros / 1e6), nsec: (micros % 1e6) * 1000 },
  frame_id: camera,
  format,
  data: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64'),
})

export interface Recorded {
  topic: string
  micros: number
  json: unknown
}

/** The messages of a recording in the order they were written; of one that broke off, those that are whole. */
export async function* readRecording(file: string): AsyncGenerator<Recorded> {
  const reader = new McapStreamReader()
  const topics = new Map<number, string>()
  for await (const bytes of createReadStream(file, { highWaterMark: 256 * 1024 })) {
    reader.append(bytes as Buffer)
    for (let record = reader.nextRecord(); record; record = reader.nextRecord()) {
      if (record.type === 'Channel') topics.set(record.id, record.topic)
      if (record.type !== 'Message') continue
      const json: unknown = JSON.parse(Buffer.from(record.data).toString())
      yield { topic: topics.get(record.channelId) ?? '', micros: Number(record.logTime / 1000n), json }
    }
  }
}
