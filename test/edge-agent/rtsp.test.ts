// A real RTSP camera that goes away, comes back, and comes back with another picture.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, expect, test } from 'vitest'
import type { CameraStatus } from '../../edge-agent/wire.ts'
import { writeBrightBundle } from '../bright-bundle.ts'
import { freePort, type Subscriber, subscribe } from './mosquitto.ts'
import { h265, type RtspServer, startRtsp } from './rtsp-server.ts'
import { type RunningAgent, startAgent } from './running-agent.ts'

let dir: string
let server: RtspServer | undefined
let agent: RunningAgent | undefined
let listener: Subscriber | undefined

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roadmask-'))
  await writeBrightBundle(join(dir, 'bundle'))
})
afterEach(async () => {
  await listener?.stop()
  await agent?.stop()
  await server?.stop()
  await rm(dir, { recursive: true, force: true })
})

test('a camera over RTSP and TCP is lost, found again and told so, with no password anywhere', async () => {
  const port = await freePort()
  server = await startRtsp(port, 320, 240)
  agent = await startAgent(`device: test01
bundle: ${join(dir, 'bundle')}
broker: { port: 0 }
log: debug
cameras: [{ name: front, source: "rtsp://admin:secret@127.0.0.1:${port}/stream" }]`)
  listener = await subscribe(agent.mqtt, 'roadmask/test01/front/#')
  const { masks } = await agent.watch()
  const statuses = () => listener!.text('roadmask/test01/front/status').map((text) => JSON.parse(text) as CameraStatus)
  const events = () => listener!.text('roadmask/test01/front/event').map((text) => JSON.parse(text).type)
  const wait = { timeout: 30_000 }
  await expect.poll(() => masks.length, wait).toBeGreaterThan(3)
  expect(masks.at(-1)!.result).toMatchObject({ camera_width: 320, camera_height: 240, road_percent: 100 })

  await server.stop()
  await expect.poll(() => statuses().at(-1)?.state, wait).toBe('offline')
  expect(statuses().at(-1)!.reason).not.toBe('')
  await expect.poll(events).toEqual(['camera_lost'])

  server = await startRtsp(port, 480, 270, h265) // the camera was set to another picture and codec meanwhile
  await expect.poll(() => statuses().at(-1)?.state, wait).toBe('online')
  await expect.poll(() => masks.at(-1)?.result.camera_width, wait).toBe(480)
  const { result } = masks.at(-1)!
  expect(result.region).toEqual([38, 0, 404, 270])
  await expect.poll(events).toEqual(['camera_lost', 'camera_back'])
  expect(JSON.stringify([statuses(), agent.log, agent.complaints])).not.toContain('secret')
})
