// A real HTTP and WebSocket server for the page alone, so that its tests and its author say exactly what it is sent:
// `node build/test/dashboard/serve-page.js [port]` plays pictures and labels of ../shared/data/camvid to look at.
// It keeps to the agent's addresses and its Content-Security-Policy.
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { crc32, deflateSync } from 'node:zlib'
import sharp from 'sharp'
import { type WebSocket, WebSocketServer } from 'ws'
import { build } from '../../edge-agent/paths.ts'
import { pageFile } from '../../edge-agent/serve/page.ts'
import type { CameraStatus, MaskMessage, Result, SocketMessage } from '../../edge-agent/wire.ts'
import { packMask, wireVersion } from '../../edge-agent/wire.ts'

export interface PageServer {
  /** Address of the page. */
  url: string
  port: number
  /** Sends to every open socket. */
  send(message: SocketMessage | MaskMessage): void
  /** What a new client is told first. */
  greet(...messages: SocketMessage[]): void
  clients(): number
  /** Ends every socket, with a close frame or, as a dying host does, without. */
  disconnect(code?: number, reason?: string): void
  close(): Promise<void>
}

export const policy =
  "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

const types: Record<string, string> = { html: 'text/html', css: 'text/css', svg: 'image/svg+xml', js: 'text/javascript' }

