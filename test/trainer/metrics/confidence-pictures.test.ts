// Confidence pictures of 8 and 16 bits beside KITTI's ground truth. The golden numbers are the development kit's own steps,
// worked out once more below with its histograms in double and its confidences in single precision.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { random } from '../../../trainer/data/random.ts'
import { measurePredictions } from '../../../trainer/metrics/confidence-pictures.ts'

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roadmask-confidence-'))
})
afterAll(() => rm(dir, { recursive: true }))

/** `r` road, `-` valid and not road, ` ` outside the valid area. */
async function truth(folder: string, name: string, drawn: string, width: number) {
  await mkdir(join(dir, folder), { recursive: true })
  const colour: Record<string, number[]> = { r: [255, 0, 255], '-': [255, 0, 0], ' ': [0, 0, 0] }
  const raw = { width, height: drawn.length / width, channels: 3 } as const
  await sharp(Buffer.from([...drawn].flatMap((one) => colour[one]!)), { raw })
    .png()
    .toFile(join(dir, folder, name))
}

async function confidence(folder: string, name: string, values: Uint8Array | Uint16Array, width: number) {
  await mkdir(join(dir, folder), { recursive: true })
  const wide = values instanceof Uint16Array
  await sharp(values, { raw: { width, height: values.length / width, channels: 1 } })
    .toColourspace(wide ? 'grey16' : 'b-w')
    .png()
    .toFile(join(dir, folder, name))
  expect((await sharp(join(dir, folder, name)).metadata()).bitsPerSample).toBe(wide ? 16 : 8)
}

/** evaluateRoad.py and helper.py, step by step, of [truth, value / largest] pixels. */
function byDevkit(pixels: readonly (readonly [truth: string, confidence: number])[]) {
  const valid = pixels.filter(([truth]) => truth !== ' ').map(([truth, value]) => [truth, Math.fround(value)] as const)
  const [positive, negative] = ['r', '-'].map((kind) => valid.filter(([truth]) => truth === kind).map(([, value]) => value))
  const points = Array.from({ length: 256 }, (_, k) => {
    const fn = positive!.filter((value) => value < k / 255).length
    const fp = negative!.filter((value) => value >= k / 255).length
    const tp = positive!.length - fn
    const [recall, precision] = [tp / positive!.length, tp / (tp + fp + 1e-10)]
    return { fn, fp, tp, recall, precision, f: (2 * precision * recall) / (precision + recall + 1e-10) }
  }).filter(({ recall, precision }) => recall !== 0 || precision !== 0)
  const best = points.reduce((most, point) => (point.f > most.f ? point : most))
  let ap = 0
  for (let tenths = 0; tenths <= 10; tenths++)
    ap += Math.max(...points.filter(({ recall }) => recall >= tenths * 0.1).map(({ precision }) => precision)) / 11
  return {
    maxF: best.f,
    ap,
    precision: best.precision,
    recall: best.recall,
    fpr: best.fp / negative!.length,
    fnr: best.fn / positive!.length,
  }
}

test('the measures of eight pixels in two categories are those worked out by hand', async () => {
  await truth('hand/truth', 'um_road_000000.png', 'rr- ', 4)
  await truth('hand/truth', 'uu_road_000003.png', 'r--r', 2)
  await truth('hand/truth', 'um_lane_000000.png', '----', 4)
  await confidence('hand/said', 'um_road_000000.png', new Uint8Array([250, 200, 220, 255]), 4)
  // The other naming, and 16 bits: 257 times as much is the same confidence.
  await confidence('hand/said', 'uu_000003.png', new Uint16Array([100, 90, 10, 50].map((value) => 257 * value)), 2)
  const { perspective: measures } = await measurePredictions(join(dir, 'hand/said'), join(dir, 'hand/truth'))
  expect([...measures.keys()]).toEqual(['um', 'uu', 'urban'])
  // um, going down: 250 is right, 220 wrong, 200 right. F = 2 tp / (tp + fp + 2): 2/3, 2/4, 4/5.
  expect(measures.get('um')).toMatchObject({ pictures: 1, maxF: 0.8, precision: 2 / 3, recall: 1, fpr: 1, fnr: 0 })
  expect(measures.get('um')!.ap).toBeCloseTo((6 * 1 + 5 * (2 / 3)) / 11, 12)
  // Together: 250 tp | 220 fp | 200 tp | 100 tp | 90 fp | 50 tp | 10 fp. F is 8/10 with all four found.
  expect(measures.get('urban')).toMatchObject({ pictures: 2, maxF: 0.8, precision: 4 / 6, recall: 1, fpr: 2 / 3, fnr: 0 })
  expect(measures.get('urban')!.ap).toBeCloseTo((3 * 1 + 5 * 0.75 + 3 * (4 / 6)) / 11, 12)
})

