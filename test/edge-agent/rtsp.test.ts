// A real RTSP camera that goes away, comes back, and comes back with another picture.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, expect, test } from 'vitest'
import type { CameraStatus } from '../../edge-agent/wire.ts'
import { writeBrightBundle } from '../bright-bundle.ts'
import { freePort, type Subscriber, subscribe } from './mosquitto.ts'
import { type RunningAgent, startAgent } from './running-agent.ts'

/** The system's Python has GStreamer's bindings; another one that comes first on the path may not. */
const python = ['/usr/bin/python3', 'python3'].find((candidate) => {
  try {
    execFileSync(candidate, ['-c', 'import gi; gi.require_version("GstRtspServer", "1.0")'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})

let dir: string
let server: ChildProcess | undefined
let agent: RunningAgent | undefined
let listener: Subscriber | undefined

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roadmask-'))
  await writeBrightBundle(join(dir, 'bundle'))
})
afterEach(async () => {
  await listener?.stop()
  await agent?.stop()
  await stopServer()
  await rm(dir, { recursive: true, force: true })
})

async function startServer(port: number, width: number, height: number) {
  const pipeline =
    `videotestsrc is-live=true pattern=white ! video/x-raw,width=${width},height=${height},framerate=15/1 ! ` +
    'x264enc tune=zerolatency key-int-max=5 ! rtph264pay name=pay0 config-interval=1'
  server = spawn(python!, [join(import.meta.dirname, 'rtsp-server.py'), String(port), pipeline], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(server.stdout!, 'data')
}

async function stopServer() {
  if (!server || server.exitCode !== null || server.signalCode) return
  server.kill('SIGKILL')
  await once(server, 'exit')
}

test('a camera over RTSP and TCP is lost, found again and told so, with no password anywhere', async () => {
  expect(python, 'install gir1.2-gst-rtsp-server-1.0 and python3-gi').toBeDefined()
  const port = await freePort()
  await startServer(port, 320, 240)
  agent = await startAgent(`device: test01
bundle: ${join(dir, 'bundle')}
broker: { port: 0 }
log: debug
cameras: [{ name: front, source: "rtsp://admin:secret@127.0.0.1:${port}/stream", timeout_ms: 2000 }]`)
  listener = await subscribe(agent.mqtt, 'roadmask/test01/front/#')
  const { masks } = await agent.watch()
  const statuses = () => listener!.text('roadmask/test01/front/status').map((text) => JSON.parse(text) as CameraStatus)
  const events = () => listener!.text('roadmask/test01/front/event').map((text) => JSON.parse(text).type)
  const wait = { timeout: 30_000 }
  await expect.poll(() => masks.length, wait).toBeGreaterThan(3)
  expect(masks.at(-1)!.result).toMatchObject({ camera_width: 320, camera_height: 240, road_percent: 100 })

  await stopServer()
  await expect.poll(() => statuses().at(-1)?.state, wait).toBe('offline')
  expect(statuses().at(-1)!.reason).not.toBe('')
  await expect.poll(events).toEqual(['camera_lost'])

  await startServer(port, 480, 270) // the camera was set to another picture meanwhile
  await expect.poll(() => statuses().at(-1)?.state, wait).toBe('online')
  await expect.poll(() => masks.at(-1)?.result.camera_width, wait).toBe(480)
  const { result } = masks.at(-1)!
  expect(result.region).toEqual([38, 0, 404, 270])
  await expect.poll(events).toEqual(['camera_lost', 'camera_back'])
  expect(JSON.stringify([statuses(), agent.log, agent.complaints])).not.toContain('secret')
})
