// One connection to a broker of MQTT 5 or 3.1.1, made again whenever it is lost: later and later, at random within bounds, so
// that a fleet does not come back at once. Tells who else uses its client id, and counts what it sends.
import { readFileSync } from 'node:fs'
import { type IClientOptions, type IClientPublishOptions, connect as mqttConnect } from 'mqtt'
import type { Log } from '../log.ts'
import { type Config, isAws } from '../settings/config.ts'
import { withoutSecrets } from '../settings/redact.ts'

export interface Packet {
  topic: string
  payload: string | Uint8Array
  qos: 0 | 1
  retain: boolean
  /** On MQTT 5. */
  contentType: string
  userProperties?: Record<string, string>
}

/** Why a broker did not take a packet, on MQTT 5. */
export interface Refusal {
  reason: string
  /** How often it is worth another try. */
  tries: number
}

export interface LinkEvents {
  /** A connection stands. What the last one did not acknowledge may have arrived or not. */
  connected(): void
  lost(): void
  message(topic: string, payload: Buffer, retained: boolean): void
}

export interface Link {
  connected(): boolean
  /** MQTT version spoken, `5` or `3.1.1`; empty without a connection. */
  version(): string
  /** What is wrong; empty while all is well. */
  problem(): string
  /** Says once what is wrong although the connection stands; empty: it is well again. */
  complain(problem: string): void
  /** Whether something that may get lost can go now without piling up. */
  flows(): boolean
  /** Whether the broker takes so many bytes at once. */
  takes(bytes: number): boolean
  /** `taken` is called when the broker has a packet of QoS 1, or refused it; never after a loss. */
  send(packet: Packet, taken?: (refusal: Refusal | undefined) => void): void
  /** Resolves also where the broker refuses. Its own messages do not come back on MQTT 5. */
  subscribe(topics: string[]): Promise<void>
  sentBytes(): Record<string, number>
  /** Sends a last packet, where it can, and ends. */
  close(last: Packet): Promise<void>
}

const connectTimeoutMs = 10_000
const keepaliveS = 30 // the least that AWS IoT Core knows; a dead link is noticed after one and a half times that
/** What may wait in the socket of a link that is slower than its masks. */
const longestBacklogBytes = 512 * 1024
const closeTimeoutMs = 700
/** A connection that held so long was a good one: the ladder of delays starts afresh. */
const settledMs = 30_000
const shortestDelayMs = 2000 // AWS IoT Core takes one CONNECT a second of a client
const longestDelayMs = 60_000
/** Two that throw each other out try less and less often. */
const longestTakeoverDelayMs = 15 * 60_000
const peacefulMs = 4 * longestTakeoverDelayMs
/** Connections that the broker ended soon, one after the other: a sign of that where it gives no reason, as on 3.1.1. */
const suspiciousEnds = 3
const sessionTakenOver = 0x8e
const packetTooLarge = 0x95
/** What a broker that is asked again may well take, by its reason: unspecified, its own, quota exceeded. Any other one stays. */
const triesFor: Record<number, number> = { 128: 10, 131: 10, 151: Number.POSITIVE_INFINITY }
/** A broker that confirms nothing for so long although it answers pings is stuck, or something between here and there is. */
const confirmsWithinMs = 60_000

/** How long to wait before the next try: twice as long each time, and anywhere in the upper half of that. */
export const reconnectDelayMs = (failures: number, takeovers: number, random = Math.random()) => {
  const longest = takeovers
    ? Math.min(longestTakeoverDelayMs, longestDelayMs * 2 ** (takeovers - 1))
    : Math.min(longestDelayMs, shortestDelayMs * 2 ** failures)
  return Math.round(longest * (0.5 + random / 2))
}

const awsLargestBytes = 128 * 1024
/** What a packet has beside topic and payload, with the properties we send. */
const overheadBytes = 512

