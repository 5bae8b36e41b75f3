// A tfjs backend that records instead of computing. tfjs-node's own kernels run on it unchanged and ask it to execute
// TensorFlow ops; each becomes a node of a graph. So a traced computation is, op for op, what tfjs-node computes eagerly.
import * as tf from '@tensorflow/tfjs-node-gpu'
import { NodeJSKernelBackend } from '@tensorflow/tfjs-node-gpu/dist/nodejs_kernel_backend.js'
import { convolutionProduct } from './convolution-product.ts'
import { type Attr, type Attrs, type DataType, dataTypeName, type Graph, type Output } from './graph.ts'
import { expectNoBatch, openBatch } from './open-batch.ts'
import { inFloat, inPrecision, isHalf } from './precision.ts'
import { inferOutputs } from './shapes.ts'
import { nodeName, opsUnderWay, whereabouts, withLayersNoted } from './whereabouts.ts'
import { winograd } from './winograd.ts'

const backendName = 'roadmask-recorder'

type KernelCall = Parameters<tf.KernelFunc>[0]
type OpAttr = { name: string; type: number; value: unknown }

/** tfjs has no uint8, float16 or bfloat16: while recording, a tensor of one looks like this to tfjs. */
const tfjsType = (dtype: DataType): tf.DataType =>
  dtype === 'float16' || dtype === 'bfloat16'
    ? 'float32'
    : dtype === 'uint8' || dtype === 'int64'
      ? 'int32'
      : (dtype as tf.DataType)

/** Types that tfjs-node leaves eager TensorFlow to infer or to mend (a mean of int32), each with the input that has it. */
const impliedTypes: Record<string, Record<string, number>> = { ExpandDims: { T: 0 }, Mean: { T: 0 } }

/** tfjs ops that draw their numbers in JavaScript, whether a seed is given or not. */
const drawing = new Set(['rand', 'randomGamma', 'randomNormal', 'randomUniform', 'randomUniformInt', 'truncatedNormal'])
const drawn =
  'Random numbers were drawn in JavaScript while a graph was recorded: they would be the same in every call. Record inside withSeed (trainer/graph/seed.ts), which dropout and noise layers then draw from, or draw with randomUniform and randomNormal of trainer/graph/ops.ts'

class Recorder extends NodeJSKernelBackend {
  graph: Graph | undefined
  /** What stands behind the tensors made while recording: a node's output, or values not yet needed by any node. */
  private outputs = new WeakMap<object, Output>()
  private written = new WeakMap<object, { values: tf.backend_util.BackendValues; shape: number[]; dtype: tf.DataType }>()
  /** For an output that is `step(x)`: which x, so that relu's gradient `dy * step(x)` is recorded as one ReluGrad. */
  private steps = new WeakMap<Output, Output>()
  /** What Relu made of an output: positive where that is, so that backward can do without what came before. */
  private relus = new WeakMap<Output, Output>()
  /** A convolution's gradient to its input, by the gradient that it came from. */
  private inputGradients = new Map<string, string>()
  /** True inside `withVariables`, where a variable that learns must not become a constant. */
  learning = false
  /** Variables that stand for outputs of the graph: what is assigned to them is not lost. */
  given: ReadonlySet<tf.Variable> = new Set()
  /** tfjs kernels at work, outermost first. */
  private kernels: string[] = []
  /** Errors that say already where they came from. */
  private located = new WeakSet<object>()

  /** Begins a graph, or none. What was known of tensors belongs to the graph before. */
  begin(graph: Graph | undefined): void {
    this.graph = graph
    this.outputs = new WeakMap()
    this.written = new WeakMap()
    this.steps = new WeakMap()
    this.relus = new WeakMap()
    this.inputGradients = new Map()
  }

  get recording(): Graph {
    if (!this.graph)
      throw new Error('A symbolic tensor was used after its graph was recorded; compute with it inside `record` only')
    return this.graph
  }

  /** An error that ends with where in the caller's program it came from. */
  refusal(message: string, cause?: unknown): Error {
    const error = new Error(`${message}${whereabouts(this.kernels.at(-1))}`, { cause })
    this.located.add(error)
    return error
  }

  /** Runs a tfjs kernel; what it throws then says where it came from. */
  within<T>(kernel: string, body: () => T): T {
    this.kernels.push(kernel)
    try {
      return body()
    } catch (error) {
      if (!(error instanceof Error) || this.located.has(error)) throw error
      throw this.refusal(error.message, error)
    } finally {
      this.kernels.pop()
    }
  }

  /** A tensor that stands for a graph's output. */
  symbol(output: Output): tf.Tensor {
    const dataId = {}
    this.outputs.set(dataId, output)
    return tf.engine().makeTensorFromDataId(dataId, output.shape, tfjsType(output.dtype), this)
  }

