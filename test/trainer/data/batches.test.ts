import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import sharp from 'sharp'
import { expect, test } from 'vitest'
import { modelRegion } from '../../../deploy/bundle.ts'
import { fitPicture } from '../../../deploy/fit-picture.ts'
import { type Batch, batches, loadPictures, type Pictures } from '../../../trainer/data/batches.ts'
import { ignore } from '../../../trainer/data/dataset.ts'
import { fitLabel } from '../../../trainer/data/fit-label.ts'
import { random } from '../../../trainer/data/random.ts'
import { madeFolder, makeKitti, openDataset, paint, writePicture } from './made-sets.ts'

const input = { width: 12, height: 8, fit: 'crop' } as const

async function load(count: number, budgetBytes?: number): Promise<Pictures> {
  const dataset = await openDataset(`kitti:${await makeKitti({ um: count })}`, { seed: 1, valFraction: 0 })
  return loadPictures(dataset, dataset.train, input, budgetBytes)
}

async function all(pictures: Pictures, batch = 3, order?: { seed: number; epoch: number; done?: number }): Promise<Batch[]> {
  const made: Batch[] = []
  for await (const one of batches(pictures, batch, order)) made.push(one)
  return made
}
/** The blue of a made picture is its number. */
const numbers = (made: Batch[]) =>
  made.flatMap(({ pictures }) => Array.from({ length: pictures.length / 288 }, (_, at) => pictures[288 * at + 2]!))
const content = (made: Batch[]) => made.map(({ pictures, labels }) => ({ pictures, labels }))

test('an epoch holds every picture once, in an order that seed and epoch decide, and fills its last batch from its beginning', async () => {
  const pictures = await load(7)
  const order = { seed: 5, epoch: 0 }
  const first = numbers(await all(pictures, 3, order))
  expect(first.slice(0, 7).sort()).toEqual([0, 1, 2, 3, 4, 5, 6])
  expect(first.slice(7)).toEqual(first.slice(0, 2))
  expect(numbers(await all(pictures, 3, order))).toEqual(first)
  expect(numbers(await all(pictures, 1, order))).toEqual(first.slice(0, 7))
  expect(numbers(await all(pictures, 3, { ...order, done: 1 }))).toEqual(first.slice(3))
  expect(await all(pictures, 3, { ...order, done: 3 })).toEqual([])
  expect(numbers(await all(pictures, 3, { ...order, epoch: 1 }))).not.toEqual(first)
  expect(numbers(await all(pictures, 3, { ...order, seed: 6 }))).not.toEqual(first)
})

test('without an order pictures keep their own, also where the batch is larger than all of them', async () => {
  const pictures = await load(3)
  expect(numbers(await all(pictures, 2))).toEqual([0, 1, 2, 0])
  expect(numbers(await all(pictures, 5))).toEqual([0, 1, 2, 0, 1])
})

test('a batch holds what fitPicture and fitLabel give, kept in memory or read each time', async () => {
  for (const budget of [1e6, 100]) {
    const pictures = await load(2, budget)
    const [one] = await all(pictures, 2)
    expect(one!.pictures.subarray(288)).toEqual(new Uint8Array(await fitPicture(pictures.samples[1]!.picture, input)))
    expect([...one!.labels.subarray(96)]).toEqual([...Array<number>(48).fill(0), ...Array<number>(48).fill(1)])
    expect(content(await all(pictures, 2))).toEqual(content([one!]))
  }
})

test('a file that went away is an error that names it, where the batch is awaited; without a label nothing counts', async () => {
  const dataset = await openDataset(`kitti:${await makeKitti({ um: 2 })}`, { seed: 1, valFraction: 0 })
  const lost = { ...dataset.train[0]!, picture: '/nowhere/um_000000.png' }
  await expect(loadPictures(dataset, [lost], input)).rejects.toThrow(/\/nowhere\/um_000000\.png cannot be read/)
  const [unlabelled] = await all(await loadPictures(dataset, dataset.test, input), 1)
  expect(new Set(unlabelled!.labels)).toEqual(new Set([255]))
  const streamed = await loadPictures(dataset, [dataset.train[1]!, lost], input, 1)
  await expect(all(streamed, 1)).rejects.toThrow(/\/nowhere\/um_000000\.png cannot be read/)
})

