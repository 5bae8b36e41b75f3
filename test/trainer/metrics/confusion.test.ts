import { expect, test } from 'vitest'
import { startConfusion } from '../../../trainer/metrics/confusion.ts'

test('the measures of Long et al. come out as worked out by hand', () => {
  const confusion = startConfusion(3)
  // n = [[3, 1, 0], [2, 2, 0], [0, 1, 1]] over ten pixels, in two pictures; one pixel is ignored.
  confusion.update(new Uint8Array([0, 0, 0, 0, 255]), new Uint8Array([0, 0, 0, 1, 2]))
  confusion.update(new Uint8Array([1, 1, 1, 1, 2, 2]), new Uint8Array([0, 0, 1, 1, 1, 2]))
  expect([...confusion.counts]).toEqual([3, 1, 0, 2, 2, 0, 0, 1, 1])
  const measures = confusion.compute()
  expect(measures.pixels).toBe(10)
  expect(measures.pixelAccuracy).toBeCloseTo(6 / 10, 12)
  expect(measures.classAccuracy).toBeCloseTo((3 / 4 + 2 / 4 + 1 / 2) / 3, 12)
  expect(measures.iou.map((iou) => iou.toFixed(12))).toEqual([3 / 6, 2 / 6, 1 / 2].map((iou) => iou.toFixed(12)))
  expect(measures.meanIou).toBeCloseTo((1 / 2 + 1 / 3 + 1 / 2) / 3, 12)
  expect(measures.weightedIou).toBeCloseTo((4 * 0.5 + 4 / 3 + 2 * 0.5) / 10, 12)
})

test('a class that occurs nowhere is left out of the means', () => {
  const confusion = startConfusion(3)
  confusion.update(new Int32Array([0, 0, 1, 1]), new Int32Array([0, 0, 1, 0]))
  const { iou, meanIou, classAccuracy } = confusion.compute()
  expect(iou[2]).toBeNaN()
  expect(meanIou).toBeCloseTo((2 / 3 + 1 / 2) / 2, 12)
  expect(classAccuracy).toBeCloseTo(3 / 4, 12)
})

test('a class that is predicted but never true has an IoU of 0, and no recall', () => {
  const confusion = startConfusion(2)
  confusion.update(new Uint8Array([0, 0]), new Uint8Array([0, 1]))
  expect(confusion.compute()).toMatchObject({ iou: [0.5, 0], classAccuracy: 0.5, meanIou: 0.25 })
})

test('matrices of single pictures add up to the matrix of all', () => {
  const [first, second, all] = [startConfusion(2), startConfusion(2), startConfusion(2)]
  first.update(new Uint8Array([0, 1, 1]), new Uint8Array([0, 1, 0]))
  second.update(new Uint8Array([1, 0]), new Uint8Array([1, 1]))
  all.update(new Uint8Array([0, 1, 1, 1, 0]), new Uint8Array([0, 1, 0, 1, 1]))
  first.add(second)
  expect(first.counts).toEqual(all.counts)
})

test.each([
  ['another length', [0, 1], [0], 'for each of 2 pixels, found 1'],
  ['a predicted class that does not exist', [0, 1], [0, 2], 'truth 1 and prediction 2 at pixel 1'],
  ['a true class that does not exist', [0, 7], [0, 1], 'truth 7 and prediction 1 at pixel 1'],
  ['a negative id', [0, 1], [0, -1], 'truth 1 and prediction -1 at pixel 1'],
])('%s is refused and counts nothing', (_, truth, predicted, message) => {
  const confusion = startConfusion(2)
  expect(() => confusion.update(Int32Array.from(truth), Int32Array.from(predicted))).toThrow(message)
  expect(confusion.counts.every((count) => count === 0)).toBe(true)
})
