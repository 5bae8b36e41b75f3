// Ours and tfjs eager as contestants, and the making of what all contestants work on:
// node ours.js CONTESTANT MEASUREMENT FOLDER
import { readFileSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import * as tf from '@tensorflow/tfjs-node-gpu'
import { openSavedModel } from '../../deploy/saved-model.ts'
import { costOf } from '../graph/cost.ts'
import type { Graph } from '../graph/graph.ts'
import { inferShapes } from '../graph/saved-shapes.ts'
import { writeSavedModel } from '../graph/session.ts'
import { buildNetwork, openLearner } from '../learn/learner.ts'
import { recordInference } from '../model/export.ts'
import { foldedFcn, variables } from '../model/fcn.ts'
import { type Ranges, widen } from '../model/quantise.ts'
import { readCheckpoint, saveCheckpoint } from '../run/checkpoint.ts'
import { readCommandLine } from '../run/command-line.ts'
import { type Settings, settle } from '../run/settings.ts'
import type { Call, Examples, Make, Reply, Request, Task } from './contestant.ts'
import { readMask, serveEager, trainEager } from './eager.ts'
import { matrixProducts } from './matrix-products.ts'

const [contestant = '', measurement = '', folder = ''] = process.argv.slice(2)
const compute = contestant.replace('ours-', '')
const task = JSON.parse(await readFile(join(folder, 'task.json'), 'utf8')) as Task
const pictures = await readFile(join(folder, 'pictures.raw'))
const labels = await readFile(join(folder, 'labels.raw'))

const examples: Examples = (batch) => {
  const area = batch * task.height * task.width
  return {
    pictures: pictures.subarray(0, 3 * area),
    labels: labels.subarray(0, area),
    shape: [batch, task.height, task.width],
  }
}

/** The trainer's settings for the task. No dropout and no averages, so that the losses of all contestants are the same. */
function settingsOf({ multiplier, fc, batchNorm, weightDecay }: Task, batch: number, compute: string): Settings {
  const options = { compute, batch, width: multiplier, fc, 'batch-norm': batchNorm ? 'on' : 'off', 'weight-decay': weightDecay }
  const plain = { preset: 'jetson', net: 'fcn8s', dropout: 0, augment: 'none', 'clip-norm': 0, ema: 0 }
  const line = readCommandLine(
    Object.entries({ ...options, ...plain }).flatMap(([name, value]) => [`--${name}`, String(value)]),
  )
  return settle(line!, false)
}

const { width, height, classes } = task
const input = { width, height, fit: 'crop', resizer: 'bilinear', matrix: 'bt601', range: 'video' } as const

/** Multiply-adds of our exported network for one picture. */
function workOf({ nodes, signatures }: Graph): number {
  const refs = Object.values(signatures.serve!.outputs).map(({ ref }) => ref)
  return costOf(nodes, refs, inferShapes(nodes, 1)).multiplyAdds
}

/** On all pictures at hand, as the peers' int8 is. */
function calibrate(folded: tf.LayersModel): Ranges {
  const ranges: Ranges = new Map()
  const count = pictures.length / (3 * task.height * task.width)
  for (let i = 0; i < count; i++) {
    const one = pictures.subarray((i * pictures.length) / count, ((i + 1) * pictures.length) / count)
    const tensor = tf.tensor4d(one, [1, task.height, task.width, 3], 'bool')
    widen(ranges, folded, tensor)
    tensor.dispose()
  }
  return ranges
}

/**
 * As training would leave them. They start at zero, where TensorFlow's optimiser takes the addition out before it looks for
 * convolution, bias and relu to fuse, so that a network nobody trained would be slower than any in use.
 */
function drawBiases(model: tf.LayersModel): void {
  let seed = 1
  for (const [name, variable] of variables(model))
    if (name.endsWith('/bias')) tf.tidy(() => variable.assign(tf.randomNormal(variable.shape, 0, 0.1, 'float32', seed++)))
}

/** Writes what the contestants read: weights and, for inference, our SavedModels. Answers the network's size and work. */
async function prepare(): Promise<number[]> {
  const { model, architecture, load } = buildNetwork(settingsOf(task, 1, 'float32'), input, classes)
  if (task.checkpoint !== undefined) load((await readCheckpoint(task.checkpoint)).state)
  else if (measurement === 'inference') drawBiases(model)
  let shown = model
  if (measurement === 'inference') {
    shown = foldedFcn(model, architecture)
    for (const compute of ['float32', 'bfloat16'] as const) {
      await mkdir(join(folder, compute))
      await writeSavedModel(recordInference(model, architecture, { compute }), join(folder, compute))
    }
    await mkdir(join(folder, 'int8'))
    await writeSavedModel(recordInference(model, architecture, { ranges: calibrate(shown) }), join(folder, 'int8'))
  }
  const state = new Map(
    [...variables(shown)].map(([name, variable]) => [
      name,
      { shape: variable.shape, values: variable.dataSync() as Float32Array },
    ]),
  )
  await saveCheckpoint(join(folder, 'weights.safetensors'), { epoch: 0, step: 0, best: { epoch: 0, road_iou: 0 }, state })
  return [shown.countParams(), workOf(recordInference(model, architecture))]
}

/** Our SavedModel as the agent runs it. */
async function serveOurs(): Promise<Make> {
  const session = await openSavedModel(join(folder, compute), ['serve'])
  return (batch) => {
    const { pictures, shape } = examples(batch)
    return () => readMask(() => session.call('serve', { pictures: tf.tensor(pictures, [...shape, 3], 'bool') }))
  }
}

/** The trainer's own step. */
function trainOurs(): Make {
  return async (batch) => {
    const learner = await openLearner(settingsOf(task, batch, compute), input, classes)
    const { pictures, labels } = examples(batch)
    let step = 0
    return () => learner.step(pictures, labels, task.learningRate, ++step)
  }
}

async function open(): Promise<Make> {
  if (measurement === 'inference') return contestant === 'tfjs' ? serveEager(task, folder, examples) : serveOurs()
  return contestant === 'tfjs' ? trainEager(task, folder, examples) : trainOurs()
}

async function results(request: Request, call: () => Promise<Call>): Promise<Omit<Reply, 'peakBytes'>> {
  if (contestant === 'prepare') return { results: await prepare() }
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
