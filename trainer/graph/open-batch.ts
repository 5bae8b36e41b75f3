// A graph for any number of pictures a call, from a recording that had a certain number of them.
import type { Graph, Output } from './graph.ts'

/** The inputs of an op, with the sizes opened that it states as a constant for the first dimension. */
export function openBatch(graph: Graph, op: string, inputs: Output[]): Output[] {
  const opened = (at: number) => {
    const values = Int32Array.from(inputs[at]!.values!)
    values[0] = -1
    return inputs.with(at, graph.constant(values, inputs[at]!.shape, 'int32'))
  }
  if (op === 'Reshape' && inputs[1]!.values!.length > 0) return opened(1)
  if (op === 'Slice' && inputs[1]!.values![0] === 0 && inputs[2]!.values![0] === inputs[0]!.shape[0]) return opened(2)
  if (op === 'Conv2DBackpropInput' || op === 'Conv3DBackpropInputV2') {
    const int32 = { type: 'int32' } as const
    const [size, , dy] = inputs as [Output, Output, Output]
    const shape = graph.add('Shape', [dy.ref], { T: { type: dy.dtype }, out_type: int32 })
    const [zero, one] = [graph.constant(new Int32Array([0]), [1], 'int32'), graph.constant(new Int32Array([1]), [1], 'int32')]
    const batch = graph.add('Slice', [shape, zero.ref, one.ref], { T: int32, Index: int32 })
    const rest = graph.constant(Int32Array.from(size.values!.slice(1)), [dy.shape.length - 1], 'int32')
    const axis = graph.constant(new Int32Array([0]), [], 'int32')
    const open = graph.add('ConcatV2', [batch, rest.ref, axis.ref], { N: { int: 2 }, T: int32, Tidx: int32 })
    return inputs.with(0, { ref: open, shape: [dy.shape.length], dtype: 'int32' })
  }
  return inputs
}
