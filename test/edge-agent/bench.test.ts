// What the benchmark of the agent makes of its measurements. The measuring itself takes minutes and a quiet machine.
import { expect, it } from 'vitest'
import type { Seen } from '../../edge-agent/bench/agent.ts'
import { stagesOf } from '../../edge-agent/bench/latency.ts'
import { cpuSeconds, privateMb } from '../../edge-agent/bench/processes.ts'
import { quantile } from '../../edge-agent/bench/quantile.ts'
import { isMet, type Row, renderRows, renderStages } from '../../edge-agent/bench/table.ts'

it('latency begins where the frame left the decoder, not where the agent first heard of it', () => {
  // The pipeline began at 1 s, 25 frames a second. The agent takes 6 ms of every frame's way for none.
  const zero = 1e6
  const wallOffset = 1.7e15
  const seen = [3, 4].map(
    (frame): Seen => ({
      result: {
        captured_us: wallOffset + zero + frame * 40_000 + 6000,
        timings_ms: { capture: 1, wait: 2, infer: 10, facts: 0.5, encode: 0.5, publish: 1 },
      } as Seen['result'],
      atMicros: zero + frame * 40_000 + 6000 + 15_000 + 250,
      picture: false,
    }),
  )
  const stages = stagesOf(seen, 25, zero, wallOffset)
  expect(stages.capture).toEqual([7, 7])
  expect(stages.send).toEqual([0.25, 0.25])
  expect(stages.whole).toEqual([21.25, 21.25])
  expect(stages.own).toEqual([9.25, 9.25]) // without 10 of inference and 2 of the wait for it
  // The clocks of a message may be a millisecond apart: the frame is still the same one.
  expect(stagesOf(seen, 25, zero, wallOffset + 7000).whole).toEqual(stages.whole)
  expect(renderStages(stages)).toMatch(/^whole +21.25 +21.25$/m)
})

it('a target that is missed is told', () => {
  const row: Row = { what: 'masks', atLeast: 0.85, unit: '', found: 0.84, note: '42 of 50' }
  expect(isMet(row)).toBe(false)
  expect(isMet({ ...row, found: 0.85 })).toBe(true)
  expect(isMet({ what: 'memory', atMost: 110, unit: ' MB', found: 111 })).toBe(false)
  expect(renderRows([row])).toMatch(/^masks +>= 0.85 +0.84 +0.99 +NOT MET +42 of 50$/m)
})

it('quantiles lie between the values', () => {
  expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5)
  expect(() => quantile([], 0.5)).toThrow('found none')
})

it('Linux tells what this very process costs', () => {
  const before = cpuSeconds(process.pid)
  const end = performance.now() + 60_000
  while (cpuSeconds(process.pid) < before + 0.05 && performance.now() < end);
  expect(cpuSeconds(process.pid)).toBeGreaterThanOrEqual(before + 0.05)
  expect(privateMb(process.pid)).toBeGreaterThan(10)
})
