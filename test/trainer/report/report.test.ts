// report.html as a reader opens it: made of a small measurement, looked at in Chromium.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import type { Manifest } from '../../../deploy/bundle.ts'
import { startCategories } from '../../../trainer/metrics/categories.ts'
import { startMeasuring } from '../../../trainer/metrics/measure.ts'
import type { EpochRow } from '../../../trainer/report/log.ts'
import type { Compared } from '../../../trainer/report/measured.ts'
import { type Report, writeReport } from '../../../trainer/report/report.ts'
import { chromiumPath, launchChromium, noChromium } from '../../dashboard/browser.ts'

const [width, height] = [64, 48]
const classes = [
  { name: 'other', colour: '#000000' },
  { name: 'road', colour: '#804080' },
]
let dir: string

const epoch = (n: number, road_iou: number): EpochRow => ({
  epoch: n,
  seconds: 1,
  learning_rate: 0.001,
  train_loss: 1 / n,
  val_loss: 1.2 / n,
  pixel_accuracy: road_iou + 0.02,
  road_iou,
  mean_iou: road_iou - 0.02,
  max_f: road_iou + 0.01,
  waiting_share: 0,
  pictures_per_second: 10,
})

const manifest: Manifest = {
  format: 'roadmask-bundle',
  version: 1,
  name: 'a <b>run</b>',
  created: '2026-01-31T12:00:00.000Z',
  architecture: { net: 'fcn8s', encoder: 'vgg16', width: 0.25, fc: 256, batchNorm: true, parameters: 2_599_222 },
  input: { width, height, fit: 'crop', resizer: 'bilinear', matrix: 'bt601', range: 'video' },
  classes,
  road: 1,
  measures: {},
  data: [{ name: 'kitti:own', pictures: 20, fingerprint: 'abc', licence: 'ours' }],
  commit: '0123456789',
  settings: { epochs: 3, seed: 1 },
  files: { 'model/saved_model.pb': { bytes: 2_000_000, sha256: '0'.repeat(64) } },
}

/** The lower half is road, and the model is `sure` of it but for the last eight columns, which it takes for something else. */
async function made(sure: number): Promise<Report> {
  const picture = join(dir, 'grey.png')
  await sharp({ create: { width, height, channels: 3, background: '#808080' } })
    .png()
    .toFile(picture)
  const truth = { width, height, ids: Uint8Array.from({ length: width * height }, (_, i) => Number(i >= (width * height) / 2)) }
  const probability = Float32Array.from(truth.ids, (id, i) => (id === 1 && i % width < 56 ? sure : 1 - sure))
  const measuring = startMeasuring({ classes, road: 1 })
  const { whole: prediction } = measuring.add({ name: 'um_000001', truth, probability, input: { width, height, fit: 'crop' } })
  const pictures = measuring.pictures().map((one) => ({ ...one, sample: { name: one.name, picture, drive: 'um' } }))
  return {
    manifest,
    split: 'val',
    data: [{ name: 'kitti:own', fingerprint: 'abc' }],
    validation: { measures: measuring.result(), breakdown: measuring.breakdown(), loss: 0.1, pictures },
    latency: { milliseconds: 12.34, machine: 'a processor' },
    ofKnownDrives: 1,
    rows: [epoch(1, 0.5), epoch(2, 0.8), epoch(3, 0.79)],
    bestEpoch: 2,
    groups: [
      { name: 'worst', title: 'Worst', cases: [{ name: 'um_000001', picture, prediction, truth, road: 1, roadIou: 0.875 }] },
    ],
    compared: [],
  }
}

const other: Compared = {
  name: 'before',
  rows: [epoch(1, 0.4), epoch(2, 0.6)],
  measures: { road_iou: 0.6, fpr: 0.1 },
  data: [{ name: 'kitti:else', fingerprint: 'def' }],
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roadmask-report-'))
})
afterAll(() => rm(dir, { recursive: true }))

test("measures in bird's-eye view stand in the page where they are known", async () => {
  const report = await made(0.9)
  const path = join(dir, 'birds-eye.html')
  await writeReport(path, report)
  expect((await readFile(path, 'utf8')).includes('bird')).toBe(false)
  const categories = startCategories()
  categories.add('uu', new Uint8Array([1, 1, 0, 0]), 1, new Uint8Array([200, 10, 100, 10]))
  await writeReport(path, { ...report, birdsEye: categories.compute() })
  const row = '<td class="n">1</td><td class="n">66.67 %</td>'
  const page = await readFile(path, 'utf8')
  for (const name of ['uu', 'urban']) expect(page.includes(`<tr><th>${name}</th>${row}`), name).toBe(true)
})

