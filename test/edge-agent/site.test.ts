import { once } from 'node:events'
import { get } from 'node:http'
import { type AddressInfo, connect, createServer, type Server } from 'node:net'
import { hostname } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import type { SocketOutput } from '../../edge-agent/publish/websocket.ts'
import { listen } from '../../edge-agent/serve/listen.ts'
import type { Site } from '../../edge-agent/serve/site.ts'
import { parseConfig } from '../../edge-agent/settings/read-config.ts'
import { type MaskMessage, type SocketMessage, unpackMask, wireVersion } from '../../edge-agent/wire.ts'
import { eventOf, maskOf, statusOf } from './made-messages.ts'
import { type MadeSite, openMadeSite, stats } from './made-site.ts'

let made: MadeSite
let site: Site
let sockets: SocketOutput
let watched: boolean[]

beforeEach(async () => {
  made = await openMadeSite()
  ;({ site, sockets, watched } = made)
})
afterEach(() => made.close())

const ask = (path: string, headers = {}) => fetch(new URL(path, site.url), { headers })

describe('health', () => {
  test('is alive as soon as it answers, and ready when the model takes frames and a camera gives them', async () => {
    expect(await (await ask('healthz')).json()).toEqual({ ok: true })
    const response = await ask('readyz')
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual({
      ready: true,
      model: 'ready',
      cameras: { front: { state: 'online', reason: '' }, rear: { state: 'offline', reason: 'No picture for 5 s' } },
    })
    made.now.ready = false
    expect((await ask('readyz')).status).toBe(503)
  })
})

describe('the API', () => {
  test('tells cameras with their last result', async () => {
    expect(await (await ask('api/cameras')).json()).toEqual([
      { ...statusOf('front'), result: made.now.latest!.result },
      { ...statusOf('rear', 'offline', 'No picture for 5 s'), result: null },
    ])
    expect(await (await ask('api/stats')).json()).toEqual(stats)
  })

  test('gives the newest mask and picture', async () => {
    const mask = await ask('api/cameras/front/mask.png')
    expect(mask.headers.get('content-type')).toBe('image/png')
    expect(Buffer.from(await mask.arrayBuffer()).toString()).toBe('mask 7')
    made.streams.mask(made.now.latest!)
    const picture = await ask('api/cameras/front/picture.jpg')
    expect(picture.headers.get('content-type')).toBe('image/jpeg')
    expect([...new Uint8Array(await picture.arrayBuffer())]).toEqual([7, 7, 7])
    expect((await ask('api/cameras/rear/mask.png')).status).toBe(404)
    const missing = await ask('api/cameras/side/mask.png')
    expect(missing.headers.get('content-type')).toBe('application/problem+json')
    expect(await missing.json()).toEqual({ title: 'Not Found', status: 404, detail: 'There is no camera side' })
  })
})

describe('the page', () => {
  test('and what it loads is served with its type, and not again while it is unchanged', async () => {
    for (const [path, type] of [
      ['', 'text/html'],
      ['dashboard/page.css', 'text/css'],
      ['dashboard/page.js', 'text/javascript'],
      ['edge-agent/wire.js', 'text/javascript'],
    ] as const) {
      const response = await ask(path)
      expect(response.status, path).toBe(200)
      expect(response.headers.get('content-type'), path).toContain(type)
      expect(response.headers.get('content-security-policy')).toMatch(/^default-src 'self'; img-src 'self' blob:/)
      expect(response.headers.get('content-encoding'), path).toBe('gzip')
      expect((await ask(path, { 'if-none-match': response.headers.get('etag') })).status).toBe(304)
      const plain = await ask(path, { 'accept-encoding': 'identity' })
      expect(plain.headers.get('content-encoding')).toBeNull()
      expect(await plain.text()).toBe(await response.text())
      expect(plain.headers.get('etag')).not.toBe(response.headers.get('etag'))
    }
  })

  test.each([
    'package.json',
    'edge-agent/main.js',
    'dashboard/../package.json',
    'dashboard/..%2fpackage.json',
    'dashboard/page.ts',
    '.git/config',
  ])('nothing else is: %s', async (path) => expect((await ask(path)).status).toBe(404))
})

