// New settings for the real agent while it runs: its cameras, its broker, its processes.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { CameraStatus, Hello } from '../../edge-agent/wire.ts'
import { writeBrightBundle } from '../bright-bundle.ts'
import { type Mosquitto, type Subscriber, startMosquitto, subscribe } from './mosquitto.ts'
import { type RunningAgent, startAgent, type Watcher } from './running-agent.ts'

let dir: string
let mosquitto: Mosquitto
let agent: RunningAgent
let watcher: Watcher
let listener: Subscriber

const camera = (name: string, more = '') => `  - { name: ${name}, source: test, width: 320, height: 240, fps: 10${more} }\n`
const settings = (cameras: string, { rate = 5, more = '' } = {}) => `device: reload
bundle: ${join(dir, 'bundle')}
mqtt: { url: "${mosquitto.url}", masks_per_second: ${rate} }
${more}
cameras:
${cameras}`

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roadmask-'))
  await writeBrightBundle(join(dir, 'bundle'))
  mosquitto = await startMosquitto()
  agent = await startAgent(settings(camera('a') + camera('b')))
  listener = await subscribe(mosquitto.url, 'roadmask/reload/#')
  watcher = await agent.watch()
})
afterAll(async () => {
  await listener.stop()
  await agent.stop()
  await mosquitto.stop()
  await rm(dir, { recursive: true })
})

const framesOf = (name: string) => watcher.masks.filter(({ result }) => result.camera === name).map(({ result }) => result)
/** Waits for masks of frames that a camera takes from now on. */
async function masksOf(name: string) {
  const now = Date.now() * 1000
  const isNew = ({ captured_us }: { captured_us: number }) => captured_us > now
  await expect.poll(() => framesOf(name).filter(isNew).length, { timeout: 30_000 }).toBeGreaterThan(2)
}
const outcomes = () => agent.log.filter(({ msg }) => msg === 'settings read again' || msg.startsWith('the settings stay'))
/** Waits for the outcome of the next reload. */
async function outcomeOf(change: () => unknown) {
  const before = outcomes().length
  await change()
  await expect.poll(() => outcomes().length, { timeout: 15_000 }).toBeGreaterThan(before)
  return outcomes()[before]!
}
const statuses = async () => (await (await fetch(new URL('api/cameras', agent.url))).json()) as CameraStatus[]
const retained = async (topic: string) => {
  const fresh = await subscribe(mosquitto.url, topic)
  await expect.poll(() => fresh.heard.some(({ topic }) => topic.endsWith('/c/status'))).toBe(true)
  await fresh.stop()
  return fresh.heard.map(({ topic }) => topic.split('/').slice(2).join('/')).sort()
}

test('a camera that changes starts anew, the masks of the other go on', async () => {
  await masksOf('a')
  await masksOf('b')
  const processes = agent.children('camera')
  const outcome = await outcomeOf(() => agent.save(settings(camera('a') + camera('b', ', timeout_ms: 4000'))))
  expect(outcome).toMatchObject({ applied: ['cameras.b.timeout_ms'], needs_restart: [] })
  await masksOf('b')
  await masksOf('a')
  expect(agent.children('camera').filter((pid) => processes.includes(pid))).toHaveLength(1)
  const b = framesOf('b').map(({ frame }) => frame)
  expect(b.at(-1)!).toBeLessThan(Math.max(...b)) // counted from 1 again
  const a = framesOf('a')
  expect(a.map(({ frame }) => frame)).toEqual(a.map(({ frame }) => frame).sort((one, other) => one - other))
  // A process takes longer than that to start and to find its first picture.
  const pauses = a.slice(1).map(({ captured_us }, i) => (captured_us - a[i]!.captured_us) / 1000)
  expect(Math.max(...pauses)).toBeLessThan(1000)
})