/** What the settings ask of TLS; the files are read now. */
export function tlsOptions({ url = '', ca, cert, key, alpn, username }: Config['mqtt']) {
  const { port } = new URL(url)
  // With a certificate AWS wants the one name, for a custom authorizer the other.
  const aws = isAws(url) && port === '443' ? (username === undefined || cert ? 'x-amzn-mqtt-ca' : 'mqtt') : undefined
  const protocol = alpn ?? aws
  return {
    ...(ca && { ca: readFileSync(ca) }),
    ...(cert && { cert: readFileSync(cert) }),
    ...(key && { key: readFileSync(key) }),
    ...(protocol && { ALPNProtocols: [protocol] }),
  }
}

export interface LinkSettings {
  url: string
  /** Only this version; `auto`: 5, or else 3.1.1. */
  version: Config['mqtt']['version']
  clientId: string
  will: Packet
  mqtt: Config['mqtt']
  log: Log
}

/** Connects, and keeps at it. Never throws for a broker that is not there. */
export function openLink(
  { url, version, clientId, will, mqtt, log }: LinkSettings,
  on: LinkEvents,
  patienceMs = confirmsWithinMs,
): Link {
  const where = { url: withoutSecrets(url) }
  const aws = isAws(url)
  const sent: Record<string, number> = {}
  let failures = 0
  let takeovers = 0
  let soonEnded = 0
  let problem = ''
  let reached = false // the attempt that runs got a connection, before MQTT spoke
  let acceptedMs: number | undefined // and then through to MQTT
  let takenOver = false
  let faulty = false // it ended by an error of its own
  let largest = Number.POSITIVE_INFINITY
  let longestSent = 0 // on this connection
  let tooLong = Number.POSITIVE_INFINITY // what the broker hung up for
  /** When each packet was sent that is not confirmed, the oldest first. */
  const unconfirmed = new Map<object, number>()
  let stuck = false
  let timer: NodeJS.Timeout | undefined
  let closing = false

  const options: IClientOptions = {
    clientId,
    protocolVersion: version === '3.1.1' ? 4 : 5,
    clean: true, // what was not acknowledged is in the outbox
    keepalive: keepaliveS,
    reconnectPeriod: 0, // done here
    connectTimeout: connectTimeoutMs,
    queueQoSZero: false,
    will: { topic: will.topic, payload: Buffer.from(will.payload), qos: will.qos, retain: will.retain },
    ...(mqtt.username !== undefined && { username: mqtt.username }),
    ...(mqtt.password !== undefined && { password: mqtt.password }),
    ...(mqtt.url && tlsOptions(mqtt)),
  }
  const client = mqttConnect(url, options)
  const five = () => client.options.protocolVersion === 5
  const watchStream = () => client.stream?.once('connect', () => (reached = true))
  watchStream()

  function complain(text: string) {
    if (text === problem) return
    problem = text
    if (text) log.warn(where, `MQTT: ${text}`)
  }

  client.on('connect', (packet) => {
    acceptedMs = performance.now()
    faulty = takenOver = false
    if (!takeovers && !stuck) problem = ''
    longestSent = 0
    largest = Math.min(
      packet.properties?.maximumPacketSize ?? Number.POSITIVE_INFINITY,
      aws ? awsLargestBytes : Number.POSITIVE_INFINITY,
      tooLong - 1,
    )
    log.info({ ...where, version: five() ? '5' : '3.1.1' }, 'MQTT connected')
    on.connected()
  })
  client.on('message', (topic, payload, { retain }) => on.message(topic, payload, retain))
  client.on('disconnect', ({ reasonCode }) => {
    takenOver = reasonCode === sessionTakenOver
    if (reasonCode === packetTooLarge) tooLong = longestSent // it does not say which
  })
  client.on('error', (error) => {
    if (closing) return
    faulty = true
    complain(withoutSecrets(error.message || (error as NodeJS.ErrnoException).code || 'unknown error'))
  })
  client.on('close', () => {
    unconfirmed.clear()
    if (closing) return
    const heldMs = acceptedMs === undefined ? undefined : performance.now() - acceptedMs
    if (heldMs === undefined) {
      // A broker of 3.1.1 refuses version 5 with a code, or just hangs up: the next attempt speaks the other version.
      if (reached && version === 'auto') client.options.protocolVersion = five() ? 4 : 5
      if (reached && aws && !faulty)
        complain(`AWS IoT Core hung up: the certificate's policy must allow iot:Connect for the client id ${clientId}`)
      soonEnded = 0
    } else {
      log.warn(where, 'MQTT disconnected')
      on.lost()
      if (heldMs > settledMs) failures = 0
      if (heldMs > peacefulMs) takeovers = 0
      soonEnded = heldMs < settledMs && !faulty ? soonEnded + 1 : 0
    }
    if (takenOver || soonEnded >= suspiciousEnds) {
      takeovers++
      const who = takenOver
        ? `Another client has the client id ${clientId}`
        : `The broker ends the connection again and again: another client has the client id ${clientId}, or this one may not publish here`
      complain(`${who}. Give each agent a "device" and an "mqtt.client_id" of its own, and a copied machine a new "state_dir"`)
    }
    acceptedMs = undefined
    reached = faulty = takenOver = false
    const delayMs = reconnectDelayMs(failures++, takeovers)
    log.debug({ ...where, retry_s: delayMs / 1000 }, 'MQTT')
    timer = setTimeout(() => {
      client.reconnect()
      watchStream()
    }, delayMs)
  })

  /** Remembers that an answer is awaited; to be called when it is there. */
  function awaited() {
    const packet = {}
    unconfirmed.set(packet, performance.now())
    return () => {
      if (!unconfirmed.delete(packet) || !stuck) return
      stuck = false
      problem = ''
    }
  }
  const watch = setInterval(() => {
    const [oldestMs = Number.POSITIVE_INFINITY] = unconfirmed.values()
    if (!client.connected || performance.now() - oldestMs < patienceMs) return
    stuck = faulty = true
    complain(`The broker has confirmed nothing for ${Math.round(patienceMs / 1000)} s although it answers; connecting anew`)
    client.stream.destroy()
  }, patienceMs / 10)

  function send(
    { topic, payload, qos, retain, contentType, userProperties }: Packet,
    taken?: (refusal: Refusal | undefined) => void,
  ) {
    const connection = acceptedMs
    const answered = qos ? awaited() : () => {}
    const body =
      typeof payload === 'string' ? Buffer.from(payload) : Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
    const level = topic.slice(topic.lastIndexOf('/') + 1)
    const bytes = Buffer.byteLength(topic) + body.length
    sent[level] = (sent[level] ?? 0) + bytes
    longestSent = Math.max(longestSent, bytes + overheadBytes)
    const how: IClientPublishOptions = { qos, retain }
    if (five()) how.properties = { contentType, ...(userProperties && { userProperties }) }
    client.publish(topic, body, how, (error) => {
      if (error) log.debug({ topic }, `MQTT: ${error.message}`)
      // An error without an answer of the broker is a loss of the connection.
      const code = (error as { code?: unknown } | undefined)?.code
      if (acceptedMs !== connection || (error && typeof code !== 'number')) return
      answered()
      taken?.(error ? { reason: error.message, tries: triesFor[code as number] ?? 0 } : undefined)
    })
  }

  return {
    connected: () => client.connected,
    version: () => (client.connected ? (five() ? '5' : '3.1.1') : ''),
    problem: () => problem,
    complain,
    flows: () => client.connected && (client.stream as { writableLength?: number }).writableLength! < longestBacklogBytes,
    takes: (bytes) => bytes + overheadBytes <= largest,
    send,
    async subscribe(topics) {
      const how = five() ? { qos: 1 as const, nl: true } : { qos: 1 as const }
      const answered = awaited()
      await client.subscribeAsync(topics, how).catch((error: Error) => {
        if (client.connected) log.warn(`MQTT: cannot subscribe to ${topics.join(', ')}: ${error.message}`)
      })
      answered()
    },
    sentBytes: () => ({ ...sent }),
    async close(last) {
      closing = true
      clearTimeout(timer)
      clearInterval(watch)
      const said = client.connected
        ? new Promise<void>((taken) => send(last, () => taken())).then(() => client.endAsync())
        : Promise.resolve()
      await Promise.race([said.catch(() => {}), new Promise((late) => setTimeout(late, closeTimeoutMs))])
      client.end(true)
    },
  }
}
