// What the graph command says of a small network, against numbers worked out by hand, and the files it writes.
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import * as tf from '@tensorflow/tfjs-node-gpu'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openBundle } from '../../deploy/bundle.ts'
import { costOf } from '../../trainer/graph/cost.ts'
import { crc32c } from '../../trainer/graph/event-file.ts'
import { Graph, savedModel } from '../../trainer/graph/graph.ts'
import { viewNodes } from '../../trainer/graph/graph-view.ts'
import { readGraphDef, readSavedModel } from '../../trainer/graph/read-graph.ts'
import { record, toOutput, toTensor } from '../../trainer/graph/recorder.ts'
import { inferShapes } from '../../trainer/graph/saved-shapes.ts'
import { writeBrightBundle } from '../bright-bundle.ts'

const weight = <R extends tf.Rank>(shape: tf.ShapeMap[R], name: string) =>
  tf.variable<R>(tf.randomNormal<R>(shape), false, name)

/** 10 x 12 pictures: a convolution, a pooling, one with stride 2, a transposed one that is cut, and a matrix product. */
function recordSmall(storage: Graph['storage'] = 'float32') {
  const weights = {
    first: weight<tf.Rank.R4>([3, 3, 3, 20], 'first/kernel'),
    bias: weight<tf.Rank.R1>([20], 'first/bias'),
    second: weight<tf.Rank.R4>([5, 5, 20, 8], 'second/kernel'),
    up: weight<tf.Rank.R4>([4, 4, 2, 8], 'up/kernel'),
    dense: weight<tf.Rank.R3>([1, 2, 7], 'dense/kernel'),
  }
  const graph = new Graph({ dynamicBatch: true, storage })
  record(graph, () => {
    const pictures = graph.placeholder('pictures', [2, 10, 12, 3], 'uint8')
    const x = tf.cast(toTensor(pictures), 'float32') as tf.Tensor4D
    const first = tf.relu(tf.add(tf.conv2d(x, weights.first, 1, 'same'), weights.bias)) as tf.Tensor4D
    const second = tf.conv2d(tf.maxPool(first, 2, 2, 'same'), weights.second, 2, 'same')
    const up = tf.conv2dTranspose(second, weights.up, [second.shape[0], 6, 6, 2], 2, 'same')
    const cut = tf.slice(up, [0, 0, 0, 0], [up.shape[0], 5, 6, 2])
    graph.sign('network', { pictures }, { y: toOutput(tf.matMul(tf.reshape(cut, [cut.shape[0], 30, 2]), weights.dense)) })
    graph.sign('half', { pictures }, { y: toOutput(first) })
  })
  tf.dispose(weights)
  return graph
}

const cost = (graph: Graph, signature: string, batch = 1) => {
  const saved = readSavedModel(Buffer.concat(savedModel(graph)))
  const refs = Object.values(saved.signatures[signature]!.outputs).map(({ ref }) => ref)
  return costOf(saved.nodes, refs, inferShapes(saved.nodes, batch))
}

describe('a saved graph', () => {
  it('is read back as it was recorded', () => {
    const graph = recordSmall()
    const { nodes, signatures } = readSavedModel(Buffer.concat(savedModel(graph)))
    expect(nodes.map(({ name, op, inputs }) => ({ name, op, inputs }))).toEqual(
      graph.nodes.map(({ name, op, inputs }) => ({ name, op, inputs })),
    )
    const again = new Graph({ dynamicBatch: true })
    again.nodes.push(...nodes)
    Object.assign(again.signatures, signatures)
    expect(Buffer.concat(savedModel(again)).equals(Buffer.concat(savedModel(graph)))).toBe(true)
  })

  it('is refused where it is cut off or no SavedModel at all', () => {
    const whole = Buffer.concat(savedModel(recordSmall()))
    expect(() => readSavedModel(whole.subarray(0, whole.length - 9))).toThrow(/found the end of the message/)
    expect(() => readSavedModel(new Uint8Array([8, 1]))).toThrow(/Expected a SavedModel with a graph, found none/)
  })
})

describe('the cost of a graph', () => {
  const expected = [
    { name: 'first', output: [1, 10, 12, 20], parameters: 540 + 20, multiplyAdds: 10 * 12 * 20 * (3 * 3 * 3) },
    { name: 'second', output: [1, 3, 3, 8], parameters: 4000, multiplyAdds: 3 * 3 * 8 * (5 * 5 * 20) },
    { name: 'up', output: [1, 6, 6, 2], parameters: 256, multiplyAdds: 3 * 3 * 8 * (4 * 4 * 2) },
    { name: 'dense', output: [1, 30, 7], parameters: 14, multiplyAdds: 30 * 7 * 2 },
  ]

  it('has the parameters and multiply-adds of each layer', () => {
    const { layers, parameters, multiplyAdds, unknown } = cost(recordSmall(), 'network')
    expect(layers.map(({ name, output, parameters, multiplyAdds }) => ({ name, output, parameters, multiplyAdds }))).toEqual(
      expected,
    )
    expect(layers.every(({ compute }) => compute === 'float32')).toBe(true)
    expect(parameters).toBe(560 + 4000 + 256 + 14)
    expect(multiplyAdds).toBe(64800 + 36000 + 2304 + 420)
    expect(unknown).toEqual([])
  })

  it('grows with the number of pictures, and the parameters do not', () => {
    const [one, three] = [cost(recordSmall(), 'network'), cost(recordSmall(), 'network', 3)]
    expect(three.multiplyAdds).toBe(3 * one.multiplyAdds)
    expect(three.parameters).toBe(one.parameters)
  })

  it('is that of the nodes a signature needs', () => {
    const { layers, ops, nodes } = cost(recordSmall(), 'half')
    expect(layers.map(({ name }) => name)).toEqual(['first'])
    expect(ops).toEqual({ Const: 2, Placeholder: 1, Cast: 1, Conv2D: 1, BiasAdd: 1, Relu: 1, Identity: 1 })
    expect(nodes).toBe(8)
  })

  it('tells how the parameters are stored', () => {
    expect(cost(recordSmall(), 'network').stored).toEqual({ float32: 4 * (560 + 4000 + 256 + 14) })
    const halved = cost(recordSmall('float16'), 'network')
    expect(halved.stored).toEqual({ float32: 4 * (560 + 256 + 14), float16: 2 * 4000 })
    expect(halved.layers.map(({ name }) => name)).toEqual(['first', 'second', 'up', 'dense'])
    expect(halved.multiplyAdds).toBe(64800 + 36000 + 2304 + 420)
  })
})