test('confidences that mean what they say have no calibration error, and others have the difference', async () => {
  // 1536 pixels other, 1344 of 1536 road found; 192 missed: of 1728 pixels with confidence 0.1, 192 are road.
  const { breakdown } = (await made(0.9)).validation
  expect(breakdown.confusion).toEqual([
    [1536, 0],
    [192, 1344],
  ])
  const [low, high] = breakdown.calibration.bins
  expect(breakdown.calibration.bins).toHaveLength(2)
  expect(low).toMatchObject({ pixels: 1728, road: 192 / 1728 })
  expect(low!.confidence).toBeCloseTo(0.1, 6)
  expect(high).toMatchObject({ pixels: 1344, road: 1 })
  expect(breakdown.calibration.error).toBeCloseTo((1728 * Math.abs(0.1 - 192 / 1728) + 1344 * 0.1) / 3072, 6)
})

describe.skipIf(!chromiumPath)(`the report in Chromium${noChromium}`, () => {
  it('opens without a request to any host, with its curves, pictures and numbers, on wide and narrow screens, light and dark', async () => {
    const path = join(dir, 'report.html')
    await writeReport(path, await made(0.9))
    const browser = await launchChromium()
    const requests: string[] = []
    const errors: string[] = []
    const grounds: string[] = []
    for (const [size, colorScheme] of [
      [1280, 'light'],
      [390, 'dark'],
    ] as const) {
      const page = await browser.newPage({ viewport: { width: size, height: 800 }, colorScheme })
      page.on('request', (request) => requests.push(request.url().slice(0, 11)))
      page.on('console', (message) => errors.push(message.text()))
      await page.goto(pathToFileURL(path).href)
      expect(await page.locator('h1').textContent()).toBe('a <b>run</b>')
      expect(await page.locator('.lead').textContent()).toContain('finds 87.5 % of the road')
      expect(await page.locator('.tiles li').first().textContent()).toContain('87.5 %')
      expect(await page.locator('tr', { hasText: 'latency' }).textContent()).toContain('12.3 ms a picture')
      const charts = page.locator('svg[role=img]:visible')
      expect(await charts.count()).toBe(5)
      // Letters as large as they are meant, and all of the chart within its card.
      const scales = await charts.evaluateAll((all) =>
        all.map((one) => one.getBoundingClientRect().width / Reflect.get(one, 'viewBox').baseVal.width),
      )
      for (const scale of scales) expect(scale).toBeGreaterThan(0.9)
      const cut = await page
        .locator('.card')
        .evaluateAll((all) => all.filter((one) => one.scrollWidth > one.clientWidth).length)
      expect(cut).toBe(0)
      const drawn = await page.locator('img').evaluateAll((images) => images.map((image) => Reflect.get(image, 'naturalWidth')))
      expect(drawn).toEqual([width])
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(size)
      grounds.push(await page.evaluate<string>('getComputedStyle(document.body).backgroundColor'))
      await page.close()
    }
    await browser.close()
    expect(requests.filter((url) => !/^(file|data):/.test(url))).toEqual([])
    expect(errors).toEqual([])
    expect(new Set(grounds).size).toBe(2)
  })
})

test('another run is laid beside it, with what changed, and a word where its data was another', async () => {
  const path = join(dir, 'compared.html')
  const settings = { loss: 'cross-entropy+dice' }
  await writeReport(path, { ...(await made(0.9)), manifest: { ...manifest, settings }, compared: [other] })
  const page = await readFile(path, 'utf8')
  expect(page).toContain('Loss (cross-entropy + dice)')
  expect(page).toContain('road IoU of before')
  expect(page).toMatch(/<span class="up">\+27\.50<\/span> beside before/)
  expect(page).toMatch(
    /FPR[^/]*<\/th><td class="n">0\.00 %<\/td><td class="n">10\.00 %<\/td><td class="n"><span class="up">−10\.00/,
  )
  expect(page).toContain('before: measured on other data')
})

test('pictures of several drives are told drive by drive, the worst first; of one drive alone there is no such table', async () => {
  const path = join(dir, 'drives.html')
  const report = await made(0.9)
  const [first] = report.validation.pictures
  const dusk = { ...first!, name: 'uu_000001', road_iou: 0.5, sample: { ...first!.sample, drive: 'uu' } }
  await writeReport(path, { ...report, validation: { ...report.validation, pictures: [first!, dusk] } })
  expect(await readFile(path, 'utf8')).toMatch(/Drive by drive.*<td>uu<\/td>.*50\.0 %.*<td>um<\/td>.*87\.5 %/)
  await writeReport(path, report)
  expect(await readFile(path, 'utf8')).not.toContain('Drive by drive')
})

test('a picture that cannot be read is named, and the older page stays', async () => {
  const path = join(dir, 'kept.html')
  const report = await made(0.9)
  await writeReport(path, report)
  const before = await readFile(path)
  const groups = report.groups.map((group) => ({
    ...group,
    cases: group.cases.map((one) => ({ ...one, picture: join(dir, 'gone.png') })),
  }))
  await expect(writeReport(path, { ...report, groups })).rejects.toThrow(/um_000001: the picture .*gone\.png cannot be read/)
  expect(await readFile(path)).toEqual(before)
})
