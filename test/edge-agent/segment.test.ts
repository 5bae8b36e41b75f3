import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { encodeMask } from '../../deploy/mask-png.ts'
import { chooseBatch, sizesFor } from '../../edge-agent/segment/choose-batch.ts'
import {
  type FrameHeader,
  type FrameSource,
  frameReader,
  listenForFrames,
  type ReceivedFrame,
  writeFrame,
} from '../../edge-agent/segment/frame-socket.ts'

describe('a mask as a PNG', () => {
  // Widths that do and do not fill their last byte; ids with structure in both directions.
  const sizes = [
    [16, 4],
    [13, 7],
    [1, 1],
    [577, 3],
  ] as const
  const idsOf = (width: number, height: number, classes: number) =>
    Int32Array.from({ length: width * height }, (_, i) => ((i % width) * 7 + Math.floor(i / width) * 3) % classes)

  test.each(sizes)('of two classes, %i x %i: one bit a pixel, white is road', async (width, height) => {
    for (const road of [0, 1]) {
      const ids = idsOf(width, height, 2)
      const png = encodeMask(ids, { width, height, colours: ['#000000', '#00ff00'], road }, {})
      const { data, info } = await sharp(png).toColourspace('b-w').raw().toBuffer({ resolveWithObject: true })
      expect([info.width, info.height, info.channels]).toEqual([width, height, 1])
      expect([...data]).toEqual([...ids].map((id) => (id === road ? 255 : 0)))
      expect([...png.subarray(24, 26)]).toEqual([1, 0]) // IHDR: bit depth, greyscale
    }
  })

  test.each(sizes)('of more classes, %i x %i: the palette has the colours, its indices are the ids', async (width, height) => {
    const colours = ['#102030', '#405060', '#708090', '#a0b0c0']
    const ids = idsOf(width, height, 4)
    const png = encodeMask(ids, { width, height, colours, road: 3 }, {})
    const data = await sharp(png).removeAlpha().raw().toBuffer()
    const found = Array.from({ length: width * height }, (_, i) => `#${data.subarray(3 * i, 3 * i + 3).toString('hex')}`)
    expect(found).toEqual([...ids].map((id) => colours[id]))
    expect([...png.subarray(24, 26)]).toEqual([8, 3])
  })

  test('explains itself: ASCII in tEXt, anything else in iTXt', async () => {
    const text = { Software: 'Roadmask', frame: '42', region: '0,182,1280,356', model: 'Straße', camera: '前' }
    const png = encodeMask(new Int32Array(4), { width: 2, height: 2, colours: ['#000000', '#ffffff'], road: 1 }, text)
    const { comments } = await sharp(png).metadata() // libpng checks every chunk's CRC
    expect(Object.fromEntries(comments!.map(({ keyword, text: value }) => [keyword, value]))).toEqual(text)
  })

  test('needs as many ids as pixels', () => {
    const look = { width: 2, height: 2, colours: ['#000000', '#ffffff'], road: 1 }
    expect(() => encodeMask(new Int32Array(3), look, {})).toThrow('Expected 4 class ids for 2 x 2, found 3')
  })
})

describe('frames over the socket', () => {
  let dir: string
  let server: Server | undefined
  let client: Socket | undefined
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'roadmask-'))
  })
  afterEach(() => {
    client?.destroy()
    server?.close()
  })
  afterAll(() => rm(dir, { recursive: true }))

  const header = (frame: number): FrameHeader => ({
    camera: 'front ö',
    process: 1,
    frame,
    capturedMicros: 1,
    capturedMonotonicMicros: 2,
    cameraWidth: 3,
    cameraHeight: 4,
    region: [0, 0, 3, 4],
    seen: [0, 0, 3, 4],
    picture: false,
  })

  test('are asked for one by one and arrive whole', async () => {
    const got: ReceivedFrame[] = []
    let source: FrameSource | undefined
    let goneCount = 0
    const path = join(dir, 'a.sock')
    server = await listenForFrames(path, {
      frame(frame, from) {
        got.push(frame)
        source = from
      },
      gone: () => goneCount++,
    })
    client = connect(path)
    const pixels = Buffer.alloc(1_000_000, 7) // more than a socket holds
    for (const number of [1, 2]) {
      await once(client, 'data') // the request
      writeFrame(client, header(number), pixels)
      await expect.poll(() => got.length).toBe(number)
      expect(got.at(-1)!.header).toEqual(header(number))
      expect(Buffer.compare(got.at(-1)!.pixels, pixels)).toBe(0)
      source!.request()
    }
    client.destroy()
    await expect.poll(() => goneCount).toBe(1)
  })

  test('are put together from any pieces', () => {
    const written: Buffer[] = []
    const socket = { cork() {}, uncork() {}, write: (bytes: Buffer) => written.push(bytes) } as unknown as Socket
    writeFrame(socket, header(1), Buffer.from([1, 2, 3]))
    writeFrame(socket, header(2), Buffer.from([4, 5]))
    const stream = Buffer.concat(written)
    for (const size of [1, 3, 64, stream.length]) {
      const read = frameReader()
      const frames: ReceivedFrame[] = []
      for (let at = 0; at < stream.length; at += size) frames.push(...read(stream.subarray(at, at + size)))
      expect(frames.map((frame) => [frame.header.frame, [...frame.pixels]])).toEqual([
        [1, [1, 2, 3]],
        [2, [4, 5]],
      ])
    }
  })

  test('a stranger who speaks something else is put out', async () => {
    const path = join(dir, 'b.sock')
    server = await listenForFrames(path, { frame: () => expect.unreachable(), gone() {} })
    client = connect(path).resume()
    client.write('GET / HTTP/1.1\r\n\r\n')
    await once(client, 'close')
  })
})

describe('which frames go together', () => {
  const served = new Map([
    ['a', 30],
    ['b', 10],
    ['c', 20],
  ])
  const at = (camera: string) => served.get(camera) ?? 0

  test('as many as a warm batch size holds, those first that waited longest', () => {
    expect(chooseBatch(['a', 'b', 'c'], at, [1, 2, 4])).toEqual(['b', 'c'])
    expect(chooseBatch(['a', 'b', 'c', 'new'], at, [1, 2, 4])).toEqual(['new', 'b', 'c', 'a'])
    expect(chooseBatch(['a'], at, [1, 2])).toEqual(['a'])
    expect(chooseBatch([], at, [1, 2])).toEqual([])
  })

  test('nobody is left out when each batch holds one', () => {
    const order: string[] = []
    for (let i = 0; i < 9; i++) {
      const [camera] = chooseBatch(['a', 'b', 'c'], (name) => order.lastIndexOf(name), [1])
      order.push(camera!)
    }
    expect(order.join('')).toBe('abcabcabc')
  })

  test('only sizes that the cameras can fill are warmed up', () => {
    expect([sizesFor(1, 4), sizesFor(3, 4), sizesFor(9, 4), sizesFor(9, 1)]).toEqual([[1], [1, 2], [1, 2, 4], [1]])
  })
})
