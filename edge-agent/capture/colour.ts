// What the numbers of a YUV picture mean: which matrix, which range. GStreamer says it as `colorimetry` in its caps, by a
// name or as range:matrix:transfer:primaries (GstVideoColorimetry). Transfer and primaries change nothing here: training
// takes the numbers of its pictures as they are, too.
import type { ModelInput } from '../../deploy/bundle.ts'

export interface YuvMeaning {
  /** Shares of red and blue in luma, Kr and Kb of ITU-R BT.601, 709, 2020 and SMPTE 240M. */
  red: number
  blue: number
  /** Luma 0 to 255 rather than 16 to 235. */
  full: boolean
}

const matrices = new Map<string, [red: number, blue: number]>([
  ['bt601', [0.299, 0.114]],
  ['bt709', [0.2126, 0.0722]],
  ['smpte240m', [0.212, 0.087]],
  ['bt2020', [0.2627, 0.0593]],
])
/** GstVideoColorMatrix. */
const matrixNumbers = ['', '', '', 'bt709', 'bt601', 'smpte240m', 'bt2020']

/** What a stream means: what it says itself, and what the bundle says where it is silent. */
export function yuvMeaning(colorimetry: string | undefined, { matrix, range }: ModelInput): YuvMeaning {
  const [rangeNumber, matrixNumber] =
    /^(\d+):(\d+):/
      .exec(colorimetry ?? '')
      ?.slice(1)
      .map(Number) ?? []
  const named = colorimetry?.replace(/^bt2100-.*|^bt2020-.*/, 'bt2020') ?? ''
  const name = matrixNumber === undefined ? named : (matrixNumbers[matrixNumber] ?? '')
  const [red, blue] = matrices.get(name) ?? matrices.get(matrix)!
  // The named ones are all of video range.
  const full = rangeNumber === 1 || (!rangeNumber && !matrices.has(name) && range === 'full')
  return { red, blue, full }
}

/** Converts places of planes of 8-bit YUV to RGB. */
export type YuvToRgb = (y: number, u: number, v: number, rgb: Uint8ClampedArray, at: number) => void

/** What each number adds to red, green and blue, in 65536ths: exact to rounding. */
export function yuvToRgb({ red, blue, full }: YuvMeaning): YuvToRgb {
  const green = 1 - red - blue
  const [luma, black, chroma] = full ? [1, 0, 1] : [255 / 219, 16, 255 / 224]
  const table = (factor: number, zero: number, half = 0) =>
    Int32Array.from({ length: 256 }, (_, value) => Math.round(65536 * factor * (value - zero)) + half)
  const fromY = table(luma, black, 32768) // with the half that makes the shift below round
  const redV = table(2 * (1 - red) * chroma, 128)
  const blueU = table(2 * (1 - blue) * chroma, 128)
  const greenU = table((-2 * blue * (1 - blue) * chroma) / green, 128)
  const greenV = table((-2 * red * (1 - red) * chroma) / green, 128)
  return (y, u, v, rgb, at) => {
    const light = fromY[y]!
    rgb[at] = (light + redV[v]!) >> 16
    rgb[at + 1] = (light + greenU[u]! + greenV[v]!) >> 16
    rgb[at + 2] = (light + blueU[u]!) >> 16
  }
}
