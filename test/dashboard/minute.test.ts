// The last minute of a camera: rates, medians, and lines that show gaps as gaps.
import { expect, test } from 'vitest'
import { axisTop, lastMinute, sparkline } from '../../dashboard/live/minute.ts'

const sample = (atMs: number, latencyMs = 50) => ({ atMs, latencyMs, roadPercent: 40 })

test('masks a second are counted over five seconds, and from the start over the time so far', () => {
  const minute = lastMinute()
  for (let atMs = 0; atMs < 2000; atMs += 100) minute.add(sample(atMs))
  expect(minute.rate(2000)).toBe(10)
  for (let atMs = 2000; atMs < 10_000; atMs += 200) minute.add(sample(atMs))
  expect(minute.rate(9999)).toBe(5)
  expect(minute.rate(60_000)).toBe(0)
})

test('the median latency is not moved by one outlier, and unknown once no mask came for five seconds', () => {
  const minute = lastMinute()
  for (const latencyMs of [70, 71, 900, 72, 73]) minute.add(sample(0, latencyMs))
  expect(minute.latencyMs(100)).toBe(72)
  expect(minute.latencyMs(5001)).toBeUndefined()
})

test('a series has a value for each second with masks and a gap for each without', () => {
  const minute = lastMinute()
  minute.add(sample(57_200, 10))
  minute.add(sample(57_900, 30))
  minute.add(sample(59_900, 40))
  const mean = minute.series(60_000, 'latencyMs', 'mean')
  expect(mean).toHaveLength(60)
  expect(mean.slice(-4)).toEqual([undefined, 20, undefined, 40])
  expect(minute.series(60_000, 'latencyMs', 'max').slice(-3)).toEqual([30, undefined, 40])
})

test('the range of the minute has the extremes of single masks, not of means', () => {
  const minute = lastMinute()
  expect(minute.range(0, 'latencyMs')).toBeUndefined()
  for (const latencyMs of [70, 900, 71]) minute.add(sample(1000, latencyMs))
  expect(minute.range(1500, 'latencyMs')).toEqual([70, 900])
  expect(minute.range(61_000, 'latencyMs')).toBeUndefined()
})

test('what is older than a minute is forgotten, however long it runs', () => {
  const minute = lastMinute()
  for (let atMs = 0; atMs < 600_000; atMs += 500) minute.add(sample(atMs, atMs))
  const series = minute.series(600_000, 'latencyMs', 'mean')
  expect(series.every((value) => value !== undefined && value >= 540_000)).toBe(true)
})

test('a sparkline breaks where values are missing and shows a lone value', () => {
  expect(sparkline([0, 10, undefined, 20, undefined], 20)).toEqual({
    line: 'M0 20.00L1 10.00M3 0.00h.6',
    area: 'M0 20V20.00L1 10.00V20zM3 20V0.00V20z',
  })
  expect(sparkline([500], 50).line).toBe('M0 0.00h.6')
})

test('an axis ends at a round number that holds every value', () => {
  expect(axisTop([12, undefined, 43], 50)).toBe(50)
  expect(axisTop([51], 50)).toBe(100)
  expect(axisTop([130], 50)).toBe(200)
  expect(axisTop([1000.5], 50)).toBe(2000)
})
