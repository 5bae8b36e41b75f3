// Pictures painted by the real child process, and looked at pixel by pixel.
import sharp from 'sharp'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { decodeMask, encodeMask } from '../../deploy/mask-png.ts'
import { openLog } from '../../edge-agent/log.ts'
import { makePainter, type Painter } from '../../edge-agent/supervise/painter.ts'
import type { MaskMessage, Region } from '../../edge-agent/wire.ts'
import { maskOf } from './made-messages.ts'
import { isAlive } from './running-agent.ts'

const [width, height] = [320, 240]
let painter: Painter | undefined
/** Stripes of four pixels, dark and light. */
let stripes: Uint8Array
const start = () => {
  painter = makePainter(openLog('fatal'))
  return painter
}
afterEach(() => painter?.stop())
beforeAll(async () => {
  const grey = Uint8Array.from({ length: width * height }, (_, i) => ((i % width) % 8 < 4 ? 40 : 200))
  stripes = await sharp(grey, { raw: { width, height, channels: 1 } })
    .jpeg({ quality: 95 })
    .toBuffer()
})

/** A message of a camera twice as large as its picture, whose mask says road where `road` does. */
function message(road: (x: number, y: number) => boolean, region: Region, classes = ['other', 'road']): MaskMessage {
  const size = { width: 64, height: 32 }
  const ids = Int32Array.from({ length: size.width * size.height }, (_, i) =>
    road(i % size.width, Math.floor(i / size.width)) ? classes.length - 1 : 0,
  )
  const colours = classes.map((_, i) => `#0000${i}0`)
  const { result } = maskOf('front', 1)
  return {
    result: {
      ...result,
      ...size,
      camera_width: 2 * width,
      camera_height: 2 * height,
      region,
      classes,
      road_class: classes.length - 1,
    },
    mask: encodeMask(ids, { ...size, colours, road: classes.length - 1 }, {}),
    picture: stripes,
  }
}

async function pixels(jpeg: Uint8Array | undefined) {
  const { data, info } = await sharp(jpeg!).raw().toBuffer({ resolveWithObject: true })
  expect([info.width, info.height, info.format]).toEqual([width, height, 'raw'])
  return (x: number, y: number) =>
    [...data.subarray(info.channels * (y * width + x), info.channels * (y * width + x) + 3)] as [number, number, number]
}
/** How far a pixel is from grey; the tint is turquoise. */
const green = ([r, g]: [number, number, number]) => g - r
/** Contrast of the stripes round a place. */
const contrast = (at: (x: number, y: number) => [number, number, number], x: number, y: number) => {
  const row = Array.from({ length: 16 }, (_, i) => at(x + i, y)[1])
  return Math.max(...row) - Math.min(...row)
}

describe('a mask that is read again', () => {
  test.each([[['other', 'road']], [['sky', 'kerb', 'road']]])('has the ids it was made of: %s', (classes) => {
    const road = (x: number, y: number) => (x * 7 + y * 3) % 5 < 2
    const { ids, ...size } = decodeMask(message(road, [0, 0, 1, 1], classes).mask)
    expect(size).toEqual({ width: 64, height: 32 })
    expect([...ids]).toEqual(
      Array.from({ length: 64 * 32 }, (_, i) => (road(i % 64, Math.floor(i / 64)) ? classes.length - 1 : 0)),
    )
  })

  test('is refused where it is none', () => {
    expect(() => decodeMask(Buffer.from('mask 7'))).toThrow('Expected a PNG of a mask, found 6 bytes of something else')
  })
})

describe('an overlay', () => {
  test.each([[['other', 'road']], [['sky', 'kerb', 'road']]])(
    'tints the road where the region puts it, with an outline: %s',
    async (classes) => {
      // The model saw camera pixels 320..640 x 240..480: the lower right quarter. Its left half is road.
      const at = await pixels(await start().overlay(message((x) => x < 32, [320, 240, 320, 240], classes)))
      expect(green(at(40, 60))).toBeLessThan(15) // elsewhere
      expect(green(at(300, 200))).toBeLessThan(15) // seen, no road
      expect(green(at(200, 200))).toBeGreaterThan(50) // road
      expect(contrast(at, 180, 200)).toBeGreaterThan(40) // and the picture under it
      expect(green(at(239, 200))).toBeGreaterThan(120) // the edge of the road
    },
  )

  test('of a letterboxed model fits although the region reaches beyond the picture', async () => {
    const at = await pixels(await start().overlay(message((_, y) => y >= 16, [0, -80, 640, 640])))
    expect(green(at(100, 110))).toBeLessThan(15)
    expect(green(at(100, 135))).toBeGreaterThan(50)
    expect(green(at(100, 239))).toBeGreaterThan(50)
  })
})

test('what leaves the device shows the road alone', async () => {
  const at = await pixels(await start().blurRest(message((x) => x < 32, [320, 240, 320, 240])))
  expect(contrast(at, 180, 200)).toBeGreaterThan(130)
  for (const [x, y] of [
    [20, 20],
    [200, 60],
    [20, 200],
    [280, 200],
  ] as const)
    expect(contrast(at, x, y), `${x}, ${y}`).toBeLessThan(30)
})

describe('the process', () => {
  const road = () => message(() => true, [0, 0, 640, 480])

  test('is there from the first job on, and gone after the end', async () => {
    const painter = start()
    expect(painter.pid()).toBeUndefined()
    await painter.overlay(road())
    const pid = painter.pid()!
    expect(isAlive(pid)).toBe(true)
    await painter.stop()
    expect(isAlive(pid)).toBe(false)
    expect(await painter.overlay(road())).toBeUndefined()
  })

  test('paints a message once, for all who ask', async () => {
    const painter = start()
    const one = road()
    const [first, again] = await Promise.all([painter.overlay(one), painter.overlay(one)])
    expect(first!.length).toBeGreaterThan(0)
    expect([again, await painter.overlay(one)].map((jpeg) => jpeg === first)).toEqual([true, true])
  })

  test('paints the newest of each camera and kind, and never holds more than one that waits', async () => {
    const painter = start()
    const other = { ...road(), result: { ...road().result, camera: 'rear' } }
    const jobs = [
      ...Array.from({ length: 50 }, () => painter.overlay(road())),
      painter.overlay(other),
      painter.blurRest(road()),
    ]
    const made = (await Promise.all(jobs)).map((jpeg) => jpeg !== undefined)
    expect(made).toEqual([true, ...Array(48).fill(false), true, true, true])
  })

  test('refuses what is no picture, and goes on', async () => {
    const painter = start()
    await expect(painter.overlay({ ...road(), picture: Buffer.from('JPEG') })).rejects.toThrow(
      'The picture cannot be painted: ',
    )
    await expect(painter.overlay({ ...road(), mask: Buffer.from('PNG') })).rejects.toThrow('Expected a PNG of a mask')
    expect(await painter.overlay(road())).toBeDefined()
  })

  test('is started again when it died', async () => {
    const painter = start()
    await painter.overlay(road())
    const first = painter.pid()!
    const caught = painter.overlay(road())
    process.kill(first, 'SIGKILL')
    await expect(caught).rejects.toThrow('The painting process ended by SIGKILL')
    await expect(painter.overlay(road())).rejects.toThrow('SIGKILL') // not time and again
    await expect.poll(() => painter.overlay(road()).catch(() => undefined)).toBeDefined()
    expect(painter.pid()).not.toBe(first)
  })
})