test('one goes and others come: topics, page and batches follow', async () => {
  const outcome = await outcomeOf(() => agent.save(settings(camera('a') + camera('c') + camera('d') + camera('e'))))
  expect(outcome.applied).toEqual(['cameras.b', 'cameras.c', 'cameras.d', 'cameras.e'])
  await masksOf('e')
  await masksOf('c')
  const hello = watcher.texts.findLast(({ type }) => type === 'hello') as Hello
  expect(hello.cameras.map((status) => status.camera)).toEqual(['a', 'c', 'd', 'e'])
  expect((await statuses()).map((status) => status.camera)).toEqual(['a', 'c', 'd', 'e'])
  expect((await fetch(new URL('api/cameras/b/mask.png', agent.url))).status).toBe(404)
  expect(await retained('roadmask/reload/+/status')).toEqual(['a/status', 'c/status', 'd/status', 'e/status'])
  expect(await retained('roadmask/reload/#')).not.toContain('b/enabled')
  // Four cameras go through the model together; the old process works on until the new one is warm.
  await expect.poll(() => agent.log.filter(({ msg }) => msg === 'model ready').length, { timeout: 30_000 }).toBe(2)
  listener.client.publish('roadmask/reload/c/enabled/set', 'OFF', { qos: 1 })
  await expect.poll(async () => (await statuses())[1]!.state).toBe('disabled')
})

test('a setting beside its process changes on the running camera, and what was switched off by hand stays so', async () => {
  const processes = agent.children('camera')
  await outcomeOf(() => agent.save(settings(camera('a') + camera('c') + camera('d', ', enabled: false') + camera('e'))))
  await expect.poll(() => agent.children('camera').length).toBe(processes.length - 1)
  const zone = ', zones: [{ name: ahead, polygon: [[0.3, 0.5], [0.7, 0.5], [0.7, 1]] }]'
  await outcomeOf(() => agent.save(settings(camera('a', zone) + camera('c', ', timeout_ms: 4000') + camera('e'))))
  await expect.poll(() => framesOf('a').at(-1)!.zones?.[0]?.name).toBe('ahead')
  expect((await statuses()).map(({ state }) => state)).toEqual(['online', 'disabled', 'online'])
  expect(agent.children('camera').every((pid) => processes.includes(pid))).toBe(true)
})

test('the model is given fewer frames of a camera, and more again, without a break', async () => {
  const [processes, rest] = [agent.children('camera'), camera('c', ', timeout_ms: 4000') + camera('e')]
  const zone = ', zones: [{ name: ahead, polygon: [[0.3, 0.5], [0.7, 0.5], [0.7, 1]] }]'
  const pauses = () => {
    const last = framesOf('a').slice(-3)
    return last.slice(1).map(({ captured_us }, i) => Math.round((captured_us - last[i]!.captured_us) / 1e6))
  }
  const outcome = await outcomeOf(() => agent.save(settings(camera('a', `${zone}, masks_per_second: 1`) + rest)))
  expect(outcome.applied).toEqual(['cameras.a.masks_per_second'])
  await expect.poll(pauses, { timeout: 15_000 }).toEqual([1, 1])
  await outcomeOf(() => agent.save(settings(camera('a', zone) + rest)))
  await expect.poll(pauses, { timeout: 15_000 }).toEqual([0, 0])
  expect(agent.children('camera')).toEqual(processes)
  expect((await statuses())[0]!.state).toBe('online')
})

test('a mistake changes nothing and is said as at the start', async () => {
  const processes = agent.children('camera')
  const outcome = await outcomeOf(() => agent.save('camras: []'))
  expect(outcome).toMatchObject({
    level: 'error',
    msg: 'the settings stay as they were: agent.yaml:1:1: unknown key "camras"; did you mean "cameras"?',
  })
  await masksOf('a')
  expect(agent.children('camera')).toEqual(processes)
})

test('SIGHUP: rates and the log hold at once, the rest is said to need a restart', async () => {
  const cameras = camera('a') + camera('c') + camera('e')
  await agent.save(settings(cameras, { rate: 0, more: 'log: debug\nhttp: { names: [road.example] }' }))
  const outcome = await outcomeOf(() => agent.process.kill('SIGHUP'))
  expect(outcome).toMatchObject({ needs_restart: ['http.names'] })
  expect([...(outcome.applied as string[])].sort()).toEqual([
    'cameras.a.zones',
    'cameras.c.timeout_ms',
    'log',
    'mqtt.masks_per_second',
  ])
  expect(agent.log.some(({ level, msg }) => level === 'warn' && msg.includes('http.names: changed in the settings'))).toBe(true)
  const masks = listener.on('roadmask/reload/a/mask').length
  await masksOf('a')
  expect(listener.on('roadmask/reload/a/mask').length).toBe(masks)
  ;(await agent.watch()).socket.close()
  await expect.poll(() => agent.log.some(({ level, msg }) => level === 'debug' && msg.includes('client gone'))).toBe(true)
})
