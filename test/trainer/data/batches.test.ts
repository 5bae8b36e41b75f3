import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import sharp from 'sharp'
import { expect, test } from 'vitest'
import { modelRegion } from '../../../deploy/bundle.ts'
import { fitPicture } from '../../../deploy/fit-picture.ts'
import { drawChange, mildAugment, noAugment, plainAugment } from '../../../trainer/data/augment.ts'
import { type Batch, type BatchOptions, batches, loadPictures, type Pictures } from '../../../trainer/data/batches.ts'
import { ignore } from '../../../trainer/data/dataset.ts'
import { fitLabel } from '../../../trainer/data/fit-label.ts'
import { openDataset } from '../../../trainer/data/open-dataset.ts'
import { random } from '../../../trainer/data/random.ts'
import { madeFolder, magenta, makeKitti, paint, red, writePicture } from './made-sets.ts'

const input = { width: 12, height: 8, fit: 'crop' } as const

async function load(count: number, options: Partial<Parameters<typeof loadPictures>[2]> = {}): Promise<Pictures> {
  const dataset = await openDataset(`kitti:${await makeKitti({ um: count })}`, { seed: 1, valFraction: 0 })
  return loadPictures(dataset, dataset.train, { input, ...options })
}

async function all(pictures: Pictures, options: Partial<BatchOptions> = {}): Promise<Batch[]> {
  const made: Batch[] = []
  for await (const batch of batches(pictures, { batch: 3, seed: 5, epoch: 0, ...options })) made.push(batch)
  return made
}
const content = (made: Batch[]) => made.map(({ names, pictures, labels }) => ({ names, pictures, labels }))

test('an epoch holds every picture once, in an order that seed and epoch decide', async () => {
  const pictures = await load(7)
  const first = await all(pictures)
  const order = first.flatMap(({ names }) => names)
  expect(first.map(({ names }) => names.length)).toEqual([3, 3, 1])
  expect([...order].sort()).toEqual(pictures.samples.map(({ name }) => name))
  expect(content(await all(pictures))).toEqual(content(first))
  expect((await all(pictures, { epoch: 1 })).flatMap(({ names }) => names)).not.toEqual(order)
  expect((await all(pictures, { seed: 6 })).flatMap(({ names }) => names)).not.toEqual(order)
  expect((await all(pictures, { shuffle: false })).flatMap(({ names }) => names)).toEqual([...order].sort())
})

test('the last batch is filled with pictures from the beginning of the epoch where asked for', async () => {
  const made = await all(await load(4), { tail: 'fill' })
  expect(made.map(({ names }) => names.length)).toEqual([3, 3])
  expect(made[1]!.names.slice(1)).toEqual(made[0]!.names.slice(0, 2))
})

for (const [kept, augment, budgetBytes] of [
  ['fitted', plainAugment, undefined],
  ['whole', mildAugment, undefined],
  ['none', mildAugment, 100],
  ['none', plainAugment, 100],
] as const)
  test(`pictures kept ${kept} with field ${augment.field} are the same for the same seed, whatever the batch`, async () => {
    const pictures = await load(6, { augment, ...(budgetBytes === undefined ? {} : { budgetBytes }) })
    expect(pictures.kept).toBe(kept)
    const made = await all(pictures)
    expect(content(await all(pictures))).toEqual(content(made))
    const single = await all(pictures, { batch: 1 })
    expect(Buffer.concat(single.map((one) => one.pictures))).toEqual(Buffer.concat(made.map((one) => one.pictures)))
    expect(Buffer.concat(single.map((one) => one.labels))).toEqual(Buffer.concat(made.map((one) => one.labels)))
    expect(content(await all(pictures, { epoch: 1 }))).not.toEqual(content(made))
  })

test('reading each time gives the same batches as keeping everything in memory', async () => {
  const dataset = await openDataset(`kitti:${await makeKitti({ um: 5 })}`, { seed: 1, valFraction: 0 })
  const load = (budgetBytes: number) => loadPictures(dataset, dataset.train, { input, augment: mildAugment, budgetBytes })
  expect(content(await all(await load(100)))).toEqual(content(await all(await load(1e6))))
})

