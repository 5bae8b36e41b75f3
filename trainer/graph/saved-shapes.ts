// Shapes in a graph that was saved: they are not stored, so they are worked out again, node by node, for a number of pictures.
import type { Node, Output } from './graph.ts'
import { type Inferred, inferOutputs } from './shapes.ts'

/** What each node gives, by the node's name; nothing for nodes of unknown shape, and those that build on them. */
export type Shapes = Map<string, Inferred[] | undefined>

/** The node behind an input (`name`, `name:1`, `^name`), and which of its outputs. */
export function source(input: string): { name: string; index: number } {
  const [name, index] = input.replace('^', '').split(':') as [string, string?]
  return { name, index: Number(index ?? 0) }
}

/** All nodes that have to run for these, in the graph's order. */
export function ancestors(nodes: readonly Node[], refs: readonly string[]): Node[] {
  const byName = new Map(nodes.map((node) => [node.name, node]))
  const needed = new Set<string>()
  const open = refs.map((ref) => source(ref).name)
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const node = byName.get(name)
    if (!node) throw new Error(`Expected a node ${name} in the graph, found none`)
    if (needed.has(name)) continue
    needed.add(name)
    open.push(...node.inputs.map((input) => source(input).name))
  }
  return nodes.filter(({ name }) => needed.has(name))
}

/** Works out the shapes of all nodes for calls with `batch` pictures. */
export function inferShapes(nodes: readonly Node[], batch: number): Shapes {
  const byName = new Map(nodes.map((node) => [node.name, node]))
  const shapes: Shapes = new Map()
  const numbers = new Map<string, Int32Array | undefined>()

  function outputs(name: string): Inferred[] | undefined {
    if (shapes.has(name)) return shapes.get(name)
    shapes.set(name, undefined) // a loop in the graph ends here
    const node = byName.get(name)
    if (!node) return undefined
    const inputs = dataInputs(node).map(input)
    const whole = inputs.every((one) => one !== undefined)
    const found = whole ? infer(node, inputs, batch) : undefined
    shapes.set(name, found)
    if (whole) numbers.set(name, integers(node, inputs))
    return found
  }

  function input(ref: string): Output | undefined {
    const { name, index } = source(ref)
    const inferred = outputs(name)?.[index]
    const values = index === 0 ? numbers.get(name) : undefined
    return inferred && { ref, ...inferred, ...(values ? { values } : {}) }
  }

  for (const { name } of nodes) outputs(name)
  return shapes
}

export const dataInputs = ({ inputs }: Node): string[] => inputs.filter((input) => !input.startsWith('^'))

/** The outputs of a node; nothing for an op without a shape function. */
function infer(node: Node, inputs: Output[], batch: number): Inferred[] | undefined {
  const { value, dtype, shape } = node.attrs
  if (value && 'tensor' in value) return [{ shape: [...value.tensor.shape], dtype: value.tensor.dtype }]
  if (node.op === 'Placeholder' && dtype && 'type' in dtype && shape && 'shape' in shape)
    return [{ shape: shape.shape.map((size) => (size === -1 ? batch : size)), dtype: dtype.type }]
  if (node.op === 'Shape') return [{ shape: [inputs[0]!.shape.length], dtype: 'int32' }]
  try {
    return inferOutputs(node.op, inputs, node.attrs)
  } catch {
    return undefined
  }
}

/** The values of a node that computes with sizes: a graph for any number of pictures works some of its sizes out itself. */
function integers({ op, attrs }: Node, inputs: Output[]): Int32Array | undefined {
  if (op === 'Const') {
    const { value } = attrs
    return value && 'tensor' in value && value.tensor.values instanceof Int32Array ? value.tensor.values : undefined
  }
  if (op === 'Shape') return Int32Array.from(inputs[0]!.shape)
  const known = inputs.map(({ values }) => values)
  if (known.length === 0 || !known.every((one): one is Int32Array => one instanceof Int32Array)) return undefined
  if (op === 'Identity') return known[0]
  if (op === 'ConcatV2') return Int32Array.from(known.slice(0, -1).flatMap((values) => [...values]))
  const [values, begin, size] = known as [Int32Array, Int32Array?, Int32Array?]
  if (op === 'Slice' && values && begin?.length === 1 && size)
    return values.slice(begin[0], size[0] === -1 ? undefined : begin[0]! + size[0]!)
  return undefined
}
