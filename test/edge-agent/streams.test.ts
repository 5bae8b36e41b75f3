// MJPEG streams as clients take them, quick and slow; and TLS with a certificate that is renewed while it serves.
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { get, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import { promisify } from 'node:util'
import sharp from 'sharp'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { encodeMask } from '../../deploy/mask-png.ts'
import { openLog } from '../../edge-agent/log.ts'
import { mostStreams, streamType } from '../../edge-agent/publish/mjpeg.ts'
import { keepCertificate } from '../../edge-agent/serve/tls.ts'
import type { MaskMessage } from '../../edge-agent/wire.ts'
import { maskOf } from './made-messages.ts'
import { type MadeSite, openMadeSite } from './made-site.ts'

let made: MadeSite | undefined
afterEach(async () => {
  await made?.close()
  made = undefined
})

/** Opens a stream and takes its parts apart. */
async function follow(path: string) {
  const request = get(new URL(path, made!.site.url))
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  const parts: Buffer[] = []
  let bytes = Buffer.alloc(0)
  response.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk])
    for (;;) {
      const [head, length] =
        /^--roadmask\r\nContent-Type: image\/jpeg\r\nContent-Length: (\d+)\r\n\r\n/.exec(bytes.toString('latin1', 0, 200)) ?? []
      const end = (head?.length ?? 0) + Number(length)
      if (head === undefined || bytes.length < end + 2) return
      parts.push(bytes.subarray(head.length, end))
      bytes = bytes.subarray(end + 2)
    }
  })
  response.on('error', () => {})
  return { response, parts, close: () => request.destroy() }
}

describe('a stream', () => {
  test('begins with the newest picture and brings each new one to a client that keeps up', async () => {
    made = await openMadeSite()
    made.streams.mask(maskOf('front', 1, 5))
    const { response, parts, close } = await follow('api/cameras/front/picture.mjpg')
    expect(response.headers['content-type']).toBe('multipart/x-mixed-replace; boundary=roadmask')
    await expect.poll(() => parts.length).toBe(1)
    for (let frame = 2; frame <= 5; frame++) {
      made.streams.mask(maskOf('front', frame, 5000))
      made.streams.mask(maskOf('rear', frame, 9)) // another camera's
      made.streams.mask(maskOf('front', frame)) // without a picture
      await expect.poll(() => parts.length).toBe(frame)
    }
    expect(parts.map((part) => [part[0], part.length])).toEqual([
      [1, 5],
      [2, 5000],
      [3, 5000],
      [4, 5000],
      [5, 5000],
    ])
    expect(made.watched).toEqual([true])
    close()
    await expect.poll(() => made!.watched).toEqual([true, false])
  })

  test('drops for a slow client alone, which gets the newest when it is back', async () => {
    made = await openMadeSite()
    const slow = await follow('api/cameras/front/picture.mjpg')
    const quick = await follow('api/cameras/front/picture.mjpg')
    slow.response.pause()
    const last = 100
    for (let frame = 1; frame <= last; frame++) {
      made.streams.mask(maskOf('front', frame, 200_000))
      await expect.poll(() => quick.parts.length, { interval: 5 }).toBe(frame)
    }
    slow.response.resume()
    await expect.poll(() => slow.parts.at(-1)?.[0]).toBe(last)
    expect(slow.parts.length).toBeLessThan(last)
    expect(made.streams.counts().dropped.slow_client).toBe(last - slow.parts.length)
  })

  test('of overlays paints the road in', async () => {
    made = await openMadeSite()
    const grey = await sharp({ create: { width: 40, height: 30, channels: 3, background: '#808080' } })
      .jpeg()
      .toBuffer()
    const size = { width: 4, height: 2 }
    const mask = encodeMask(new Int32Array(8).fill(1), { ...size, colours: ['#000', '#fff'], road: 1 }, {})
    const message: MaskMessage = { ...maskOf('front', 1), mask, picture: grey }
    const { parts } = await follow('api/cameras/front/overlay.mjpg')
    made.streams.mask(message)
    await expect.poll(() => parts.length).toBe(1)
    const { data } = await sharp(parts[0]!).raw().toBuffer({ resolveWithObject: true })
    const [red, green] = data.subarray(3 * (15 * 40 + 20))
    expect(green! - red!).toBeGreaterThan(50)
    const snapshot = Buffer.from(await (await made.ask('api/cameras/front/overlay.jpg')).arrayBuffer())
    expect(snapshot.equals(parts[0]!)).toBe(true) // painted once
  })

  test('is not opened for more than can be served, nor for a camera that is not there', async () => {
    made = await openMadeSite()
    const streams = await Promise.all(Array.from({ length: mostStreams }, () => follow('api/cameras/front/picture.mjpg')))
    expect((await made.ask('api/cameras/front/picture.mjpg')).status).toBe(503)
    streams[0]!.close()
    await expect.poll(() => made!.streams.counts().clients).toBe(mostStreams - 1)
    expect((await follow('api/cameras/front/picture.mjpg')).response.statusCode).toBe(200)
    expect((await made.ask('api/cameras/side/picture.mjpg')).status).toBe(404)
  })

  test('is not opened by who asks for its head alone', async () => {
    made = await openMadeSite()
    for (let i = 0; i < mostStreams; i++) {
      const { status, headers } = await made.ask('api/cameras/front/picture.mjpg', { method: 'HEAD' })
      expect([status, headers.get('content-type')]).toEqual([200, streamType])
    }
    expect(made.streams.counts().clients).toBe(0)
  })
})