describe('who may talk to it', () => {
  /** fetch does not let us choose the Host header. */
  const statusFor = (headers: Record<string, string>) =>
    new Promise<number | undefined>((done, failed) =>
      get({ host: '127.0.0.1', port: site.port, path: '/healthz', headers }, (response) =>
        done(response.resume().statusCode),
      ).on('error', failed),
    )
  const port = () => site.port

  test('browsers under a name of this machine, and not under one that anybody can point here', async () => {
    for (const host of ['localhost', hostname(), '192.168.1.5', '[::1]', 'roadcam.example', 'ROADCAM.example'])
      expect(await statusFor({ host: `${host}:${port()}` }), host).toBe(200)
    for (const host of ['evil.example', `localhost.evil.example:${port()}`]) expect(await statusFor({ host }), host).toBe(421)
  })

  test('pages of our own, and not those of others', async () => {
    const host = `127.0.0.1:${port()}`
    expect(await statusFor({ host, origin: `http://${host}` })).toBe(200)
    for (const origin of ['http://evil.example', `http://127.0.0.1:${port() + 1}`, 'null'])
      expect(await statusFor({ host, origin }), origin).toBe(403)
  })

  test.each([
    ['of another page', { origin: 'http://evil.example' }, 403],
    ['under another name', { headers: { host: 'evil.example' } }, 421],
  ])('WebSockets too: refused %s', async (_, options, code) => {
    const socket = new WebSocket(new URL('ws', site.url.replace('http', 'ws')), options)
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, { statusCode: number }]
    expect(response.statusCode).toBe(code)
  })
})

interface Client {
  socket: WebSocket
  texts: SocketMessage[]
  masks: MaskMessage[]
}

async function join(): Promise<Client> {
  const socket = new WebSocket(new URL('ws', site.url.replace('http', 'ws')), { origin: site.url.slice(0, -1) })
  const client: Client = { socket, texts: [], masks: [] }
  socket.on('message', (data: Buffer, binary) => {
    if (binary) client.masks.push(unpackMask(data))
    else client.texts.push(JSON.parse(data.toString()) as SocketMessage)
  })
  await once(socket, 'open')
  await expect.poll(() => client.texts.length).toBeGreaterThan(0)
  return client
}

