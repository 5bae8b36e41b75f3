import { describe, expect, test } from 'vitest'
import { findAreas, largest } from '../../../edge-agent/facts/areas.ts'
import { type Border, findBorders, simplify } from '../../../edge-agent/facts/contours.ts'
import { encodeRle } from '../../../edge-agent/facts/rle.ts'
import { type Drawn, draw, paint } from './drawn.ts'

/** The plain way: one pixel after the other, by a queue. */
function floodSizes({ road, width }: Drawn): number[] {
  const left = new Set([...road.keys()].filter((at) => road[at]))
  const sizes: number[] = []
  for (const first of left) {
    const queue = [first]
    left.delete(first)
    for (const at of queue)
      for (const next of [at - width, at + width, at % width ? at - 1 : -1, (at + 1) % width ? at + 1 : -1])
        if (left.delete(next)) queue.push(next)
    sizes.push(queue.length)
  }
  return sizes.sort((a, b) => b - a)
}

const noise = (width: number, height: number, seed: number) => {
  let state = seed
  return paint(width, height, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state > 2 ** 31
  })
}

describe('connected areas', () => {
  const sizesOf = (mask: Drawn) => findAreas(mask.road, mask.width).pixels.sort((a, b) => b - a)

  test('are of pixels that touch by an edge; a corner does not join', () => {
    const mask = draw(
      '##..#', //
      '##.#.',
      '....#',
    )
    expect(sizesOf(mask)).toEqual([4, 1, 1, 1])
    expect(largest(findAreas(mask.road, 5))).toBe(4)
  })

  test('that meet further down are one', () => {
    expect(
      sizesOf(
        draw(
          '#.#.#.#', //
          '#.#.###',
          '#.#....',
          '#####.#',
        ),
      ),
    ).toEqual([11, 5, 1])
    expect(sizesOf(draw('#.#', '#.#', '###'))).toEqual([7])
    expect(sizesOf(draw('###', '#.#', '#.#'))).toEqual([7])
  })

  test('of none and of all', () => {
    expect(sizesOf(draw('...', '...'))).toEqual([])
    expect(largest(findAreas(new Uint8Array(6), 3))).toBe(0)
    expect(sizesOf(draw('###', '###'))).toEqual([6])
  })

  test.each([1, 2, 3, 4, 5])('of noise %i are those that a flood finds', (seed) => {
    const mask = noise(37, 29, seed)
    expect(sizesOf(mask)).toEqual(floodSizes(mask))
  })
})

