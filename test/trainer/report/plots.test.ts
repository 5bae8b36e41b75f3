import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { EpochRow } from '../../../trainer/report/log.ts'
import { accuracyRange, plotHistory } from '../../../trainer/report/plots.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roadmask-plots-'))
})
afterEach(() => rm(dir, { recursive: true }))

/** A run that learns: road IoU 0.55 at first, 0.95 in the end, best in the last epoch but one. */
const rows = (epochs: number): EpochRow[] =>
  Array.from({ length: epochs }, (_, i) => {
    const share = 1 - Math.exp(-i / 3)
    const roadIou = 0.55 + 0.4 * share - (i === epochs - 1 && epochs > 1 ? 0.003 : 0)
    return {
      epoch: i + 1,
      seconds: 12,
      learning_rate: 0.002,
      train_loss: 0.7 - 0.65 * share,
      val_loss: 0.7 - 0.6 * share,
      pixel_accuracy: roadIou + 0.02,
      road_iou: roadIou,
      mean_iou: roadIou - 0.03,
      max_f: (2 * roadIou) / (1 + roadIou),
      waiting_share: 0,
      pictures_per_second: 50,
    }
  })

/** The text of an SVG, piece by piece. */
async function words(name: string): Promise<string[]> {
  const svg = await readFile(join(dir, name), 'utf8')
  return [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text]) => text!)
}

/** How many pixels of a picture have about that colour. */
async function count(name: string, [red, green, blue]: readonly [number, number, number]): Promise<number> {
  const { data, info } = await sharp(join(dir, name)).raw().toBuffer({ resolveWithObject: true })
  let found = 0
  for (let i = 0; i < data.length; i += info.channels)
    if (Math.abs(data[i]! - red) + Math.abs(data[i + 1]! - green) + Math.abs(data[i + 2]! - blue) < 12) found++
  return found
}

test('accuracy and loss are drawn as SVG and as PNG of twice the size, and nothing else is left behind', async () => {
  await plotHistory(rows(20), dir, { run: 'camvid-fcn8s' })
  expect((await readdir(dir)).sort()).toEqual(['accuracy.png', 'accuracy.svg', 'loss.png', 'loss.svg'])
  for (const name of ['accuracy.png', 'loss.png']) {
    expect(await sharp(join(dir, name)).metadata()).toMatchObject({ format: 'png', width: 1840, height: 1120, hasAlpha: false })
    // Mostly white, with the first curve in its blue and text in ink.
    expect(await count(name, [255, 255, 255])).toBeGreaterThan(0.8 * 1840 * 1120)
    expect(await count(name, [0, 114, 178])).toBeGreaterThan(2000)
    expect(await count(name, [34, 34, 34])).toBeGreaterThan(1000)
  }
  for (const [red, green, blue] of [
    [0, 158, 115],
    [213, 94, 0],
    [163, 82, 127],
  ] as const)
    expect(await count('accuracy.png', [red, green, blue])).toBeGreaterThan(1000)
  expect(await count('loss.png', [213, 94, 0])).toBeGreaterThan(1000)
})

test('the words say what is drawn: axes with units, curves with their last values, the best epoch and the run', async () => {
  await plotHistory(rows(20), dir, { run: 'camvid & kitti <fcn8s>' })
  const accuracy = await words('accuracy.svg')
  expect(accuracy).toContain('Epoch')
  expect(accuracy).toContain('Validation measure (%)')
  expect(accuracy).toContain('camvid &amp; kitti &lt;fcn8s&gt;')
  expect(accuracy).toContain('best: epoch 19')
  expect(accuracy).toContain('Best epoch 19: road IoU 94.9 %, mean IoU 91.9 %, pixel accuracy 96.9 %, MaxF 97.4 %')
  expect(accuracy.filter((text) => /^(road IoU|pixel accuracy|MaxF|mean IoU)/.test(text))).toHaveLength(4)
  const loss = await words('loss.svg')
  expect(loss).toContain('After epoch 20: training 0.0512, validation 0.101')
  expect(loss.filter((text) => /^(training|validation) /.test(text))).toHaveLength(2)
})

test('the axis of a loss that is not cross-entropy alone has its name', async () => {
  await plotHistory(rows(3), dir, { run: 'r', loss: 'cross-entropy+dice' })
  expect(await words('loss.svg')).toContain('Loss (cross-entropy + dice)')
})

test('the best epoch is the one whose weights are kept, where that is told', async () => {
  await plotHistory(rows(20), dir, { run: 'r', bestEpoch: 12 })
  expect(await words('accuracy.svg')).toContain('best: epoch 12')
})

test('a loss that falls by more than ten times gets a logarithmic axis with round ticks', async () => {
  await plotHistory(rows(20), dir, { run: 'r' })
  const falls = await words('loss.svg')
  expect(falls).toContain('Cross-entropy loss (nats per pixel), log scale')
  expect(falls).toEqual(expect.arrayContaining(['0.05', '0.1', '0.2', '0.5', '1']))
  await plotHistory(rows(3), dir, { run: 'r' })
  expect(await words('loss.svg')).toContain('Cross-entropy loss (nats per pixel)')
})

test.each([1, 2, 200])('a run of %i epoch(s) is drawn', async (epochs) => {
  await plotHistory(rows(epochs), dir, { run: 'r' })
  expect(await count('accuracy.png', [0, 114, 178])).toBeGreaterThan(100)
})

test('measures that are not known leave a gap', async () => {
  const some = rows(5).map((row) => ({ ...row, max_f: Number.NaN, val_loss: row.epoch === 3 ? Number.NaN : row.val_loss }))
  await plotHistory(some, dir, { run: 'r' })
  expect((await words('accuracy.svg')).join('\n')).not.toContain('NaN')
  expect(await readFile(join(dir, 'loss.svg'), 'utf8')).not.toContain('NaN')
})

test('the range shows late differences and has round ends', () => {
  // All of a short run; the first epochs of a long one run out of the picture.
  expect(accuracyRange([50, 60, 70, 80])).toEqual({ min: 50, max: 85, interval: 5 })
  const long = Array.from({ length: 40 }, (_, i) => 96 - 90 * Math.exp(-i / 2))
  const { min, max } = accuracyRange(long)
  expect(min).toBeGreaterThan(80)
  expect(max).toBeGreaterThan(96)
  expect(max).toBeLessThanOrEqual(100)
  expect(accuracyRange([99.95, 100])).toMatchObject({ max: 100 })
  expect(accuracyRange([Number.NaN])).toMatchObject({ min: 0, max: 100 })
})

test('without an epoch there is nothing to plot', async () => {
  await expect(plotHistory([], dir, { run: 'r' })).rejects.toThrow('at least one epoch')
  expect(await readdir(dir)).toEqual([])
})

test('an empty folder name is told, and no half file is left', async () => {
  await expect(plotHistory(rows(2), join(dir, 'missing'), { run: 'r' })).rejects.toThrow('accuracy.svg')
  expect(await readdir(dir)).toEqual([])
})
