// What the outbox is for: the whole agent, a broker that goes away and comes back, and SIGKILL.
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectAsync, type MqttClient } from 'mqtt'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { CameraEvent } from '../../edge-agent/wire.ts'
import { writeBrightBundle } from '../bright-bundle.ts'
import { freePort, type Mosquitto, startMosquitto } from './mosquitto.ts'
import { type RunningAgent, startAgent } from './running-agent.ts'

let dir: string
let port: number
let broker: Mosquitto | undefined
let subscriber: MqttClient
let agent: RunningAgent | undefined
const heard: CameraEvent[] = []

// A broker and a subscriber that lose nothing themselves: their session is kept on disk.
const startBroker = async () => {
  broker = await startMosquitto(
    port,
    `allow_anonymous true\npersistence true\npersistence_location ${dir}/\nmax_queued_messages 0`,
  )
}
const start = async () => {
  agent = await startAgent(
    `device: vehicle
mqtt: { url: "mqtt://127.0.0.1:${port}" }
bundle: ${join(dir, 'bundle')}
cameras: [{ name: front, source: "file:/none.mp4", enabled: false }]`,
    ['--state_dir', join(dir, 'state')],
  )
}
const killAgent = async () => {
  const gone = once(agent!.process, 'close')
  agent!.process.kill('SIGKILL')
  await gone
}

let switched = 0
/** Makes so many events, each another one than the last. */
async function makeEvents(count: number) {
  for (let i = 0; i < count; i++) {
    const answer = await fetch(new URL('api/cameras/front/enabled', agent!.url), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ enabled: ++switched % 2 === 1 }),
    })
    expect(answer.status, await answer.text()).toBe(200)
  }
}

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roadmask-'))
  port = await freePort()
  await writeBrightBundle(join(dir, 'bundle'))
  await startBroker()
  subscriber = await connectAsync(broker!.url, { clean: false, clientId: 'depot', reconnectPeriod: 200 })
  subscriber.on('message', (_, payload) => heard.push(JSON.parse(payload.toString())))
  await subscriber.subscribeAsync('roadmask/vehicle/+/event', { qos: 1 })
})
afterEach(async () => {
  await subscriber.endAsync(true)
  await agent?.stop()
  await broker?.stop()
  await rm(dir, { recursive: true })
})

test('200 events over an outage of the broker and two SIGKILLs of the agent: none lost, none out of order', async () => {
  const distinct = () => new Set(heard.map(({ id }) => id)).size
  await start()
  await makeEvents(60)
  await expect.poll(distinct, { timeout: 20_000 }).toBe(60)

  await broker!.stop('SIGTERM')
  await makeEvents(50)
  await killAgent() // right behind the fiftieth
  await start()
  await makeEvents(50)
  expect(distinct()).toBe(60)
  await startBroker()
  await expect.poll(distinct, { timeout: 60_000 }).toBeGreaterThan(60)
  await killAgent() // in the middle of what it has to tell, or before it noted that it was told
  await start()
  await makeEvents(40)
  await expect.poll(distinct, { timeout: 60_000 }).toBe(200)

  const seen = new Set<string>()
  const first = heard.filter(({ id }) => !seen.has(id) && seen.add(id))
  expect(first.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 200 }, (_, i) => i + 1))
  expect(first.map(({ type }) => type)).toEqual(first.map((_, i) => (i % 2 ? 'camera_disabled' : 'camera_enabled')))
})
