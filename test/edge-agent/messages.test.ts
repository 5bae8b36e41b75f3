// Every message that really leaves the agent, against the schemas made of wire.ts, closed so that nothing undescribed passes.
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Ajv, type ValidateFunction } from 'ajv'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { asyncApi, readMessagesSchema } from '../../edge-agent/describe/asyncapi.ts'
import { parseConfig } from '../../edge-agent/settings/read-config.ts'
import { topics } from '../../edge-agent/wire.ts'
import { writeBrightBundle } from '../bright-bundle.ts'
import { type Heard, type Mosquitto, type Subscriber, startMosquitto, subscribe } from './mosquitto.ts'
import { type RunningAgent, startAgent, type Watcher } from './running-agent.ts'

let dir: string
let mosquitto: Mosquitto
let agent: RunningAgent
let listener: Subscriber
let watcher: Watcher
let settings: string

type Schema = { [key: string]: unknown }

/** The same schema, without room for what it does not name. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed)
  if (typeof schema !== 'object' || schema === null) return schema
  const inside = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]))
  return { ...('properties' in schema && { additionalProperties: false }), ...inside }
}

const ajv = new Ajv({ allErrors: true, allowUnionTypes: true, strictTuples: false })
ajv.addFormat('binary', true)
ajv.addVocabulary(['components'])
const document = () =>
  asyncApi({ config: parseConfig({ name: 'agent.yaml', text: settings }, {}, []), broker: agent.mqtt, page: agent.url })

interface Channel {
  address: string
  messages: Record<string, { contentType: string; payload: Schema }>
}

/** How a payload of each channel is checked, by a pattern of its topic. */
function checks() {
  const { channels, components } = document() as { channels: Record<string, Channel>; components: { schemas: Schema } }
  const schemas = closed(components) as Schema
  return Object.entries(channels)
    .filter(([, { address }]) => address !== '/ws')
    .map(([name, { address, messages }]) => {
      const { contentType, payload } = Object.values(messages)[0]!
      const check = ajv.compile({ ...(closed(payload) as Schema), components: schemas })
      return { name, topic: new RegExp(`^${address.replace('{camera}', '[^/]+')}$`), contentType, check }
    })
}

const complaint = (check: ValidateFunction) => JSON.stringify(check.errors)

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roadmask-'))
  await writeBrightBundle(join(dir, 'bundle'))
  mosquitto = await startMosquitto()
  settings = `device: described
bundle: ${join(dir, 'bundle')}
mqtt: { url: "${mosquitto.url}", stats_every_s: 1, overlays_per_minute: 60 }
cameras: [{ name: front, source: test, width: 320, height: 240, fps: 10 }]`
  listener = await subscribe(mosquitto.url, 'roadmask/described/#', 5)
  agent = await startAgent(settings)
  watcher = await agent.watch()
})
afterAll(async () => {
  await listener.stop()
  await agent.stop()
  await mosquitto.stop()
  await rm(dir, { recursive: true })
})

const p = topics('roadmask', 'described')
const switchTo = (wish: string) => listener.client.publishAsync(p.camera('front').enabledSet, wish, { qos: 1 })

test('MQTT: every topic of wire.ts was heard, and each payload is as described', { timeout: 60_000 }, async () => {
  const states = () => listener.text(p.camera('front').enabled)
  const { camera, ...ofDevice } = p
  const all = [...Object.values(ofDevice), ...Object.values(camera('front'))]
  await expect.poll(() => listener.on(camera('front').result).length, { timeout: 20_000 }).toBeGreaterThan(3)
  await switchTo('OFF')
  await expect.poll(() => states().at(-1)).toBe('OFF')
  await switchTo('ON')
  await expect.poll(() => all.filter((topic) => !listener.on(topic).length), { timeout: 20_000 }).toEqual([])
  const described = checks()
  const faults = listener.heard.flatMap((message) => {
    const found = described.find(({ topic }) => topic.test(message.topic))
    if (!found) return [`${message.topic} is described nowhere`]
    if (message.contentType !== undefined && message.contentType !== found.contentType)
      return [`${message.topic} is ${message.contentType}, not ${found.contentType}`]
    return found.check(read(message, found.contentType)) ? [] : [`${message.topic}: ${complaint(found.check)}`]
  })
  expect(faults).toEqual([])
})

const read = ({ payload }: Heard, type: string): unknown => {
  if (type === 'image/jpeg') expect(payload.subarray(0, 2).toString('hex')).toBe('ffd8')
  if (type === 'image/png') expect(payload.subarray(1, 4).toString()).toBe('PNG')
  return type === 'application/json' ? JSON.parse(payload.toString()) : payload.toString()
}

test('WebSocket: every kind of text, and the facts before each mask', { timeout: 60_000 }, async () => {
  const schemas = closed(readMessagesSchema()) as Schema
  const [text, result] = ['SocketMessage', 'Result'].map((name) => ajv.compile({ ...schemas, $ref: `#/definitions/${name}` }))
  await switchTo('OFF')
  await switchTo('ON')
  const kinds = () => [...new Set(watcher.texts.map(({ type }) => type))].sort()
  await expect.poll(kinds, { timeout: 20_000 }).toEqual(['event', 'hello', 'stats', 'status'])
  for (const message of watcher.texts) expect(text!(message), complaint(text!)).toBe(true)
  await expect.poll(() => watcher.masks.length).toBeGreaterThan(3)
  for (const mask of watcher.masks) expect(result!(mask.result), complaint(result!)).toBe(true)
})

test('what is undescribed or missing is found', () => {
  const check = ajv.compile({ ...(closed(readMessagesSchema()) as Schema), $ref: '#/definitions/CameraStatus' })
  const status = { version: 1, camera: 'a', state: 'online', since_us: 1, reason: '' }
  expect(check(status)).toBe(true)
  for (const wrong of [
    { ...status, more: 1 },
    { ...status, state: 'on' },
    { ...status, version: 2 },
    { ...status, reason: undefined },
  ])
    expect(check(wrong)).toBe(false)
})

test("the document is AsyncAPI's own kind of document, and its references lead somewhere", () => {
  const file = createRequire(import.meta.url).resolve('@asyncapi/specs/schemas/3.0.0.json')
  const check = new Ajv({ strict: false, validateFormats: false, meta: false, validateSchema: false }).compile(
    JSON.parse(readFileSync(file, 'utf8')),
  )
  const made = document()
  expect(check(made), complaint(check)).toBe(true)
  expect(check({ ...made, info: {} })).toBe(false)
  for (const [, ref] of JSON.stringify(made).matchAll(/"\$ref":"#\/([^"]+)"/g))
    expect(
      ref!.split('/').reduce<unknown>((at, step) => (at as Schema | undefined)?.[step], made),
      ref,
    ).toBeDefined()
  expect(JSON.stringify(made)).toContain('roadmask/described/{camera}/enabled/set')
})