  /** The graph's output behind a tensor; a tensor of another backend is read and becomes a constant. */
  output(tensor: tf.TensorInfo): Output {
    const known = this.outputs.get(tensor.dataId)
    if (known) return known
    if (this.learning && tensor instanceof tf.Variable && tensor.trainable)
      throw this.refusal(
        `Expected all variables that learn to be given, found ${tensor.name}, which would stay as it is now. Add it, or set its trainable to false`,
      )
    const written = this.written.get(tensor.dataId)
    const dtype = written?.dtype ?? tensor.dtype
    if (dtype !== 'float32' && dtype !== 'int32' && dtype !== 'bool')
      throw new Error(`Expected float32, int32 or bool values, found ${dtype}`)
    if (written && this.recording.dynamicBatch) expectNoBatch(tensor.shape)
    const values = written ? written.values : (tensor as tf.Tensor).dataSync()
    const layout = dtype === 'float32' ? Float32Array : dtype === 'int32' ? Int32Array : Uint8Array
    const typed = values instanceof layout ? values : layout.from(values as ArrayLike<number>)
    const name = 'name' in tensor && typeof tensor.name === 'string' ? tensor.name : 'Const'
    const output = this.recording.constant(typed, tensor.shape, dtype, name)
    this.outputs.set(tensor.dataId, output)
    return output
  }

  override executeSingleOutput(op: string, opAttrs: OpAttr[], inputs: tf.TensorInfo[]): tf.Tensor {
    return this.executeMultipleOutputs(op, opAttrs, inputs, 1)[0]!
  }

  override executeMultipleOutputs(op: string, opAttrs: OpAttr[], tensors: tf.TensorInfo[], _count: number): tf.Tensor[] {
    const attrs = Object.fromEntries(opAttrs.map(({ name, type, value }) => [name, this.attr(type, value)]))
    return this.emit(
      op,
      tensors.map((tensor) => this.asTfjsSees(this.output(tensor))),
      attrs,
    ).map((output) => this.symbol(output))
  }

  /** tfjs's kernels state int32 for what is uint8. */
  private asTfjsSees(output: Output): Output {
    if (output.dtype !== 'uint8') return output
    return this.emit('Cast', [output], { SrcT: { type: 'uint8' }, DstT: { type: 'int32' } })[0]!
  }

  /** Adds a node, in the precision that the graph computes this op in, and tells what it gives. */
  emit(stated: string, given: Output[], statedAttrs: Attrs): Output[] {
    const op = canonicalOp(stated, given)
    const { inputs, attrs } = inPrecision(this.recording, op, given, statedAttrs)
    const inferred = inferOutputs(op, inputs, attrs)
    const emit = (...node: Parameters<Recorder['emit']>) => this.emit(...node)[0]!
    const convolution = [this.recording, emit, op, given, statedAttrs, inferred[0]!.shape] as const
    const other = convolutionProduct(...convolution) ?? winograd(...convolution)
    if (other) return [other]
    const wired = this.recording.dynamicBatch ? openBatch(this.recording, op, inputs, attrs, inferred[0]!.shape) : inputs
    const implied = Object.entries(impliedTypes[op] ?? {}).map(([name, at]) => [name, { type: inputs[at]!.dtype }] as const)
    const refs = wired.map(({ ref }) => ref)
    // The two gradients of a convolution one after the other: each makes copies as large as the weights while it runs, and
    // each uses all cores.
    const gradient = op === 'Conv2DBackpropFilter' && this.inputGradients.get(refs[2]!)
    const name = this.recording.add(
      op,
      gradient ? [...refs, `^${gradient}`] : refs,
      { ...attrs, ...Object.fromEntries(implied) },
      nodeName(op),
    )
    const outputs = inferred.map((output, i) => ({ ...output, ref: i === 0 ? name : `${name}:${i}` }))
    if (op === 'Conv2DBackpropInput') this.inputGradients.set(refs[2]!, name)
    if (op === 'Relu') this.relus.set(given[0]!, outputs[0]!)
    return outputs
  }

  private attr(type: number, value: unknown): Attr {
    const { TF_ATTR_BOOL, TF_ATTR_FLOAT, TF_ATTR_INT, TF_ATTR_STRING, TF_ATTR_TYPE } = this.binding
    if (type === TF_ATTR_TYPE) return { type: dataTypeName(value as number) }
    if (type === TF_ATTR_INT) return Array.isArray(value) ? { ints: value as number[] } : { int: value as number }
    if (type === TF_ATTR_FLOAT) return { float: value as number }
    if (type === TF_ATTR_BOOL) return { bool: value as boolean }
    if (type === TF_ATTR_STRING) return { string: value as string }
    throw new Error(`Expected an attribute of type bool, float, int, string or type, found TF_AttrType ${type}`)
  }