describe('TLS', () => {
  let dir: string
  const files = () => ({ cert: join(dir, 'cert.pem'), key: join(dir, 'key.pem') })
  const issue = (name: string) =>
    promisify(execFile)('openssl', [
      ...'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj'.split(' '),
      `/CN=${name}`,
      ...['-keyout', files().key, '-out', files().cert],
    ])
  const nameAt = async (port: number) => {
    const socket: TLSSocket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false })
    await once(socket, 'secureConnect')
    const { subject } = socket.getPeerCertificate()
    socket.destroy()
    return subject.CN
  }
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'roadmask-'))
    return () => rm(dir, { recursive: true })
  })

  test('serves the page, and marks the cookie as one that never leaves it', async () => {
    await issue('first.example')
    made = await openMadeSite(`http: { cert: ${files().cert}, key: ${files().key}, host: 0.0.0.0 }`)
    expect(made.site.url).toMatch(/^https:/)
    expect(await nameAt(made.site.port)).toBe('first.example')
    const { stdout } = await promisify(execFile)('curl', [
      ...['-sk', '-i', '-H', 'content-type: application/json', '-d', JSON.stringify({ password: made.access.fresh })],
      new URL('api/session', made.site.url).href,
    ])
    expect(stdout).toMatch(/set-cookie: __Host-roadmask_session=[\w-]{43}; .*Secure/i)
  })

  test('takes a renewed certificate over, and keeps the old one while the new is half written', async () => {
    await issue('first.example')
    const said: unknown[] = []
    const log = openLog('fatal')
    log.warn = (text: unknown) => void said.push(text)
    const kept = await keepCertificate(files(), log, 20)
    const taken: number[] = []
    kept.renewed(({ cert }) => taken.push(cert.length))
    const { key } = files()
    await promisify(execFile)('openssl', ['ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', key]) // of another certificate
    await expect.poll(() => said.length).toBe(1)
    expect(said[0]).toContain('cannot be used, the old one stays')
    expect(taken).toEqual([])
    await issue('second.example')
    await expect.poll(() => taken.length).toBe(1)
    kept.stop()
  })

  test('does not begin without a pair that belongs together', async () => {
    await expect(openMadeSite(`http: { cert: ${files().cert}, key: /none.pem }`)).rejects.toThrow(
      '"http.key" /none.pem cannot be used',
    )
  })
})
