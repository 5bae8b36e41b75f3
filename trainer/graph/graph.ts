// A TensorFlow graph under construction: nodes as in tensorflow/core/framework/node_def.proto, with the shape and type of
// each output, so that what is recorded next can know the sizes of what it builds on.
import { toBfloat16s, toHalves } from './half.ts'
import { bytes, entry, float, int, type Message, packed } from './protobuf.ts'
import { castStored } from './stored-constant.ts'

/** TensorFlow's types that a graph of ours carries, by their numbers in tensorflow/core/framework/types.proto. */
export const dataTypes = {
  float32: 1,
  int32: 3,
  uint8: 4,
  string: 7,
  int64: 9,
  bool: 10,
  qint8: 11,
  quint8: 12,
  bfloat16: 14,
  float16: 19,
  resource: 20,
} as const

export type DataType = keyof typeof dataTypes

/** What weights are stored in, or convolutions computed in. */
export type Precision = 'float32' | 'bfloat16' | 'float16'

export const dataTypeName = (number: number): DataType => {
  const found = (Object.keys(dataTypes) as DataType[]).find((name) => dataTypes[name] === number)
  if (!found) throw new Error(`Expected one of TensorFlow's types ${Object.keys(dataTypes).join(', ')}, found number ${number}`)
  return found
}

/** Values of a constant, in TensorFlow's memory layout (little-endian). */
export type Values = Float32Array | Int32Array | Int8Array | Uint8Array | Uint16Array

/** One output of a node. `values` are there for constants. */
export interface Output {
  /** As a node's input names it: `name`, `name:1`. */
  ref: string
  shape: number[]
  dtype: DataType
  values?: Values
  /** The same values as the graph stores them, where that is in less than float32. */
  stored?: { ref: string; dtype: 'bfloat16' | 'float16' }
}

export type Attr =
  | { type: DataType }
  | { types: DataType[] }
  | { int: number }
  | { ints: number[] }
  | { float: number }
  | { bool: boolean }
  | { string: string }
  | { strings: string[] }
  | { shape: readonly number[] }
  | { shapes: readonly (readonly number[])[] }
  | { tensor: { values: Values; shape: readonly number[]; dtype: DataType } }

export type Attrs = Record<string, Attr>

export interface Node {
  name: string
  op: string
  /** Data inputs (`name`, `name:1`), then control inputs (`^name`). */
  inputs: string[]
  attrs: Attrs
}

/** What a SavedModel offers to call: names of its inputs and outputs, and the graph's outputs behind them. */
export interface Signature {
  inputs: Record<string, Output>
  outputs: Record<string, Output>
}

/**
 * The number of pictures that a graph for any number of them is recorded with. It is a prime that hardly anything else is a
 * multiple of, so that a size which it divides is known to be the batch's.
 */
export const openSize = 2039

export const isOpen = (size: number): boolean => size > 0 && size % openSize === 0

/** The shape with -1 for the sizes that a call chooses. */
export const opened = (shape: readonly number[]) => shape.map((size) => (isOpen(size) ? -1 : size))

/** Smaller constants (biases, means) stay float32: they weigh nothing and matter more. */
const leastHalved = 1024

export class Graph {
  readonly nodes: Node[] = []
  readonly signatures: Record<string, Signature> = {}
  /** True where a call may bring any number of pictures: the first dimension of every input is then open (`open-batch.ts`). */
  readonly dynamicBatch: boolean
  /** How float32 constants (weights) are stored. */
  readonly storage: Precision
  /** What convolutions and what lies between them compute in from now on (`precision.ts`); all else computes in float32. */
  compute: Precision
  /** Values of a filter from which on its convolution is a matrix product (`convolution-product.ts`). */
  readonly productsFrom: number
  /** Channels from which on a convolution of 3 x 3 is minimal filtering (`winograd.ts`). */
  readonly winogradFrom: number
  private readonly used = new Map<string, number>()
  private readonly constants = new Map<string, Output>()

  constructor({
    dynamicBatch = false,
    storage = 'float32' as Precision,
    compute = 'float32' as Precision,
    productsFrom = Number.POSITIVE_INFINITY,
    winogradFrom = Number.POSITIVE_INFINITY,
  } = {}) {
    this.dynamicBatch = dynamicBatch
    this.storage = storage
    this.compute = compute
    this.productsFrom = productsFrom
    this.winogradFrom = winogradFrom
  }

  /** Adds a node under `name`, or under `name_1`, `name_2` … where that is taken; returns the name it got. */
  add(op: string, inputs: readonly string[], attrs: Attrs, name = op): string {
    const wanted = name.replaceAll(/[^A-Za-z0-9_./-]/g, '_')
    let count = this.used.get(wanted) ?? 0
    let unique = count === 0 ? wanted : `${wanted}_${count}`
    while (this.used.has(unique)) unique = `${wanted}_${++count}`
    this.used.set(wanted, count + 1)
    if (unique !== wanted) this.used.set(unique, 1)
    this.nodes.push({ name: unique, op, inputs: [...inputs], attrs })
    return unique
  }

