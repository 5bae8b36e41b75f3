// TensorBoard's event files: records of protocol buffers, tensorflow/core/util/event.proto and framework/summary.proto.
import { graphDef, type Node } from './graph.ts'
import { bytes, double, float, int, type Message } from './protobuf.ts'

/** CRC-32C (Castagnoli, RFC 3720 appendix B.4), bit by bit from a table. */
const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  return crc
})

export function crc32c(data: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of data) crc = (crc >>> 8) ^ crcTable[(crc ^ byte) & 0xff]!
  return ~crc >>> 0
}

/** A record of a TFRecord file: length, its checksum, data, its checksum (tensorflow/core/lib/io/record_writer.h). */
export function record(data: Uint8Array): Message {
  const header = new DataView(new ArrayBuffer(12))
  const footer = new DataView(new ArrayBuffer(4))
  // A checksum of data that holds checksums is weak, so they are stored turned and moved.
  const masked = (crc: number) => (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
  header.setBigUint64(0, BigInt(data.length), true)
  header.setUint32(8, masked(crc32c(new Uint8Array(header.buffer, 0, 8))), true)
  footer.setUint32(0, masked(crc32c(data)), true)
  return [new Uint8Array(header.buffer), data, new Uint8Array(footer.buffer)]
}

/** What happened: an event without its time. */
export type Happening = Message

/** The record of one event. @param time seconds since 1970 */
export const event = (time: number, happening: Happening): Message => record(Buffer.concat([...double(1, time), ...happening]))

/** A file of events, its version first. @param time seconds since 1970, of all of them */
export const eventFile = (time: number, happenings: readonly Happening[]): Message =>
  [bytes(3, 'brain.Event:2'), ...happenings].flatMap((one) => event(time, one))

/** A graph as viewers take it; see graph-view.ts. */
export const graphEvent = (nodes: readonly Node[]): Happening => bytes(4, graphDef({ nodes: [...nodes] }))

/** A new start: a TensorBoard that is running forgets what it has read. */
export const startEvent: Happening = bytes(7, int(1, 1))

/** Numbers by their tags; those that are none are left out. */
export const scalarsEvent = (step: number, scalars: Readonly<Record<string, number>>): Happening => [
  ...int(2, step),
  ...bytes(
    5,
    Object.entries(scalars).flatMap(([tag, value]) =>
      Number.isFinite(value) ? bytes(1, [...bytes(1, tag), ...float(2, value)]) : [],
    ),
  ),
]

/** A picture: an RGB JPEG or PNG. */
export const pictureEvent = (step: number, tag: string, file: Uint8Array, width: number, height: number): Happening => [
  ...int(2, step),
  ...bytes(
    5,
    bytes(1, [...bytes(1, tag), ...bytes(4, [...int(1, height), ...int(2, width), ...int(3, 3), ...bytes(4, file)])]),
  ),
]
