// Which ops compute in half precision (bfloat16 or float16) when a graph asks for it, and the casts between them and the
// float32 of all others: weights and sums stay float32, as in mixed-precision training (Micikevicius et al. 2018).
import type { Attr, Attrs, Graph, Output, Precision } from './graph.ts'

/** Ops whose work is worth it, and which of their inputs go in as halves; other inputs are sizes or statistics. */
const always: Record<string, readonly number[]> = {
  Conv2D: [0, 1],
  Conv2DBackpropFilter: [0, 2],
  Conv2DBackpropInput: [1, 2],
  DepthwiseConv2dNative: [0, 1],
  DepthwiseConv2dNativeBackpropFilter: [0, 2],
  DepthwiseConv2dNativeBackpropInput: [1, 2],
  MatMul: [0, 1],
  BatchMatMulV2: [0, 1],
}

/** Ops that take halves where that is what they are given, so that nothing is cast to and fro between convolutions. */
const following = new Set(
  (
    'AddV2 BiasAdd ConcatV2 DepthToSpace FusedBatchNormGradV3 FusedBatchNormV3 MaxPool MaxPoolGrad PadV2 Relu ReluGrad ' +
    'Reshape Slice SpaceToDepth Transpose'
  ).split(' '),
)
/** Of these only the pictures are halves; scale, offset and statistics are float32. */
const pictures: Record<string, readonly number[]> = { FusedBatchNormV3: [0], FusedBatchNormGradV3: [0, 1] }

/** Halves of an output are made once. */
const made = new WeakMap<Graph, Map<string, string>>()

/** `output` in another precision. */
export function inFloat(graph: Graph, { ref, shape, dtype, stored }: Output, to: Precision): Output {
  if (dtype === to) return { ref, shape, dtype }
  if (stored?.dtype === to) return { ref: stored.ref, shape, dtype: to }
  const casts = made.get(graph) ?? new Map<string, string>()
  made.set(graph, casts)
  const from = stored ?? { ref, dtype }
  const key = `${from.ref} ${to}`
  const node =
    casts.get(key) ??
    graph.add('Cast', [from.ref], { SrcT: { type: from.dtype }, DstT: { type: to } }, `${from.ref.replace(':', '/')}/${to}`)
  casts.set(key, node)
  return { ref: node, shape, dtype: to }
}

const isFloat = ({ dtype }: Output) => dtype === 'float32' || dtype === 'bfloat16' || dtype === 'float16'
const isHalfType = (attr: Attr) => 'type' in attr && (attr.type === 'bfloat16' || attr.type === 'float16')
export const isHalf = ({ dtype }: Output) => isHalfType({ type: dtype })

/** The inputs and attributes of an op as `graph.compute` wants them, with the casts that this takes added to the graph. */
export function inPrecision(graph: Graph, op: string, inputs: Output[], attrs: Attrs): { inputs: Output[]; attrs: Attrs } {
  const { compute } = graph
  if (compute === 'float32' || op === 'Cast') return { inputs, attrs }
  const halved = halvedInputs(op, inputs)
  return {
    inputs: inputs.map((input, i) => {
      if (halved.includes(i) && isFloat(input)) return inFloat(graph, input, compute)
      return isHalf(input) ? inFloat(graph, input, 'float32') : input
    }),
    attrs:
      attrs.T && (halved.length > 0 || isHalfType(attrs.T))
        ? { ...attrs, T: { type: halved.length > 0 ? compute : 'float32' } }
        : attrs,
  }
}

function halvedInputs(op: string, inputs: Output[]): readonly number[] {
  if (always[op]) return always[op]
  if (!following.has(op)) return []
  const taken = pictures[op] ?? [...inputs.keys()]
  // A bias is a weight, float32 in training: it goes the way of the picture.
  const deciding = op === 'BiasAdd' ? [0] : taken
  const computed = deciding.map((i) => inputs[i]!).filter((input) => isFloat(input) && !input.values)
  // Of a gradient one half is enough: it comes from a convolution or goes on to one.
  const agree = /Grad(V3)?$/.test(op) ? computed.some(isHalf) : computed.length > 0 && computed.every(isHalf)
  return agree ? taken : []
}
