// Convolutions of very large filters as matrix products. oneDNN reorders a filter each time it changed: in a training step
// forward, backward, and the gradient once more. For fc6 of VGG16 (411 MB) that takes longer than a fourth of the step's
// arithmetic; as the product of the picture's patches and the filter as it lies in memory, nothing is reordered.
import type { Attrs, Graph, Output } from './graph.ts'

/**
 * Filters of so many values (64 MiB) do not fit into a processor's cache together with anything else. On two cores of an
 * EPYC, fc6 at full width took 0.7 times as long so in float32 and 0.56 in bfloat16; at a quarter of it, 1.4 times.
 */
export const largeFilter = 2 ** 24

export type Emit = (op: string, inputs: Output[], attrs: Attrs) => Output

const float32 = { type: 'float32' } as const
const int32 = { type: 'int32' } as const

/** What a convolution of stride 1 is about: padding before and after, filter [height, width, from, to], output [n, oh, ow]. */
interface Window {
  filter: number[]
  before: [number, number]
  after: [number, number]
  out: [number, number, number]
}

/** What a convolution or one of its gradients computes; undefined for other ops, other steps than 1 and uneven padding. */
export function windowOf(op: string, inputs: readonly Output[], attrs: Attrs, output: readonly number[]): Window | undefined {
  if (op !== 'Conv2D' && op !== 'Conv2DBackpropFilter' && op !== 'Conv2DBackpropInput') return undefined
  const filter = op === 'Conv2DBackpropFilter' ? output : inputs[1]!.shape
  const ones = (name: string) => (attrs[name] as { ints: number[] } | undefined)?.ints.every((one) => one === 1) !== false
  const padding = (attrs.padding as { string: string }).string
  if (!ones('strides') || !ones('dilations') || padding === 'EXPLICIT') return undefined
  const out = (op === 'Conv2D' ? output : inputs[2]!.shape).slice(0, 3) as [number, number, number]
  const pad = (size: number) => (padding === 'SAME' ? size - 1 : 0)
  const pads = [pad(filter[0]!), pad(filter[1]!)] as const
  const before: [number, number] = [pads[0] >> 1, pads[1] >> 1]
  return { filter: [...filter], before, after: [pads[0] - before[0], pads[1] - before[1]], out }
}

/**
 * The largest share of the filter's rows times the output's at which it is a product for each row, without what would be
 * multiplied with padding alone: 0.66 for fc6 of a picture of 160, which took 0.53 times as long forward and 0.6 back to its input.
 */
const worthwhile = 0.8

/** For each row of the filter the rows of the output that it meets the picture in, not only padding. */
const usedRows = ({ filter, before, out }: Window, height: number) =>
  Array.from({ length: filter[0]! }, (_, row) => ({
    row,
    first: Math.max(0, before[0] - row),
    end: Math.min(out[1], height + before[0] - row),
  })).filter(({ first, end }) => first < end)

/**
 * Records a convolution or one of its two gradients as a matrix product, where the filter is large (`graph.productsFrom`).
 * @param output shape that the op itself would give
 * @returns what stands for its output; undefined where the op is better recorded as it is
 */
