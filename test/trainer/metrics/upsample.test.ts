import { expect, test } from 'vitest'
import { fitGeometry } from '../../../deploy/fit-geometry.ts'
import { makeResampler } from '../../../trainer/metrics/upsample.ts'

test('pixel centres lie at half coordinates', () => {
  const resample = makeResampler({ width: 4, height: 1 }, { width: 2, height: 1, fit: 'letterbox' }, 1)
  // A letterbox of 2:1 around a 4:1 picture: the region is 4 x 2, half of it bars; the one row is the picture's.
  expect([...resample(new Float32Array([0, 1])).values]).toEqual([0, 0.25, 0.75, 1])
})

test('a map of the label’s own size comes back as it is', () => {
  const map = Float32Array.from({ length: 6 * 4 }, (_, i) => (i * 7) % 11)
  const seen = makeResampler({ width: 6, height: 4 }, { width: 6, height: 4, fit: 'crop' }, 1)(map)
  expect(seen).toMatchObject({ x: 0, y: 0, width: 6, height: 4 })
  expect([...seen.values]).toEqual([...map])
})

// A map that holds the place of each of its pixels must tell each label pixel its own place. That is true however the
// resampling is done, so it checks the geometry of crop and letterbox.
test.each([
  [
    { width: 480, height: 360 },
    { width: 256, height: 192, fit: 'crop' },
  ],
  [
    { width: 1242, height: 375 },
    { width: 256, height: 192, fit: 'crop' },
  ],
  [
    { width: 1242, height: 375 },
    { width: 256, height: 192, fit: 'letterbox' },
  ],
  [
    { width: 480, height: 360 },
    { width: 576, height: 160, fit: 'crop' },
  ],
  [
    { width: 481, height: 363 },
    { width: 101, height: 67, fit: 'crop' },
  ],
  [
    { width: 360, height: 640 },
    { width: 97, height: 64, fit: 'letterbox' },
  ],
] as const)('the places of a %o label come back from a %o map', (label, input) => {
  const { source, target } = fitGeometry(label, input)
  const map = new Float32Array(input.width * input.height * 2)
  for (let y = 0; y < input.height; y++)
    for (let x = 0; x < input.width; x++) {
      map[2 * (y * input.width + x)] = source.x + ((x + 0.5 - target.x) * source.width) / target.width
      map[2 * (y * input.width + x) + 1] = source.y + ((y + 0.5 - target.y) * source.height) / target.height
    }
  const seen = makeResampler(label, input, 2)(map)
  expect(seen).toMatchObject(input.fit === 'letterbox' ? { x: 0, y: 0, ...label } : source)
  // Within a model pixel of the edge, values are held.
  const margin = Math.ceil(source.width / target.width)
  let worst = 0
  for (let y = margin; y < seen.height - margin; y++)
    for (let x = margin; x < seen.width - margin; x++) {
      const at = 2 * (y * seen.width + x)
      worst = Math.max(
        worst,
        Math.abs(seen.values[at]! - (seen.x + x + 0.5)),
        Math.abs(seen.values[at + 1]! - (seen.y + y + 0.5)),
      )
    }
  expect(worst).toBeLessThan(2e-3)
})

test('what the model says in the bars of a letterbox reaches no pixel of the picture', () => {
  const label = { width: 1242, height: 375 }
  const input = { width: 64, height: 64, fit: 'letterbox' } as const
  const { target } = fitGeometry(label, input)
  const map = new Float32Array(64 * 64).fill(1)
  map.fill(0, target.y * 64, (target.y + target.height) * 64)
  expect(map.some((value) => value === 1)).toBe(true)
  expect(makeResampler(label, input, 1)(map).values.every((value) => value === 0)).toBe(true)
})

test('a map of another size is refused', () => {
  const resample = makeResampler({ width: 8, height: 8 }, { width: 4, height: 4, fit: 'crop' }, 2)
  expect(() => resample(new Float32Array(16))).toThrow('4 x 4 with 2 channel(s), 32 numbers, found 16')
})
