// A graph for any number of pictures a call. It is recorded with `openSize` of them; what states that number as a constant
// is left open here. What cannot be left open is refused, since another number of pictures would be answered wrongly: the
// number itself, its multiples, its reciprocal, and as a scalar the numbers beside it (n - 1 and n + 1, and 1 / (n - 1) and
// 1 / (n + 1)). What else JavaScript works out of it, n + 2 or log(n), is a number like any other: nothing tells it from what a
// model states, and no tensor carries where it came from. Only a second recording with another number would.
import { util } from '@tensorflow/tfjs-node-gpu'
import { type Attrs, type Graph, isOpen, type Output, opened, openSize } from './graph.ts'

const refusal = (op: string, found: string) =>
  new Error(
    `Expected what holds for any number of pictures, found ${op} ${found}. Let it follow from a tensor (zerosLike, onesLike, broadcasting), or record the graph for a fixed number. (They are recorded as ${openSize}; other sizes must not be multiples of that.)`,
  )

/** Ops that could make the batch longer or shorter: a size that is one more than the batch's would not be known again. */
const keeping = new Set(['ConcatV2', 'MirrorPad', 'PadV2', 'Slice', 'StridedSlice'])

/** Ops that take a tensor apart along an axis. */
const axes: Record<string, (inputs: Output[], attrs: Attrs) => number> = {
  SplitV: ([, , axis]) => axis!.values![0]!,
  Unpack: (_, { axis }) => (axis && 'int' in axis ? axis.int : 0),
}

/**
 * The inputs of an op, with the sizes opened that it states as a constant for the batch. Throws where that cannot be.
 * @param output the shape of its first output
 */
export function openBatch(graph: Graph, op: string, inputs: Output[], attrs: Attrs, output: number[]): Output[] {
  const count = (shape: number[]) => shape.filter(isOpen).length
  if (keeping.has(op) && inputs.some(({ shape }) => count(shape) > count(output)))
    throw refusal(op, 'of a part of the batch, or of more')
  const wired = openers[op]?.(graph, inputs, output) ?? inputs
  // Sizes come as a handful of numbers.
  const stated = wired.find(
    ({ values, shape }) =>
      values &&
      values.length <= 8 &&
      values.some((value) => isOpen(value) || isShare(value) || (!shape.length && isBeside(value))),
  )
  if (stated) throw refusal(op, `with the constant [${stated.values}]`)
  const axis = axes[op]?.(inputs, attrs)
  if (axis !== undefined && isOpen(inputs[0]!.shape.at(axis)!)) throw refusal(op, 'of the batch into its pictures')
  return wired
}

/** The reciprocal of a number of pictures, as float32 has it; smaller ones cannot be told from epsilons. */
function isShare(value: number): boolean {
  const pictures = Math.round(1 / value)
  return pictures < 1000 * openSize && isOpen(pictures) && Math.fround(1 / pictures) === Math.fround(value)
}

/** One more or fewer than the pictures, or its reciprocal: what means and variances are divided by. */
const isBeside = (value: number) =>
  [-1, 1].some((by) => value === openSize + by || Math.fround(1 / (openSize + by)) === Math.fround(value))

/** Throws for a constant that was made while recording, as large as the batch then was. */
export function expectNoBatch(shape: readonly number[]): void {
  if (shape.some(isOpen)) throw refusal('a constant', `of shape [${shape}]`)
}

const int32s = (graph: Graph, values: number[]): Output => graph.constant(Int32Array.from(values), [values.length], 'int32')

/** Ops that can be told to find a size out, and how. */
const openers: Record<string, (graph: Graph, inputs: Output[], output: number[]) => Output[]> = {
  Reshape(graph, inputs, output) {
    if (util.sizeFromShape(output) !== util.sizeFromShape(inputs[0]!.shape))
      throw refusal('Reshape', `to [${output}], a size beyond int32`)
    if (output.filter(isOpen).length !== 1) return inputs
    return inputs.with(1, int32s(graph, opened(output)))
  },
  Slice(graph, inputs) {
    const [x, begin, size] = inputs as [Output, Output, Output]
    const whole = (n: number, i: number) => isOpen(n) && begin.values![i] === 0 && n === x.shape[i]
    const sizes = Array.from(size.values!, (n, i) => (whole(n, i) ? -1 : n))
    return inputs.with(2, int32s(graph, sizes))
  },
  Conv2DBackpropInput: sizeOfGradient,
  Conv3DBackpropInputV2: sizeOfGradient,
}

/** The gradient, or what a transposed convolution takes, has as many pictures as the result. */
function sizeOfGradient(graph: Graph, inputs: Output[]): Output[] {
  const [size, , dy] = inputs as [Output, Output, Output]
  const [pictures, ...rest] = size.values!
  if (!isOpen(pictures!) || rest.some(isOpen)) return inputs
  const int32 = { type: 'int32' } as const
  const shape = graph.add('Shape', [dy.ref], { T: { type: dy.dtype }, out_type: int32 })
  const [zero, one] = [int32s(graph, [0]), int32s(graph, [1])]
  const batch = graph.add('Slice', [shape, zero.ref, one.ref], { T: int32, Index: int32 })
  const axis = graph.constant(new Int32Array([0]), [], 'int32')
  const parts = [batch, int32s(graph, rest).ref, axis.ref]
  const open = graph.add('ConcatV2', parts, { N: { int: 2 }, T: int32, Tidx: int32 })
  return inputs.with(0, { ref: open, shape: size.shape, dtype: 'int32' })
}
