import { describe, expect, test } from 'vitest'
import { lookOf, numbers, type Part, strangeness, summariseLooks } from '../../deploy/picture-look.ts'

type Pixel = [red: number, green: number, blue: number]
const paint = (width: number, height: number, of: (x: number, y: number) => Pixel) =>
  Uint8Array.from(Array.from({ length: width * height }, (_, at) => of(at % width, Math.floor(at / width))).flat())
const whole = (width: number, height: number): Part => ({ left: 0, right: width, top: 0, bottom: height })
const named = (look: number[]) => Object.fromEntries(numbers.map((name, i) => [name, look[i]!]))

describe('the look of a picture', () => {
  test('is its light, colour and contrast', () => {
    const look = named(
      lookOf(
        paint(4, 4, (_, y) => (y < 2 ? [255, 255, 255] : [0, 0, 0])),
        4,
        whole(4, 4),
      ),
    )
    expect(look).toMatchObject({ red: 0.5, green: 0.5, blue: 0.5, colour: 0, dark: 0.5, bright: 0.5, lower: 0 })
    expect(look.upper).toBeCloseTo(1, 5)
    expect(look.contrast).toBeCloseTo(0.5, 5)
    expect(look.edges).toBeCloseTo(4 / 16, 5) // one step down in each of four columns
    const red = named(
      lookOf(
        paint(2, 2, () => [255, 0, 0]),
        2,
        whole(2, 2),
      ),
    )
    expect(red).toMatchObject({ red: 1, green: 0, blue: 0, colour: 1, edges: 0, dark: 0, bright: 0 })
    expect(red.upper).toBeCloseTo(0.299, 5)
  })

  test('is of its part alone: bars do not count', () => {
    const inner = (x: number, y: number): Pixel => [x * 20, y * 30, 90]
    const alone = lookOf(paint(6, 5, inner), 6, whole(6, 5))
    const barred = paint(10, 9, (x, y) => (x >= 2 && x < 8 && y >= 3 && y < 8 ? inner(x - 2, y - 3) : [128, 128, 128]))
    expect(lookOf(barred, 10, { left: 2, right: 8, top: 3, bottom: 8 })).toEqual(alone)
  })
})

describe('how strange a picture is', () => {
  /** Streets by day and by night: two kinds with nothing in between. */
  const day = (i: number) => numbers.map((_, n) => 0.6 + 0.03 * Math.sin(i * (n + 1)))
  const night = (i: number) => numbers.map((_, n) => 0.1 + 0.03 * Math.sin(i * (n + 2)))
  const trained = Array.from({ length: 200 }, (_, i) => (i % 4 ? day(i) : night(i)))
  const looks = summariseLooks(trained)

  test('training pictures are below 1, 99 in 100 of them', () => {
    const strange = trained.map((look) => strangeness(looks, look))
    expect(strange.filter((value) => value > 1.01).length).toBeLessThanOrEqual(2)
    expect(looks.examples).toHaveLength(48)
    expect(looks).toMatchObject({ numbers: [...numbers], pictures: 200 })
  })

  test('others of either kind are too, but not what lies between them or beyond', () => {
    for (const kind of [day, night]) {
      const strange = Array.from({ length: 60 }, (_, i) => strangeness(looks, kind(1000.5 + i)))
      expect(strange.reduce((sum, one) => sum + one) / 60).toBeLessThan(1.5)
    }
    for (const level of [0.35, 0.95, 0]) expect(strangeness(looks, numbers.map(() => level))).toBeGreaterThan(5) // biome-ignore format: one line
  })

  test('of pictures that are all alike, a slightly different one is not strange', () => {
    const flat = summariseLooks([day(1), day(1), day(1)])
    expect(strangeness(flat, day(1))).toBeLessThan(0.1)
    expect(strangeness(flat, day(1).map((value) => value + 0.00005))).toBeLessThan(1) // biome-ignore format: one line
    expect(strangeness(flat, night(1))).toBeGreaterThan(10)
  })
})
