import { expect, test } from 'vitest'
import { flatMeasures, startMeasuring } from '../../../trainer/metrics/measure.ts'

const classes = [{ name: 'other' }, { name: 'road' }]
const asIs = { width: 4, height: 2, fit: 'crop' } as const
const label = (ids: number[], width = 4) => ({ width, height: ids.length / width, ids: Uint8Array.from(ids) })

test('two pictures at the model’s own size give the numbers worked out by hand', () => {
  const measuring = startMeasuring({ classes, road: 1 })
  const { whole: predicted } = measuring.add({
    name: 'first',
    truth: label([1, 1, 1, 0, 0, 0, 0, 255]),
    probability: new Float32Array([0.9, 0.8, 0.4, 0.7, 0.1, 0.1, 0.2, 0.9]),
    input: asIs,
  })
  expect([...predicted.ids]).toEqual([1, 1, 0, 1, 0, 0, 0, 1])
  measuring.add({
    name: 'second',
    truth: label([1, 1, 1, 1, 0, 0, 0, 0]),
    probability: new Float32Array([0.9, 0.9, 0.9, 0.9, 0.1, 0.1, 0.1, 0.1]),
    input: asIs,
  })
  const result = measuring.result()
  // Road: 6 right, 1 missed, 1 too many; other: 7 right. 15 pixels count.
  expect(result).toMatchObject({ pictures: 2, pixels: 15, covered: 1 })
  expect(result.road_iou).toBeCloseTo(6 / 8, 12)
  expect(result.iou.other).toBeCloseTo(7 / 9, 12)
  expect(result.mean_iou).toBeCloseTo((6 / 8 + 7 / 9) / 2, 12)
  expect(result.pixel_accuracy).toBeCloseTo(13 / 15, 12)
  expect(result.class_accuracy).toBeCloseTo((6 / 7 + 7 / 8) / 2, 12)
  // At 0.4 all road is found with one pixel too many: F = 14 / 15.
  expect(result.max_f).toBeCloseTo(14 / 15, 12)
  expect([result.recall, result.fnr]).toEqual([1, 0])
  expect(result.precision).toBeCloseTo(7 / 8, 12)
  expect(result.fpr).toBeCloseTo(1 / 8, 12)
  // The lowest level above 0.2 that still leaves every wrong pixel but one below.
  expect(result.threshold).toBeCloseTo(52 / 255, 12)
  expect(measuring.pictures()).toEqual([
    { name: 'first', road_iou: 0.5, pixel_accuracy: 5 / 7, uncertainty: expect.closeTo(1.5 / 8, 6) },
    { name: 'second', road_iou: 1, pixel_accuracy: 1, uncertainty: expect.closeTo(0.1, 6) },
  ])
})

test('road’s probability alone and both classes’ probabilities measure the same', () => {
  const truth = label([1, 1, 0, 0, 1, 0, 0, 0])
  const road = new Float32Array([0.9, 0.3, 0.6, 0.2, 0.8, 0.1, 0.4, 0.5])
  const both = Float32Array.from({ length: 16 }, (_, i) => (i % 2 === 1 ? road[(i - 1) / 2]! : 1 - road[i / 2]!))
  const [one, two] = [startMeasuring({ classes, road: 1 }), startMeasuring({ classes, road: 1 })]
  const first = one.add({ name: 'a', truth, probability: road, input: asIs })
  const second = two.add({ name: 'a', truth, probability: both, input: asIs })
  expect(second).toEqual(first)
  expect(two.result()).toEqual(one.result())
})

test('of several classes the most probable is taken, and road’s probability is its confidence', () => {
  const measuring = startMeasuring({ classes: [{ name: 'sky' }, { name: 'car' }, { name: 'road' }], road: 2 })
  const {
    whole: { ids },
  } = measuring.add({
    name: 'a',
    truth: label([2, 2, 1, 0], 2),
    probability: new Float32Array([0.1, 0.1, 0.8, 0.3, 0.4, 0.3, 0.2, 0.5, 0.3, 0.9, 0.1, 0]),
    input: { width: 2, height: 2, fit: 'crop' },
  })
  expect([...ids]).toEqual([2, 1, 1, 0])
  const result = measuring.result()
  expect(result.iou).toEqual({ sky: 1, car: 0.5, road: 0.5 })
  // Both road pixels and the car reach 0.3, the sky does not.
  expect(result.max_f).toBeCloseTo(4 / 5, 12)
})

test('label pixels outside the crop do not count, and the covered share says how many there are', () => {
  const measuring = startMeasuring({ classes, road: 1 })
  // The model is square: of 8 x 4 pixels it sees the middle 4 x 4.
  const truth = label(
    Array.from({ length: 32 }, (_, i) => (i % 8 < 2 ? 1 : i % 8 > 5 ? 255 : 0)),
    8,
  )
  const {
    whole: { ids },
  } = measuring.add({
    name: 'wide',
    truth,
    probability: new Float32Array(4).fill(0.1),
    input: { width: 2, height: 2, fit: 'crop' },
  })
  expect([...ids.slice(0, 8)]).toEqual([255, 255, 0, 0, 0, 0, 255, 255])
  expect(measuring.result()).toMatchObject({ pixels: 16, covered: 16 / 24, pixel_accuracy: 1, iou: { other: 1 } })
})

test('a boundary between model pixels lands between the right label pixels', () => {
  const measuring = startMeasuring({ classes, road: 1 })
  const {
    whole: { ids },
  } = measuring.add({
    name: 'halves',
    truth: label(
      Array.from({ length: 8 * 4 }, (_, i) => (i >= 16 ? 1 : 0)),
      8,
    ),
    probability: new Float32Array([0, 0, 0, 0, 1, 1, 1, 1]),
    input: asIs,
  })
  expect([...ids]).toEqual(Array.from({ length: 32 }, (_, i) => (i >= 16 ? 1 : 0)))
  expect(measuring.result().road_iou).toBe(1)
})

test('flat measures are finite numbers, with the IoU of each class under its name', () => {
  const measuring = startMeasuring({ classes, road: 1 })
  measuring.add({
    name: 'no road',
    truth: label([0, 0, 0, 0]),
    probability: new Float32Array(4),
    input: { ...asIs, height: 1 },
  })
  expect(measuring.result().road_iou).toBeNaN()
  const flat = flatMeasures(measuring.result())
  expect(flat).toMatchObject({ pictures: 1, pixel_accuracy: 1, 'iou.other': 1 })
  expect(flat).not.toHaveProperty('road_iou')
  expect(Object.values(flat).every(Number.isFinite)).toBe(true)
})

test('a map of another size is refused by the picture’s name and counts nothing', () => {
  const measuring = startMeasuring({ classes, road: 1 })
  const wrong = { name: 'um_000003', truth: label([0, 0, 0, 0]), probability: new Float32Array(7), input: asIs }
  expect(() => measuring.add(wrong)).toThrow(
    'um_000003: Expected 2 probabilities for each of 4 x 2 pixels, 16 numbers, found 7',
  )
  expect(measuring.result().pictures).toBe(0)
})