test('mirroring turns the picture and its label alike', async () => {
  const dir = await makeKitti({ um: 1 }, 12, 8)
  const half = (x: number) => x < 5
  await writePicture(
    join(dir, 'training/image_2/um_000000.png'),
    12,
    8,
    paint(12, 8, (x) => (half(x) ? [200, 0, 0] : [0, 0, 0])),
  )
  await writePicture(
    join(dir, 'training/gt_image_2/um_road_000000.png'),
    12,
    8,
    paint(12, 8, (x) => (half(x) ? magenta : red)),
  )
  const dataset = await openDataset(`kitti:${dir}`, { seed: 1, valFraction: 0 })
  const pictures = await loadPictures(dataset, dataset.train, { input, augment: { ...noAugment, flip: true } })
  const seen = new Set<string>()
  for (let epoch = 0; epoch < 12; epoch++) {
    const [one] = await all(pictures, { epoch })
    const roadByColour = Array.from({ length: 96 }, (_, at) => (one!.pictures[3 * at]! > 100 ? 1 : 0))
    expect([...one!.labels]).toEqual(roadByColour)
    seen.add(roadByColour.slice(0, 12).join(''))
  }
  expect([...seen].sort()).toEqual(['000000011111', '111110000000'])
})

test('without augmentation a batch holds what fitPicture and fitLabel give', async () => {
  const pictures = await load(2)
  const [one] = await all(pictures, { shuffle: false })
  const { picture } = pictures.samples[1]!
  expect(one!.pictures.subarray(12 * 8 * 3)).toEqual(new Uint8Array(await fitPicture(picture, input)))
})

test('zooming out shows grey, ignored borders, and zooming in none', async () => {
  const out = (await all(await load(3, { augment: { ...noAugment, field: [1.5, 1.5] } })))[0]!
  expect(out.labels.filter((id) => id === ignore).length).toBeGreaterThan(50)
  out.labels.forEach((id, at) => {
    if (id === ignore) expect([...out.pictures.subarray(3 * at, 3 * at + 3)]).toEqual([128, 128, 128])
  })
  const near = (await all(await load(3, { augment: { ...noAugment, field: [0.6, 0.6] } })))[0]!
  expect(near.labels).not.toContain(ignore)
})

test('brightness and contrast stay within their bounds and spread over them', () => {
  const levels = Array.from({ length: 200 }, (_, index) => drawChange(plainAugment, input, input, random(1, index)).levels!)
  const middles = levels.map((one) => one[128]!)
  expect(Math.min(...middles)).toBeGreaterThanOrEqual(128 - 26)
  expect(Math.max(...middles)).toBeLessThanOrEqual(128 + 26)
  expect(Math.max(...middles) - Math.min(...middles)).toBeGreaterThan(40)
  const slopes = levels.map((one) => (one[178]! - one[78]!) / 100)
  expect(Math.min(...slopes)).toBeGreaterThanOrEqual(0.79)
  expect(Math.max(...slopes)).toBeLessThanOrEqual(1.21)
})

test('a missing label and a file that went away are errors that name the picture, where the batch is awaited', async () => {
  const dataset = await openDataset(`kitti:${await makeKitti({ um: 2 })}`, { seed: 1, valFraction: 0 })
  const lost = { ...dataset.train[0]!, picture: '/nowhere/um_000000.png' }
  await expect(loadPictures(dataset, [lost], { input })).rejects.toThrow(/\/nowhere\/um_000000\.png cannot be read/)
  await expect(loadPictures(dataset, dataset.test, { input })).rejects.toThrow(/Expected a label for test_um_000000/)
  const streamed = await loadPictures(dataset, [dataset.train[1]!, lost], { input, budgetBytes: 1 })
  await expect(all(streamed, { batch: 1, shuffle: false })).rejects.toThrow(/\/nowhere\/um_000000\.png cannot be read/)
})

test('batches are made ahead of a slow consumer, but no more of them than allowed', async () => {
  let reads = 0
  const pictures = await load(20)
  const get = (index: number) => {
    reads++
    return pictures.get(index)
  }
  const counted: Pictures = { ...pictures, get }
  const made = batches(counted, { batch: 2, seed: 1, epoch: 0, ahead: 2 })
  await made.next()
  await delay(50)
  expect(reads).toBe(6)
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
