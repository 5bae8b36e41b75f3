// Where road is taken from a mask's pixels, where its edge runs, and where both lie on the picture.
import { describe, expect, test } from 'vitest'
import { edgePath, paletteColour, placeOf, roadPixels } from '../../dashboard/live/draw.ts'
import { encodeMask, makeResult } from './serve-page.ts'

const palette: [number, number, number][] = [
  [10, 20, 30],
  [200, 100, 50],
  [128, 64, 128],
]

const points = (path: string) => [...path.matchAll(/[ML](\S+) ([\d.]+)/g)].map(([, x, y]) => [Number(x), Number(y)] as const)

describe('which pixels are road', () => {
  test('with two classes, the white ones are', () => {
    const data = Uint8ClampedArray.from([255, 255, 255, 255, 0, 0, 0, 255])
    const result = makeResult({ width: 2, height: 1 })
    expect([...roadPixels({ width: 2, height: 1, data }, new Uint8Array(), result)]).toEqual([1, 0])
  })

  test('with more, those in the palette colour of the road class are', () => {
    const png = encodeMask(Uint8Array.of(0, 2, 1, 2), 4, 1, palette)
    const data = Uint8ClampedArray.from([0, 2, 1, 2].flatMap((id) => [...palette[id]!, 255]))
    const result = makeResult({ width: 4, height: 1, classes: ['other', 'pavement', 'road'], road_class: 2 })
    expect([...roadPixels({ width: 4, height: 1, data }, png, result)]).toEqual([0, 1, 0, 1])
  })

  test('a palette colour is found where the PNG lies inside a larger buffer', () => {
    const png = encodeMask(Uint8Array.of(0), 1, 1, palette)
    const larger = new Uint8Array(png.length + 40).fill(7)
    larger.set(png, 13)
    expect(paletteColour(larger.subarray(13, 13 + png.length), 1)).toEqual([200, 100, 50])
  })

  test('a missing palette or colour is refused', () => {
    expect(() => paletteColour(encodeMask(Uint8Array.of(1), 1, 1), 1)).toThrow('Expected a PNG with a palette of more than 1')
    expect(() => paletteColour(encodeMask(Uint8Array.of(1), 1, 1, palette), 3)).toThrow('more than 3 colours')
  })
})

describe('the edge of the road', () => {
  test('runs between road and other pixels, and not along the border of the mask', () => {
    // 8 x 6, road in the four columns on the right: the edge is the line x = 4.
    const inside = Uint8Array.from({ length: 48 }, (_, i) => (i % 8 >= 4 ? 1 : 0))
    const edge = points(edgePath(inside, 8, 6))
    expect(edge.length).toBeGreaterThan(0)
    expect(new Set(edge.map(([x]) => x))).toEqual(new Set([4]))
    expect(Math.min(...edge.map(([, y]) => y))).toBe(0.5)
    expect(Math.max(...edge.map(([, y]) => y))).toBe(5.5)
  })

  test('closes around an island', () => {
    const island = (x: number, y: number) => Math.hypot(x - 9.5, y - 9.5) < 6
    const inside = Uint8Array.from({ length: 400 }, (_, i) => (island(i % 20, Math.floor(i / 20)) ? 1 : 0))
    const ends = new Map<string, number>()
    for (const [x, y] of points(edgePath(inside, 20, 20))) ends.set(`${x} ${y}`, (ends.get(`${x} ${y}`) ?? 0) + 1)
    expect(ends.size).toBeGreaterThan(20)
    expect(new Set(ends.values())).toEqual(new Set([2])) // each point joins two lines
    for (const point of ends.keys()) {
      const [x = 0, y = 0] = point.split(' ').map(Number)
      expect(Math.abs(Math.hypot(x - 10, y - 10) - 6)).toBeLessThan(0.8)
    }
  })

  test('is empty where all or nothing is road', () => {
    expect(edgePath(new Uint8Array(16), 4, 4)).toBe('')
    expect(edgePath(new Uint8Array(16).fill(1), 4, 4)).toBe('')
  })
})

test('a region in camera pixels is placed on the canvas, also where a letterbox reaches beyond the picture', () => {
  const result = makeResult({ width: 96, height: 64, camera_width: 1280, camera_height: 720 })
  const canvas = { width: 640, height: 360 }
  expect(placeOf([100, 0, 1080, 720], result, canvas)).toEqual([50, 0, 540, 360])
  expect(placeOf([0, -66, 1280, 852], result, canvas)).toEqual([0, -33, 640, 426])
})
