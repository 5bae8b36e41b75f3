import { expect, test } from 'vitest'
import { startCounting } from '../../edge-agent/stats.ts'
import { residentMib, retryDelayMs } from '../../edge-agent/supervise/supervise.ts'
import { maskOf, outputStats } from './made-messages.ts'

const snapshot = {
  device: 'd',
  model: 'm',
  compute: 'cpu',
  precision: 'float32',
  processes: { agent: process.pid, gone: undefined },
  cameras: [{ name: 'front', state: 'online', restarts: 2 } as const],
  outputs: outputStats,
}
const resultOf = (ageMs: number, dropped: number) => ({ ...maskOf('front', 1).result, age_ms: ageMs, dropped })

test('a report is about the last minute', async () => {
  let now = 0
  const counters = startCounting(() => now)
  for (let second = 0; second < 200; second++) {
    now = 1000 * second
    counters.frames('front', second < 100 ? 5 : 30)
    for (const age of [10, 20, 90]) counters.mask(resultOf(age, second))
  }
  const { cameras, memory_mib } = await counters.report(snapshot)
  expect(cameras.front).toMatchObject({ state: 'online', restarts: 2, dropped: 199, latency_ms: 20 })
  expect(cameras.front!.camera_fps).toBeCloseTo(30, 0)
  expect(cameras.front!.mask_fps).toBeCloseTo(3, 0)
  expect(Object.keys(memory_mib)).toEqual(['agent'])
  now += 61_000
  expect((await counters.report(snapshot)).cameras.front).toMatchObject({ camera_fps: 0, mask_fps: 0, latency_ms: 0 })
})

test('in the first minute the rates are those since the start', async () => {
  let now = 0
  const counters = startCounting(() => now)
  for (let i = 0; i < 100; i++) counters.mask(resultOf(10, 0))
  now = 10_000
  expect((await counters.report(snapshot)).cameras.front!.mask_fps).toBe(10)
})

test('delays between tries grow to a minute', () => {
  expect([0, 4, 5, 9, 10, 19, 20, 1000].map(retryDelayMs)).toEqual([1000, 1000, 5000, 5000, 10_000, 10_000, 60_000, 60_000])
})

test('memory of a process that is gone is not known', async () => {
  expect(await residentMib(process.pid)).toBeGreaterThan(10)
  expect(await residentMib(2 ** 22)).toBeUndefined()
})
