// Weights in half the bytes of float32: IEEE 754 binary16 (Node has no Float16Array before version 24), and bfloat16, the
// upper half of a float32.

const [float, bits] = (() => {
  const buffer = new ArrayBuffer(4)
  return [new Float32Array(buffer), new Uint32Array(buffer)] as const
})()

/** Rounds to the nearest half, ties to even. What is too large becomes infinite. */
function toHalf(value: number): number {
  float[0] = value
  const word = bits[0]!
  const sign = (word >>> 16) & 0x8000
  const exponent = ((word >>> 23) & 0xff) - 112
  const mantissa = word & 0x7fffff
  if (exponent >= 31) return sign | 0x7c00 | (exponent === 143 && mantissa ? 0x200 : 0)
  if (exponent < -10) return sign
  // A subnormal half has its leading one in the mantissa.
  const [whole, drop] = exponent <= 0 ? [mantissa | 0x800000, 14 - exponent] : [mantissa | (exponent << 23), 13]
  const rest = whole & ((1 << drop) - 1)
  const tie = 1 << (drop - 1)
  const kept = whole >>> drop
  return sign | (kept + (rest > tie || (rest === tie && kept & 1) ? 1 : 0))
}

/** The bits of each value as a half. */
export function toHalves(values: Float32Array): Uint16Array {
  const halves = new Uint16Array(values.length)
  for (let i = 0; i < values.length; i++) halves[i] = toHalf(values[i]!)
  return halves
}

/** The bits of each value as a bfloat16, rounded to the nearest, ties to even. */
export function toBfloat16s(values: Float32Array): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length)
  return Uint16Array.from(words, (word, i) => {
    if (Number.isNaN(values[i]!)) return (word >>> 16) | 0x40 // else rounding could make it infinite
    return (word + 0x7fff + ((word >>> 16) & 1)) >>> 16
  })
}

/** The value of each half, exactly. */
export const fromHalves = (halves: Uint16Array): Float32Array =>
  Float32Array.from(halves, (half) => {
    const [exponent, mantissa] = [(half >>> 10) & 0x1f, half & 0x3ff]
    const sign = half & 0x8000 ? -1 : 1
    if (exponent === 31) return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY
    return sign * (exponent === 0 ? mantissa * 2 ** -24 : (1 + mantissa / 1024) * 2 ** (exponent - 15))
  })

/** The value of each bfloat16, exactly. */
export const fromBfloat16s = (words: Uint16Array): Float32Array =>
  new Float32Array(Uint32Array.from(words, (word) => word << 16).buffer)
