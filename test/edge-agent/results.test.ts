import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Manifest } from '../../deploy/bundle.ts'
import { makeJudge } from '../../edge-agent/facts/judge.ts'
import { monotonicMicros } from '../../edge-agent/monotonic.ts'
import { makeResults } from '../../edge-agent/results.ts'
import type { MaskMade } from '../../edge-agent/segment/messages.ts'
import type { MaskMessage } from '../../edge-agent/wire.ts'

const manifest = {
  name: 'run-1',
  input: { width: 4, height: 2 },
  classes: [{ name: 'other' }, { name: 'road' }],
  road: 1,
} as unknown as Manifest
const jpeg = Uint8Array.from([9])

function made(frame: number, picture = false, process = 1): MaskMade {
  const now = monotonicMicros()
  return {
    type: 'mask',
    frame: {
      camera: 'front',
      process,
      frame,
      capturedMicros: 1_000_000,
      capturedMonotonicMicros: now - 50_000,
      cameraWidth: 40,
      cameraHeight: 30,
      region: [0, 5, 40, 20],
      seen: [0, 5, 40, 20],
      picture,
    },
    png: Uint8Array.from([frame]),
    facts: { road_percent: 12.5, confidence: 0.9, largest_area: { percent: 12, of_road_percent: 96 }, zones: [] },
    timings: { capture: 1, wait: 2, infer: 3, facts: 0.5, encode: 4 },
    sentMonotonicMicros: now - 1000,
  }
}

const judge = makeJudge([], () => expect.unreachable())
let out: MaskMessage[]
const frames = () => out.map(({ result, picture }) => [result.frame, picture.length])
const start = () => {
  const results = makeResults(judge, (message) => out.push(message))
  return { ...results, mask: (made: MaskMade) => results.mask(made, manifest) }
}
beforeEach(() => {
  out = []
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
})
afterEach(() => vi.useRealTimers())

test('a mask gets its facts, its age and the time it took to get out', () => {
  start().mask(made(3))
  expect(out[0]!.result).toMatchObject({
    camera: 'front',
    frame: 3,
    captured_us: 1_000_000,
    model: 'run-1',
    width: 4,
    height: 2,
    camera_width: 40,
    camera_height: 30,
    region: [0, 5, 40, 20],
    classes: ['other', 'road'],
    road_class: 1,
    road_percent: 12.5,
    timings_ms: { capture: 1, wait: 2, infer: 3, facts: 0.5, encode: 4 },
    dropped: 2,
  })
  expect(out[0]!.result.age_ms).toBeGreaterThanOrEqual(50)
  expect(out[0]!.result.timings_ms.publish).toBeGreaterThanOrEqual(1)
})

test('frames that were never segmented are counted', () => {
  const results = start()
  for (const frame of [2, 3, 7]) results.mask(made(frame))
  expect(out.map(({ result }) => result.dropped)).toEqual([1, 1, 4])
})

test('a picture goes with the mask of its own frame', () => {
  const results = start()
  results.picture('front', 1, 1, jpeg)
  results.mask(made(1, true))
  results.mask(made(2))
  expect(frames()).toEqual([
    [1, 1],
    [2, 0],
  ])
})

test('a mask waits for its picture, but not for long and never past a newer mask', () => {
  const results = start()
  results.mask(made(1, true))
  expect(out).toEqual([])
  results.picture('front', 1, 1, jpeg)
  results.mask(made(2, true))
  results.mask(made(3))
  results.mask(made(4, true))
  expect(frames()).toEqual([
    [1, 1],
    [2, 0],
    [3, 0],
  ])
  vi.advanceTimersByTime(1000)
  expect(frames().at(-1)).toEqual([4, 0])
})

test('what a replaced process still sends late is left out', () => {
  const results = start()
  for (const frame of [5, 6, 4, 6, 7]) results.mask(made(frame))
  expect(frames().map(([frame]) => frame)).toEqual([5, 6, 7])
})

test('a new camera process counts from 1 again', () => {
  const results = start()
  results.mask(made(500))
  results.picture('front', 1, 501, jpeg)
  results.mask(made(1, false, 2))
  results.mask(made(501, false, 2))
  expect(frames()).toEqual([
    [500, 0],
    [1, 0],
    [501, 0],
  ])
  expect(out[1]!.result.dropped).toBe(0)
})
