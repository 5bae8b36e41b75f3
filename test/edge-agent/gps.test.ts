// Positions from the real gpsd, which reads NMEA 0183 sentences of a receiver over TCP; from none, and from a stranger.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { pino } from 'pino'
import { afterEach, expect, test } from 'vitest'
import { type Gps, openGps, readPosition } from '../../edge-agent/gps.ts'
import type { Position } from '../../edge-agent/wire.ts'
import { freePort } from './mosquitto.ts'

const program = '/usr/sbin/gpsd'
const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

function sentence(body: string): string {
  const sum = [...body].reduce((xor, letter) => xor ^ letter.charCodeAt(0), 0)
  return `$${body}*${sum.toString(16).toUpperCase().padStart(2, '0')}\r\n`
}

async function listen(server: Server, port = 0): Promise<number> {
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** A receiver that tells its place four times a second, as `fixed()` says. */
async function startReceiver(fixed: () => boolean): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
  })
  const timer = setInterval(() => {
    const now = new Date().toISOString() // 2026-01-31T12:34:56.789Z
    const time = `${now.slice(11, 19).replaceAll(':', '')}.${now.slice(20, 22)}`
    const date = now.slice(8, 10) + now.slice(5, 7) + now.slice(2, 4)
    const text = fixed()
      ? sentence(`GPRMC,${time},A,4807.0380,N,01131.0000,E,022.4,084.4,${date},003.1,W`) +
        sentence(`GPGGA,${time},4807.0380,N,01131.0000,E,1,08,0.9,545.4,M,46.9,M,,`) +
        sentence('GPGSA,A,3,04,05,09,12,,,,,,,,,2.5,1.3,2.1')
      : sentence(`GPRMC,${time},V,,,,,,,${date},,`) + sentence(`GPGGA,${time},,,,,0,00,,,M,,M,,`)
    for (const socket of sockets) socket.write(text)
  }, 250)
  const port = await listen(server)
  closing.push(() => {
    clearInterval(timer)
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return port
}

function startGpsd(port: number, receiver: number): ChildProcess {
  const daemon = spawn(program, ['-N', '-n', '-S', String(port), `tcp://127.0.0.1:${receiver}`], { stdio: 'ignore' })
  closing.push(() => daemon.kill('SIGKILL'))
  return daemon
}

const lines: { msg: string }[] = []
const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
const said = () => lines.map(({ msg }) => msg)

function open(port: number, max_age_s = 10): Gps {
  lines.length = 0
  const gps = openGps({ host: '127.0.0.1', port, max_age_s }, log)
  closing.push(() => gps.stop())
  return gps
}

const positionOf = (gps: Gps) => gps.locate<{ position?: Position }>({}).position

test('of a receiver with a fix, with what is known of its quality, until the fix is lost', async () => {
  let fixed = true
  const port = await freePort()
  startGpsd(port, await startReceiver(() => fixed))
  const gps = open(port)
  await expect.poll(() => positionOf(gps)?.altitude_m, { timeout: 20_000 }).toBeDefined()
  const position = positionOf(gps)!
  expect(position.latitude).toBeCloseTo(48 + 7.038 / 60, 5)
  expect(position.longitude).toBeCloseTo(11 + 31 / 60, 5)
  expect(position.altitude_m).toBeCloseTo(545.4, 1)
  expect(position.speed_mps).toBeCloseTo((22.4 * 1852) / 3600, 1)
  expect(position.course_deg).toBeCloseTo(84.4, 1)
  expect(position.fix).toBe('3d')
  expect(position.age_ms).toBeGreaterThanOrEqual(0)
  expect(position.age_ms).toBeLessThan(10_000)
  expect(gps.locate<{ detail: string; position?: Position }>({ detail: 'x' })).toMatchObject({
    detail: 'x',
    position: { fix: '3d' },
  })
  fixed = false
  await expect.poll(() => positionOf(gps), { timeout: 20_000 }).toBeUndefined()
  expect(said()).toContain('position lost: the receiver has no fix')
})

test('comes again after gpsd was away: at first, and when it was killed', async () => {
  const receiver = await startReceiver(() => true)
  const port = await freePort()
  const gps = open(port, 2)
  await expect.poll(() => said().some((line) => /^gpsd: .*ECONNREFUSED.*; it is tried again$/.test(line))).toBe(true)
  const daemon = startGpsd(port, receiver)
  await expect.poll(() => positionOf(gps), { timeout: 20_000 }).toBeDefined()
  daemon.kill('SIGKILL')
  await expect.poll(() => positionOf(gps), { timeout: 20_000 }).toBeUndefined() // too old
  startGpsd(port, receiver)
  await expect.poll(() => positionOf(gps), { timeout: 20_000 }).toBeDefined()
  expect(said().filter((line) => line === 'gpsd connected')).toHaveLength(2)
})

test.each([
  ['HTTP/1.1 400 Bad Request\r\n\r\n', /does not speak gpsd's JSON/],
  ['x'.repeat(100_000), /a line of more than 65536 characters/],
])('who is not gpsd is said to be none', async (answer, complaint) => {
  const server = createServer((socket) => socket.on('error', () => {}).end(answer))
  const gps = open(await listen(server))
  closing.push(() => server.close())
  await expect.poll(() => said().some((line) => complaint.test(line)), { timeout: 10_000 }).toBe(true)
  expect(positionOf(gps)).toBeUndefined()
})

test('without settings there is none', () => {
  const message: { position?: Position } = {}
  expect(openGps(undefined, log).locate(message)).toBe(message)
})

test.each([
  [
    { mode: 3, lat: 1, lon: 2, alt: 3 },
    { latitude: 1, longitude: 2, altitude_m: 3, fix: '3d' },
  ],
  [
    { mode: 3, lat: 1, lon: 2, alt: 3, altMSL: 4, eph: 5 },
    { latitude: 1, longitude: 2, altitude_m: 4, error_m: 5, fix: '3d' },
  ],
  [
    { mode: 2, lat: 1, lon: 2, alt: 3, track: 0 },
    { latitude: 1, longitude: 2, course_deg: 0, fix: '2d' },
  ],
  [{ mode: 1, lat: 1, lon: 2 }, undefined],
  [{ mode: 3 }, undefined],
  [{ lat: 1, lon: 2 }, undefined],
  [{ mode: 3, lat: '1', lon: 2 }, undefined],
])('%j is %j', (report, position) => expect(readPosition(report)).toEqual(position))
