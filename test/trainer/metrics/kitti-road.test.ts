import { expect, test } from 'vitest'
import { type RoadMeasures, startRoadCounts } from '../../../trainer/metrics/kitti-road.ts'

/** Random numbers that are the same in every run (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

/** The definition, word for word: every threshold looks at every pixel. */
function byDefinition(pixels: { truth: number; confidence: number }[]): Omit<RoadMeasures, 'roadPixels' | 'otherPixels'> {
  const valid = pixels.filter(({ truth }) => truth !== 255)
  const points = Array.from({ length: 256 }, (_, k) => {
    const threshold = k / 255
    const called = valid.filter(({ confidence }) => confidence >= threshold)
    const tp = called.filter(({ truth }) => truth === 1).length
    const fp = called.length - tp
    const fn = valid.filter(({ truth }) => truth === 1).length - tp
    const tn = valid.length - tp - fp - fn
    const precision = tp + fp === 0 ? 0 : tp / (tp + fp)
    const recall = tp / (tp + fn)
    const f = precision + recall === 0 ? 0 : (2 * precision * recall) / (precision + recall)
    return { threshold, precision, recall, f, fpr: fp / (fp + tn), fnr: fn / (tp + fn) }
  })
  const maxF = Math.max(...points.map(({ f }) => f))
  const { threshold, precision, recall, fpr, fnr } = points.find(({ f }) => maxF - f < 1e-12)!
  const at = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]
  const best = at.map((r) => Math.max(...points.filter((p) => p.recall >= r - 1e-12).map((p) => p.precision)))
  return { maxF, ap: best.reduce((sum, p) => sum + p, 0) / 11, precision, recall, fpr, fnr, threshold }
}

function expectClose(found: RoadMeasures, expected: object) {
  for (const [name, value] of Object.entries(expected)) expect(found[name as keyof RoadMeasures], name).toBeCloseTo(value, 10)
}

test('the measures of eight pixels are those worked out by hand', () => {
  const counts = startRoadCounts()
  // Two pictures. Road at levels 250, 200, 100, 50; not road at 220, 90, 10; one road pixel outside the valid area.
  counts.update(new Uint8Array([1, 1, 0, 255]), 1, new Uint8Array([250, 200, 220, 255]))
  counts.update(new Uint8Array([1, 0, 0, 1]), 1, new Uint8Array([100, 90, 10, 50]))
  // Going down: 250 tp 1 | 220 fp 1 | 200 tp 2 | 100 tp 3 | 90 fp 2 | 50 tp 4 | 10 fp 3.
  // F = 2 tp / (tp + fp + 4): 2/5, 2/6, 4/7, 6/8, 6/9, 8/10, 8/11. The largest, 0.8, is first reached at level 11.
  // Precision at that recall or more: 1 up to 0.25, 3/4 at 0.5 and 0.75, 4/6 at 1.
  expectClose(counts.compute(), {
    roadPixels: 4,
    otherPixels: 3,
    maxF: 0.8,
    threshold: 11 / 255,
    precision: 4 / 6,
    recall: 1,
    fpr: 2 / 3,
    fnr: 0,
    ap: (3 * 1 + 5 * 0.75 + 3 * (4 / 6)) / 11,
  })
})

test('a pixel whose confidence is just the threshold is road', () => {
  const counts = startRoadCounts()
  counts.update(new Uint8Array([1, 0]), 1, new Uint8Array([128, 127]))
  const { maxF, threshold } = counts.compute()
  expect([maxF, threshold]).toEqual([1, 128 / 255])
  const { recall, precision } = counts.curve()
  expect([recall[128], recall[129]]).toEqual([1, 0])
  expect([precision[127], precision[128], precision[129]]).toEqual([0.5, 1, 0])
})

test('confidences as numbers are rounded down to their level, and the ends are held', () => {
  const counts = startRoadCounts()
  counts.update(new Uint8Array([1, 1, 0, 0]), 1, new Float32Array([1.0000001, 200.9 / 255, 199.99 / 255, -0.1]))
  const { recall, precision } = counts.curve()
  expect([recall[200], recall[201], recall[255]]).toEqual([1, 0.5, 0.5])
  expect([precision[199], precision[200]]).toEqual([2 / 3, 1])
})

test.each([1, 2, 3])('histograms give what the definition gives, pixel by pixel (seed %i)', (seed) => {
  const random = seeded(seed)
  const counts = startRoadCounts()
  const pixels = Array.from({ length: 1500 }, () => {
    const truth = random() < 0.15 ? 255 : random() < 0.4 ? 1 : 0
    const confidence = Math.min(1, Math.max(0, (truth === 1 ? 0.65 : 0.35) + (random() - 0.5) * 1.1))
    return { truth, confidence: Math.fround(confidence) }
  })
  for (const part of [pixels.slice(0, 500), pixels.slice(500)])
    counts.update(
      Uint8Array.from(part, ({ truth }) => truth),
      1,
      Float32Array.from(part, ({ confidence }) => confidence),
    )
  expectClose(counts.compute(), byDefinition(pixels))
})

test('road may have any class id', () => {
  const counts = startRoadCounts()
  counts.update(new Int32Array([3, 0, 5]), 3, new Float32Array([0.9, 0.1, 0.2]))
  expect(counts.compute()).toMatchObject({ roadPixels: 1, otherPixels: 2, maxF: 1, ap: 1, fpr: 0, fnr: 0 })
})

test('without road in the truth there is nothing to measure, and no number is made up', () => {
  const counts = startRoadCounts()
  counts.update(new Uint8Array([0, 255]), 1, new Float32Array([0.9, 0.1]))
  expect(counts.compute()).toMatchObject({ roadPixels: 0, otherPixels: 1, maxF: NaN, ap: NaN, threshold: NaN })
})

test('another length is refused', () => {
  expect(() => startRoadCounts().update(new Uint8Array(3), 1, new Float32Array(2))).toThrow('each of 3 pixels, found 2')
})
