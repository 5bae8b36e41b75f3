// What 16 bits change of a network's masks.
import { afterAll, expect, test } from 'vitest'
import type { ModelInput } from '../../../deploy/bundle.ts'
import type { Pictures } from '../../../trainer/data/batches.ts'
import type { Dataset } from '../../../trainer/data/dataset.ts'
import { comparePrecision } from '../../../trainer/finish/compare-precision.ts'
import { finishModel } from '../../../trainer/finish/finished-model.ts'
import { buildNetwork } from '../../../trainer/learn/learner.ts'
import { validate } from '../../../trainer/metrics/validate.ts'
import { readCommandLine } from '../../../trainer/run/command-line.ts'
import { settle } from '../../../trainer/run/settings.ts'

const input: ModelInput = { width: 64, height: 48, fit: 'crop', resizer: 'bilinear', matrix: 'bt601', range: 'video' }
const settings = settle(readCommandLine(['--width', '0.05', '--fc', '16', '--preset', 'jetson'])!, false)
const network = buildNetwork(settings, input, 2)
afterAll(() => network.close())

const area = input.width * input.height
const ids = Uint8Array.from({ length: area }, (_, i) => (i % input.width < 30 ? 1 : 0))
/** Plain, grainy, and black: 16 bits change another number of pixels in each. */
const shades = [(i: number) => (i * 7919) % 251, (i: number) => (i / 37) % 256, () => 0]
const pictures: Pictures = {
  samples: shades.map((_, i) => ({ name: `p${i}`, drive: 'd', picture: '', label: '' })),
  input,
  get: async (i) => ({ picture: Uint8Array.from({ length: 3 * area }, (_, at) => shades[i]!(at)), label: ids }),
}
const data = {
  classes: [
    { name: 'other', colour: '#000000' },
    { name: 'road', colour: '#ff0000' },
  ],
  road: 1,
  readLabel: async () => ({ width: input.width, height: input.height, ids }),
} as unknown as Dataset

async function compared(batch: number) {
  const model = await finishModel(network, input, { compute: 'bfloat16' })
  const score = (bytes: Uint8Array) => ({ probability: model.score(bytes, batch) })
  const { measures } = await validate(data, pictures, { input, batch }, score)
  const options = { storage: 'float32', compute: 'bfloat16', batch, input, data, valPictures: pictures } as const
  const found = await comparePrecision(model, measures, network, options)
  model.close()
  return found!
}

test('counts every validation picture once, also where they do not fill the last batch', async () => {
  const [one, two] = [await compared(1), await compared(2)]
  expect(one.pixels_differing).toBeGreaterThan(0)
  expect(one.pixels_differing).toBeLessThan(0.2)
  expect(two.pixels_differing).toBeCloseTo(one.pixels_differing, 4)
  expect(two.road_iou_change).toBeCloseTo(one.road_iou_change ?? Number.NaN, 4)
})

test('says nothing of a network that is float32 throughout', async () => {
  const model = await finishModel(network, input)
  const options = { storage: 'float32', compute: 'float32', batch: 1, input, data, valPictures: pictures } as const
  const { measures } = await validate(data, pictures, { input, batch: 1 }, (bytes) => ({ probability: model.score(bytes, 1) }))
  expect(await comparePrecision(model, measures, network, options)).toBeUndefined()
  model.close()
})
