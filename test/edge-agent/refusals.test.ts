// Brokers that do not take what they are given: a few packets of MQTT 5 by hand, since no broker at hand refuses on demand.
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { openLog } from '../../edge-agent/log.ts'
import { connectMqtt, type MqttOutput } from '../../edge-agent/publish/mqtt.ts'
import { type Link, openLink } from '../../edge-agent/publish/mqtt-link.ts'
import { type Outbox, openOutbox } from '../../edge-agent/publish/outbox.ts'
import { parseConfig } from '../../edge-agent/settings/read-config.ts'
import { openState } from '../../edge-agent/state.ts'
import { eventOf, noUpdates } from './made-messages.ts'
import { startMosquitto, subscribe } from './mosquitto.ts'

const log = openLog('fatal')
const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

interface Published {
  topic: string
  payload: string
  answer(reason: number): void
  hangUp(reason: number): void
}

/** A broker that leaves it to the test what becomes of messages of QoS 1; undefined: it says no word of them. */
async function makeBroker(published?: (message: Published) => void): Promise<{ url: string; connections(): number }> {
  let connections = 0
  const server = createServer((socket) => {
    connections++
    socket.on('error', () => {})
    closing.push(() => socket.destroy())
    let bytes = Buffer.alloc(0)
    socket.on('data', (more) => {
      bytes = Buffer.concat([bytes, more])
      for (let packet = take(); packet; packet = take()) answer(socket, packet)
    })
    function take() {
      let [length, at, shift] = [0, 1, 0]
      for (; at < bytes.length; shift += 7) {
        length += (bytes[at]! & 127) << shift
        if (bytes[at++]! < 128) break
      }
      if (bytes.length < 2 || bytes.length < at + length) return undefined
      const packet = { kind: bytes[0]!, body: bytes.subarray(at, at + length) }
      bytes = bytes.subarray(at + length)
      return packet
    }
  }).listen(0, '127.0.0.1')
  function answer(socket: Socket, { kind, body }: { kind: number; body: Buffer }) {
    if (kind >> 4 === 1) socket.write(Buffer.from([0x20, 3, 0, 0, 0]))
    if (kind >> 4 === 8 && published) socket.write(Buffer.from([0x90, 5, body[0]!, body[1]!, 0, 1, 1]))
    if (kind >> 4 === 12) socket.write(Buffer.from([0xd0, 0]))
    if (kind >> 4 !== 3 || !published || !(kind & 2)) return
    const end = 2 + body.readUInt16BE(0)
    const answer = (reason: number) => socket.write(Buffer.from([0x40, 4, body[end]!, body[end + 1]!, reason, 0]))
    const topic = body.toString('utf8', 2, end)
    if (!topic.endsWith('/event')) return answer(0)
    const hangUp = (reason: number) => socket.end(Buffer.from([0xe0, 2, reason, 0]))
    published({ topic, payload: body.toString('utf8', end + 3 + body[end + 2]!), answer, hangUp })
  }
  await once(server, 'listening')
  closing.push(() => server.close())
  return { url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`, connections: () => connections }
}

async function open(url: string): Promise<MqttOutput & { outbox: Outbox }> {
  const folder = await mkdtemp(join(tmpdir(), 'roadmask-'))
  const text = `device: car\nstate_dir: ${folder}\nmqtt: { url: "${url}", version: "5" }\ncameras: [{ name: front, source: test }]`
  const config = parseConfig({ name: 'a', text }, {}, [])
  const state = await openState(config, {})
  const outbox = openOutbox(folder, config.outbox, log)
  const painter = { overlay: async () => undefined }
  const output = connectMqtt(config, { own: undefined, outbox, state, updates: noUpdates, painter, log, setEnabled() {} })
  closing.push(async () => {
    await output.close()
    await outbox.close()
    state.close()
    await rm(folder, { recursive: true })
  })
  await expect.poll(() => output.counts().version).toBe('5')
  return { ...output, outbox }
}
const detailOf = (payload: string) => (JSON.parse(payload) as { detail: string }).detail

test('an event above the quota of the broker is kept until it is taken, and what follows stays behind it', async () => {
  const taken: string[] = []
  let refusals = 3
  const { url } = await makeBroker(({ payload, answer }) => {
    const full = refusals > 0
    if (full) refusals--
    else taken.push(detailOf(payload))
    answer(full ? 0x97 : 0)
  })
  const out = await open(url)
  for (const detail of ['one', 'two', 'three']) out.event(eventOf('front', detail))
  await expect
    .poll(() => out.counts().problem)
    .toContain('does not take messages on roadmask/car/front/event now, they are kept')
  expect(out.counts().outbox.messages).toBe(3)
  await expect.poll(() => out.counts().outbox.messages, { timeout: 20_000 }).toBe(0)
  expect(taken).toEqual(['one', 'two', 'three'])
  expect(out.counts()).toMatchObject({ problem: '', dropped: { refused: 0 } })
})

test('one that is larger than the broker takes goes, counted, and holds up nothing', async () => {
  const broker = await startMosquitto(undefined, 'allow_anonymous true\nmax_packet_size 2000')
  closing.push(() => broker.stop())
  const listener = await subscribe(broker.url, 'roadmask/car/front/event')
  closing.push(() => listener.stop())
  const out = await open(broker.url)
  out.event(eventOf('front', 'x'.repeat(3000)))
  out.event(eventOf('front', 'short'))
  await expect.poll(() => listener.heard.map(({ payload }) => detailOf(String(payload)))).toEqual(['short'])
  expect(out.counts()).toMatchObject({ dropped: { too_large: 1, refused: 0 }, outbox: { messages: 0 } })
  expect(out.counts().problem).toContain('is larger than the broker takes and is left out')
})

test('one for which the broker hangs up as too large is not sent for ever', async () => {
  const taken: string[] = []
  const { url, connections } = await makeBroker(({ payload, answer, hangUp }) => {
    if (payload.length > 2000) return hangUp(0x95)
    taken.push(detailOf(payload))
    answer(0)
  })
  const out = await open(url)
  out.event(eventOf('front', 'x'.repeat(3000)))
  await expect.poll(connections, { timeout: 20_000 }).toBe(2)
  out.event(eventOf('front', 'short'))
  await expect.poll(() => taken, { timeout: 20_000 }).toEqual(['short'])
  expect(out.counts()).toMatchObject({ dropped: { too_large: 1 }, outbox: { messages: 0 } })
})

test('a broker that answers pings and confirms nothing is given up, and that is said until it confirms', async () => {
  const { url, connections } = await makeBroker()
  const { mqtt } = parseConfig({ name: 'a', text: `mqtt: { url: "${url}" }` }, {}, [])
  const packet = { topic: 'a', payload: 'b', qos: 1, retain: false, contentType: 'text/plain' } as const
  const taken: unknown[] = []
  const link: Link = openLink(
    { url, version: '5', clientId: 'a', will: packet, mqtt, log },
    { connected: () => link.send(packet, () => taken.push(1)), lost() {}, message() {} },
    400,
  )
  closing.push(() => link.close(packet))
  await expect.poll(() => link.problem()).toContain('The broker has confirmed nothing for 0 s although it answers')
  await expect.poll(connections, { timeout: 20_000 }).toBeGreaterThan(1)
  await expect.poll(() => link.connected(), { timeout: 20_000 }).toBe(true)
  expect(link.problem()).toContain('confirmed nothing')
  expect(taken).toEqual([])
})