/** Serves the page, compiled, on `port`; 0 takes a free one. */
export async function servePage({ port = 0 } = {}): Promise<PageServer> {
  if (!existsSync(join(build, 'dashboard/page.js'))) throw new Error(`Expected the compiled page in ${build}; run npx tsc`)
  const server = createServer(async ({ url = '/' }, response) => {
    const path = new URL(url, 'http://localhost').pathname
    if (path === '/api/session')
      return response.writeHead(200, { 'content-type': 'application/json' }).end('{"name":"local","role":"operator"}')
    const file = path === '/' ? '/dashboard/index.html' : path
    const extension = file.split('.').at(-1) ?? ''
    const place = pageFile(file)
    const body = place && (await readFile(place).catch(() => undefined))
    if (!body) return response.writeHead(404).end()
    response.writeHead(200, { 'content-type': types[extension], 'content-security-policy': policy }).end(body)
  })
  const sockets = new WebSocketServer({ server, path: '/ws' })
  let greeting: SocketMessage[] = []
  sockets.on('connection', (socket) => {
    for (const message of greeting) socket.send(JSON.stringify(message))
  })
  const each = (act: (socket: WebSocket) => void) => sockets.clients.forEach(act)
  await new Promise<void>((listening) => server.listen(port, '127.0.0.1', listening))
  const address = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${address.port}/`,
    port: address.port,
    send: (message) => each((socket) => socket.send('mask' in message ? packMask(message) : JSON.stringify(message))),
    greet(...messages) {
      greeting = messages
    },
    clients: () => sockets.clients.size,
    disconnect: (code, reason) => each((socket) => (code ? socket.close(code, reason) : socket.terminate())),
    close: () =>
      new Promise((closed) => {
        each((socket) => socket.terminate())
        sockets.close()
        server.close(() => closed())
        server.closeAllConnections()
      }),
  }
}

/**
 * A PNG from class ids, one byte a pixel: one-bit grey without a palette, else 8-bit palette. Written by hand, from the
 * specification, so that the page is tested against the format and not against the agent's own writer.
 */
export function encodeMask(ids: Uint8Array, width: number, height: number, palette?: [number, number, number][]): Uint8Array {
  const chunk = (name: string, data: Uint8Array) => {
    const body = Buffer.concat([Buffer.from(name), data])
    const frame = Buffer.alloc(8)
    frame.writeUInt32BE(data.length, 0)
    frame.writeUInt32BE(crc32(body), 4)
    return [frame.subarray(0, 4), body, frame.subarray(4)]
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set(palette ? [8, 3, 0, 0, 0] : [1, 0, 0, 0, 0], 8)
  const stride = 1 + (palette ? width : Math.ceil(width / 8)) // each row opens with its filter: none
  const rows = Buffer.alloc(stride * height)
  ids.forEach((id, i) => {
    const x = i % width
    const row = stride * Math.floor(i / width) + 1
    if (palette) rows[row + x] = id
    else if (id) rows[row + (x >> 3)]! |= 0x80 >> (x & 7)
  })
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    ...chunk('IHDR', header),
    ...(palette ? chunk('PLTE', Uint8Array.from(palette.flat())) : []),
    ...chunk('IDAT', deflateSync(rows)),
    ...chunk('IEND', new Uint8Array()),
  ])
}

/** Facts that are true of `mask`-sized masks of a camera; `facts` replaces any of them. */
export function makeResult(facts: Partial<Result> & Pick<Result, 'width' | 'height'>): Result {
  const { width, height } = facts
  return {
    version: wireVersion,
    camera: 'front',
    frame: 1,
    captured_us: Date.now() * 1000 - 80_000,
    age_ms: 80,
    model: 'camvid-fcn8s-2026-02-11',
    camera_width: width,
    camera_height: height,
    region: [0, 0, width, height],
    seen: facts.region ?? [0, 0, width, height],
    classes: ['other', 'road'],
    road_class: 1,
    road_percent: 0,
    confidence: 0.97,
    largest_area: { percent: 0, of_road_percent: 0 },
    timings_ms: { capture: 22, wait: 6, infer: 41, facts: 0.4, encode: 3, publish: 1 },
    dropped: 0,
    ...facts,
  }
}

export const statusOf = (camera: string, state: CameraStatus['state'] = 'online', reason = ''): CameraStatus => ({
  version: wireVersion,
  camera,
  state,
  since_us: Date.now() * 1000,
  reason,
})

export const helloOf = (...cameras: CameraStatus[]): { type: 'hello' } & SocketMessage => ({
  type: 'hello',
  version: wireVersion,
  device: 'jetson01',
  model: 'camvid-fcn8s-2026-02-11',
  cameras,
  zones: {},
  collecting: false,
})

/** CamVid pictures with their labels as masks (class 3 is road) of 256 x 192, over the middle 440 x 330 of the picture. */
export async function camvidFrames(root: string, step = 1): Promise<{ picture: Uint8Array; mask: Uint8Array; road: number }[]> {
  const names = (await readdir(join(root, 'val'))).sort().filter((_, i) => i % step === 0)
  return Promise.all(
    names.map(async (name) => {
      const picture = await readFile(join(root, 'val', name))
      const label = await sharp(join(root, 'valannot', name.replace(/\.\w+$/, '.png')))
        .extract({ left: 20, top: 15, width: 440, height: 330 })
        .resize(256, 192, { kernel: 'nearest' })
        .extractChannel(0)
        .raw()
        .toBuffer()
      const ids = Uint8Array.from(label, (id) => (id === 3 ? 1 : 0))
      return { picture, mask: encodeMask(ids, 256, 192), road: (100 * ids.reduce((sum, id) => sum + id, 0)) / ids.length }
    }),
  )
}

/** Plays CamVid over and over on `cameras`, ten masks a second, a picture with every second one. */
export function play(server: PageServer, cameras: string[], frames: Awaited<ReturnType<typeof camvidFrames>>): () => void {
  let frame = 0
  const timer = setInterval(() => {
    frame++
    cameras.forEach((camera, i) => {
      const shown = frames[(frame + 23 * i) % frames.length]
      if (!shown) return
      const infer = 38 + 8 * Math.random() + (frame % 97 === 0 ? 60 : 0)
      const timings_ms = {
        capture: 20 + 4 * Math.random(),
        wait: 8 * Math.random(),
        infer,
        facts: 0.4,
        encode: 2.6,
        publish: 0.7,
      }
      const age_ms = Object.values(timings_ms).reduce((sum, ms) => sum + ms, 0)
      const facts = { camera, frame, age_ms, timings_ms, road_percent: shown.road, dropped: 2 * frame, width: 256, height: 192 }
      const result = makeResult({ ...facts, camera_width: 480, camera_height: 360, region: [20, 15, 440, 330] })
      server.send({ result, mask: shown.mask, picture: frame % 2 ? shown.picture : new Uint8Array() })
    })
  }, 100)
  return () => clearInterval(timer)
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const server = await servePage({ port: Number(process.argv[2] ?? 8099) })
  const cameras = ['front', 'rear', 'left', 'right'].slice(0, Number(process.argv[3] ?? 1))
  server.greet(helloOf(...cameras.map((camera) => statusOf(camera))))
  play(server, cameras, await camvidFrames(join(process.env.ROADMASK_REAL_DATA ?? '../shared/data', 'camvid')))
  console.log(server.url)
}