test('batches are made ahead of a slow consumer, but no more than three of them', async () => {
  let reads = 0
  const pictures = await load(20)
  const get = (index: number) => {
    reads++
    return pictures.get(index)
  }
  const counted: Pictures = { ...pictures, get }
  const made = batches(counted, 2)
  await made.next()
  await delay(50)
  expect(reads).toBe(8)
  await made.return()
})

for (const [width, height, fit] of [
  [480, 360, 'crop'],
  [1242, 375, 'crop'],
  [480, 360, 'letterbox'],
  [200, 401, 'letterbox'],
] as const)
  test(`a ${width}x${height} picture and its label show the part that modelRegion names with ${fit}`, async () => {
    const model = { width: 96, height: 40, fit }
    const region = modelRegion({ width, height }, model)
    const file = join(await madeFolder(), 'ramp.png')
    // Red grows with x and green with y, so that a pixel tells where it comes from.
    const ramp = paint(width, height, (x, y) => [(255 * x) / width, (255 * y) / height, 0])
    await writePicture(file, width, height, ramp)
    const pixels = await fitPicture(file, model)
    const ids = fitLabel(
      { width, height, ids: new Uint8Array(width * height).map((_, at) => (255 * (at % width)) / width / 2) },
      model,
    )
    expect(pixels.length).toBe(96 * 40 * 3)
    let inside = 0
    for (let y = 0; y < 40; y++)
      for (let x = 0; x < 96; x++) {
        const [cameraX, cameraY] = [region.x + ((x + 0.5) * region.width) / 96, region.y + ((y + 0.5) * region.height) / 40]
        const at = y * 96 + x
        const edge = Math.min(cameraX, width - cameraX) / region.width
        if (edge < 0 && edge > -0.006) continue
        if (cameraX > 0 && cameraX < width && cameraY > 0 && cameraY < height) {
          inside++
          expect(Math.abs(pixels[3 * at]! - (255 * cameraX) / width)).toBeLessThan(4)
          expect(Math.abs(pixels[3 * at + 1]! - (255 * cameraY) / height)).toBeLessThan(5)
          expect(Math.abs(ids[at]! - (127.5 * cameraX) / width)).toBeLessThan(3)
        } else {
          expect([...pixels.subarray(3 * at, 3 * at + 3)]).toEqual([128, 128, 128])
          expect(ids[at]).toBe(ignore)
        }
      }
    expect(inside).toBeGreaterThan(fit === 'crop' ? 3839 : 799)
  })

test('grey, 16-bit, transparent and turned pictures become upright RGB', async () => {
  const model = { width: 4, height: 2, fit: 'crop' } as const
  const flat = { create: { width: 4, height: 2, channels: 3 as const, background: { r: 90, g: 90, b: 90 } } }
  const plain = new Uint8Array(24).fill(90)
  const grey = await sharp(flat).toColourspace('b-w').png().toBuffer()
  const deep = await sharp(flat).toColourspace('rgb16').png().toBuffer()
  const clear = await sharp(flat).ensureAlpha(0.3).png().toBuffer()
  for (const picture of [grey, deep, clear]) expect(new Uint8Array(await fitPicture(picture, model))).toEqual(plain)
  // Stored as 2 x 4 with the left half dark; turned by a quarter clockwise the upper half is dark.
  const turned = await sharp(
    paint(2, 4, (x) => (x < 1 ? [0, 0, 0] : [255, 255, 255])),
    {
      raw: { width: 2, height: 4, channels: 3 },
    },
  )
    .png()
    .withMetadata({ orientation: 6 })
    .toBuffer()
  expect([...(await fitPicture(turned, model))]).toEqual([...Array<number>(12).fill(0), ...Array<number>(12).fill(255)])
})

test('random streams are even, differ by every seed and repeat', () => {
  const draw = (...seeds: number[]) => {
    const next = random(...seeds)
    return Array.from({ length: 2000 }, next)
  }
  expect(draw(1, 2, 3)).toEqual(draw(1, 2, 3))
  for (const other of [draw(1, 3, 2), draw(1, 2), draw(1, 2, 4)]) expect(other[0]).not.toBe(draw(1, 2, 3)[0])
  const first = Array.from({ length: 4000 }, (_, index) => random(9, 0, index)())
  for (const numbers of [draw(4), first]) {
    const bins = new Array<number>(10).fill(0)
    for (const number of numbers) bins[Math.floor(number * 10)]!++
    for (const bin of bins) expect(Math.abs(bin / numbers.length - 0.1)).toBeLessThan(0.025)
  }
})
