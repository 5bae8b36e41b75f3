// Several cameras at once, some of them bad ones: whatever they do, the others do not notice.
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import sharp from 'sharp'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { CameraEvent, CameraStatus, Result, Stats } from '../../edge-agent/wire.ts'
import { writeBrightBundle } from '../bright-bundle.ts'
import { freePort, type Subscriber, subscribe } from './mosquitto.ts'
import { type RtspServer, startRtsp } from './rtsp-server.ts'
import { type RunningAgent, startAgent } from './running-agent.ts'

let dir: string
let agent: RunningAgent | undefined
let listener: Subscriber | undefined
const toStop: (() => unknown)[] = []
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roadmask-'))
  await writeBrightBundle(join(dir, 'bundle'), { width: 96, height: 64 })
})
afterEach(async () => {
  await listener?.stop()
  await agent?.stop()
  for (const stop of toStop.splice(0)) await stop()
  await rm(dir, { recursive: true })
})

/** A camera as cheap ones are: a JPEG after the other over HTTP, of whatever size it is set to. */
async function startJpegCamera(fps: number) {
  const viewers = new Set<ServerResponse>()
  const server: Server = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'multipart/x-mixed-replace; boundary=frame' })
    viewers.add(response)
    response.on('close', () => viewers.delete(response))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  let jpeg: Buffer
  const camera = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/video`,
    async setSize(width: number, height: number) {
      jpeg = await sharp({ create: { width, height, channels: 3, background: '#ffffff' } })
        .jpeg()
        .toBuffer()
    },
  }
  await camera.setSize(320, 240)
  const timer = setInterval(() => {
    for (const viewer of viewers)
      viewer.write(
        Buffer.concat([
          Buffer.from(`--frame\r\nContent-Type: image/jpeg\r\nContent-Length: ${jpeg.length}\r\n\r\n`),
          jpeg,
          Buffer.from('\r\n'),
        ]),
      )
  }, 1000 / fps)
  toStop.push(() => {
    clearInterval(timer)
    server.closeAllConnections()
    server.close()
  })
  return camera
}

test('of four cameras one dies, one changes its size and one floods: the healthy one keeps its rate', async () => {
  const port = await freePort()
  const dying: RtspServer = await startRtsp(port, 320, 240)
  toStop.push(dying.stop)
  const changing = await startJpegCamera(10)
  const raw = (size: string, how: string) => `gst:videotestsrc ${how} pattern=white ! video/x-raw,format=I420,${size}`
  agent = await startAgent(`device: test01
bundle: ${join(dir, 'bundle')}
broker: { port: 0 }
cameras:
  - { name: healthy, source: "${raw('width=320,height=240,framerate=10/1', 'is-live=true')}" }
  - { name: dies, source: "rtsp://127.0.0.1:${port}/stream", masks_per_second: 3 }
  - name: changes
    source: "gst:souphttpsrc location=${changing.url} is-live=true do-timestamp=true ! multipartdemux ! jpegdec"
  - { name: floods, source: "${raw('width=320,height=240,framerate=1000/1', 'is-live=false')}" }`)
  listener = await subscribe(agent.mqtt, 'roadmask/test01/#')
  const { masks } = await agent.watch()
  const results = (camera: string) => masks.flatMap(({ result }) => (result.camera === camera ? [result] : []))
  const said = <Message>(camera: string, topic: string) =>
    listener!.text(`roadmask/test01/${camera}/${topic}`).map((text) => JSON.parse(text) as Message)
  const states = (camera: string) => said<CameraStatus>(camera, 'status').map(({ state }) => state)
  const wait = { timeout: 30_000 }
  for (const name of ['healthy', 'dies', 'changes', 'floods'])
    await expect.poll(() => results(name).length, { ...wait, message: name }).toBeGreaterThan(5)

  /** Results of a camera in the next seconds. */
  async function watch(camera: string, seconds: number): Promise<Result[]> {
    const before = results(camera).length
    await delay(1000 * seconds)
    return results(camera).slice(before)
  }
  const [calm, limited] = await Promise.all([watch('healthy', 4), watch('dies', 4)])
  expect(limited.length).toBeGreaterThan(4)
  expect(limited.length).toBeLessThanOrEqual(13)

  const [healthyPid] = agent.children('camera')
  dying.process.kill('SIGSTOP') // as when its cable is pulled: nothing is said any more
  const stoppedMs = performance.now()
  await changing.setSize(480, 360)
  const [disturbed] = await Promise.all([
    watch('healthy', 8),
    expect
      .poll(() => states('dies').at(-1), wait)
      .toBe('offline')
      .then(() => {
        expect(performance.now() - stoppedMs).toBeLessThan(5000) // 2 s, and what a busy machine adds
      }),
  ])
  expect(disturbed.length / 8).toBeGreaterThan(0.7 * (calm.length / 4))
  const ages = disturbed.map((result) => result.age_ms).sort((a, b) => a - b)
  expect(ages[ages.length >> 1]).toBeLessThan(500)
  expect(agent.children('camera')).toContain(healthyPid)

  expect(said<CameraEvent>('dies', 'event').map(({ type }) => type)).toEqual(['camera_lost'])
  await expect.poll(() => results('changes').at(-1), wait).toMatchObject({ camera_width: 480, camera_height: 360 })
  expect(states('changes').filter((state) => state === 'offline').length).toBeLessThanOrEqual(1) // the one at the start
  expect(said('changes', 'event')).toEqual([])
  const flood = results('floods')
  expect(flood.at(-1)!.dropped).toBeGreaterThan(flood.length)
  for (const name of ['healthy', 'floods']) expect(states(name).at(-1)).toBe('online')

  dying.process.kill('SIGCONT')
  await expect
    .poll(() => said<CameraEvent>('dies', 'event').map(({ type }) => type), wait)
    .toEqual(['camera_lost', 'camera_back'])
})

test('a video that is over at once and cannot be wound back takes no process after the other', async () => {
  const file = join(dir, 'one-frame.bin')
  await sharp({ create: { width: 64, height: 48, channels: 3, background: '#ffffff' } })
    .jpeg()
    .toFile(file)
  agent = await startAgent(
    JSON.stringify({ bundle: join(dir, 'bundle'), cameras: [{ name: 'still', source: `file:${file}` }] }),
  )
  const restarts = async () => {
    const stats = (await (await fetch(new URL('api/stats', agent!.url))).json()) as Stats
    return stats.cameras.still!.restarts
  }
  const began = performance.now()
  await expect.poll(restarts, { timeout: 20_000 }).toBeGreaterThan(1)
  expect(performance.now() - began).toBeGreaterThan(1900)
})