  /** A constant. Small equal ones without a name of their own share a node. */
  constant(values: Values, shape: readonly number[], dtype: DataType, name = 'Const'): Output {
    const key =
      name === 'Const' && values.length <= 16
        ? `${dtype}[${shape}] ${Array.from(values, (value) => (Object.is(value, -0) ? '-0' : value))}`
        : undefined
    const known = key && this.constants.get(key)
    if (known) return known
    const store = (values: Values, dtype: DataType) =>
      this.add('Const', [], { dtype: { type: dtype }, value: { tensor: { values, shape, dtype } } }, name)
    const made: Output = { ref: '', shape: [...shape], dtype, values }
    if (this.storage !== 'float32' && values instanceof Float32Array && values.length >= leastHalved) {
      const [half, halve] = [this.storage, this.storage === 'float16' ? toHalves : toBfloat16s]
      made.stored = { ref: store(halve(values), half), dtype: half }
      made.ref = castStored(this, made.stored.ref, half, shape, name)
    } else made.ref = store(values, dtype)
    if (key) this.constants.set(key, made)
    return made
  }

  /** An input of the graph. With `dynamicBatch` its first dimension is open, whatever `shape` has there. */
  placeholder(name: string, shape: readonly number[], dtype: DataType): Output {
    const recorded = shape.map((size, i) => (this.dynamicBatch && i === 0 ? openSize : size))
    if (recorded.some((size) => !Number.isInteger(size) || size < 0))
      throw new Error(
        `Expected the shape of the input ${name} in whole numbers, found [${shape.map(String)}]: a graph is recorded for one size, only its batch may be left open (dynamicBatch)`,
      )
    const declared = this.dynamicBatch ? opened(recorded) : recorded
    const ref = this.add('Placeholder', [], { dtype: { type: dtype }, shape: { shape: declared } }, name)
    return { ref, shape: recorded, dtype }
  }

  /** Offers a call by name. Each output becomes a node of its own, which runs after `after` (node names). */
  sign(name: string, inputs: Record<string, Output>, outputs: Record<string, Output>, after: readonly string[] = []): void {
    const named = Object.entries(outputs).map(([key, output]) => {
      const ref = this.add(
        'Identity',
        [output.ref, ...after.map((node) => `^${node}`)],
        { T: { type: output.dtype } },
        `${name}/${key}`,
      )
      return [key, { ref, shape: output.shape, dtype: output.dtype }] as const
    })
    this.signatures[name] = { inputs, outputs: Object.fromEntries(named) }
  }
}

const shapeProto = (shape: readonly number[]): Message => shape.flatMap((size) => bytes(2, int(1, size)))

function attrValue(attr: Attr): Message {
  if ('type' in attr) return int(6, dataTypes[attr.type])
  if ('types' in attr)
    return bytes(
      1,
      packed(
        6,
        attr.types.map((type) => dataTypes[type]),
      ),
    )
  if ('int' in attr) return int(3, attr.int)
  if ('ints' in attr) return bytes(1, packed(3, attr.ints))
  if ('float' in attr) return float(4, attr.float)
  if ('bool' in attr) return int(5, attr.bool)
  if ('string' in attr) return bytes(2, attr.string)
  if ('strings' in attr)
    return bytes(
      1,
      attr.strings.flatMap((text) => bytes(2, text)),
    )
  if ('shape' in attr) return bytes(7, shapeProto(attr.shape))
  if ('shapes' in attr)
    return bytes(
      1,
      attr.shapes.flatMap((shape) => bytes(7, shapeProto(shape))),
    )
  const { values, shape, dtype } = attr.tensor
  const content = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
  return bytes(8, [...int(1, dataTypes[dtype]), ...bytes(2, shapeProto(shape)), ...bytes(4, content)])
}

const nodeDef = ({ name, op, inputs, attrs }: Node): Message => [
  ...bytes(1, name),
  ...bytes(2, op),
  ...inputs.flatMap((input) => bytes(3, input)),
  ...Object.entries(attrs).flatMap(([key, attr]) => entry(5, key, attrValue(attr))),
]

const tensorInfo = ({ ref, shape, dtype }: Output, dynamicBatch: boolean): Message => [
  ...bytes(1, ref.includes(':') ? ref : `${ref}:0`),
  ...int(2, dataTypes[dtype]),
  ...bytes(3, shapeProto(dynamicBatch ? opened(shape) : shape)),
]

const signatureDef = ({ inputs, outputs }: Signature, dynamicBatch: boolean): Message => [
  ...Object.entries(inputs).flatMap(([key, input]) => entry(1, key, tensorInfo(input, dynamicBatch))),
  ...Object.entries(outputs).flatMap(([key, output]) => entry(2, key, tensorInfo(output, dynamicBatch))),
  ...bytes(3, 'tensorflow/serving/predict'),
]

/** Version of the graph's form: TensorFlow 2.9's, so that 2.12 and later take it (tensorflow/core/public/version.h). */
const producer = 1087

/** The graph as tensorflow/core/framework/graph.proto has it. */
export const graphDef = (graph: Pick<Graph, 'nodes'>): Message => [
  ...graph.nodes.flatMap((node) => bytes(1, nodeDef(node))),
  ...bytes(4, int(1, producer)),
]

/** The graph and its signatures as a `saved_model.pb` (tensorflow/core/protobuf/saved_model.proto), tagged `serve`. */
export const savedModel = (graph: Graph): Message => [
  ...int(1, 1),
  ...bytes(2, [
    ...bytes(1, [...bytes(4, 'serve'), ...bytes(5, '2.12.0')]),
    ...bytes(2, graphDef(graph)),
    ...Object.entries(graph.signatures).flatMap(([name, signature]) =>
      entry(5, name, signatureDef(signature, graph.dynamicBatch)),
    ),
  ]),
]