export function convolutionProduct(
  graph: Graph,
  emit: Emit,
  op: string,
  inputs: readonly Output[],
  attrs: Attrs,
  output: readonly number[],
): Output | undefined {
  const window = windowOf(op, inputs, attrs, output)
  if (!window || window.filter.reduce((product, size) => product * size, 1) < graph.productsFrom) return undefined
  const [height, width, from, to] = window.filter as [number, number, number, number]
  const rows = window.out.reduce((product, size) => product * size, 1)
  const numbers = (values: number[]) => graph.constant(Int32Array.from(values), [values.length], 'int32')
  const reshape = (x: Output, shape: readonly number[]) =>
    emit('Reshape', [x, numbers([...shape])], { T: float32, Tshape: int32 })
  const slice = (x: Output, axis: number, start: number, size: number) => {
    const [begin, sizes] = [x.shape.map((_, i) => (i === axis ? start : 0)), x.shape.with(axis, size)]
    return emit('Slice', [x, numbers(begin), numbers(sizes)], { T: float32, Index: int32 })
  }
  const pad = (x: Output, axis: number, before: number, after: number) => {
    if (before === 0 && after === 0) return x
    const paddings = graph.constant(
      Int32Array.from(x.shape.flatMap((_, i) => (i === axis ? [before, after] : [0, 0]))),
      [x.shape.length, 2],
      'int32',
    )
    const zero = graph.constant(new Float32Array(1), [], 'float32')
    return emit('PadV2', [x, paddings, zero], { T: float32, Tpaddings: int32 })
  }
  const product = (a: Output, b: Output, transposed: { a?: true; b?: true } = {}) =>
    emit('MatMul', [a, b], {
      T: float32,
      transpose_a: { bool: transposed.a === true },
      transpose_b: { bool: transposed.b === true },
    })

  const sum = (parts: Output[]) =>
    parts.length === 1 ? parts[0]! : emit('AddN', parts, { N: { int: parts.length }, T: float32 })

  /** Beside each other along the last axis, `count` views of x that begin one further along `axis`. */
  const views = (x: Output, axis: number, count: number) => {
    if (count === 1) return x
    const parts = Array.from({ length: count }, (_, i) => slice(x, axis, i, x.shape[axis]! - count + 1))
    const last = graph.constant(Int32Array.from([x.shape.length - 1]), [], 'int32')
    return emit('ConcatV2', [...parts, last], { N: { int: count }, T: float32, Tidx: int32 })
  }
  /** [n, h, w, from] to [n oh ow, height width from]: along x first, so that the order is the filter's. */
  const patches = (x: Output) => {
    const padded = [1, 2].reduce((y, axis) => pad(y, axis, window.before[axis - 1]!, window.after[axis - 1]!), x)
    return reshape(views(views(padded, 2, width), 1, height), [rows, height * width * from])
  }
  /** Reverse of `views`: adds the parts up where they came from. */
  const spread = (y: Output, axis: number, count: number) => {
    const size = y.shape.at(-1)! / count
    const parts = Array.from({ length: count }, (_, i) =>
      pad(slice(y, y.shape.length - 1, i * size, size), axis, i, count - 1 - i),
    )
    return sum(parts)
  }
  /** A row of the filter, where it lies: TensorFlow copies no slice of the first dimension. */
  const filterRow = (filter: Output, row: number) =>
    slice(reshape(filter, [height * width * from, to]), 0, row * width * from, width * from)
  const matrix = (x: Output) => reshape(x, [x.shape.slice(0, 3).reduce((product, size) => product * size, 1), x.shape[3]!])

  const rowsOut = usedRows(window, (op === 'Conv2D' ? inputs[0]!.shape : output)[1]!)
  const used = rowsOut.reduce((sum, { first, end }) => sum + end - first, 0)
  if (op === 'Conv2D' && used <= worthwhile * height * window.out[1]) {
    const along = views(pad(inputs[0]!, 2, window.before[1], window.after[1]), 2, width)
    const parts = rowsOut.map(({ row, first, end }) => {
      const rows = slice(along, 1, first + row - window.before[0], end - first)
      const part = product(matrix(rows), filterRow(inputs[1]!, row))
      return pad(reshape(part, output.with(1, end - first)), 1, first, output[1]! - end)
    })
    return sum(parts)
  }
  if (op === 'Conv2D') return reshape(product(patches(inputs[0]!), reshape(inputs[1]!, [height * width * from, to])), output)
  const gradient = inputs[2]!
  const gradients = reshape(gradient, [rows, to])
  if (op === 'Conv2DBackpropFilter') return reshape(product(patches(inputs[0]!), gradients, { a: true }), output)
  if (used <= worthwhile * height * window.out[1]) {
    const parts = rowsOut.map(({ row, first, end }) => {
      const part = product(matrix(slice(gradient, 1, first, end - first)), filterRow(inputs[1]!, row), { b: true })
      const begin = first + row - window.before[0]
      const shape = [output[0]!, end - first, window.out[2], width * from]
      return pad(reshape(part, shape), 1, begin, output[1]! - begin - end + first)
    })
    return slice(spread(sum(parts), 2, width), 2, window.before[1], output[2]!)
  }
  const spreadOut = reshape(product(gradients, reshape(inputs[1]!, [height * width * from, to]), { b: true }), [
    ...window.out,
    height * width * from,
  ])
  const whole = spread(spread(spreadOut, 1, height), 2, width)
  return slice(slice(whole, 1, window.before[0], output[1]!), 2, window.before[1], output[2]!)
}
