// MQTT out, by the topics of wire.ts. `available` is retained: online on each connect, offline as the will and before a clean
// end. Masks, results and stats are dropped and counted while they cannot go; events and states go through the outbox, and
// the states of now are told afresh behind what it held.
import { isDeepStrictEqual } from 'node:util'
import type { Log } from '../log.ts'
import type { Config } from '../settings/config.ts'
import { keep, type State } from '../state.ts'
import type { Painter } from '../supervise/painter.ts'
import type { Updates } from '../update/updates.ts'
import { type CameraStatus, type MaskMessage, type MqttStats, type Result, topics, updateTopics } from '../wire.ts'
import type { Broker } from './broker.ts'
import { makeAnnouncer } from './home-assistant.ts'
import { openLink, type Packet, type Refusal, reconnectDelayMs } from './mqtt-link.ts'
import type { Outbox, OutboxMessage, Stored } from './outbox.ts'
import type { Output } from './output.ts'
import { rateLimit } from './rate-limit.ts'

export interface MqttSurroundings {
  /** The agent's own broker, where the config names none. */
  own: Broker | undefined
  outbox: Outbox
  /** Which cameras the broker was told of, in the last run too. */
  state: State
  painter: Pick<Painter, 'overlay'>
  updates: Pick<Updates, 'wish' | 'state' | 'onChange'>
  log: Log
  /** Someone wants a camera on or off, by `enabled/set`. */
  setEnabled(camera: string, enabled: boolean): void
}

export interface MqttOutput extends Output {
  /** Address of the broker. */
  url: string
  counts(): MqttStats
}

/** Messages of the outbox that may be on their way at once: enough for a slow link, and less than any broker's limit. */
const mostOnTheWay = 16

