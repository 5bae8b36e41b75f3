// A constant that is stored in 16 bits as the float32 that the graph computes with. TensorFlow's optimiser works constants
// out before the first call, but none that grows beyond 100 KiB (tensorflow/core/grappler/optimizers/constant_folding.cc,
// kMaxConstantSize): a large weight would be cast anew in every call, and laid out anew for oneDNN's convolution, which does
// that once for constants alone. Cast piece by piece, none grows so large, and the pieces together grow no more.
import type { Graph } from './graph.ts'

/** Float32 values of a piece: less than 100 KiB also with what a constant has beside its values. */
const piece = 24 * 1024
const float32 = { type: 'float32' } as const
const int32 = { type: 'int32' } as const

/**
 * Adds the cast to float32 of a constant with `shape`.
 * @param stored the constant's node, of type `from` @returns the node that has it in float32
 */
export function castStored(
  graph: Graph,
  stored: string,
  from: 'bfloat16' | 'float16',
  shape: readonly number[],
  name: string,
): string {
  const halves = { type: from } as const
  const cast = (ref: string) => graph.add('Cast', [ref], { SrcT: halves, DstT: float32 }, `${name}/float32`)
  const size = shape.reduce((product, side) => product * side, 1)
  if (size <= piece) return cast(stored)
  const numbers = (values: readonly number[], shape: number[]) => graph.constant(Int32Array.from(values), shape, 'int32').ref
  const reshape = (ref: string, to: readonly number[], T: typeof float32 | typeof halves) =>
    graph.add('Reshape', [ref, numbers(to, [to.length])], { T, Tshape: int32 }, `${name}/shape`)
  const sizes = Array.from({ length: Math.ceil(size / piece) }, (_, i) => Math.min(piece, size - i * piece))
  const flat = reshape(stored, [size], halves)
  const split = graph.add(
    'SplitV',
    [flat, numbers(sizes, [sizes.length]), numbers([0], [])],
    { T: halves, Tlen: int32, num_split: { int: sizes.length } },
    `${name}/pieces`,
  )
  const casts = sizes.map((_, i) => cast(i === 0 ? split : `${split}:${i}`))
  const whole = graph.add(
    'ConcatV2',
    [...casts, numbers([0], [])],
    { N: { int: casts.length }, T: float32, Tidx: int32 },
    `${name}/whole`,
  )
  return reshape(whole, shape, float32)
}
