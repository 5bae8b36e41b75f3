// What is made of frames that went through two models, and of the masks of one on trial.
import { describe, expect, test } from 'vitest'
import type { ModelInput } from '../../deploy/bundle.ts'
import { countAgreement } from '../../edge-agent/facts/agreement.ts'
import type { Compared } from '../../edge-agent/segment/messages.ts'
import { refit } from '../../edge-agent/segment/refit.ts'
import { Config } from '../../edge-agent/settings/config.ts'
import { beyondLimits, startComparing } from '../../edge-agent/update/comparison.ts'
import { beyondTrial, recentMasks, type Seen } from '../../edge-agent/update/watch.ts'

const { limits } = Config.parse({}).update

test('masks of two sizes agree where both see the picture; bars count for nothing', () => {
  const small = { width: 2, height: 2, ids: [0, 1, 0, 1], region: [0, 0, 40, 40], road: 1 } as const
  // Twice as fine, and the upper half of it bars, of which it says road.
  const fine = {
    width: 4,
    height: 4,
    ids: [1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 0, 1, 1, 1],
    region: [0, 0, 40, 40],
    seen: [0, 20, 40, 20],
    road: 1,
  } as const
  expect(countAgreement(small, fine, true)).toEqual({ pixels: 2, same: 1, both: 1, either: 2 })
  expect(countAgreement(small, { ...fine, seen: [0, 0, 40, 40] }, true).pixels).toBe(4)
  // Ids that mean something else in each: what counts is road.
  expect(countAgreement(small, { ...small, ids: [3, 2, 3, 2], road: 2 }, false)).toMatchObject({ pixels: 4, same: 4 })
})

describe('a picture that was scaled for one model, for another one', () => {
  const input = (width: number, height: number, fit: ModelInput['fit'] = 'crop') =>
    ({ width, height, fit, resizer: 'bilinear', matrix: 'bt601', range: 'video' }) as const
  const view = { width: 8, height: 4, cameraWidth: 80, cameraHeight: 40, region: [0, 0, 80, 40], seen: [0, 0, 80, 40] } as const
  /** Dark on the left, bright on the right. */
  const halves = Uint8Array.from({ length: 8 * 4 * 3 }, (_, i) => (Math.floor(i / 3) % 8 < 4 ? 40 : 200))
  const row = (pixels: Uint8Array, width: number, y: number) =>
    Array.from({ length: width }, (_, x) => pixels[3 * (y * width + x)])

  test('keeps its levels and its edge, smaller and larger', () => {
    const small = refit(halves, { ...view, region: [...view.region], seen: [...view.seen] }, input(4, 2))
    expect(small.region).toEqual([0, 0, 80, 40])
    expect(row(small.pixels, 4, 1)).toEqual([40, expect.closeTo(60, -1), expect.closeTo(180, -1), 200])
    const large = refit(halves, { ...view, region: [...view.region], seen: [...view.seen] }, input(16, 8))
    expect(row(large.pixels, 16, 3).filter((level) => level === 40).length).toBe(7)
  })
  test('is cut or gets bars, and says which part of the camera it shows', () => {
    const square = refit(halves, { ...view, region: [...view.region], seen: [...view.seen] }, input(4, 4))
    expect([square.region, square.seen]).toEqual([
      [20, 0, 40, 40],
      [20, 0, 40, 40],
    ])
    const barred = refit(halves, { ...view, region: [...view.region], seen: [...view.seen] }, input(4, 4, 'letterbox'))
    expect([barred.region, barred.seen]).toEqual([
      [0, -20, 80, 80],
      [0, 0, 80, 40],
    ])
    expect([0, 3].map((y) => row(barred.pixels, 4, y))).toEqual([Array(4).fill(128), Array(4).fill(128)])
  })
})

const frame = (more: Partial<Compared> = {}): Compared => ({
  type: 'compared',
  counts: { pixels: 100, same: 95, both: 40, either: 50 },
  inferMs: 30,
  oldInferMs: 25,
  confidence: 0.9,
  oldConfidence: 0.95,
  ...more,
})

test('a comparison grows frame by frame, and the limit that is crossed is named with what was measured', () => {
  const comparing = startComparing()
  expect(comparing.so()).toBeUndefined()
  for (const memory of [300, 400, 350]) comparing.add(frame({ strange: [1.5, 0.5] }), memory)
  const found = comparing.so()!
  expect(found).toEqual({
    frames: 3,
    agreement: 0.95,
    road_iou: 0.8,
    latency_ratio: 1.2,
    memory_mib: 400,
    confidence_change: -0.05,
    drift_change: 1,
  })
  expect(beyondLimits(found, limits)).toBeUndefined()
  expect(beyondLimits(found, { ...limits, min_agreement: 0.96 })).toMatch(/^95.0 % .*"update.limits.min_agreement" is 0.96$/)
  expect(beyondLimits(found, { ...limits, max_latency_ratio: 1.1 })).toMatch(/1.20 times.*max_latency_ratio" is 1.1$/)
  expect(beyondLimits(found, { ...limits, max_memory_mib: 399 })).toMatch(/takes 400 MiB; .*max_memory_mib" is 399$/)
})

describe('on trial', () => {
  const before = { infer_ms: 20, confidence: 0.95 }
  const seen = (more: Partial<Seen> = {}): Seen => ({ now: before, before, memoryMib: 100, errors: 0, lastError: '', ...more })
  test.each<[string, Partial<Seen>, RegExp | undefined]>([
    ['one that is as it was stays', {}, undefined],
    ['an error too many', { errors: 1, lastError: 'it ended by SIGKILL' }, /broke off once, .*SIGKILL; .*max_errors" is 0/],
    ['it became slow', { now: { ...before, infer_ms: 31 } }, /1.55 times as long.*max_latency_ratio" is 1.5/],
    [
      'it became unsure',
      { now: { ...before, confidence: 0.7 } },
      /is 0.700 in the mean, 0.950 before.*max_confidence_drop" is 0.2/,
    ],
    ['nothing was measured before', { now: { infer_ms: 900, confidence: 0 }, before: undefined }, undefined],
  ])('%s', (_, more, reason) => {
    const fault = beyondTrial(seen(more), limits)
    if (reason) expect(fault).toMatch(reason)
    else expect(fault).toBeUndefined()
  })

  test('a few masks say nothing yet', () => {
    const recent = recentMasks()
    const mask = { timings_ms: { infer: 12 }, confidence: 0.8 } as Parameters<typeof recent.mask>[0]
    for (let i = 0; i < 9; i++) recent.mask(mask)
    expect(recent.pace()).toBeUndefined()
    recent.mask(mask)
    expect(recent.pace()).toEqual({ infer_ms: 12, confidence: expect.closeTo(0.8) })
  })
})
