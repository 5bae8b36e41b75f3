// Writing and reading protocol buffers (https://protobuf.dev/programming-guides/encoding/), as much as GraphDef and SavedModel need.
// Bytes stay in pieces until they are written: a full-width FCN-VGG16 has half a gigabyte of weights.

/** An encoded message, in pieces. */
export type Message = Uint8Array[]

export const byteLength = (message: Message): number => message.reduce((sum, piece) => sum + piece.length, 0)

/** Base-128 varint of an integer, two's complement in 64 bits where negative. */
function varint(value: number | bigint): Uint8Array {
  let rest = BigInt.asUintN(64, BigInt(value))
  const bytes: number[] = []
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80)
    rest >>= 7n
  }
  bytes.push(Number(rest))
  return Uint8Array.from(bytes)
}

const tag = (field: number, wireType: 0 | 1 | 2 | 5): Uint8Array => varint((field << 3) | wireType)

/** int32, int64, bool and enum fields. */
export const int = (field: number, value: number | bigint | boolean): Message => [tag(field, 0), varint(BigInt(value))]

/** A float field. */
export function float(field: number, value: number): Message {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setFloat32(0, value, true)
  return [tag(field, 5), bytes]
}

/** A double field. */
export function double(field: number, value: number): Message {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setFloat64(0, value, true)
  return [tag(field, 1), bytes]
}

/** A bytes, string or embedded message field. */
export function bytes(field: number, value: string | Uint8Array | Message): Message {
  const pieces = typeof value === 'string' ? [new TextEncoder().encode(value)] : value instanceof Uint8Array ? [value] : value
  return [tag(field, 2), varint(byteLength(pieces)), ...pieces]
}

/** A packed repeated int field. */
export const packed = (field: number, values: readonly (number | bigint)[]): Message => bytes(field, values.map(varint))

/** One entry of a map<string, message> field. */
export const entry = (field: number, key: string, value: Message): Message =>
  bytes(field, [...bytes(1, key), ...bytes(2, value)])

/** A field as it lies in the bytes. `value` is set for a varint (int, bool, enum), `bytes` for everything else. */
export interface Field {
  number: number
  value: number
  bytes: Uint8Array
}

const nothing = new Uint8Array()

/** The varint at `at` as a 64-bit two's complement number, and where it ends. Exact up to 2^53. */
function readVarint(bytes: Uint8Array, at: number): [value: number, end: number] {
  let [low, high, shift] = [0, 0, 0]
  for (let i = at; i < bytes.length && shift < 70; i++, shift += 7) {
    const part = bytes[i]! & 0x7f
    if (shift < 28) low += part * 2 ** shift
    else high += part * 2 ** (shift - 28)
    if (bytes[i]! < 0x80) {
      // 36 bits are above the lower 28; the topmost is the sign.
      const signed = high % 2 ** 36
      return [(signed >= 2 ** 35 ? signed - 2 ** 36 : signed) * 2 ** 28 + low, i + 1]
    }
  }
  throw new Error(`Expected a protocol buffer, found a number without an end at byte ${at} of ${bytes.length}`)
}

/** The fields of a message in their order. Bytes are views, not copies. Throws where the message is cut off. */
export function* fields(bytes: Uint8Array): Generator<Field> {
  for (let at = 0; at < bytes.length; ) {
    const [key, afterKey] = readVarint(bytes, at)
    const [number, wireType] = [key >>> 3, key & 7]
    if (wireType === 0) {
      const [value, end] = readVarint(bytes, afterKey)
      yield { number, value, bytes: nothing }
      at = end
      continue
    }
    const fixed = wireType === 1 ? 8 : wireType === 5 ? 4 : undefined
    if (fixed === undefined && wireType !== 2)
      throw new Error(`Expected a protocol buffer, found wire type ${wireType} at byte ${at} of ${bytes.length}`)
    const [length, start] = fixed === undefined ? readVarint(bytes, afterKey) : [fixed, afterKey]
    if (start + length > bytes.length || length < 0)
      throw new Error(
        `Expected ${length} bytes of field ${number} at byte ${start}, found the end of the message at ${bytes.length}`,
      )
    yield { number, value: 0, bytes: bytes.subarray(start, start + length) }
    at = start + length
  }
}

/** The numbers of a packed repeated int field. */
export function unpacked(bytes: Uint8Array): number[] {
  const values: number[] = []
  for (let at = 0; at < bytes.length; ) {
    const [value, end] = readVarint(bytes, at)
    values.push(value)
    at = end
  }
  return values
}
