import { afterAll, describe, expect, test } from 'vitest'
import type { ModelInput } from '../../deploy/bundle.ts'
import type { Rectangle, Size } from '../../deploy/fit-geometry.ts'
import { captureClock } from '../../edge-agent/capture/capture-clock.ts'
import { yuvMeaning, yuvToRgb } from '../../edge-agent/capture/colour.ts'
import { chosenElements } from '../../edge-agent/capture/elements.ts'
import { type Frame, frameChoice } from '../../edge-agent/capture/frame-choice.ts'
import { readPacket } from '../../edge-agent/capture/gdp.ts'
import { type AppSink, makePipeline } from '../../edge-agent/capture/gstreamer.ts'
import { modelPicture, padded } from '../../edge-agent/capture/model-picture.ts'
import { silence } from '../../edge-agent/capture/silence.ts'

const input: ModelInput = { width: 3, height: 1, fit: 'crop', resizer: 'bilinear', matrix: 'bt601', range: 'video' }

describe('GDP packets of real GStreamer', () => {
  // 25 frames a second, rows of 5 pixels padded from 15 to 16 bytes, and all three packets before the first frame.
  const pipeline = makePipeline(
    'videotestsrc num-buffers=5 pattern=white ! video/x-raw,format=RGB,width=5,height=3,framerate=25/1 ! gdppay ! appsink name=sink sync=false',
  )
  afterAll(() => pipeline.stop())

  test('give each buffer with its exact time, and nothing for events and caps', async () => {
    pipeline.play()
    const sink = pipeline.findChild('sink') as AppSink
    const packets: Buffer[] = []
    await new Promise<void>((done) => {
      const pull = () =>
        sink.pull((packet) => {
          if (!packet) return done()
          packets.push(packet)
          pull()
        })
      pull()
    })
    const buffers = packets.map(readPacket).filter((buffer) => buffer !== undefined)
    expect(packets.length).toBeGreaterThan(buffers.length)
    expect(buffers.map(({ pts }) => pts)).toEqual([0n, 40_000_000n, 80_000_000n, 120_000_000n, 160_000_000n])
    expect(buffers.every(({ payload }) => payload.length === padded(3 * 5) * 3)).toBe(true)
    expect([...buffers[0]!.payload.subarray(0, 15)]).toEqual(Array(15).fill(255))

    const packet = packets.findLast((bytes) => readPacket(bytes))!
    expect(() => readPacket(packet.subarray(0, 70))).toThrow('Expected 48 bytes after the header of a GDP packet, found 8')
    expect(() => readPacket(packet.subarray(0, 10))).toThrow('Expected a GDP packet')
    expect(() => readPacket(Buffer.concat([Buffer.from([2]), packet.subarray(1)]))).toThrow('found version 2')
  })
})

describe('the picture that the model gets', () => {
  const rgb = (buffer: number[], target: Rectangle, model: Size) => [
    ...modelPicture(Uint8Array.from(buffer), { target, model, yuvToRgb: undefined }),
  ]

  test('has rows without padding', () => {
    expect(rgb([1, 2, 3, 0, 4, 5, 6, 0], { x: 0, y: 0, width: 1, height: 2 }, { width: 1, height: 2 })).toEqual([
      1, 2, 3, 4, 5, 6,
    ])
  })

  test('has grey bars where it is letterboxed', () => {
    const g = [128, 128, 128]
    const found = rgb([1, 2, 3, 0], { x: 1, y: 1, width: 1, height: 1 }, { width: 3, height: 2 })
    expect(found).toEqual([...g, ...g, ...g, ...g, 1, 2, 3, ...g])
  })

  test('is the very bytes where they fit', () => {
    const bytes = new Uint8Array(4 * 3 * 2)
    const layout = { target: { x: 0, y: 0, width: 4, height: 2 }, model: { width: 4, height: 2 }, yuvToRgb: undefined }
    expect(modelPicture(bytes, layout)).toBe(bytes)
    expect(() => modelPicture(bytes.subarray(1), layout)).toThrow('Expected 24 bytes of 4 x 2 RGB, found 23')
  })

  test('is converted from planes of YUV', () => {
    const white = [235, 235, 235, 0]
    const neutral = [128, 128, 128, 0]
    const buffer = Uint8Array.from([...white, ...neutral, ...neutral])
    const layout = {
      target: { x: 0, y: 0, width: 3, height: 1 },
      model: { width: 3, height: 1 },
      yuvToRgb: yuvToRgb(yuvMeaning('bt601', input)),
    }
    expect([...modelPicture(buffer, layout)]).toEqual(Array(9).fill(255))
  })
})

