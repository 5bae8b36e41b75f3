// A bundle as the beginning of a new run: the same network, in either form.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs-node-gpu'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Manifest, modelFile, writeBundle } from '../../../deploy/bundle.ts'
import { savedModel } from '../../../trainer/graph/graph.ts'
import { recordInference } from '../../../trainer/model/export.ts'
import { type Architecture, buildFcn, normalise, variables } from '../../../trainer/model/fcn.ts'
import { adoptWeights } from '../../../trainer/transfer/adopt.ts'
import { openPrevious } from '../../../trainer/transfer/previous.ts'

const [height, width] = [40, 56]
const architecture: Architecture = { net: 'fcn8s', width: 0.25, fc: 24, batchNorm: true, dropout: 0.2, classes: 2 }
const picture = tf.tensor4d(
  Int32Array.from({ length: height * width * 3 }, (_, i) => (i * 7919 + (i % 89) * (i % 97)) % 256),
  [1, height, width, 3],
  'int32',
)
const logits = (model: tf.LayersModel) => (model.predict(normalise(picture)) as tf.Tensor).dataSync() as Float32Array

let dir: string
let expected: Float32Array
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roadmask-previous-'))
  const model = buildFcn(architecture, height, width, 3)
  for (const [name, variable] of variables(model))
    if (/beta|mean|upscore2|pool4\/bias/.test(name)) variable.assign(tf.randomNormal(variable.shape, 0, 0.1, 'float32', 7))
  expected = logits(model)
  for (const storage of ['float32', 'float16', 'bfloat16'] as const)
    await writeBundle(join(dir, storage), manifest(storage), {
      [modelFile]: Buffer.concat(savedModel(recordInference(model, architecture, { storage }))),
    })
  await writeBundle(join(dir, 'int8'), manifest('int8'), { [modelFile]: Buffer.from('not looked at') })
})
afterAll(() => rm(dir, { recursive: true, force: true }))

const manifest = (storage: 'float32' | 'float16' | 'bfloat16' | 'int8'): Omit<Manifest, 'files' | 'format' | 'version'> => ({
  name: `of ${storage}`,
  created: '2026-01-31T12:00:00.000Z',
  architecture: { net: 'fcn8s', encoder: 'vgg16', width: 0.25, fc: 24, batchNorm: true, parameters: 1 },
  input: { width, height, fit: 'crop', resizer: 'bilinear', matrix: 'bt601', range: 'video' },
  classes: [
    { name: 'other', colour: '#000000' },
    { name: 'road', colour: '#804080' },
  ],
  road: 1,
  measures: {},
  precision: { storage, compute: 'float32', pixels_differing: 0 },
  data: [{ name: 'kitti:some', pictures: 1, fingerprint: 'f', licence: 'research' }],
  commit: 'unknown',
  settings: { preset: 'jetson' },
})

it.each([
  ['float32', false, 1e-4],
  ['float32', true, 1e-4],
  ['float16', false, 0.01],
  ['bfloat16', false, 0.1],
] as const)(
  'a bundle in %s gives a network that answers as it did, batch normalisation %s',
  async (storage, batchNorm, near) => {
    const previous = await openPrevious(join(dir, storage))
    expect(previous.network).toEqual({ net: 'fcn8s', width: 0.25, fc: 24, batchNorm: false, preset: 'jetson' })
    expect(previous.data).toMatchObject([{ name: 'kitti:some', licence: 'research' }])
    const model = buildFcn({ ...architecture, batchNorm }, height, width, 4)
    const start = adoptWeights(model, previous.source, { classes: ['other', 'road'], pictures: [picture] })
    expect(start.layers.filter((layer) => layer.start === 'new')).toEqual([])
    const found = logits(model)
    const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
    expect(Math.max(...found.map((value, i) => Math.abs(value - expected[i]!))) / largest).toBeLessThan(near)
  },
)

it('a head for other classes is new', async () => {
  const { source } = await openPrevious(join(dir, 'float32'))
  const model = buildFcn({ ...architecture, batchNorm: false }, height, width)
  const { layers } = adoptWeights(model, source, { classes: ['other', 'pavement'], pictures: [] })
  const made = layers.filter(({ start }) => start === 'new').map(({ layer }) => layer)
  expect(made.sort()).toEqual(['score_fr', 'score_pool3', 'score_pool4', 'upscore2', 'upscore_pool4'])
  expect(layers.find(({ layer }) => layer === 'score_fr')!.note).toBe('other classes: other,road')
})

it('refuses an int8 bundle, saying what to do', async () => {
  await expect(openPrevious(join(dir, 'int8'))).rejects.toThrow(/int8 bundle.*Name its run folder.*--compute float32/)
})
