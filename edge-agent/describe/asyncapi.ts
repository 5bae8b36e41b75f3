// The AsyncAPI 3 document of this agent: every topic and the WebSocket, with its own names and addresses filled in. Topics
// come from wire.ts, and a topic that is not described here does not compile; payloads are the schemas of its types.
import { readFileSync } from 'node:fs'
import { messagesSchemaFile } from '../paths.ts'
import { type Config, usesTls } from '../settings/config.ts'
import { withoutSecrets } from '../settings/redact.ts'
import { topics, updateTopics, wireVersion } from '../wire.ts'

type Schema = Record<string, unknown>
export interface MessagesSchema {
  definitions: Record<string, Schema>
}

type DeviceTopics = Omit<ReturnType<typeof topics>, 'camera'>
type UpdateTopics = ReturnType<typeof updateTopics>
type CameraTopics = ReturnType<ReturnType<typeof topics>['camera']>

interface Topic {
  summary: string
  /** Name of a type of wire.ts, or the schema of what is no JSON. */
  payload: string | Schema
  /** Left out: JSON. */
  contentType?: string
  qos: 0 | 1
  retain: boolean
  /** Sent to the agent rather than by it. */
  toAgent?: true
}

const text = (...values: string[]): Pick<Topic, 'payload' | 'contentType'> => ({
  payload: { type: 'string', enum: values },
  contentType: 'text/plain',
})
const bytes = (contentType: string): Pick<Topic, 'payload' | 'contentType'> => ({
  payload: { type: 'string', format: 'binary' },
  contentType,
})

const ofDevice: Record<keyof DeviceTopics, Topic> = {
  available: { summary: 'Whether the agent runs; offline is its will.', ...text('online', 'offline'), qos: 1, retain: true },
  stats: { summary: 'How it is doing, every minute.', payload: 'Stats', qos: 0, retain: true },
}

const offer = (to: string): Topic => ({
  summary: `A signed release to take, for ${to}; empty where nothing is wanted.`,
  payload: 'UpdateWish',
  qos: 1,
  retain: true,
  toAgent: true,
})
const ofUpdates: Record<keyof UpdateTopics, Topic> = {
  state: { summary: 'What it runs, and what becomes of a new model.', payload: 'UpdateState', qos: 1, retain: true },
  set: offer('this device; or the way back'),
  group: offer('a group of devices'),
  fleet: offer('all devices'),
}

const ofCamera: Record<keyof CameraTopics, Topic> = {
  status: { summary: 'State of the camera.', payload: 'CameraStatus', qos: 1, retain: true },
  mask: {
    summary: 'One bit a pixel for two classes, else class ids; frame, capture time, model and region in its text chunks.',
    ...bytes('image/png'),
    qos: 0,
    retain: false,
  },
  result: { summary: 'What the mask says.', payload: 'Result', qos: 0, retain: false },
  event: { summary: 'What happened to the camera.', payload: 'CameraEvent', qos: 1, retain: false },
  overlay: {
    summary: 'A picture with its road tinted; off unless mqtt.overlays_per_minute says otherwise.',
    ...bytes('image/jpeg'),
    qos: 0,
    retain: false,
  },
  enabled: { summary: 'Whether the camera is switched on.', ...text('ON', 'OFF'), qos: 1, retain: true },
  enabledSet: { summary: 'Switches the camera on or off.', ...text('ON', 'OFF'), qos: 1, retain: false, toAgent: true },
}

export interface Surroundings {
  config: Pick<Config, 'device' | 'mqtt' | 'cameras' | 'update'>
  /** Address of the broker in use. */
  broker: string
  /** Address of the page. */
  page: string
}

/** JSON Schemas of the messages, by the names of their types in wire.ts. */
export const readMessagesSchema = () => JSON.parse(readFileSync(messagesSchemaFile, 'utf8')) as MessagesSchema

