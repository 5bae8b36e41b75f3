import { expect, it } from 'vitest'
import { fromBfloat16s, fromHalves, toBfloat16s, toHalves } from '../../../trainer/graph/half.ts'

// Bit patterns from IEEE 754-2008, and ties that go to the even neighbour.
it.each([
  [0, 0x0000],
  [-0, 0x8000],
  [1, 0x3c00],
  [-2, 0xc000],
  [65504, 0x7bff],
  [65520, 0x7c00],
  [Number.NEGATIVE_INFINITY, 0xfc00],
  [2 ** -14, 0x0400],
  [2 ** -24, 0x0001],
  [2 ** -25, 0x0000],
  [1.5 * 2 ** -24, 0x0002],
  [1 + 2 ** -11, 0x3c00],
  [1 + 3 * 2 ** -11, 0x3c02],
  [1 / 3, 0x3555],
  [2 ** -14 - 2 ** -26, 0x0400],
])('stores %d as the half %i', (value, bits) => {
  expect(toHalves(Float32Array.of(value))[0]).toBe(bits)
})

it('keeps NaN', () => {
  const half = toHalves(Float32Array.of(Number.NaN))[0]!
  expect(half & 0x7c00).toBe(0x7c00)
  expect(half & 0x3ff).not.toBe(0)
})

it('reads every half and every bfloat16 as the value that it stores', () => {
  const all = Uint16Array.from({ length: 65536 }, (_, bits) => bits)
  const [halves, bfloats] = [fromHalves(all), fromBfloat16s(all)]
  const [again, bagain] = [toHalves(halves), toBfloat16s(bfloats)]
  const wrong: number[] = []
  for (const bits of all) {
    if (!Number.isNaN(halves[bits]!) && again[bits] !== bits) wrong.push(bits)
    if (!Number.isNaN(bfloats[bits]!) && bagain[bits] !== bits) wrong.push(bits)
  }
  expect(wrong).toEqual([])
  expect([halves[0x3c00], halves[0x0001], halves[0xfc00]]).toEqual([1, 2 ** -24, Number.NEGATIVE_INFINITY])
})
