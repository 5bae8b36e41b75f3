// VGG16's weights from the files of Keras and tfjs: what the network answers with them, what is said of each layer, and what
// is refused.
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import * as tf from '@tensorflow/tfjs-node-gpu'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Architecture, buildFcn, normalise, variables } from '../../../trainer/model/fcn.ts'
import { adoptWeights, startTable } from '../../../trainer/transfer/adopt.ts'
import { openVgg16 } from '../../../trainer/transfer/vgg16.ts'
import { hasPython, python } from '../../python.ts'

const [height, width] = [64, 96]
const picture = Uint8Array.from({ length: height * width * 3 }, (_, i) => (i * 7919 + (i % 89) * (i % 97)) % 256)
const classes = ['other', 'road']

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roadmask-vgg16-'))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

const network = (architecture: Partial<Architecture> = {}) =>
  buildFcn({ net: 'fcn8s', width: 1, fc: 8, batchNorm: false, dropout: 0.5, classes: 2, ...architecture }, height, width)

const pictures = () => [tf.tensor4d(Int32Array.from(picture), [1, height, width, 3], 'int32')]

async function adopt(path: string, architecture?: Partial<Architecture>) {
  const model = network(architecture)
  return { model, start: adoptWeights(model, await openVgg16(path), { classes, pictures: pictures() }) }
}

/** Keras's own VGG16 with random weights, biases too, in each of the formats, and what it answers. */
const script = `
import os, sys
os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'
import numpy as np, keras, h5py
out, height, width = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
model = keras.applications.VGG16(weights=None, include_top=False, input_shape=(height, width, 3))
random = np.random.default_rng(1)
model.set_weights([random.normal(0, 0.05 if w.ndim == 1 else np.sqrt(2 / np.prod(w.shape[:3])), w.shape) for w in model.get_weights()])
model.save_weights(out + '/keras3.weights.h5')
model.save(out + '/keras2.h5')
with h5py.File(out + '/published.h5', 'w') as file:  # as the published files have them
    for layer in model.layers:
        group = file.create_group(layer.name)
        for kind, weight in zip('Wb', layer.get_weights()): group[layer.name + '_' + kind + '_1:0'] = weight
picture = np.fromfile(out + '/picture.raw', np.uint8).reshape(1, height, width, 3)
outputs = keras.Model(model.inputs, [model.get_layer('block5_conv3').output, model.get_layer('block5_pool').output])
for name, value in zip(['conv5_3', 'pool5'], outputs(keras.applications.vgg16.preprocess_input(picture.astype('float32')))):
    np.asarray(value, np.float32).tofile(out + '/' + name + '.raw')
`

describe.skipIf(!hasPython)("Keras's VGG16", () => {
  beforeAll(async () => {
    await writeFile(join(dir, 'picture.raw'), picture)
    await writeFile(join(dir, 'make.py'), script)
    await promisify(execFile)(python, [join(dir, 'make.py'), dir, String(height), String(width)])
  })

  it.each([
    ['keras2.h5', false],
    ['published.h5', false],
    ['keras3.weights.h5', false],
    ['keras3.weights.h5', true],
  ])('answers the same here from %s, batch normalisation %s', async (file, batchNorm) => {
    const { model, start } = await adopt(join(dir, file), { batchNorm })
    expect(start.layers.filter(({ start }) => start === 'loaded')).toHaveLength(13)
    for (const [layer, name] of Object.entries({ [batchNorm ? 'relu5_3' : 'conv5_3']: 'conv5_3', pool5: 'pool5' })) {
      const outputs = model.getLayer(layer).output as tf.SymbolicTensor
      const ours = (tf.model({ inputs: model.inputs, outputs }).predict(normalise(pictures()[0]!)) as tf.Tensor).dataSync()
      const theirs = new Float32Array(Uint8Array.from(await readFile(join(dir, `${name}.raw`))).buffer)
      expect(ours).toHaveLength(theirs.length)
      const largest = theirs.reduce((most, value) => Math.max(most, value))
      expect(largest).toBeGreaterThan(1)
      expect(Math.max(...ours.map((value, i) => Math.abs(value - theirs[i]!))) / largest).toBeLessThan(1e-4)
    }
  })

  it('is refused where the file is cut off', async () => {
    await writeFile(join(dir, 'cut.h5'), await readFile(join(dir, 'published.h5')))
    await truncate(join(dir, 'cut.h5'), 1_000_000)
    await expect(openVgg16(join(dir, 'cut.h5'))).rejects.toThrow(/cut\.h5 cannot be read \(it is damaged or cut off\)/)
  })
})