describe('what YUV means', () => {
  test.each([
    ['bt601', 0.299, false],
    ['bt709', 0.2126, false],
    ['2:3:5:1', 0.2126, false],
    ['1:4:0:0', 0.299, true],
    ['bt2100-pq', 0.2627, false],
    ['bt2020-10', 0.2627, false],
  ])('%s', (colorimetry, red, full) =>
    expect(yuvMeaning(colorimetry, { ...input, matrix: 'bt709', range: 'video' })).toMatchObject({ red, full }),
  )

  test('is what the bundle says where the stream is silent', () => {
    expect(yuvMeaning(undefined, { ...input, matrix: 'bt709', range: 'full' })).toMatchObject({ red: 0.2126, full: true })
    expect(yuvMeaning('0:0:0:0', { ...input, matrix: 'bt601', range: 'video' })).toMatchObject({ red: 0.299, full: false })
  })

  test.each(['bt601', 'bt709', '1:4:0:0', '1:3:0:0'])('colours come back from %s within the rounding of YUV', (colorimetry) => {
    const meaning = yuvMeaning(colorimetry, input)
    const { red, blue, full } = meaning
    const convert = yuvToRgb(meaning)
    const out = new Uint8ClampedArray(3)
    const sums = [0, 0, 0]
    let count = 0
    for (let r = 0; r < 256; r += 15)
      for (let g = 0; g < 256; g += 15)
        for (let b = 0; b < 256; b += 15) {
          const luma = red * r + (1 - red - blue) * g + blue * b
          const [scale, black, chroma] = full ? [1, 0, 1] : [219 / 255, 16, 224 / 255]
          const limit = (value: number) => Math.min(255, Math.round(value))
          convert(
            limit(black + scale * luma),
            limit(128 + (chroma * (b - luma)) / (2 * (1 - blue))),
            limit(128 + (chroma * (r - luma)) / (2 * (1 - red))),
            out,
            0,
          )
          for (const [i, value] of [r, g, b].entries()) {
            expect(Math.abs(out[i]! - value)).toBeLessThanOrEqual(2)
            sums[i]! += out[i]! - value
          }
          count++
        }
    for (const sum of sums) expect(Math.abs(sum / count)).toBeLessThan(0.1) // no tint
  })
})

describe('capture times', () => {
  /** A clock to set, in microseconds, and the capture clock on it. */
  function setUp() {
    const now = { monotonic: 1_000_000, wall: 5_000_000_000_000 }
    const clock = captureClock({ monotonicMicros: () => now.monotonic, wallMicros: () => now.wall })
    const arrive = (ptsMs: number, atMs: number) => {
      const passed = 1_000_000 + 1000 * atMs - now.monotonic
      now.monotonic += passed
      now.wall += passed
      return clock(BigInt(ptsMs) * 1_000_000n)
    }
    return { now, arrive }
  }

  test('jitter on the way here does not count: the least late frame sets the zero', () => {
    const { arrive } = setUp()
    arrive(0, 50)
    expect(arrive(100, 120).monotonicMicros).toBe(1_000_000 + 120_000) // less late than any before
    expect(arrive(200, 290).monotonicMicros).toBe(1_000_000 + 220_000) // 70 ms later than need be
    expect(arrive(300, 320).monotonicMicros).toBe(1_000_000 + 320_000)
  })

  test('a stalled decoder makes its frames old, not new', () => {
    const { arrive } = setUp()
    for (let i = 0; i < 10; i++) arrive(100 * i, 100 * i + 20)
    expect(arrive(1000, 4000).monotonicMicros).toBe(1_000_000 + 1_020_000)
  })

  test('a stream that begins again has a new zero', () => {
    const { arrive } = setUp()
    for (let i = 0; i < 10; i++) arrive(1000 * i, 1000 * i + 20)
    expect(arrive(0, 10_000).monotonicMicros).toBe(1_000_000 + 10_000_000)
    expect(arrive(1000, 11_005).monotonicMicros).toBe(1_000_000 + 11_000_000)
  })

  test('a camera clock that runs slow is followed', () => {
    const { arrive } = setUp()
    let age = 0
    for (let i = 0; i <= 300; i++) {
      const atMs = 1000 * i
      age = 1_000_000 + 1000 * atMs - arrive(Math.round(atMs * 0.999), atMs).monotonicMicros // 1 ms a second
    }
    expect(age).toBeLessThanOrEqual(61_000) // not 300 ms
  })

  test('no two frames share a time, and none goes back', () => {
    const { arrive } = setUp()
    const times = [arrive(0, 0), arrive(0, 0), arrive(100, 110), arrive(90, 111)].map((time) => time.monotonicMicros)
    for (let i = 1; i < times.length; i++) expect(times[i]).toBeGreaterThan(times[i - 1]!)
  })

  test('when the wall clock is set, wall times follow and intervals stay', () => {
    const { now, arrive } = setUp()
    const before = arrive(0, 0)
    now.wall += 3_600_000_000
    const after = arrive(100, 100)
    expect(after.monotonicMicros - before.monotonicMicros).toBe(100_000)
    expect(after.wallMicros - before.wallMicros).toBe(3_600_100_000)
    now.wall += 900 // the grain of a clock read in milliseconds
    expect(arrive(200, 200).wallMicros - after.wallMicros).toBe(100_000)
  })
})

