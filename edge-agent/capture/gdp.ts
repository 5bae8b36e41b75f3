// The packets that GStreamer's `gdppay` makes of a stream (GStreamer Data Protocol 1.0, gst-plugins-bad gst/gdp/dataprotocol.c):
// a header of 62 bytes, big-endian, then the payload. It is how a buffer's exact time reaches us through `appsink`.
//
//   0  u8   major version, 1        10  u64  presentation time, ns     42  u16  buffer flags
//   1  u8   minor version, 0        18  u64  duration, ns              44  u64  decoding time, ns
//   2  u8   flags: 1 header CRC     26  u64  offset                    52       reserved
//   4  u16  payload type            34  u64  offset of the end         58  u16  CRC of the header
//   6  u32  payload length                                             60  u16  CRC of the payload, or 0

const headerBytes = 62
/** Payload types: a buffer, caps; events have 64 added to their own number. */
const bufferType = 1
const noTime = 0xffff_ffff_ffff_ffffn

export interface TimedBuffer {
  /** Presentation time in nanoseconds. */
  pts: bigint
  payload: Buffer
}

/**
 * The buffer in a packet; undefined where the packet is an event, caps or a buffer without a time.
 * Throws where the bytes are not a packet of version 1.
 */
export function readPacket(packet: Buffer): TimedBuffer | undefined {
  if (packet.length < headerBytes || packet[0] !== 1)
    throw new Error(
      `Expected a GDP packet: version 1 and at least ${headerBytes} bytes, found version ${packet[0]} and ${packet.length} bytes`,
    )
  const length = packet.readUInt32BE(6)
  if (packet.length !== headerBytes + length)
    throw new Error(`Expected ${length} bytes after the header of a GDP packet, found ${packet.length - headerBytes}`)
  const pts = packet.readBigUInt64BE(10)
  if (packet.readUInt16BE(4) !== bufferType || pts === noTime) return undefined
  return { pts, payload: packet.subarray(headerBytes) }
}
