// A SavedModel back as the nodes and signatures that were recorded: the other way of graph.ts.
import { type Attr, type Attrs, type DataType, dataTypeName, type Node, type Output, type Signature } from './graph.ts'
import { type Field, fields, unpacked } from './protobuf.ts'

export interface SavedGraph {
  nodes: Node[]
  /** Sizes that a call chooses (the number of pictures) are -1. */
  signatures: Record<string, Signature>
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

/** The fields of a message with that number. */
const all = (message: Uint8Array, number: number): Field[] => [...fields(message)].filter((field) => field.number === number)

/** The last field with that number, as protocol buffers read it. */
const one = (message: Uint8Array, number: number): Field | undefined => all(message, number).at(-1)

/** An entry of a map<string, message>. */
const entryOf = (entry: Uint8Array) => [text(one(entry, 1)!.bytes), one(entry, 2)!.bytes] as const

/** tensorflow/core/framework/tensor_shape.proto. A size of 0 is not written by every writer. */
const shapeOf = (proto: Uint8Array): number[] => all(proto, 2).map(({ bytes }) => one(bytes, 1)?.value ?? 0)

/**
 * tensorflow/core/framework/tensor.proto. Integers are read, since shapes depend on them; what else there is stays as it lies
 * in the file, without a copy.
 */
function tensorOf(proto: Uint8Array) {
  const dtype = dataTypeName(one(proto, 1)?.value ?? 0)
  const shape = shapeOf(one(proto, 2)?.bytes ?? new Uint8Array())
  const content = one(proto, 4)?.bytes ?? new Uint8Array()
  return { values: dtype === 'int32' ? new Int32Array(new Uint8Array(content).buffer) : content, shape, dtype }
}

/** tensorflow/core/framework/attr_value.proto; nothing for kinds that graphs of ours do not have. */
function attrOf(proto: Uint8Array): Attr | undefined {
  for (const { number, value, bytes } of fields(proto)) {
    if (number === 1) return listOf(bytes)
    if (number === 2) return { string: text(bytes) }
    if (number === 3) return { int: value }
    if (number === 4) return { float: new DataView(bytes.buffer, bytes.byteOffset).getFloat32(0, true) }
    if (number === 5) return { bool: value !== 0 }
    if (number === 6) return { type: dataTypeName(value) }
    if (number === 7) return { shape: shapeOf(bytes) }
    if (number === 8) return { tensor: tensorOf(bytes) }
  }
  return undefined
}

function listOf(list: Uint8Array): Attr | undefined {
  const items = [...fields(list)]
  if (items.every(({ number }) => number === 3))
    return { ints: items.flatMap(({ value, bytes }) => (bytes.length > 0 ? unpacked(bytes) : [value])) }
  if (items.every(({ number }) => number === 2)) return { strings: items.map(({ bytes }) => text(bytes)) }
  if (items.every(({ number }) => number === 6))
    return { types: items.flatMap(({ value, bytes }) => (bytes.length > 0 ? unpacked(bytes) : [value])).map(dataTypeName) }
  if (items.every(({ number }) => number === 7)) return { shapes: items.map(({ bytes }) => shapeOf(bytes)) }
  return undefined
}

function nodeOf(proto: Uint8Array): Node {
  const node: Node = { name: '', op: '', inputs: [], attrs: {} }
  for (const { number, bytes } of fields(proto)) {
    if (number === 1) node.name = text(bytes)
    else if (number === 2) node.op = text(bytes)
    else if (number === 3) node.inputs.push(text(bytes))
    else if (number === 5) {
      const [key, value] = entryOf(bytes)
      const attr = attrOf(value)
      if (attr) (node.attrs as Attrs)[key] = attr
    }
  }
  return node
}

function outputOf(proto: Uint8Array): Output {
  const dtype: DataType = dataTypeName(one(proto, 2)?.value ?? 0)
  return { ref: text(one(proto, 1)!.bytes), shape: shapeOf(one(proto, 3)?.bytes ?? new Uint8Array()), dtype }
}

const outputsOf = (entries: Field[]) =>
  Object.fromEntries(
    entries.map(({ bytes }) => {
      const [key, value] = entryOf(bytes)
      return [key, outputOf(value)]
    }),
  )

/** The nodes of a GraphDef. */
export const readGraphDef = (graph: Uint8Array): Node[] => all(graph, 1).map(({ bytes }) => nodeOf(bytes))

/** Reads a `saved_model.pb`. Throws where it is none or is cut off. */
export function readSavedModel(bytes: Uint8Array): SavedGraph {
  const meta = one(bytes, 2)?.bytes
  const graph = meta && one(meta, 2)?.bytes
  if (!meta || !graph) throw new Error(`Expected a SavedModel with a graph, found none in ${bytes.length} bytes`)
  const signatures = all(meta, 5).map(({ bytes }) => {
    const [name, signature] = entryOf(bytes)
    return [name, { inputs: outputsOf(all(signature, 1)), outputs: outputsOf(all(signature, 2)) }] as const
  })
  return { nodes: readGraphDef(graph), signatures: Object.fromEntries(signatures) }
}
