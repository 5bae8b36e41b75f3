// What Home Assistant hears, against the schema that its documentation and its source give for device discovery.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { openLog } from '../../edge-agent/log.ts'
import { discoveries, idOf } from '../../edge-agent/publish/home-assistant.ts'
import { connectMqtt, type MqttOutput } from '../../edge-agent/publish/mqtt.ts'
import { type Outbox, openOutbox } from '../../edge-agent/publish/outbox.ts'
import { parseConfig } from '../../edge-agent/settings/read-config.ts'
import { openState, type State } from '../../edge-agent/state.ts'
import { noUpdates, statusOf } from './made-messages.ts'
import { freePort, type Mosquitto, type Subscriber, startMosquitto, subscribe } from './mosquitto.ts'

// https://www.home-assistant.io/integrations/mqtt/ (device discovery payload) and .../sensor.mqtt/, binary_sensor.mqtt/,
// image.mqtt/, camera.mqtt/, switch.mqtt/; home-assistant/core homeassistant/components/mqtt/schemas.py, whose
// DEVICE_DISCOVERY_SCHEMA refuses the whole device for one key that it does not know.
const topic = z.string().regex(/^[^+#\0]+$/)
const template = z.string().regex(/^\{\{ .* \}\}$/)
const entity = {
  unique_id: z.string().regex(/^[a-zA-Z0-9_-]+$/),
  name: z.string().nullable(),
  icon: z
    .string()
    .regex(/^mdi:[a-z-]+$/)
    .optional(),
  entity_category: z.enum(['config', 'diagnostic']).optional(),
  availability: z
    .array(
      z.strictObject({
        topic,
        payload_available: z.string().optional(),
        payload_not_available: z.string().optional(),
        value_template: template.optional(),
      }),
    )
    .optional(),
  availability_mode: z.enum(['all', 'any', 'latest']).optional(),
}
const platform = <Name extends string>(name: Name, more: z.ZodRawShape) =>
  z.strictObject({ platform: z.literal(name), ...entity, ...more })
const component = z.discriminatedUnion('platform', [
  platform('sensor', {
    state_topic: topic,
    value_template: template.optional(),
    unit_of_measurement: z.string().optional(),
    state_class: z.enum(['measurement', 'total', 'total_increasing', 'measurement_angle']).optional(),
    device_class: z.enum(['duration', 'frequency']).optional(),
    suggested_display_precision: z.int().optional(),
  }),
  platform('binary_sensor', {
    state_topic: topic,
    value_template: template.optional(),
    device_class: z.enum(['problem']).optional(),
  }),
  platform('image', { image_topic: topic, content_type: z.string() }),
  platform('camera', { topic }),
  platform('switch', { command_topic: topic, state_topic: topic, payload_on: z.string(), payload_off: z.string() }),
])
/** Takes a component away. */
const removal = z.strictObject({ platform: z.enum(['sensor', 'binary_sensor', 'image', 'camera', 'switch']) })
const payload = z.strictObject({
  device: z.strictObject({
    identifiers: z.array(z.string()).min(1),
    name: z.string(),
    manufacturer: z.string(),
    model: z.string(),
    sw_version: z.string(),
  }),
  origin: z.strictObject({ name: z.string(), sw_version: z.string() }),
  components: z.record(z.string().regex(/^[a-zA-Z0-9_-]+$/), z.union([removal, component])),
})

let broker: Mosquitto
let folder: string
let listener: Subscriber
let output: MqttOutput | undefined
let outbox: Outbox
let state: State

beforeAll(async () => {
  broker = await startMosquitto(await freePort())
})
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'roadmask-'))
})
afterEach(async () => {
  await stop()
  await listener.stop()
  await rm(folder, { recursive: true })
})
afterAll(() => broker.stop())

const zones = 'zones: [{ name: left, polygon: [[0, 0.5], [0.5, 0.5], [0.5, 1], [0, 1]] }]'
const camera = (name: string, more = '') => `{ name: "${name}", source: test, ${more} }`
const settings = (device: string, cameras: string[], more = ', home_assistant: homeassistant') =>
  parseConfig(
    {
      name: 'test.yaml',
      text: `device: ${device}\nstate_dir: ${folder}\nmqtt: { url: "${broker.url}" ${more} }\ncameras: [${cameras.join(', ')}]`,
    },
    {},
    [],
  )

async function start(config: ReturnType<typeof settings>) {
  const log = openLog('fatal')
  state = await openState(config, {})
  outbox = openOutbox(state.folder, config.outbox, log)
  output = connectMqtt(config, {
    own: undefined,
    outbox,
    state,
    updates: noUpdates,
    painter: { overlay: async () => undefined },
    log,
    setEnabled() {},
  })
  for (const { name } of config.cameras) output.status(statusOf(name))
}
async function stop() {
  await output?.close()
  await outbox.close()
  state.close()
  output = undefined
}
const toTopic = (device: string, name: string) => `homeassistant/device/roadmask_${device}_${name}/config`
const listen = async () => {
  listener = await subscribe(broker.url, 'homeassistant/#')
}
const heard = (name: string) => listener.text(name)