  recordStep(x: tf.TensorInfo): tf.TensorInfo {
    const of = this.output(x)
    const zero = this.recording.constant(new Float32Array(1), [], 'float32')
    const T = tfjsType(of.dtype) as DataType
    const positive = this.emit('Greater', [of, zero], { T: { type: T } })
    const [step] = this.emit('Cast', positive, { SrcT: { type: 'bool' }, DstT: { type: T } })
    this.steps.set(step!, of)
    return this.symbol(step!)
  }

  /** dy * step(x) as ReluGrad(dy, relu(x)), which is ReluGrad(dy, x); undefined where the product is another one. */
  recordReluGrad(a: tf.TensorInfo, b: tf.TensorInfo): tf.TensorInfo | undefined {
    const [left, right] = [this.output(a), this.output(b)]
    const [gradient, x] = this.steps.has(right) ? [left, this.steps.get(right)] : [right, this.steps.get(left)]
    if (!x || gradient.shape.join() !== x.shape.join()) return undefined
    return this.symbol(
      this.emit('ReluGrad', [gradient, this.relus.get(x) ?? x], { T: { type: tfjsType(x.dtype) as DataType } })[0]!,
    )
  }

  // Storage: what tfjs writes while recording (axes, scalars, shapes) is kept as values until a node needs it.

  override write(values: tf.backend_util.BackendValues, shape: number[], dtype: tf.DataType): object {
    if (opsUnderWay().some((op) => drawing.has(op))) throw this.refusal(drawn)
    const dataId = {}
    this.written.set(dataId, { values, shape, dtype })
    return dataId
  }

  override move(dataId: object, values: tf.backend_util.BackendValues, shape: number[], dtype: tf.DataType): void {
    this.written.set(dataId, { values, shape, dtype })
  }

  override readSync(dataId: object): tf.backend_util.BackendValues {
    const known = this.written.get(dataId)?.values ?? this.outputs.get(dataId)?.values
    if (!known)
      throw this.refusal(
        'A value that the graph will compute was read while it was recorded. Keep it a tensor; data(), print() and conditions on it cannot be recorded',
      )
    return known as tf.backend_util.BackendValues
  }

  override async read(dataId: object): Promise<tf.backend_util.BackendValues> {
    return this.readSync(dataId)
  }

  override incRef(): void {}
  override refCount(): number {
    return 1
  }
  override disposeData(): boolean {
    return false
  }
  override numDataIds(): number {
    return 0
  }
}

/** tfjs-node asks for the old Add, also for biases; TensorFlow's optimiser and oneDNN fuse BiasAdd and know AddV2. */
function canonicalOp(op: string, [a, b]: Output[]): string {
  if (op !== 'Add') return op
  const bias = a!.shape.length === 4 && b!.shape.length === 1 && b!.shape[0] === a!.shape[3]
  return bias ? 'BiasAdd' : 'AddV2'
}

/** Kernels that are recorded otherwise than tfjs-node would execute them. `eager` is its own kernel. */
const rewritten: Record<
  string,
  (recorder: Recorder, call: KernelCall, eager: tf.KernelFunc) => tf.TensorInfo | tf.TensorInfo[]
> = {
  // A second tensor of one value is, in a graph, the same output.
  Identity: (recorder, { inputs }) => recorder.symbol(recorder.output(inputs.x!)),
  // tfjs sees uint8 and half floats as other types, so that what it believes to be no cast may be one.
  Cast: (recorder, { inputs, attrs }) => {
    const [from, to] = [recorder.output(inputs.x!), attrs!.dtype as DataType]
    if (from.dtype === to) return recorder.symbol(from)
    return recorder.symbol(recorder.emit('Cast', [from], { SrcT: { type: from.dtype }, DstT: { type: to } })[0]!)
  },
  // tfjs-node's kernel reads the indices to check them; in a graph TensorFlow checks them (on the CPU).
  GatherV2: (recorder, { inputs, attrs }) => {
    const [x, indices] = [recorder.output(inputs.x!), recorder.output(inputs.indices!)]
    const axis = recorder.output(tf.scalar(attrs!.axis as number, 'int32'))
    const int32 = { type: 'int32' } as const
    const types = {
      Tparams: { type: isHalf(x) ? 'float32' : x.dtype },
      Tindices: { type: indices.dtype },
      Taxis: int32,
    } as const
    const batchDims = { int: (attrs!.batchDims as number | undefined) ?? 0 }
    return recorder.symbol(recorder.emit('GatherV2', [x, indices, axis], { ...types, batch_dims: batchDims })[0]!)
  },
  Step: (recorder, call, eager) => (call.attrs?.alpha ? eager(call) : recorder.recordStep(call.inputs.x!)),
  Multiply: (recorder, call, eager) => recorder.recordReluGrad(call.inputs.a!, call.inputs.b!) ?? eager(call),
}

