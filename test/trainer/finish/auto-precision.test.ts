// A bundle that has its network in float32 and in bfloat16: each device computes in what is quick there.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { modelFile, writeBundle } from '../../../deploy/bundle.ts'
import { nativePrecision } from '../../../deploy/native-precision.ts'
import { loadBundle } from '../../../deploy/run-bundle.ts'
import { savedModel } from '../../../trainer/graph/graph.ts'
import { buildNetwork } from '../../../trainer/learn/learner.ts'
import { type InferencePrecision, recordInference } from '../../../trainer/model/export.ts'
import { readCommandLine } from '../../../trainer/run/command-line.ts'
import { settle } from '../../../trainer/run/settings.ts'

const input = { width: 64, height: 48, fit: 'crop', resizer: 'bilinear', matrix: 'bt601', range: 'video' } as const
const settings = settle(readCommandLine(['--width', '0.05', '--fc', '16', '--preset', 'jetson'])!, false)
const network = buildNetwork(settings, input, 2)
const work = mkdtempSync(join(tmpdir(), 'roadmask-auto-'))
afterAll(() => {
  network.close()
  rmSync(work, { recursive: true })
})

const picture = Uint8Array.from({ length: 3 * input.width * input.height }, (_, i) => (i * 7919) % 251)
const { net, width, fc, batchNorm } = network.architecture

/** The probabilities and the size of a bundle that computes so. */
async function bundleOf(compute: NonNullable<InferencePrecision['compute']>) {
  const file = Buffer.concat(savedModel(recordInference(network.model, network.architecture, { storage: 'float16', compute })))
  const dir = join(work, compute)
  const manifest = {
    name: compute,
    created: new Date().toISOString(),
    architecture: { net, encoder: 'vgg16', width, fc, batchNorm, parameters: network.parameters },
    input,
    classes: ['other', 'road'].map((name) => ({ name, colour: '#000000' })),
    road: 1,
    measures: {},
    precision: { storage: 'float16', compute, pixels_differing: 0 },
    data: [],
    commit: '',
    settings: {},
  } as const
  await writeBundle(dir, { ...manifest, classes: [...manifest.classes], data: [] }, { [modelFile]: file })
  const bundle = await loadBundle(dir)
  const [score, masks] = [bundle.score(picture, 1), bundle.serve(picture, 1).masks]
  bundle.dispose()
  return { score, masks, precision: bundle.precision, compute: bundle.compute, bytes: file.length }
}

test('a bundle in both computes what this device is quick in, like one in that alone, and is hardly larger', async () => {
  const [float32, bfloat16, auto] = [await bundleOf('float32'), await bundleOf('bfloat16'), await bundleOf('auto')]
  const halved = (await nativePrecision(auto.compute))?.bfloat16
  expect(auto.precision).toBe(halved ? 'bfloat16' : 'float32')
  expect(auto.score).toEqual((halved ? bfloat16 : float32).score)
  expect(auto.masks).toEqual((halved ? bfloat16 : float32).masks)
  expect(float32.score).not.toEqual(bfloat16.score)
  expect(auto.bytes - float32.bytes).toBeLessThan(60_000)
})

test('the signatures of any other name are those of float32, for whoever loads the SavedModel without knowing', () => {
  const { signatures } = recordInference(network.model, network.architecture, { compute: 'auto' })
  expect(Object.keys(signatures)).toEqual(['serve', 'score', 'logits', 'serve_bfloat16', 'score_bfloat16'])
})
