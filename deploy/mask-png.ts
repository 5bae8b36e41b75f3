// A mask as a PNG (ISO/IEC 15948; W3C PNG): one bit a pixel where there are two classes, white is road; else 8-bit palette
// whose indices are class ids. The frame's facts stand in text chunks, so that a saved file still explains itself.
import { crc32, deflateSync, inflateSync } from 'node:zlib'

export interface MaskLook {
  width: number
  height: number
  /** By class id: colours as #rrggbb. */
  colours: string[]
  /** The class id that is road. */
  road: number
}

const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
/** Each byte minus the one above it: most rows of a mask are like the row above, so nearly all bytes become 0. */
const upFilter = 2

/** The PNG of `ids`, class ids [height, width]. `text` by keyword; plain ASCII goes into tEXt, anything else into iTXt. */
export function encodeMask(ids: Int32Array, look: MaskLook, text: Record<string, string>): Buffer {
  const { width, height } = look
  if (ids.length !== width * height)
    throw new Error(`Expected ${width * height} class ids for ${width} x ${height}, found ${ids.length}`)
  const binary = look.colours.length === 2
  const rows = binary ? bits(ids, look) : bytes(ids, look)
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set(binary ? [1, 0] : [8, 3], 8) // bit depth, colour type: grey or palette
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    ...(binary ? [] : [chunk('PLTE', Buffer.from(look.colours.map((colour) => colour.slice(1)).join(''), 'hex'))]),
    ...Object.entries(text).map(textChunk),
    chunk('IDAT', deflateSync(rows, { level: 1 })),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

/** Reverse of `encodeMask`, for its pictures alone: 1 is road where there are two classes, else class ids. */
export function decodeMask(png: Uint8Array): { width: number; height: number; ids: Uint8Array } {
  const file = Buffer.from(png.buffer, png.byteOffset, png.byteLength)
  const refuse = (found: string) => new Error(`Expected a PNG of a mask, found ${found}`)
  if (!file.subarray(0, 8).equals(signature) || file.length < 33) throw refuse(`${file.length} bytes of something else`)
  const [width, height, depth, colour] = [file.readUInt32BE(16), file.readUInt32BE(20), file[24]!, file[25]!]
  const binary = depth === 1 && colour === 0
  if (!binary && (depth !== 8 || colour !== 3)) throw refuse(`one of colour type ${colour} with ${depth} bits`)
  const data: Buffer[] = []
  for (let at = 8; at + 12 <= file.length; at += 12 + file.readUInt32BE(at))
    if (file.toString('latin1', at + 4, at + 8) === 'IDAT') data.push(file.subarray(at + 8, at + 8 + file.readUInt32BE(at)))
  const stride = binary ? Math.ceil(width / 8) : width
  const rows = inflateSync(Buffer.concat(data), { maxOutputLength: (1 + stride) * height })
  const ids = new Uint8Array(width * height)
  const row = new Uint8Array(stride)
  for (let y = 0, at = 0, out = 0; y < height; y++) {
    if (rows[at++] !== upFilter) throw refuse('one that was written by another program')
    for (let i = 0; i < stride; i++) row[i]! += rows[at++]!
    for (let x = 0; x < width; x++) ids[out++] = binary ? (row[x >> 3]! >> (7 - (x & 7))) & 1 : row[x]!
  }
  return { width, height, ids }
}

/** Filtered rows of one bit a pixel, the leftmost in the highest bit. */
function bits(ids: Int32Array, { width, height, road }: MaskLook): Buffer {
  const stride = Math.ceil(width / 8)
  const rows = Buffer.alloc((1 + stride) * height)
  const above = new Uint8Array(stride)
  for (let y = 0, at = 0, out = 0; y < height; y++) {
    rows[out++] = upFilter
    for (let i = 0; i < stride; i++) {
      const end = Math.min(8, width - 8 * i)
      let byte = 0
      for (let bit = 0; bit < end; bit++) if (ids[at++] === road) byte |= 0x80 >> bit
      rows[out++] = byte - above[i]!
      above[i] = byte
    }
  }
  return rows
}

/** Filtered rows of one byte a pixel. */
function bytes(ids: Int32Array, { width, height }: MaskLook): Buffer {
  const rows = Buffer.alloc((1 + width) * height)
  for (let y = 0, at = 0, out = 0; y < height; y++) {
    rows[out++] = upFilter
    for (let x = 0; x < width; x++, at++) rows[out++] = ids[at]! - (y ? ids[at - width]! : 0)
  }
  return rows
}

function chunk(type: string, data: Buffer): Buffer {
  const whole = Buffer.alloc(12 + data.length)
  whole.writeUInt32BE(data.length, 0)
  whole.write(type, 4, 'latin1')
  data.copy(whole, 8)
  whole.writeUInt32BE(crc32(whole.subarray(4, 8 + data.length)), 8 + data.length)
  return whole
}

function textChunk([keyword, value]: [string, string]): Buffer {
  // tEXt holds Latin-1, but many readers take it for UTF-8: only what is the same in both goes there.
  if (/^[\x20-\x7e]*$/.test(value)) return chunk('tEXt', Buffer.from(`${keyword}\0${value}`, 'latin1'))
  return chunk('iTXt', Buffer.concat([Buffer.from(`${keyword}\0\0\0\0\0`, 'latin1'), Buffer.from(value, 'utf8')]))
}