test('every camera is announced, retained, with what the settings give it, as documented', async () => {
  await listen()
  await start(
    settings('full', [camera('front', zones), camera('rear')], ', home_assistant: homeassistant, overlays_per_minute: 6'),
  )
  await expect.poll(() => heard(toTopic('full', 'rear'))).toHaveLength(1)
  const [front, rear] = ['front', 'rear'].map((name) => payload.parse(JSON.parse(heard(toTopic('full', name))[0]!)))
  const diagnostics = ['latency', 'mask_rate', 'restarts']
  expect(Object.keys(rear!.components)).toEqual(['road', 'mask', 'overlay', 'enabled', ...diagnostics])
  expect(Object.keys(front!.components)).toEqual([
    'road',
    'blocked',
    'zone_left',
    'zone_left_blocked',
    'mask',
    'overlay',
    'enabled',
    ...diagnostics,
  ])
  const ids = [front, rear].flatMap((one) =>
    Object.values(one!.components).map((each) => (each as { unique_id: string }).unique_id),
  )
  expect(new Set(ids).size).toBe(ids.length)
  expect(JSON.stringify(front)).toContain('"state_topic":"roadmask/full/front/result"')
  await listener.stop()
  await listen()
  await expect.poll(() => listener.on(toTopic('full', 'front')).map(({ retain }) => retain)).toEqual([true])
})

test('what is switched off is not announced; a camera that is switched off can be switched on', async () => {
  const config = settings(
    'less',
    [camera('front', zones)],
    ', home_assistant: homeassistant, masks_per_second: 0, results_per_second: 0',
  )
  const [one] = discoveries(config)
  expect(Object.keys(one!.components)).toEqual(['enabled', 'latency', 'mask_rate', 'restarts'])
  expect(one!.components.enabled!.availability).toEqual([{ topic: 'roadmask/less/available' }])
  await listen()
  await start(config)
})

test('it is told again when Home Assistant comes back', async () => {
  await listen()
  await start(settings('again', [camera('front')]))
  await expect.poll(() => heard(toTopic('again', 'front'))).toHaveLength(1)
  listener.client.publish('homeassistant/status', 'offline')
  listener.client.publish('homeassistant/status', 'online')
  await expect.poll(() => heard(toTopic('again', 'front'))).toHaveLength(2)
})

test('it is told again to a broker that lost what it retained', async () => {
  await listen()
  await start(settings('anew', [camera('front')]))
  await expect.poll(() => heard(toTopic('anew', 'front'))).toHaveLength(1)
  await listener.stop()
  const { port } = broker
  await broker.stop()
  broker = await startMosquitto(port)
  await listen()
  await expect.poll(() => heard(toTopic('anew', 'front')).length, { timeout: 20_000 }).toBe(1)
})

test('a camera that is removed is taken back, and its retained states with it: while it runs and over a restart', async () => {
  const states = await subscribe(broker.url, 'roadmask/fewer/#')
  await listen()
  const all = ['a', 'b', 'c'].map((name) => camera(name))
  await start(settings('fewer', all))
  await expect.poll(() => heard(toTopic('fewer', 'c'))).toHaveLength(1)
  output!.settings(settings('fewer', all.slice(0, 2)))
  await expect.poll(() => heard(toTopic('fewer', 'c')).at(-1)).toBe('')
  await expect.poll(() => states.text('roadmask/fewer/c/status').at(-1)).toBe('')
  await stop()
  await start(settings('fewer', all.slice(0, 1)))
  await expect.poll(() => heard(toTopic('fewer', 'b')).at(-1)).toBe('')
  await expect
    .poll(() => ['status', 'enabled'].map((level) => states.text(`roadmask/fewer/b/${level}`).at(-1)))
    .toEqual(['', ''])
  expect(heard(toTopic('fewer', 'a')).at(-1)).not.toBe('')
  await stop()
  await start(settings('fewer', all.slice(0, 1), '')) // not announced at all any more
  await expect.poll(() => heard(toTopic('fewer', 'a')).at(-1)).toBe('')
  await states.stop()
})

test('a zone that is removed is taken back, once', async () => {
  await listen()
  const last = () => payload.parse(JSON.parse(heard(toTopic('zones', 'front')).at(-1)!)).components
  await start(settings('zones', [camera('front', zones)]))
  await expect.poll(() => heard(toTopic('zones', 'front'))).toHaveLength(1)
  await stop()
  await start(settings('zones', [camera('front')]))
  await expect.poll(() => heard(toTopic('zones', 'front'))).toHaveLength(2)
  expect(last().zone_left).toEqual({ platform: 'sensor' })
  expect(last().blocked).toEqual({ platform: 'binary_sensor' })
  await expect
    .poll(() => state.read<Record<string, object>>('home-assistant')?.[toTopic('zones', 'front')])
    .not.toHaveProperty('blocked')
  listener.client.publish('homeassistant/status', 'online')
  await expect.poll(() => heard(toTopic('zones', 'front'))).toHaveLength(3)
  expect(last()).not.toHaveProperty('zone_left')
})

test('names become ids that Home Assistant takes, different ones', () => {
  const names = ['front', 'Vorne links', 'vorne_links', 'vorne.links', 'über', '前', 'a__b', 'a_b']
  for (const name of names) expect(idOf(name)).toMatch(/^[a-zA-Z0-9_-]+$/)
  expect(new Set(names.map(idOf)).size).toBe(names.length)
})