let recorder: Recorder | undefined

/** Registers the recorder and, under its name, every kernel of tfjs-node. */
function register(): Recorder {
  if (recorder) return recorder
  const made = new Recorder((tf.findBackend('tensorflow') as NodeJSKernelBackend).binding, '@tensorflow/tfjs-node-gpu')
  tf.registerBackend(backendName, () => made, 0)
  for (const { kernelName, kernelFunc: eager } of tf.getKernelsForBackend('tensorflow')) {
    const rewrite = rewritten[kernelName]
    const kernelFunc: tf.KernelFunc = (call) =>
      made.within(kernelName, () => (rewrite ? rewrite(made, call, eager) : eager(call)))
    tf.registerKernel({ kernelName, backendName, kernelFunc })
  }
  recorder = made
  return made
}

/** Runs `body` with assignments refused to variables that do not stand for outputs: they would be lost, and the variable with them. */
function withAssignsChecked<T>(recorder: Recorder, body: () => T): T {
  const prototype = tf.Variable.prototype
  const { assign } = prototype
  prototype.assign = function (this: tf.Variable, value) {
    if (!recorder.given.has(this))
      throw recorder.refusal(
        `Expected all variables that are assigned to be given, found ${this.name}, whose new value would be lost. Add it to the variables, such as the moving mean and variance of a batch normalisation, or do not assign it here`,
      )
    assign.call(this, value)
  }
  try {
    return body()
  } finally {
    prototype.assign = assign
  }
}

/** The tensor that stands for an output of the graph being recorded. */
export const toTensor = (output: Output): tf.Tensor => register().symbol(output)

/** The graph's output behind a tensor; always of the type that tfjs sees, also where the graph computes in halves. */
export function toOutput(tensor: tf.Tensor): Output {
  const recorder = register()
  const output = recorder.output(tensor)
  return isHalf(output) ? inFloat(recorder.recording, output, 'float32') : output
}

/**
 * Runs `body` with every tfjs op recorded into `graph` instead of computed, and returns what it returns. Make the graph's
 * inputs with `graph.placeholder` and `toTensor`, its calls with `toOutput` and `graph.sign`; open it with `openSession`:
 *
 *     record(graph, () => {
 *       const x = graph.placeholder('x', [8, 32, 32, 3], 'float32')
 *       graph.sign('predict', { x }, { y: toOutput(model.apply(toTensor(x)) as tf.Tensor) })
 *     })
 *
 * Tensors from outside, weights among them, become constants. What a recording cannot hold is refused with an error that
 * names the kernel, the op, the layer and the caller's line: an op without a shape function, a value that is read, random
 * numbers drawn in JavaScript (they would be the same in every call), a recurrent layer that keeps its state between calls, a
 * variable that is assigned outside `withVariables`, a body that waits.
 */
export function record<T>(graph: Graph, body: () => T): T {
  const backend = register()
  const [outer, random] = [tf.getBackend(), Math.random]
  if (backend.graph) throw new Error('A graph is being recorded already; record one after the other')
  backend.begin(graph)
  Math.random = () => {
    throw backend.refusal(drawn)
  }
  // setBackend does its work before it first awaits, since the recorder needs no preparation.
  void tf.setBackend(backendName)
  try {
    let result: T
    tf.tidy(() => {
      result = withAssignsChecked(backend, () => withLayersNoted(body))
    })
    if (result! instanceof Promise) {
      // What fails in it later has been said here.
      result.catch(() => {})
      throw new Error('Expected a body that records at once, found one that waits (a Promise). Load data before recording')
    }
    return result!
  } finally {
    Math.random = random
    void tf.setBackend(outer)
    backend.begin(undefined)
  }
}

/**
 * Runs `body` with the variables standing for outputs of the graph. What `body` assigns to them is not done but returned:
 * the outputs that hold their new values. Other variables become constants; one that is trainable is refused.
 */
export function withVariables<T>(variables: readonly { variable: tf.Variable; output: Output }[], body: () => T) {
  const own = variables.map(({ variable }) => variable.dataId)
  const symbols = variables.map(({ output }) => toTensor(output).dataId)
  variables.forEach(({ variable }, i) => {
    variable.dataId = symbols[i]!
  })
  const backend = register()
  try {
    backend.learning = true
    backend.given = new Set(variables.map(({ variable }) => variable))
    const result = body()
    const assigned = variables.flatMap(({ variable }, i) =>
      variable.dataId === symbols[i] ? [] : [{ variable, output: toOutput(variable) }],
    )
    return { result, assigned }
  } finally {
    backend.learning = false
    backend.given = new Set()
    variables.forEach(({ variable }, i) => {
      variable.dataId = own[i]!
    })
  }
}