/** A tfjs model of VGG16's names, its weights all of one value, in two shards. */
async function writeTfjs(name: string, change: (weights: { name: string; shape: number[] }[]) => void = () => {}) {
  const weights = [...variables(network())].flatMap(([ours, { shape }]) => {
    const [, block, conv, kind] = /^conv(\d)_(\d)\/(kernel|bias)$/.exec(ours) ?? []
    return block ? [{ name: `block${block}_conv${conv}/${kind}`, shape }] : []
  })
  change(weights)
  const typed = weights.map((weight) => ({ ...weight, dtype: 'float32' }))
  const bytes = Buffer.from(
    new Float32Array(weights.reduce((sum, { shape }) => sum + tf.util.sizeFromShape(shape), 0)).fill(0.5).buffer,
  )
  const shards = [`${name}-1.bin`, `${name}-2.bin`]
  await writeFile(join(dir, shards[0]!), bytes.subarray(0, 1_000_003))
  await writeFile(join(dir, shards[1]!), bytes.subarray(1_000_003))
  await writeFile(join(dir, `${name}.json`), JSON.stringify({ weightsManifest: [{ paths: shards, weights: typed }] }))
  return join(dir, `${name}.json`)
}

describe('VGG16 from tfjs', () => {
  it('is loaded from its shards; fully connected layers become convolutions where they fit, and every layer is told', async () => {
    const path = await writeTfjs('top', (weights) =>
      weights.push(
        { name: 'fc1/kernel', shape: [7 * 7 * 512, 8] },
        { name: 'fc1/bias', shape: [8] },
        { name: 'fc2/kernel', shape: [8, 12] },
        { name: 'fc2/bias', shape: [12] },
        { name: 'predictions/kernel', shape: [12, 10] },
      ),
    )
    const { model, start } = await adopt(path)
    expect(start.name).toBe('top.json')
    expect(start.layers.find(({ layer }) => layer === 'fc6')).toEqual({ layer: 'fc6', kernel: [7, 7, 512, 8], start: 'loaded' })
    expect(start.layers.find(({ layer }) => layer === 'fc7')).toMatchObject({ start: 'new', note: 'top.json has [1,1,8,12]' })
    expect(startTable(start)).toMatch(/14 layers loaded, 6 new\n {2}conv1_1 +\[3, 3, 3, 64\] +loaded\n/)
    const values = variables(model)
    expect(values.get('conv1_1/kernel')!.dataSync()[5]).toBe(32) // 64 times 0.5
    expect(values.get('fc6/kernel')!.dataSync()[5]).toBe(0.5)
    expect(values.get('fc7/kernel')!.dataSync()[5]).not.toBe(0.5)
  })

  it('is refused where a convolution is missing or of another shape, with what was expected and found', async () => {
    const missing = await writeTfjs('missing', (weights) => weights.splice(4, 1))
    await expect(adopt(missing)).rejects.toThrow(
      /Expected VGG16's 13 convolutions in .*missing\.json, but conv2_1\/kernel is not there\. It holds block1_conv1\/kernel \[3,3,3,64\]/,
    )
    const other = await writeTfjs('other')
    await expect(adopt(other, { width: 0.5 })).rejects.toThrow(/Expected conv1_1 of shape \[3,3,3,32\].*\[3,3,3,64\]/)
  })

  it('is refused where there is no such file, or it holds something else', async () => {
    await expect(openVgg16(join(dir, 'none.h5'))).rejects.toThrow(/Expected a file of weights, but .*none\.h5 cannot be opened/)
    await writeFile(join(dir, 'page.h5'), '<html>404')
    await expect(openVgg16(join(dir, 'page.h5'))).rejects.toThrow(/Expected weights in .*page\.h5.*begins with "<html>40"/)
  })
})