export function connectMqtt(
  config: Config,
  { own, outbox, state, painter, updates, log, setEnabled }: MqttSurroundings,
): MqttOutput {
  const { device, mqtt } = config
  const url = own?.url ?? mqtt.url!
  const topic = topics(mqtt.prefix, device)
  const update = updateTopics(mqtt.prefix, device)
  // A broker may allow each device its own topics alone, so what is of no use is not asked for.
  const offers = config.update.keys ? [update.set, update.fleet, ...config.update.groups.map(update.group)] : []
  const statuses = new Map<string, CameraStatus>()
  /** All limits of a mask see the same moment, so that those of the same rate let the same masks through. */
  let nowMs = 0
  const moment = () => nowMs
  let settings = config
  let { cameras, limits, statsDue } = limitsOf(config, moment)
  const dropped: MqttStats['dropped'] = { offline: 0, slow_link: 0, refused: 0, too_large: 0, not_painted: 0 }
  let ready = false // connected, and `available` is said
  let onTheWay = 0
  let atOnce = mostOnTheWay
  let refused: { sequence: number; times: number } | undefined // the oldest that the broker may yet take
  let retrying: NodeJS.Timeout | undefined
  let newest = 0 // of the outbox's messages on the way
  const standing = new Map<string, string>() // what the broker took on this connection, by retained topic
  let echoes = 0 // of our own `online` that MQTT 3.1.1 still sends back

  const homeStatus = mqtt.home_assistant && `${mqtt.home_assistant}/status`

  const available = (text: 'online' | 'offline'): Packet => ({
    topic: topic.available,
    payload: text,
    qos: 1,
    retain: true,
    contentType: 'text/plain',
  })
  const link = openLink(
    {
      url,
      version: own ? '3.1.1' : mqtt.version, // aedes speaks no 5
      clientId: mqtt.client_id ?? `roadmask-${device}-${outbox.id}`,
      will: available('offline'),
      mqtt,
      log,
    },
    {
      async connected() {
        await link.subscribe([topic.available, topic.camera('+').enabledSet, ...(homeStatus ? [homeStatus] : [])])
        if (offers.length) await link.subscribe(offers)
        if (!link.connected()) return
        sayOnline()
        ready = true
        announce(settings)
        sayUpdate()
        pump()
      },
      lost() {
        ready = false
        clearTimeout(retrying)
        retrying = undefined
        onTheWay = echoes = 0
        newest = 0
        standing.clear()
      },
      message(to, payload, retained) {
        const text = payload.toString().trim()
        if (offers.includes(to)) return updates.wish(to, text)
        if (to === topic.available) return retained ? undefined : heardAvailable(text)
        if (to === homeStatus) return text === 'online' && ready && !retained ? announce(settings) : undefined
        const camera = cameras.find((name) => topic.camera(name).enabledSet === to)
        const wish = text.toUpperCase()
        if (!camera) return
        if (wish === 'ON' || wish === 'OFF') setEnabled(camera, wish === 'ON')
        else log.warn(`${to}: expected ON or OFF, found ${JSON.stringify(text.slice(0, 40))}`)
      },
    },
  )

  /** As it is now: what it was meanwhile nobody needs. */
  function sayUpdate() {
    if (ready) link.send({ topic: update.state, payload: JSON.stringify(updates.state()), ...asState })
  }
  updates.onChange(sayUpdate)

  function sayOnline() {
    if (link.version() === '3.1.1') echoes++ // MQTT 5 sends nobody's own messages back, as it was asked
    link.send(available('online'))
  }

  /** Somebody said how we are: the will of a connection that we lost, or another agent with our name. */
  function heardAvailable(text: string) {
    if (text === 'offline' && ready) return sayOnline()
    if (text === 'online' && echoes-- <= 0)
      link.complain(`Another agent publishes as device ${device}: give each a "device" of its own`)
  }

  /** Whether a refused message is tried again: later and later, and what follows waits, for its place is behind it. */
  function mayPass({ sequence, topic }: Stored, { reason, tries }: Refusal): boolean {
    const times = refused?.sequence === sequence ? refused.times + 1 : 1
    if (times > tries) return false
    if (refused && refused.sequence < sequence && retrying) return true // on the way behind it, and comes again with it
    refused = { sequence, times }
    atOnce = 1 // so that none that follows overtakes it next time
    newest = Math.min(newest, sequence - 1)
    link.complain(`The broker does not take messages on ${topic} now, they are kept: ${reason}`)
    clearTimeout(retrying)
    retrying = setTimeout(
      () => {
        retrying = undefined
        pump()
      },
      reconnectDelayMs(times, 0),
    )
    return true
  }

  /** Sends what waits in the outbox, in order; then the states of now that this connection did not see. */
  function pump() {
    while (ready && !retrying && onTheWay < atOnce) {
      const message = outbox.next(newest)
      if (!message) break
      newest = message.sequence
      if (!link.takes(Buffer.byteLength(message.topic) + Buffer.byteLength(message.payload))) {
        dropped.too_large++
        link.complain(`A message on ${message.topic} is larger than the broker takes and is left out`)
        outbox.done(message.sequence)
        continue
      }
      onTheWay++
      link.send(packetOf(message), (refusal) => {
        onTheWay--
        if (refusal && mayPass(message, refusal)) return
        if (refusal) {
          dropped.refused++
          link.complain(`The broker refuses messages on ${message.topic}: ${refusal.reason}`)
        } else if (refused?.sequence === message.sequence) link.complain('')
        if (message.retain) standing.set(message.topic, message.payload)
        outbox.done(message.sequence)
        pump()
      })
    }
    if (!ready || onTheWay || outbox.stats().messages) return
    for (const state of [...statuses.values()].flatMap(statesOf)) {
      if (standing.get(state.topic) === state.payload) continue
      standing.set(state.topic, state.payload)
      link.send(packetOf(state))
    }
  }
  outbox.onReady(pump)
  const announce = makeAnnouncer(state, log, link)

  const packetOf = ({ topic, payload, retain }: OutboxMessage): Packet => ({
    topic,
    payload,
    qos: 1,
    retain,
    contentType: payload.startsWith('{') ? 'application/json' : 'text/plain',
  })

  const statesOf = (status: CameraStatus): OutboxMessage[] => [
    { topic: topic.camera(status.camera).status, payload: JSON.stringify(status), retain: true },
    { topic: topic.camera(status.camera).enabled, payload: status.state === 'disabled' ? 'OFF' : 'ON', retain: true },
  ]

  /** Takes away what is retained of cameras that are no more, were they of the last run. */
  function forgetOthers() {
    const told = state.read<string[]>('cameras') ?? []
    for (const camera of told) if (!cameras.includes(camera)) forget(camera)
    if (!isDeepStrictEqual(told, cameras)) keep(state, 'cameras', cameras, log)
  }
  forgetOthers()

  /** Takes away what is retained of a camera that is no more: an empty message does. */
  function forget(camera: string) {
    statuses.delete(camera)
    const to = topic.camera(camera)
    for (const retained of [to.status, to.enabled]) outbox.add({ topic: retained, payload: '', retain: true })
  }

  /** Sends what may get lost, or counts why not. */
  function offer(packet: Packet) {
    if (!ready) dropped.offline++
    else if (!link.flows()) dropped.slow_link++
    else if (!link.takes(packet.topic.length + packet.payload.length)) dropped.too_large++
    else link.send(packet)
  }

  async function paint(message: MaskMessage) {
    const { camera } = message.result
    if (!ready) return void dropped.offline++
    const payload = await painter
      .overlay(message)
      .catch((error: Error) => void log.warn({ camera }, `no overlay: ${error.message}`))
    if (!payload) dropped.not_painted++
    else offer({ topic: topic.camera(camera).overlay, payload, qos: 0, retain: false, contentType: 'image/jpeg' })
  }

  return {
    url,
    mask(message) {
      const { result, mask } = message
      nowMs = performance.now()
      const limit = limits.get(result.camera)
      const to = topic.camera(result.camera)
      const packet = { qos: 0, retain: false } as const
      if (limit?.mask())
        offer({ ...packet, topic: to.mask, payload: mask, contentType: 'image/png', userProperties: properties5(result) })
      if (limit?.result())
        offer({ ...packet, topic: to.result, payload: JSON.stringify(result), contentType: 'application/json' })
      if (message.picture.length && limit?.overlay()) paint(message)
    },
    status(status) {
      const before = statuses.get(status.camera)
      statuses.set(status.camera, status)
      const [state, enabled] = statesOf(status)
      outbox.add(state!)
      if ((before?.state === 'disabled') !== (status.state === 'disabled') || !before) outbox.add(enabled!)
    },
    event: (event) => outbox.add({ topic: topic.camera(event.camera).event, payload: JSON.stringify(event), retain: false }),
    stats(stats) {
      if (!statsDue()) return
      offer({ topic: topic.stats, payload: JSON.stringify(stats), qos: 0, retain: true, contentType: 'application/json' })
    },
    settings(changed) {
      settings = changed
      ;({ cameras, limits, statsDue } = limitsOf(changed, moment))
      forgetOthers()
      if (ready) announce(settings)
    },
    counts: () => ({
      version: link.version(),
      problem: link.problem(),
      sent_bytes: link.sentBytes(),
      dropped: { ...dropped },
      outbox: outbox.stats(),
    }),
    async close() {
      ready = false
      clearTimeout(retrying)
      await link.close(available('offline'))
    },
  }
}

const asState = { qos: 1, retain: true, contentType: 'application/json' } as const

/** What of the settings may change while the agent runs. */
function limitsOf({ cameras, mqtt }: Config, moment: () => number) {
  const names = cameras.map(({ name }) => name)
  const limit = () => ({
    mask: rateLimit(mqtt.masks_per_second, moment),
    result: rateLimit(mqtt.results_per_second, moment),
    overlay: rateLimit(mqtt.overlays_per_minute / 60, moment),
  })
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