describe('borders', () => {
  const bordersOf = ({ road, width }: Drawn, count = 10, points = 100) =>
    findBorders(road, width, findAreas(road, width), count, points)
  /** Which pixels a set of borders encloses, holes taken off, by the even-odd rule. */
  const filled = (borders: Border[], { width, height }: Drawn) =>
    paint(width, height, (x, y) => {
      let inside = false
      for (const { corners } of borders)
        for (let i = 0, j = corners.length - 2; i < corners.length; j = i, i += 2) {
          const [ax, ay, bx, by] = [corners[j]!, corners[j + 1]!, corners[i]!, corners[i + 1]!]
          if (ay > y + 0.5 !== by > y + 0.5 && x + 0.5 < ax + ((y + 0.5 - ay) / (by - ay)) * (bx - ax)) inside = !inside
        }
      return inside
    })

  test('run clockwise round the pixels, and the other way round what is missing in them', () => {
    const mask = draw(
      '........', //
      '.######.',
      '.######.',
      '.##..##.',
      '.##..##.',
      '.######.',
      '.######.',
      '........',
    )
    expect(bordersOf(mask)).toEqual([
      { pixels: 36, hole: false, corners: [7, 1, 7, 7, 1, 7, 1, 1] },
      { pixels: 4, hole: true, corners: [5, 5, 5, 3, 3, 3, 3, 5] },
    ])
    expect(filled(bordersOf(mask), mask).road).toEqual(mask.road)
  })

  test('of an area that touches the edges of the mask go along them', () => {
    const mask = paint(8, 6, () => true)
    const [border] = bordersOf(mask)
    expect(border!.pixels).toBe(48)
    expect(new Set([0, 2, 4, 6].map((i) => border!.corners.slice(i, i + 2).join()))).toEqual(
      new Set(['0,0', '8,0', '8,6', '0,6']),
    )
  })

  test('the largest come first, and there are no more than asked for', () => {
    const mask = draw(
      '##..####', //
      '##..####',
      '....####',
      '###.####',
      '###.....',
    )
    expect(bordersOf(mask).map(({ pixels }) => pixels)).toEqual([16, 6, 4])
    expect(bordersOf(mask, 2).map(({ pixels }) => pixels)).toEqual([16, 6])
    expect(bordersOf(draw('....', '....'))).toEqual([])
  })

  test('leave specks out: in a large mask three pixels are none', () => {
    const mask = paint(100, 100, (x, y) => (y > 50 && x > 20) || (y === 2 && x < 3))
    expect(bordersOf(mask)).toHaveLength(1)
  })

  test('have at most so many corners, and still enclose nearly the same', () => {
    // The edge of a road that winds, with a car on it.
    const mask = paint(320, 240, (x, y) => {
      const middle = 160 + 40 * Math.sin(y / 25)
      const half = Math.max(0, (y - 90) * 0.8)
      return Math.abs(x - middle) < half && !(Math.abs(x - 170) < 20 && Math.abs(y - 190) < 15)
    })
    for (const [points, off] of [
      [64, 0.01],
      [16, 0.03],
      [8, 0.2],
    ] as const) {
      const borders = bordersOf(mask, 4, points)
      expect(borders.map(({ hole }) => hole)).toEqual([false, true])
      for (const { corners } of borders) expect(corners.length / 2).toBeLessThanOrEqual(points)
      const again = filled(borders, mask).road
      const wrong = again.reduce((count, value, at) => count + Number(value !== mask.road[at]), 0)
      expect(wrong / mask.road.filter(Boolean).length).toBeLessThan(off)
    }
  })

  test.each([1, 2, 3])('of noise %i come to an end, also of the largest mask', (seed) => {
    const mask = noise(1024, 512, seed)
    const borders = bordersOf(mask, 8, 32)
    for (const { corners } of borders) {
      expect(corners.length % 2).toBe(0)
      expect(corners.length / 2).toBeLessThanOrEqual(32)
    }
    expect(bordersOf(paint(640, 480, (x, y) => (x + y) % 2 === 0))).toEqual([])
    const comb = paint(640, 480, (x, y) => y === 0 || x % 2 === 0)
    expect(bordersOf(comb, 4, 16)[0]!.corners.length).toBeLessThanOrEqual(32)
  })

  test('a straight side keeps none of its corners between the ends', () => {
    expect(simplify([0, 0, 5, 0, 10, 0, 10, 5, 10, 10, 0, 10], 64)).toEqual([0, 0, 10, 0, 10, 10, 0, 10])
  })
})

describe("COCO's run-length encoding", () => {
  // What pycocotools 2.0.11 encodes these masks as.
  test.each([
    [['..#', '###', '.#.'], '1123O'],
    [['###', '#.#'], '031O'],
    [['...', '...'], '6'],
    [['##', '##'], '04'],
  ])('of %j is %s', (rows, counts) => {
    const { road, width, height } = draw(...rows)
    expect(encodeRle(road, width)).toEqual({ size: [height, width], counts })
  })

  test('of a pattern that has runs of all lengths is what pycocotools makes of it', () => {
    const { road } = paint(17, 13, (x, y) => (x * x + 3 * y * x + y) % 5 < 2)
    expect(encodeRle(road, 17).counts).toBe(
      '023000N02000OOO010O010<0D0O010O0111000N02000OOO010O010<0D0O010O0111000N02000OOO010O010<0D0O010O0111000N02000N',
    )
  })

  test('of a large mask has lengths of several characters and steps down', () => {
    const box = paint(320, 240, (x, y) => x >= 10 && x < 300 && y >= (x < 100 ? 100 : 40) && y < 230)
    expect(encodeRle(box.road, 320).counts).toBe(`T^2R4^3${'0'.repeat(177)}TNl1${'0'.repeat(398)}hd4`)
  })
})