it('checks with CRC-32C', () => {
  // RFC 3720, appendix B.4
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa)
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43)
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e)
})

/** The data of a TFRecord file's records, their lengths as the file states them. */
function records(file: Buffer): Buffer[] {
  const found: Buffer[] = []
  for (let at = 0; at < file.length; at += Number(file.readBigUInt64LE(at)) + 16)
    found.push(file.subarray(at + 12, at + 12 + Number(file.readBigUInt64LE(at))))
  return found
}

describe('npm run graph', () => {
  let dir: string
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'roadmask-graph-'))
    await writeBrightBundle(join(dir, 'bundle'))
  })
  afterAll(() => rm(dir, { recursive: true, force: true }))

  const run = (...args: string[]) => {
    const program = join(import.meta.dirname, '../../build/trainer/show-graph.js')
    return promisify(execFile)(process.execPath, [program, ...args], { cwd: dir, env: { ...process.env, INIT_CWD: dir } })
  }

  it('shows a layer as one box, and of weights only their shape', () => {
    const saved = readSavedModel(Buffer.concat(savedModel(recordSmall())))
    const shown = viewNodes(saved.nodes)
    const first = shown.filter(({ name }) => name.startsWith('first/')).map(({ name }) => name)
    expect(first).toEqual(['first/kernel', 'first/Conv2D', 'first/bias', 'first/BiasAdd', 'first/Relu'])
    const kernel = shown.find(({ name }) => name === 'first/kernel')!
    expect(kernel.attrs.value).toEqual({ tensor: { values: new Uint8Array(), shape: [3, 3, 3, 20], dtype: 'float32' } })
    const conv = shown.find(({ name }) => name === 'second/Conv2D_1')!
    expect(conv.inputs).toEqual(['MaxPool', 'second/kernel'])
    expect(conv.attrs._output_shapes).toEqual({ shapes: [[-1, 3, 3, 8]] })
  })

  it('times calls and leaves the bundle whole', async () => {
    const { stdout } = await run('--bundle', 'bundle', '--seconds', '0.05', '--out', 'view', '--json')
    const told = JSON.parse(stdout)
    expect(Object.keys(told.signatures)).toEqual(['serve', 'score', 'logits'])
    expect(told.timings.map(({ signature, batch }: { signature: string; batch: number }) => `${signature} ${batch}`)).toEqual(
      ['serve', 'score', 'logits'].flatMap((name) => [1, 2, 4].map((batch) => `${name} ${batch}`)),
    )
    for (const { milliseconds, calls } of told.timings) {
      expect(milliseconds).toBeGreaterThan(0)
      expect(calls).toBeGreaterThanOrEqual(5)
    }
    await openBundle(join(dir, 'bundle'))
  })

  it('writes a graph and an event file with the nodes that its signatures need, and their shapes', async () => {
    await run('--bundle', 'bundle', '--seconds', '0', '--out', 'files')
    expect((await readdir(join(dir, 'files'))).sort()).toEqual(['events.out.tfevents.0.graph', 'graph.pb'])
    const graph = await readFile(join(dir, 'files/graph.pb'))
    const [version, event, ...more] = records(await readFile(join(dir, 'files/events.out.tfevents.0.graph')))
    expect(version!.toString('latin1')).toContain('brain.Event:2')
    expect(event!.indexOf(graph)).toBeGreaterThan(0)
    expect(more).toEqual([])
    const shown = readGraphDef(graph)
    const taken = new Set(shown.flatMap(({ inputs }) => inputs))
    expect(shown.map(({ name }) => name).filter((name) => !taken.has(name))).toEqual([
      'serve/mask',
      'serve/class_share',
      'serve/confidence',
      'score/probability',
      'logits/logits',
    ])
    expect([...taken].filter((input) => !shown.some(({ name }) => name === input))).toEqual([])
    expect(shown.find(({ name }) => name === 'serve/mask')!.attrs._output_shapes).toEqual({ shapes: [[-1, 64, 96]] })
  })

  it.each([
    [['--bundle', 'nowhere'], /Expected a bundle in .*nowhere/],
    [[], /Expected --bundle DIR/],
    [['--bundle', 'bundle', '--seconds', 'x'], /--seconds: expected a number from 0 on, found x/],
    [['--bundle', 'bundle', '--out', 'bundle/model'], /--out: expected a folder outside the bundle/],
  ])('refuses %j', async (args, message) => {
    await expect(run(...args)).rejects.toMatchObject({ code: 1, stderr: expect.stringMatching(message) })
  })
})