test.each([
  ['8', 255],
  ['16', 65_535],
])('on random %s-bit pictures the numbers are those of the development kit to 1e-9', async (bits, largest) => {
  const [width, height] = [40, 30]
  const next = random(7, largest)
  const pixels: (readonly [string, number])[] = []
  for (const number of ['000001', '000002']) {
    const kinds = Array.from({ length: width * height }, () => (next() < 0.1 ? ' ' : next() < 0.4 ? 'r' : '-'))
    const values = kinds.map((kind) => Math.round(largest * (kind === 'r' ? next() ** 0.5 : next() ** 2)))
    await truth(`random${bits}/truth`, `umm_road_${number}.png`, kinds.join(''), width)
    const array = largest === 255 ? Uint8Array.from(values) : Uint16Array.from(values)
    await confidence(`random${bits}/said`, `umm_road_${number}.png`, array, width)
    pixels.push(...kinds.map((kind, i) => [kind, values[i]! / largest] as const))
  }
  const { perspective: measures } = await measurePredictions(join(dir, `random${bits}/said`), join(dir, `random${bits}/truth`))
  for (const [name, value] of Object.entries(byDevkit(pixels)))
    for (const category of ['umm', 'urban'])
      expect(measures.get(category)![name as 'maxF'], `${name} of ${category}`).toBeCloseTo(value, 9)
})

test('every file that is missing, of another size or no confidence picture is named', async () => {
  for (const number of [1, 2, 3, 4]) await truth('bad/truth', `um_road_00000${number}.png`, 'r-r-', 2)
  await confidence('bad/said', 'um_road_000001.png', new Uint8Array(4), 2)
  const measure = () => measurePredictions(join(dir, 'bad/said'), join(dir, 'bad/truth'))
  await expect(measure()).rejects.toThrow(/um_road_000002\.png is missing\n.*um_road_000003\.png is missing/)
  await confidence('bad/said', 'um_road_000002.png', new Uint8Array(6), 2)
  await sharp(Buffer.alloc(12), { raw: { width: 2, height: 2, channels: 3 } })
    .png()
    .toFile(join(dir, 'bad/said/um_road_000003.png'))
  await writeFile(join(dir, 'bad/said/um_road_000004.png'), 'no picture')
  const error: Error = await measure().then(
    () => expect.fail('measured'),
    (cause: Error) => cause,
  )
  expect(error.message).toMatch(/000002\.png: expected 2 x 2 like .*truth.um_road_000002\.png, found 2 x 3/)
  expect(error.message).toMatch(/000003\.png: expected a greyscale PNG of 8 or 16 bits, found png, 3 channels of 8 bits/)
  expect(error.message).toMatch(/000004\.png: expected a confidence picture/)
  await expect(measurePredictions(join(dir, 'bad/said'), join(dir, 'bad/said'))).rejects.toThrow(/128|cannot|expected/)
  await expect(measurePredictions(join(dir, 'nowhere'), join(dir, 'bad/truth'))).rejects.toThrow(/nowhere cannot be read/)
})
