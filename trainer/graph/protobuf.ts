// Writing protocol buffers (https://protobuf.dev/programming-guides/encoding/), as much as GraphDef and SavedModel need.
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

const tag = (field: number, wireType: 0 | 2 | 5): Uint8Array => varint((field << 3) | wireType)

/** int32, int64, bool and enum fields. */
export const int = (field: number, value: number | bigint | boolean): Message => [tag(field, 0), varint(BigInt(value))]

/** A float field. */
export function float(field: number, value: number): Message {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setFloat32(0, value, true)
  return [tag(field, 5), bytes]
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
