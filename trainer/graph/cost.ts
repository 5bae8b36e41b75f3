// What a saved graph costs: parameters, and multiply-adds of a call, layer by layer.
import { util } from '@tensorflow/tfjs-node-gpu'
import type { DataType, Node } from './graph.ts'
import { ancestors, dataInputs, type Shapes, source } from './saved-shapes.ts'

export interface Layer {
  name: string
  /** Of its multiplications for one call; empty for a layer without any. */
  output: number[]
  parameters: number
  /** Bytes of the parameters in the file, by their type there. */
  stored: Partial<Record<DataType, number>>
  multiplyAdds: number
  /** What the multiplications are computed in. */
  compute: DataType | undefined
}

export interface Cost {
  nodes: number
  /** How many nodes of each op, the most frequent first. */
  ops: Record<string, number>
  /** In the graph's order. Layers without parameters and multiplications are left out. */
  layers: Layer[]
  parameters: number
  stored: Partial<Record<DataType, number>>
  multiplyAdds: number
  /** Ops that may multiply but whose shapes are not known, so that they are missing above. */
  unknown: string[]
}

type Sizes = readonly (readonly number[])[]

/**
 * Multiply-adds of an op from the shapes of its inputs and of its first output, padding counted as if it were picture.
 * Additions of biases, activations and the like are left out: they are a hundredth of a network's work.
 */
const multiplyAdds: Record<string, (inputs: Sizes, output: readonly number[]) => number> = {
  // filter [height, width, from, to]
  Conv2D: ([, filter], output) => size(output) * size(filter!.slice(0, 3)),
  _FusedQuantizedConv2D: ([, filter], output) => size(output) * size(filter!.slice(0, 3)),
  // filter [height, width, from, times]
  DepthwiseConv2dNative: ([, filter], output) => size(output) * size(filter!.slice(0, 2)),
  // A transposed convolution: every value that comes in is spread by the filter [height, width, to, from].
  Conv2DBackpropInput: ([, filter, dy]) => size(dy!) * size(filter!.slice(0, 3)),
  Conv2DBackpropFilter: ([, , dy], filter) => size(dy!) * size(filter.slice(0, 3)),
  // [.., rows, inner] by [.., inner, columns], either of them transposed
  BatchMatMulV2: ([a], output) => (size(output) * size(a!.slice(-2))) / output.at(-2)!,
}

const size = (shape: readonly number[]) => util.sizeFromShape([...shape])

const weightTypes: readonly string[] = ['float32', 'bfloat16', 'float16', 'qint8']

/** Ops that hand their first input on, as far as a weight is concerned. */
const passing = new Set(['Cast', 'ConcatV2', 'Identity', 'Reshape', 'SplitV', 'Transpose'])
/** Ops that belong to the layer whose output they take. */
const following = new Set('Add AddV2 BiasAdd Relu Relu6 Elu Selu LeakyRelu Sigmoid Tanh Cast'.split(' '))

const scope = (name: string) => name.split('/').slice(0, -1).join('/')

/** The named constant behind an input: a weight, which recording names `<layer>/<kind>`. */
function weightBehind(byName: Map<string, Node>, input: string): Node | undefined {
  let node = byName.get(source(input).name)
  while (node && passing.has(node.op)) node = byName.get(source(node.inputs[0]!).name)
  return node && isWeight(node) ? node : undefined
}

const isWeight = ({ op, name, attrs: { value } }: Node) =>
  op === 'Const' && name.includes('/') && value !== undefined && 'tensor' in value && weightTypes.includes(value.tensor.dtype)

/** The layer of each node, by the weights it uses: `conv1_1` for the convolution with `conv1_1/kernel`, its bias and its activation. */
export function layersOf(nodes: readonly Node[]): Map<string, string> {
  const byName = new Map(nodes.map((node) => [node.name, node]))
  const layers = new Map<string, string>()
  for (const node of nodes) {
    const inputs = dataInputs(node)
    const weights = inputs.flatMap((input) => weightBehind(byName, input) ?? [])
    const before = inputs[0] && layers.get(source(inputs[0]).name)
    const others = inputs
      .slice(1)
      .every((input) => byName.get(source(input).name)?.op === 'Const' || weightBehind(byName, input))
    const layer = isWeight(node)
      ? scope(node.name)
      : following.has(node.op) && before && others
        ? before
        : weights[0] && scope(weights[0].name)
    if (layer) layers.set(node.name, layer)
  }
  return layers
}

/** What a call costs that needs the outputs `refs`, with the shapes that `inferShapes` worked out for it. */
export function costOf(nodes: readonly Node[], refs: readonly string[], shapes: Shapes): Cost {
  const needed = ancestors(nodes, refs)
  const belongs = layersOf(needed)
  const layers = new Map<string, Layer>()
  const [ops, unknown] = [new Map<string, number>(), new Set<string>()]
  const layer = (name: string): Layer => {
    const found = layers.get(name) ?? { name, output: [], parameters: 0, stored: {}, multiplyAdds: 0, compute: undefined }
    layers.set(name, found)
    return found
  }
  for (const node of needed) {
    ops.set(node.op, (ops.get(node.op) ?? 0) + 1)
    const { value } = node.attrs
    if (isWeight(node) && value && 'tensor' in value) {
      const { shape, dtype, values } = value.tensor
      const one = layer(scope(node.name))
      one.parameters += size(shape)
      one.stored[dtype] = (one.stored[dtype] ?? 0) + values.byteLength
    }
    const output = shapes.get(node.name)?.[0]
    if (!output) unknown.add(node.op)
    const count = multiplyAdds[node.op]
    if (!count || !output) continue
    const inputs = dataInputs(node).map((input) => shapes.get(source(input).name)?.[source(input).index]?.shape ?? [])
    const one = layer(belongs.get(node.name) ?? node.name)
    one.multiplyAdds += count(inputs, output.shape)
    one.output = output.shape
    one.compute = output.dtype
  }
  const list = [...layers.values()]
  return {
    nodes: needed.length,
    ops: Object.fromEntries([...ops].sort(([, a], [, b]) => b - a)),
    layers: list,
    parameters: sum(list.map(({ parameters }) => parameters)),
    stored: addUp(list.map(({ stored }) => stored)),
    multiplyAdds: sum(list.map(({ multiplyAdds }) => multiplyAdds)),
    unknown: [...unknown],
  }
}

const sum = (values: number[]) => values.reduce((total, value) => total + value, 0)

function addUp(parts: Cost['stored'][]): Cost['stored'] {
  const total: Cost['stored'] = {}
  for (const part of parts)
    for (const [type, bytes] of Object.entries(part) as [DataType, number][]) total[type] = (total[type] ?? 0) + bytes
  return total
}