describe('the WebSocket', () => {
  test('says hello, then how things change', async () => {
    const { texts } = await join()
    expect(texts[0]).toEqual({
      type: 'hello',
      version: wireVersion,
      device: 'jetson01',
      model: 'run-1',
      cameras: [statusOf('front'), statusOf('rear', 'offline', 'No picture for 5 s')],
      zones: {},
      collecting: false,
    })
    sockets.status(statusOf('rear'))
    sockets.event(eventOf('rear', 'x'))
    sockets.stats(stats)
    await expect.poll(() => texts.length).toBe(4)
    expect(texts.slice(1)).toEqual([
      { type: 'status', ...statusOf('rear') },
      { type: 'event', event: eventOf('rear', 'x') },
      { type: 'stats', ...stats },
    ])
  })

  test('brings every mask with its picture to a client that keeps up', async () => {
    const { masks } = await join()
    for (let frame = 1; frame <= 20; frame++) {
      sockets.mask(maskOf('front', frame, frame % 3 ? 0 : 50_000))
      await delay(2)
    }
    await expect.poll(() => masks.length).toBe(20)
    expect(masks[2]!.result).toEqual(maskOf('front', 3).result)
    expect(masks[2]!.picture.length).toBe(50_000)
    expect(sockets.counts()).toEqual({ clients: 1, dropped: { slow_client: 0 } })
  })

  test('brings who comes later the newest picture of each camera at once, as old as it is by then', async () => {
    for (const frame of [1, 2]) sockets.mask(maskOf('front', frame, 50_000))
    sockets.mask(maskOf('front', 3))
    await delay(100)
    const { masks } = await join()
    await expect.poll(() => masks.length).toBe(1)
    expect(masks[0]!.result.frame).toBe(2)
    expect(masks[0]!.picture.length).toBe(50_000)
    expect(masks[0]!.result.age_ms).toBeGreaterThan(maskOf('front', 2).result.age_ms + 90)
  })

  test('drops for a slow client alone, which gets the newest of each camera when it is back', async () => {
    const slow = await join()
    const quick = await join()
    slow.socket.pause()
    const last = 120
    for (let frame = 1; frame <= last; frame++) {
      for (const camera of ['front', 'rear']) sockets.mask(maskOf(camera, frame, 100_000))
      await delay(1)
    }
    await expect.poll(() => quick.masks.length).toBe(2 * last)
    slow.socket.resume()
    const newest = (camera: string) => slow.masks.filter(({ result }) => result.camera === camera).at(-1)?.result.frame
    await expect.poll(() => [newest('front'), newest('rear')]).toEqual([last, last])
    expect(slow.masks.length).toBeLessThan(2 * last)
    expect(sockets.counts()).toEqual({ clients: 2, dropped: { slow_client: 2 * last - slow.masks.length } })
    const frames = slow.masks.filter(({ result }) => result.camera === 'front').map(({ result }) => result.frame)
    expect(frames).toEqual([...frames].sort((a, b) => a - b))
  })

  test('sends masks of the cameras that a client wishes for, of all until it says so, and closes on what is no wish', async () => {
    const [picky, all] = [await join(), await join()]
    const send = async (wish: unknown) => {
      picky.socket.send(JSON.stringify(wish))
      picky.socket.ping() // whose answer comes after the wish was read
      await once(picky.socket, 'pong')
    }
    const frames = () => picky.masks.map(({ result }) => `${result.camera} ${result.frame}`)
    const both = (frame: number) => {
      for (const camera of ['front', 'rear']) sockets.mask(maskOf(camera, frame))
    }
    both(1)
    await send({ masks: ['rear'] })
    both(2)
    await send({ masks: [] })
    both(3)
    await send({ masks: 'all' })
    both(4)
    await expect.poll(() => all.masks.length).toBe(8)
    await expect.poll(frames).toEqual(['front 1', 'rear 1', 'rear 2', 'front 4', 'rear 4'])
    picky.socket.send('{"masks": 3}')
    expect((await once(picky.socket, 'close'))[0]).toBe(1007)
  })

  test('tells where zones lie and whether frames are kept, again when the settings change', async () => {
    const { texts } = await join()
    const zone = '{ name: gate, polygon: [[0, 0], [1, 0], [1, 1]], blocked_below: 30 }'
    const text = `collect: { enabled: true }\ncameras: [{ name: front, source: test, zones: [${zone}] }]`
    sockets.settings?.(parseConfig({ name: 'agent.yaml', text }, {}, []))
    await expect
      .poll(() => texts.at(-1))
      .toMatchObject({
        zones: { front: [{ name: 'gate', polygon: [[0, 0], [1, 0], [1, 1]] }] }, // biome-ignore format: one line
        collecting: true,
      })
  })

  test('says whether anybody watches', async () => {
    const [one, two] = [await join(), await join()]
    one.socket.close()
    await once(one.socket, 'close')
    expect(watched).toEqual([true])
    two.socket.close()
    await expect.poll(() => watched).toEqual([true, false])
  })

  test('says goodbye when the agent ends', async () => {
    const { socket } = await join()
    const closed = once(socket, 'close')
    await sockets.close()
    expect((await closed)[0]).toBe(1001)
  })
})

describe('ports', () => {
  let taken: Server
  let port: number
  beforeAll(async () => {
    taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    port = (taken.address() as AddressInfo).port
  })
  afterAll(() => taken.close())

  test('a configured one that is taken is an error that names the setting', async () => {
    const place = { host: '127.0.0.1', port, from: 8080, setting: 'http.port' }
    await expect(listen(createServer(), place)).rejects.toThrow(
      `Cannot listen on port ${port} of 127.0.0.1: it is taken. Set "http.port"`,
    )
  })

  test('without one the next free is taken', async () => {
    const server = createServer()
    const { port: found } = await listen(server, { host: '127.0.0.1', port: undefined, from: port, setting: 'http.port' })
    expect(found).toBeGreaterThan(port)
    server.close()
  })
})

test('clients that ask for a WebSocket in the wrong place and break off do no harm', async () => {
  const { port } = site
  for (let i = 0; i < 200; i++) {
    const client = connect(port, '127.0.0.1').on('error', () => {})
    await once(client, 'connect')
    client.write(`GET /nope HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`)
    client.resetAndDestroy()
  }
  await delay(200)
  expect((await ask('/healthz')).status).toBe(200)
})

test('a client that is refused a WebSocket and never hangs up takes no connection away', async () => {
  const { port } = site
  const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true }).on('error', () => {})
  client.resume()
  client.write(`GET /nope HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`)
  const gone = new Promise((closed) => client.once('close', closed))
  await once(client, 'end')
  const poke = setInterval(() => client.write('x'), 100) // is answered by a reset once the agent has let go
  await gone
  clearInterval(poke)
})
