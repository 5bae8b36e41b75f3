// Ours and tfjs eager as contestants, and the making of what all contestants work on:
// node ours.js CONTESTANT MEASUREMENT FOLDER
import { readFileSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import * as tf from '@tensorflow/tfjs-node-gpu'
import { openSavedModel } from '../../deploy/saved-model.ts'
import { readCheckpoint, saveCheckpoint } from '../checkpoint.ts'
import { writeSavedModel } from '../graph/session.ts'
import { openLearner } from '../learner.ts'
import { recordInference, serve } from '../model/export.ts'
import { type Architecture, buildFcn, foldedFcn, normalise, variables } from '../model/fcn.ts'
import { meanCrossEntropy } from '../model/loss.ts'
import { readCommandLine, settle } from '../settings.ts'
import type { Reply, Request, Task } from './contestant.ts'
import { matrixProducts } from './matrix-products.ts'
import type { Measurement } from './pairs.ts'

/** Runs once: gives a mask, or the loss before a step. */
type Call = () => ArrayLike<number> | number
/** Gets ready for a batch of so many pictures. */
type Make = (batch: number) => Call | Promise<Call>

const architecture = ({ multiplier, fc, batchNorm, classes }: Task): Architecture => ({
  net: 'fcn8s',
  width: multiplier,
  fc,
  batchNorm,
  dropout: 0, // so that the losses of all contestants are the same
  classes,
})

/** The network with the task's weights: those of a trained run, or drawn from a seed. */
async function network(task: Task): Promise<tf.LayersModel> {
  const model = buildFcn(architecture(task), task.height, task.width)
  if (task.checkpoint === undefined) return model
  const { state } = await readCheckpoint(task.checkpoint)
  for (const [name, variable] of variables(model)) {
    const { shape, values } = state.get(name)!
    tf.tidy(() => variable.assign(tf.tensor(values, shape)))
  }
  return model
}

/** Multiplications of the convolutions for one picture, each with its addition. */
function multiplyAdds(model: tf.LayersModel): number {
  return model.layers.reduce((sum, layer) => {
    const kernel = layer.weights.find(({ shape }) => shape.length === 4)
    if (!kernel) return sum
    // A transposed convolution puts its kernel at every input, another one at every output.
    const { shape } = (layer.name.startsWith('upscore') ? layer.input : layer.output) as tf.SymbolicTensor
    return sum + tf.util.sizeFromShape(kernel.shape as number[]) * shape[1]! * shape[2]!
  }, 0)
}

/** Writes what the contestants read: weights and, for inference, our SavedModels. Answers the network's size and work. */
async function prepare(task: Task, measurement: Measurement, folder: string): Promise<number[]> {
  const model = await network(task)
  let shown = model
  if (measurement === 'inference') {
    shown = foldedFcn(model, architecture(task))
    for (const compute of ['float32', 'bfloat16'] as const) {
      await mkdir(join(folder, compute))
      await writeSavedModel(recordInference(model, architecture(task), { compute }), join(folder, compute))
    }
  }
  const state = new Map(
    [...variables(shown)].map(([name, variable]) => [
      name,
      { shape: variable.shape, values: variable.dataSync() as Float32Array },
    ]),
  )
  await saveCheckpoint(join(folder, 'weights.safetensors'), { epoch: 0, step: 0, best: { epoch: 0, road_iou: 0 }, state })
  return [shown.countParams(), multiplyAdds(shown)]
}

/** Our SavedModel as the agent runs it. */
async function serveOurs(task: Task, folder: string, compute: string): Promise<Make> {
  const session = await openSavedModel(join(folder, compute), ['serve'])
  const pictures = await readFile(join(folder, 'pictures.raw'))
  return (batch) => {
    const shape = [batch, task.height, task.width, 3]
    const bytes = pictures.subarray(0, tf.util.sizeFromShape(shape))
    return () =>
      tf.tidy(() => {
        return readAll(session.call('serve', { pictures: tf.tensor(bytes, shape, 'bool') })).mask!
      })
  }
}

/** The same network, op for op as tfjs runs it. */
async function serveEager(task: Task, folder: string): Promise<Make> {
  const model = foldedFcn(await network(task), architecture(task))
  const pictures = await readFile(join(folder, 'pictures.raw'))
  return (batch) => {
    const shape = [batch, task.height, task.width, 3]
    const bytes = pictures.subarray(0, tf.util.sizeFromShape(shape))
    return () =>
      tf.tidy(() => {
        const logits = model.apply(normalise(tf.tensor(bytes, shape, 'int32'))) as tf.Tensor4D
        return readAll(serve({ logits: () => logits }, task.classes)).mask!
      })
  }
}

const readAll = (outputs: Record<string, tf.Tensor>) =>
  Object.fromEntries(Object.entries(outputs).map(([name, output]) => [name, output.dataSync()]))

/** The trainer's own step. */
async function trainOurs(task: Task, folder: string, compute: string): Promise<Make> {
  const { multiplier, fc, learningRate, weightDecay, height, width, classes } = task
  const { pictures, labels } = await readExamples(folder)
  return async (batch) => {
    const options = { compute, width: multiplier, fc, batch, 'weight-decay': weightDecay, 'clip-norm': 0, dropout: 0 }
    const line = readCommandLine([
      ...Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]),
      ...['--preset', 'jetson', '--batch-norm', 'on', '--augment', 'none'],
    ])
    const input = { width, height, fit: 'crop', resizer: 'bilinear', matrix: 'bt601', range: 'video' } as const
    const learner = await openLearner(settle(line!, false), input, classes)
    const area = batch * height * width
    const [some, theirs] = [pictures.subarray(0, 3 * area), labels.subarray(0, area)]
    let step = 0
    return () => learner.step(some, theirs, learningRate, ++step)
  }
}