export function asyncApi({ config, broker, page }: Surroundings, { definitions } = readMessagesSchema()): Schema {
  const { device, mqtt, cameras, update } = config
  const { camera, ...ofWholeDevice } = topics(mqtt.prefix, device)
  const channels: Record<string, Schema> = {}
  const operations: Record<string, Schema> = {}

  function add(name: string, address: string, topic: Topic, more: Schema = {}) {
    const { summary, payload, contentType = 'application/json', qos, retain, toAgent } = topic
    const content = typeof payload === 'string' ? { $ref: `#/components/schemas/${payload}` } : payload
    channels[name] = {
      address,
      summary,
      servers: [{ $ref: '#/servers/mqtt' }],
      messages: { [name]: { summary, contentType, payload: content } },
      ...more,
    }
    operations[`${toAgent ? 'receive' : 'send'}_${name}`] = {
      action: toAgent ? 'receive' : 'send',
      channel: { $ref: `#/channels/${name}` },
      bindings: { mqtt: { qos, retain, bindingVersion: '0.2.0' } },
    }
  }
  for (const [name, topic] of Object.entries(ofDevice)) add(name, ofWholeDevice[name as keyof DeviceTopics], topic)
  const { group, ...ofOne } = updateTopics(mqtt.prefix, device)
  for (const [name, address] of Object.entries(ofOne)) add(`update_${name}`, address, ofUpdates[name as keyof UpdateTopics])
  const groups = { group: { description: 'Name of a group.', enum: update.groups } }
  if (update.groups.length) add('update_group', group('{group}'), ofUpdates.group, { parameters: groups })
  const parameters = { camera: { description: 'Name of the camera.', enum: cameras.map(({ name }) => name) } }
  for (const [name, topic] of Object.entries(ofCamera))
    add(`camera_${name}`, camera('{camera}')[name as keyof CameraTopics], topic, { parameters })

  channels.socket = {
    address: '/ws',
    summary: 'All of it live: texts are JSON, a binary message is a mask with its facts and, at times, its picture.',
    servers: [{ $ref: '#/servers/websocket' }],
    messages: {
      text: { contentType: 'application/json', payload: { $ref: '#/components/schemas/SocketMessage' } },
      mask: {
        summary:
          'u32 length of the JSON, u32 length of the mask (big-endian), the JSON of Result, the mask as PNG, the picture as JPEG (the rest; may be empty).',
        contentType: 'application/octet-stream',
        payload: { type: 'string', format: 'binary' },
      },
      wish: { contentType: 'application/json', payload: { $ref: '#/components/schemas/SocketWish' } },
    },
  }
  const ofSocket = (...names: string[]) => ({
    channel: { $ref: '#/channels/socket' },
    messages: names.map((name) => ({ $ref: `#/channels/socket/messages/${name}` })),
  })
  operations.send_socket = { action: 'send', ...ofSocket('text', 'mask') }
  operations.receive_socket = { action: 'receive', ...ofSocket('wish') }

  const { host } = new URL(withoutSecrets(broker))
  return {
    asyncapi: '3.0.0',
    info: {
      title: `Roadmask edge agent ${device}`,
      version: `${wireVersion}.0.0`,
      description: 'Fields may be added without a new version; readers pass over what they do not know.',
      license: { name: 'MIT' },
    },
    defaultContentType: 'application/json',
    servers: {
      mqtt: { host, protocol: usesTls(broker) ? 'secure-mqtt' : 'mqtt' },
      websocket: { host: new URL(page).host, protocol: page.startsWith('https') ? 'wss' : 'ws' },
    },
    channels,
    operations,
    components: { schemas: withRefs(definitions) },
  }
}

/** Schemas refer to each other by where they stand. */
const withRefs = (definitions: MessagesSchema['definitions']): Schema =>
  JSON.parse(JSON.stringify(definitions).replaceAll('"#/definitions/', '"#/components/schemas/'))
