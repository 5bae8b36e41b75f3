import { expect, test } from 'vitest'
import { mirrored, withFlip } from '../../../trainer/metrics/flip.ts'

test('rows are mirrored, the channels of a pixel stay in their order', () => {
  expect([...mirrored(Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8]), 2, 2)]).toEqual([3, 4, 1, 2, 7, 8, 5, 6])
  const odd = Float32Array.from([1, 2, 3])
  expect([...mirrored(odd, 3, 1)]).toEqual([3, 2, 1])
  expect([...odd]).toEqual([1, 2, 3])
})

test('the answer is the mean of both, each where its pixel is', () => {
  // Says of a pixel how bright it is, and something of the left column that is not so.
  const score = (pictures: Uint8Array, n: number) =>
    Float32Array.from({ length: n * 6 }, (_, i) => pictures[3 * i]! / 100 + (i % 3 === 0 ? 0.5 : 0))
  const red = [10, 20, 30, 40, 50, 60, 60, 50, 40, 30, 20, 10]
  const pictures = Uint8Array.from(red.flatMap((value) => [value, 0, 0]))
  const found = withFlip(score, { width: 3, height: 2 })(pictures, 2)
  // The left column's fault is shared by the right one, the middle is as it was.
  const expected = red.map((value, i) => value / 100 + (i % 3 === 1 ? 0 : 0.25))
  expect(found).toHaveLength(12)
  for (const [i, value] of found.entries()) expect(value).toBeCloseTo(expected[i]!, 6)
})

test('of several classes each keeps its own probability', () => {
  const score = () => Float32Array.from([0.9, 0.1, 0.2, 0.8])
  const found = withFlip(score, { width: 2, height: 1 })(new Uint8Array(6), 1)
  for (const [i, value] of [0.55, 0.45, 0.55, 0.45].entries()) expect(found[i]).toBeCloseTo(value, 6)
})
