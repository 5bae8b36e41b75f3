// MQTT out, by the topics of wire.ts, to any broker of MQTT 5 or 3.1.1. `available` is retained: online on each connect,
// offline as the will and before a clean end. While there is no connection masks and results are dropped and counted;
// states are sent afresh at the next one, and events wait for it.
import { readFileSync } from 'node:fs'
import { type IClientOptions, type IClientPublishOptions, connect as mqttConnect } from 'mqtt'
import type { Config } from '../config.ts'
import type { Log } from '../log.ts'
import { withoutSecrets } from '../redact.ts'
import { type CameraStatus, type Result, topics } from '../wire.ts'
import type { Broker } from './broker.ts'
import type { Output } from './output.ts'
import { rateLimit } from './rate-limit.ts'

export interface MqttSurroundings {
  /** The agent's own broker, where the config names none. */
  own: Broker | undefined
  log: Log
  /** Someone wants a camera on or off, by `enabled/set`. */
  setEnabled(camera: string, enabled: boolean): void
}

export interface MqttOutput extends Output {
  /** Address of the broker. */
  url: string
  /** MQTT version spoken, `5` or `3.1.1`; undefined without a connection. */
  version(): string | undefined
}

const retryMs = 2000
const connectTimeoutMs = 10_000
const keepaliveS = 15 // a dead link is noticed after one and a half times that, here and at the broker
/** What may wait in the socket of a link that is slower than its masks. */
const longestBacklogBytes = 512 * 1024
/** Events that wait for a connection. */
const keptEvents = 1000
const closeTimeoutMs = 1000