describe('a camera that says nothing', () => {
  /** Frames every so often for a minute, and then nothing: when that is noticed. */
  function noticedAfter(everyMs: number, timeoutMs?: number, lookEveryMs = 250) {
    let now = 0
    const camera = silence(timeoutMs, () => now)
    for (now = 0; now < 60_000; now += lookEveryMs) {
      if (now % everyMs < lookEveryMs) camera.heard()
      expect(camera.broken(), `after ${now} ms`).toBeUndefined()
    }
    const last = 60_000 - (60_000 % everyMs || everyMs)
    while (!camera.broken()) now += lookEveryMs
    return now - last
  }

  test('is lost after 2 s', () => {
    expect(noticedAfter(40)).toBeLessThanOrEqual(2500)
    expect(noticedAfter(500)).toBeLessThanOrEqual(2500)
  })

  test('is lost later where its frames come seldom, and when the settings say so', () => {
    expect(noticedAfter(3000)).toBeGreaterThan(6000)
    expect(noticedAfter(3000)).toBeLessThan(10_000)
    expect(noticedAfter(40, 700)).toBeLessThanOrEqual(1200)
  })

  test('may take its time for the first frames', () => {
    let now = 0
    const camera = silence(undefined, () => now)
    for (; now <= 15_000; now += 250) expect(camera.broken()).toBeUndefined()
    expect(camera.broken()).toBe(15_000)
  })

  test('is not lost where it was this process that stood still', () => {
    let now = 0
    const camera = silence(undefined, () => now)
    for (; now < 10_000; now += 250) {
      camera.heard()
      camera.broken()
    }
    now += 60_000
    expect(camera.broken()).toBeUndefined()
    for (let waited = 0; waited < 1500; waited += 250) {
      now += 250
      expect(camera.broken()).toBeUndefined()
    }
    now += 750
    expect(camera.broken()).toBe(2000)
  })
})

test('the elements that do the work are told by the names on the bus', () => {
  const software = [
    'pipeline0',
    'filesrc0',
    'typefind',
    'decodebin0',
    'qtdemux0',
    'h264parse0',
    'avdec_h264-0',
    'videoconvert0',
  ]
  expect(chosenElements([...software, 'jpegenc0'])).toEqual({
    decoder: 'avdec_h264',
    converter: 'videoconvert',
    encoder: 'jpegenc',
  })
  const jetson = ['rtph264depay0', 'nvv4l2decoder0', 'nvvidconv0', 'nvvidconv1', 'videoconvert0', 'nvjpegenc0', 'decodebin0']
  expect(chosenElements(jetson)).toEqual({ decoder: 'nvv4l2decoder', converter: 'nvvidconv', encoder: 'nvjpegenc' })
  expect(chosenElements(['v4l2src0', 'jpegdec0', 'videoconvert0'])).toMatchObject({ decoder: 'jpegdec' })
  expect(chosenElements(['videotestsrc0', 'videoconvert0'])).toEqual({ converter: 'videoconvert' })
  for (const name of ['v4l2h264dec0', 'vah265dec0', 'openh264dec0', 'avdec_mjpeg0', 'nvh264sldec0', 'imxvpudec_h264-0'])
    expect(chosenElements([name]).decoder, name).toBeDefined()
})

describe('which frame the model gets', () => {
  const frame = (number: number): Frame => ({
    number,
    pts: BigInt(number),
    monotonicMicros: number * 33_000,
    wallMicros: 0,
    buffer: new Uint8Array(),
  })
  const jpeg = Uint8Array.from([1])

  test('the newest, and each once', () => {
    const choice = frameChoice(100_000)
    for (const number of [1, 2, 3]) choice.add(frame(number))
    expect(choice.take()?.number).toBe(3)
    expect(choice.take()).toBeUndefined()
    choice.add(frame(4))
    expect(choice.take()?.number).toBe(4)
  })

  test('one with a picture, where it is hardly older', () => {
    const choice = frameChoice(100_000)
    for (const number of [1, 2, 3]) choice.add(frame(number))
    choice.addPicture(2n, jpeg)
    expect(choice.take()).toMatchObject({ number: 2, picture: jpeg })
    expect(choice.take()?.number).toBe(3)
  })

  test('the newest, where the one with a picture is too old or its picture comes late', () => {
    const choice = frameChoice(50_000)
    choice.add(frame(1))
    choice.addPicture(1n, jpeg)
    choice.add(frame(2))
    choice.add(frame(3))
    expect(choice.take()?.number).toBe(3)
    expect(choice.addPicture(3n, jpeg)?.number).toBe(3)
    expect(choice.addPicture(2n, jpeg)).toBeUndefined()
  })

  test('a picture that overtakes its frame is kept for it', () => {
    const choice = frameChoice(100_000)
    choice.addPicture(1n, jpeg)
    choice.add(frame(1))
    expect(choice.take()?.picture).toBe(jpeg)
  })
})
