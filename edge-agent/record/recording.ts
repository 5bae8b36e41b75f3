// What stands in a recording: an MCAP file (https://mcap.dev/spec) with a channel for each kind of message of each camera, as
// JSON. Masks and pictures are foxglove.CompressedImage, which Foxglove shows as they are:
// https://docs.foxglove.dev/docs/sdk/schemas/compressed-image
import { createReadStream, readFileSync } from 'node:fs'
import { McapStreamReader } from '@mcap/core'
import { messagesSchemaFile } from '../paths.ts'

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

/** The type of edge-agent/wire.ts that each kind is, as messages.schema.json describes it. */
const types = { result: 'Result', event: 'CameraEvent', status: 'CameraStatus', stats: 'Stats' } as const

/** Name and JSON Schema of a kind. */
export function schemaOf(kind: Kind): { name: string; schema: object } {
  if (kind === 'mask' || kind === 'picture') return { name: compressedImage.title, schema: compressedImage }
  const { definitions } = JSON.parse(readFileSync(messagesSchemaFile, 'utf8')) as { definitions: Record<string, Schema> }
  return { name: `roadmask.${types[kind]}`, schema: plain(definitions[types[kind]]!, definitions)! }
}

interface Schema {
  type?: string
  description?: string
  $ref?: string
  properties?: Record<string, Schema>
  items?: Schema | Schema[]
}

/**
 * A schema as Foxglove takes it, which shows nothing of a channel whose schema has more: numbers, words, truths, objects of
 * named fields, and lists of those. Other fields are left out of the schema; they stand in the messages all the same.
 */
function plain({ $ref, ...schema }: Schema, definitions: Record<string, Schema>): Schema | undefined {
  if ($ref) return plain({ ...definitions[$ref.split('/').at(-1)!], ...schema }, definitions)
  const { type, description, properties, items } = schema
  const said = { ...(type && { type }), ...(description && { description }) }
  if (type === 'object' && properties) {
    const fields = Object.entries(properties).map(([name, field]) => [name, plain(field, definitions)] as const)
    return {
      ...said,
      properties: Object.fromEntries(fields.filter((field): field is [string, Schema] => field[1] !== undefined)),
    }
  }
  if (type === 'array' && items) {
    const item = plain(Array.isArray(items) ? items[0]! : items, definitions)
    return item && item.type !== 'array' ? { ...said, items: item } : undefined
  }
  return ['boolean', 'string', 'number', 'integer'].includes(String(type)) ? said : undefined
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

/**
 * The messages of a recording in the order they were written; of one that broke off, those that are whole. Throws where it is
 * none, or is damaged in its midst.
 */
export async function* readRecording(file: string): AsyncGenerator<Recorded> {
  const reader = new McapStreamReader()
  const topics = new Map<number, string>()
  const next = () => {
    try {
      return reader.nextRecord()
    } catch (cause) {
      throw new Error(`${file} is no recording that can be read: ${(cause as Error).message}`, { cause })
    }
  }
  for await (const bytes of createReadStream(file, { highWaterMark: 256 * 1024 })) {
    reader.append(bytes as Buffer)
    for (let record = next(); record; record = next()) {
      if (record.type === 'Channel') topics.set(record.id, record.topic)
      if (record.type !== 'Message') continue
      const json: unknown = JSON.parse(Buffer.from(record.data).toString())
      yield { topic: topics.get(record.channelId) ?? '', micros: Number(record.logTime / 1000n), json }
    }
  }
}