/** Connects, and keeps at it. Never throws for a broker that is not there. */
export function connectMqtt(config: Config, { own, log, setEnabled }: MqttSurroundings): MqttOutput {
  const { device, mqtt } = config
  const url = own?.url ?? mqtt.url!
  const version = own ? '3.1.1' : mqtt.version // aedes speaks no 5
  const topic = topics(mqtt.prefix, device)
  const statuses = new Map<string, CameraStatus>()
  const waitingEvents: { topic: string; payload: string }[] = []
  let { cameras, limits, statsDue } = limitsOf(config)
  /** Cameras that are gone since there was no connection; their retained messages have to go too. */
  const removed = new Set<string>()
  let dropped = 0
  let lastError = ''
  let closing = false
  let accepted = false // the attempt that runs got through to MQTT

  const options: IClientOptions = {
    clientId: mqtt.client_id ?? `roadmask-${device}-${Math.random().toString(16).slice(2, 8)}`,
    protocolVersion: version === '3.1.1' ? 4 : 5,
    clean: true,
    keepalive: keepaliveS,
    reconnectPeriod: retryMs,
    connectTimeout: connectTimeoutMs,
    reconnectOnConnackError: true,
    queueQoSZero: false,
    will: { topic: topic.available, payload: Buffer.from('offline'), qos: 1, retain: true },
    ...(mqtt.username !== undefined && { username: mqtt.username }),
    ...(mqtt.password !== undefined && { password: mqtt.password }),
    ...(mqtt.ca && { ca: readFileSync(mqtt.ca) }),
    ...(mqtt.cert && { cert: readFileSync(mqtt.cert) }),
    ...(mqtt.key && { key: readFileSync(mqtt.key) }),
  }
  const client = mqttConnect(url, options)
  const five = () => client.options.protocolVersion === 5

  function publish(to: string, payload: string | Uint8Array, how: IClientPublishOptions, type: string, facts?: Result) {
    const body = typeof payload === 'string' ? payload : Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
    const properties = five() ? { contentType: type, ...(facts && { userProperties: properties5(facts) }) } : undefined
    client.publish(to, body, properties ? { ...how, properties } : how, (error) => {
      if (error) log.debug({ topic: to }, `MQTT: ${error.message}`)
    })
  }

  /** Whether something that may get lost can go now. */
  const flows = () => client.connected && (client.stream as { writableLength?: number }).writableLength! < longestBacklogBytes

  function publishStatus(status: CameraStatus) {
    const to = topic.camera(status.camera)
    publish(to.status, JSON.stringify(status), { qos: 1, retain: true }, 'application/json')
    publish(to.enabled, status.state === 'disabled' ? 'OFF' : 'ON', { qos: 1, retain: true }, 'text/plain')
  }

  /** An empty message takes a retained one away. */
  function forget(camera: string) {
    const to = topic.camera(camera)
    for (const retained of [to.status, to.enabled]) publish(retained, '', { qos: 1, retain: true }, 'text/plain')
    client.unsubscribe(to.enabledSet)
    removed.delete(camera)
  }

  const listenFor = (names: string[]) =>
    client.subscribe(
      names.map((name) => topic.camera(name).enabledSet),
      { qos: 1 },
      (error) => error && log.warn(`MQTT: cannot subscribe to enabled/set: ${error.message}`),
    )

  client.on('connect', () => {
    accepted = true
    lastError = ''
    log.info({ url: withoutSecrets(url), version: five() ? '5' : '3.1.1' }, 'MQTT connected')
    publish(topic.available, 'online', { qos: 1, retain: true }, 'text/plain')
    for (const camera of removed) forget(camera)
    for (const status of statuses.values()) publishStatus(status)
    for (const event of waitingEvents.splice(0)) publish(event.topic, event.payload, { qos: 1 }, 'application/json')
    listenFor(cameras)
  })
  client.on('message', (to, payload) => {
    const camera = cameras.find((name) => topic.camera(name).enabledSet === to)
    const wish = payload.toString().trim().toUpperCase()
    if (!camera) return
    if (wish === 'ON' || wish === 'OFF') setEnabled(camera, wish === 'ON')
    else log.warn(`${to}: expected ON or OFF, found ${JSON.stringify(payload.toString().slice(0, 40))}`)
  })
  client.on('error', (error) => {
    const text = withoutSecrets(error.message || (error as NodeJS.ErrnoException).code || 'unknown error')
    if (text !== lastError) log.warn({ url: withoutSecrets(url), retry_s: retryMs / 1000 }, `MQTT: ${text}`)
    lastError = text
  })
  let reached = false // a connection was there, before MQTT spoke
  const watchStream = () => client.stream?.once('connect', () => (reached = true))
  watchStream()
  client.on('reconnect', watchStream)
  client.on('close', () => {
    if (accepted && !closing) log.warn({ url: withoutSecrets(url) }, 'MQTT disconnected')
    // A broker of 3.1.1 refuses version 5 with a code, or just hangs up: the next attempt speaks the other version.
    else if (reached && version === 'auto') client.options.protocolVersion = five() ? 4 : 5
    accepted = false
    reached = false
  })

  return {
    url,
    mask({ result, mask }) {
      const limit = limits.get(result.camera)
      const to = topic.camera(result.camera)
      const wanted = [limit?.mask(), limit?.result()]
      if (!flows()) dropped += wanted.filter(Boolean).length
      else {
        if (wanted[0]) publish(to.mask, mask, { qos: 0 }, 'image/png', result)
        if (wanted[1]) publish(to.result, JSON.stringify(result), { qos: 0 }, 'application/json')
      }
    },
    status(status) {
      statuses.set(status.camera, status)
      if (client.connected) publishStatus(status)
    },
    event(event) {
      const message = { topic: topic.camera(event.camera).event, payload: JSON.stringify(event) }
      if (client.connected) return publish(message.topic, message.payload, { qos: 1 }, 'application/json')
      waitingEvents.push(message)
      if (waitingEvents.length > keptEvents) waitingEvents.shift()
    },
    stats(stats) {
      if (flows() && statsDue()) publish(topic.stats, JSON.stringify(stats), { qos: 0, retain: true }, 'application/json')
    },
    settings(changed) {
      const before = cameras
      ;({ cameras, limits, statsDue } = limitsOf(changed))
      for (const camera of before.filter((name) => !cameras.includes(name))) {
        statuses.delete(camera)
        removed.add(camera)
      }
      for (const camera of cameras) removed.delete(camera)
      const added = cameras.filter((name) => !before.includes(name))
      if (!client.connected) return
      for (const camera of removed) forget(camera)
      if (added.length) listenFor(added)
    },
    dropped: () => dropped,
    version: () => (client.connected ? (five() ? '5' : '3.1.1') : undefined),
    async close() {
      closing = true
      const said = client.connected
        ? client.publishAsync(topic.available, 'offline', { qos: 1, retain: true }).then(() => client.endAsync())
        : Promise.resolve()
      await Promise.race([said.catch(() => {}), new Promise((late) => setTimeout(late, closeTimeoutMs))])
      client.end(true)
    },
  }
}

/** What of the settings may change while the agent runs. */
function limitsOf({ cameras, mqtt }: Config) {
  const names = cameras.map(({ name }) => name)
  const limit = () => ({ mask: rateLimit(mqtt.masks_per_second), result: rateLimit(mqtt.results_per_second) })
  return {
    cameras: names,
    limits: new Map(names.map((name) => [name, limit()])),
    statsDue: rateLimit(1 / mqtt.stats_every_s),
  }
}

/** The facts of a mask as MQTT 5 user properties, which are texts. */
const properties5 = (result: Result): Record<string, string> => ({
  frame: String(result.frame),
  captured_us: String(result.captured_us),
  model: result.model,
  region: result.region.join(','),
  road_percent: String(result.road_percent),
})
