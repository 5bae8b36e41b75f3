// What views share that needs no browser: numbers and times as people read them, and which view an address names.
import { expect, test } from 'vitest'
import { bytes, clock, duration, number, percent } from '../../dashboard/ui/numbers.ts'

const nowMs = Date.parse('2026-03-01T12:00:00Z')

test('durations are told in the two units that matter', () => {
  const told = [400, 7_400, 59_600, 185_000, 7_800_000, 270_000_000].map(duration)
  expect(told).toEqual(['0 s', '7 s', '1 min 00 s', '3 min 05 s', '2 h 10 min', '3 d 3 h'])
})

test('a time of another day comes with its date', () => {
  const date = new Intl.DateTimeFormat([], { dateStyle: 'medium' })
  expect(clock(nowMs - 86_400_000, nowMs)).toContain(date.format(nowMs - 86_400_000))
  expect(clock(nowMs, nowMs)).not.toContain(date.format(nowMs))
})

test('numbers are written as the locale has them, small shares finer', () => {
  expect(number(12_345.67, 1)).toBe((12_345.7).toLocaleString([], { minimumFractionDigits: 1 }))
  expect([0, 4.26, 9.96, 55.5].map(percent)).toEqual([0, 4.3, 10, 56].map((value) => value.toLocaleString()))
})

test('sizes are told in the unit that fits', () => {
  expect([0, 1023, 1024, 20 * 1024 * 1024, 3e12].map(bytes)).toEqual(['0 B', '1,023 B', '1.0 KiB', '20 MiB', '2.7 TiB'])
})