/** A step as tfjs has it: gradients by `variableGrads`, then its Adam. It knows no weight decay, which spares it work. */
async function trainEager(task: Task, folder: string): Promise<Make> {
  const model = await network(task)
  const learnt = model.trainableWeights.map((weight) => weight.read() as tf.Variable)
  const optimizer = tf.train.adam(task.learningRate, 0.9, 0.999, 1e-7)
  const { pictures, labels } = await readExamples(folder)
  return (batch) => {
    const shape = [batch, task.height, task.width]
    const area = tf.util.sizeFromShape(shape)
    return () =>
      tf.tidy(() => {
        const some = tf.tensor(pictures.subarray(0, 3 * area), [...shape, 3], 'int32')
        const theirs = tf.tensor(labels.subarray(0, area), shape, 'int32')
        const loss = () => meanCrossEntropy(model.apply(normalise(some), { training: true }) as tf.Tensor4D, theirs)
        return optimizer.minimize(loss, true, learnt)!.dataSync()[0]!
      })
  }
}

const readExamples = async (folder: string) => ({
  pictures: await readFile(join(folder, 'pictures.raw')),
  labels: await readFile(join(folder, 'labels.raw')),
})

const [contestant = '', measurement = '', folder = ''] = process.argv.slice(2)
const task = JSON.parse(await readFile(join(folder, 'task.json'), 'utf8')) as Task
const compute = contestant.replace('ours-', '')

async function open(): Promise<Make> {
  if (measurement === 'inference') return contestant === 'tfjs' ? serveEager(task, folder) : serveOurs(task, folder, compute)
  return contestant === 'tfjs' ? trainEager(task, folder) : trainOurs(task, folder, compute)
}

async function results(request: Request, call: () => Promise<Call>): Promise<Omit<Reply, 'peakBytes'>> {
  if (contestant === 'prepare') return { results: await prepare(task, measurement as Measurement, folder) }
  if (contestant === 'matrix-products') return { results: await matrixProducts() }
  const run = await call()
  if ('calls' in request) {
    const encoded = (result: ArrayLike<number> | number) =>
      typeof result === 'number' ? result : Buffer.from(Uint8Array.from(result)).toString('base64')
    return { results: Array.from({ length: request.calls }, () => encoded(run())) }
  }
  run() // caches are cold and threads asleep
  const ms: number[] = []
  const end = performance.now() + 1000 * request.seconds
  while (ms.length === 0 || performance.now() < end) {
    const start = performance.now()
    run()
    ms.push(performance.now() - start)
  }
  return { ms }
}

let make: Make | undefined
let ready: { batch: number; call: Call } | undefined
for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line) as Request
  const reply = await results(request, async () => {
    make ??= await open()
    if (ready?.batch !== request.batch) ready = { batch: request.batch, call: await make(request.batch) }
    return ready.call
  })
  const peak = /VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))![1]
  process.stdout.write(`${JSON.stringify({ ...reply, peakBytes: 1024 * Number(peak) } satisfies Reply)}\n`)
}
