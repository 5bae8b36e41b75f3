import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openLog } from '../../edge-agent/log.ts'
import { type Broker, openBroker } from '../../edge-agent/publish/broker.ts'
import { connectMqtt, type MqttOutput } from '../../edge-agent/publish/mqtt.ts'
import { type Outbox, openOutbox } from '../../edge-agent/publish/outbox.ts'
import { rateLimit } from '../../edge-agent/publish/rate-limit.ts'
import { openAccess } from '../../edge-agent/serve/access.ts'
import { parseConfig } from '../../edge-agent/settings/read-config.ts'
import { openState, type State } from '../../edge-agent/state.ts'
import type { Painter } from '../../edge-agent/supervise/painter.ts'
import { eventOf, maskOf, noUpdates, statusOf } from './made-messages.ts'
import { memoryStore } from './made-site.ts'
import { freePort, type Mosquitto, type Subscriber, startMosquitto, subscribe } from './mosquitto.ts'

const log = openLog('fatal')
let mosquitto: Mosquitto
let own: Broker
let output: MqttOutput | undefined
let outbox: Outbox | undefined
let state: State | undefined
let folder: string
let listener: Subscriber | undefined
let wishes: [string, boolean][]

beforeAll(async () => {
  mosquitto = await startMosquitto()
  own = await openBroker({ host: '127.0.0.1', port: 0 }, openAccess(parseConfig(undefined, {}, []), memoryStore(), log))
})
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'roadmask-'))
})
afterEach(async () => {
  await output?.close()
  await listener?.stop()
  await outbox?.close()
  state?.close()
  await rm(folder, { recursive: true })
  output = listener = outbox = state = undefined
})
afterAll(async () => {
  await mosquitto.stop()
  await own.close()
})

const fast = 'masks_per_second: 1000, results_per_second: 1000'

const painted: Pick<Painter, 'overlay'> = { overlay: async ({ result }) => Buffer.from(`overlay ${result.frame}`) }

async function open(url: string, device: string, more = fast, ownBroker?: Broker, painter = painted): Promise<MqttOutput> {
  wishes = []
  const text = `device: ${device}\nstate_dir: ${folder}\nmqtt: { ${ownBroker ? '' : `url: "${url}",`} ${more} }
cameras: [{ name: front, source: test }, { name: rear, source: test }]`
  const config = parseConfig({ name: 'test.yaml', text }, {}, [])
  outbox = openOutbox(folder, config.outbox, log)
  state = await openState(config, {})
  output = connectMqtt(config, {
    own: ownBroker,
    outbox,
    state,
    updates: noUpdates,
    painter,
    log,
    setEnabled: (camera, yes) => wishes.push([camera, yes]),
  })
  return output
}
const connected = () => expect.poll(() => output!.counts().version, { timeout: 20_000 }).not.toBe('')

describe.each(['mosquitto', 'own'])('with the broker %s', (name) => {
  const url = () => (name === 'own' ? own.url : mosquitto.url)
  const openOne = (device: string) => open(url(), device, fast, name === 'own' ? own : undefined)

  test('every topic of the table carries its message', async () => {
    const device = `${name}-topics`
    listener = await subscribe(url(), `roadmask/${device}/#`)
    const out = await openOne(device)
    await connected()
    out.status(statusOf('front'))
    out.event(eventOf('front', 'why'))
    out.mask(maskOf('front', 7))
    await expect.poll(() => listener!.on(`roadmask/${device}/front/result`)).toHaveLength(1)
    const p = `roadmask/${device}`
    expect(listener.text(`${p}/available`)).toEqual(['online'])
    expect(listener.text(`${p}/front/enabled`)).toEqual(['ON'])
    expect(JSON.parse(listener.text(`${p}/front/status`)[0]!)).toEqual(statusOf('front'))
    expect(JSON.parse(listener.text(`${p}/front/event`)[0]!)).toEqual(eventOf('front', 'why'))
    expect(listener.on(`${p}/front/event`)[0]!.qos).toBe(1)
    expect(listener.text(`${p}/front/mask`)).toEqual(['mask 7'])
    expect(JSON.parse(listener.text(`${p}/front/result`)[0]!)).toEqual(maskOf('front', 7).result)
    expect(listener.heard.every(({ topic }) => topic.startsWith(p))).toBe(true)
  })

  test('who comes later finds the states, and offline after a clean end', async () => {
    const device = `${name}-retained`
    const out = await openOne(device)
    out.status(statusOf('rear', 'offline', 'starting')) // before there is a connection
    await connected()
    out.status(statusOf('front'))
    await expect.poll(() => out.counts().outbox.messages).toBe(0)
    listener = await subscribe(url(), `roadmask/${device}/#`)
    await expect.poll(() => listener!.heard.length).toBe(6)
    expect(listener.heard.every(({ retain }) => retain)).toBe(true)
    expect(JSON.parse(listener.text(`roadmask/${device}/rear/status`)[0]!).reason).toBe('starting')
    await out.close()
    await expect.poll(() => listener!.text(`roadmask/${device}/available`)).toEqual(['online', 'offline'])
  })

  test('cameras are switched by enabled/set', async () => {
    const device = `${name}-enabled`
    await openOne(device)
    await connected()
    listener = await subscribe(url(), 'nothing')
    for (const wish of ['OFF', 'on', 'perhaps'])
      listener.client.publish(`roadmask/${device}/rear/enabled/set`, wish, { qos: 1 })
    await expect.poll(() => wishes.length).toBe(2)
    expect(wishes).toEqual([
      ['rear', false],
      ['rear', true],
    ])
  })
})

describe('versions of MQTT', () => {
  test('on 5 the facts are also in properties', async () => {
    listener = await subscribe(mosquitto.url, 'roadmask/five/#', 5)
    const out = await open(mosquitto.url, 'five')
    out.status(statusOf('front'))
    await connected()
    expect(output!.counts().version).toBe('5')
    output!.mask(maskOf('front', 7))
    await expect.poll(() => listener!.on('roadmask/five/front/mask')).toHaveLength(1)
    const [mask] = listener.on('roadmask/five/front/mask')
    expect(mask).toMatchObject({
      contentType: 'image/png',
      userProperties: { frame: '7', captured_us: '1000007', model: 'run-1', region: '0,5,40,20', road_percent: '12.5' },
    })
    expect(listener.on('roadmask/five/front/status')[0]!.contentType).toBe('application/json')
  })

  test('a broker that knows only 3.1.1 is spoken to in 3.1.1', async () => {
    await open(own.url, 'fallback')
    await connected()
    expect(output!.counts().version).toBe('3.1.1')
  })
})

describe('without a connection', () => {
  test('nothing throws: masks are dropped and counted, events and states wait', async () => {
    const port = await freePort()
    const out = await open(`mqtt://127.0.0.1:${port}`, 'later')
    out.mask(maskOf('front', 1))
    out.event(eventOf('front', 'while away'))
    out.status(statusOf('front'))
    expect(out.counts().dropped.offline).toBe(2) // the mask and its result
    const broker = await startMosquitto(port)
    try {
      listener = await subscribe(broker.url, 'roadmask/later/#')
      await connected()
      await expect.poll(() => listener!.text('roadmask/later/front/event')).toHaveLength(1)
      expect(listener.on('roadmask/later/front/mask')).toEqual([])
      out.mask(maskOf('front', 6))
      await expect.poll(() => listener!.text('roadmask/later/front/mask')).toEqual(['mask 6'])
    } finally {
      await output!.close()
      await listener?.stop()
      await broker.stop()
    }
  })

  test('the states are told again after the broker was away', async () => {
    const port = await freePort()
    let broker = await startMosquitto(port)
    try {
      ;(await open(broker.url, 'again')).status(statusOf('front'))
      await connected()
      await broker.stop()
      await expect.poll(() => output!.counts().version).toBe('')
      output!.status(statusOf('front', 'offline', 'meanwhile'))
      broker = await startMosquitto(port)
      listener = await subscribe(broker.url, 'roadmask/again/#')
      await expect.poll(() => listener!.text('roadmask/again/available'), { timeout: 10_000 }).toEqual(['online'])
      await expect.poll(() => listener!.text('roadmask/again/front/status').join()).toContain('meanwhile')
    } finally {
      await output!.close()
      await listener?.stop()
      await broker.stop()
    }
  })

  test('a broker that refuses the password is asked again, and closing does not wait for it', async () => {
    const broker = await startMosquitto(undefined, 'allow_anonymous false')
    try {
      await open(broker.url, 'refused', 'username: a, password: b')
      await delay(300)
      expect(output!.counts().version).toBe('')
      await output!.close()
    } finally {
      await broker.stop()
    }
  })
})

describe('rates', () => {
  test('messages come evenly and on average at the rate, although frames come in steps', () => {
    let now = 0
    const allow = rateLimit(10, () => now)
    let gone = 0
    for (let i = 0; i < 300; i++) {
      now = (i * 1000) / 30
      if (allow()) gone++
    }
    expect(gone).toBe(100)
  })

  test('a quick limit keeps its rate of masks that come in batches', () => {
    let now = 0
    const allow = rateLimit(30, () => now)
    let gone = 0
    for (let i = 0; i < 480; i++) {
      now = Math.floor(i / 4) * 80 // 50 a second, four at a time
      if (allow()) gone++
    }
    expect(gone).toBeGreaterThan(280)
    expect(gone).toBeLessThan(296)
  })

  test('after a pause nothing is made up for', () => {
    let now = 0
    const allow = rateLimit(10, () => now)
    expect(allow()).toBe(true)
    now = 10_000
    expect([allow(), allow()]).toEqual([true, false])
    expect(rateLimit(0)()).toBe(false)
  })

  test('masks and results of the same rate are of the same frames', async () => {
    listener = await subscribe(mosquitto.url, 'roadmask/rates/#')
    await open(mosquitto.url, 'rates', 'masks_per_second: 20, results_per_second: 20')
    await connected()
    for (let frame = 1; frame <= 20; frame++) {
      output!.mask(maskOf('front', frame))
      await delay(15)
    }
    await delay(100)
    const masks = listener.text('roadmask/rates/front/mask').map((text) => Number(text.slice(5)))
    const results = listener.text('roadmask/rates/front/result').map((text) => JSON.parse(text).frame)
    expect(masks).toEqual(results)
    expect(masks.length).toBeGreaterThan(2)
    expect(masks.length).toBeLessThan(15)
  })
})

test('an overlay that was not painted, since a newer one was to be or it went wrong, is counted', async () => {
  const broken = async () => Promise.reject(new Error('broken'))
  const answers = [async () => undefined, broken, async () => Buffer.from('jpeg')]
  const painter = { overlay: async () => answers.shift()!() }
  const out = await open(mosquitto.url, 'busy', `${fast}, overlays_per_minute: 600`, undefined, painter)
  const listener = await subscribe(mosquitto.url, 'roadmask/busy/front/overlay')
  await connected()
  for (let frame = 1; frame <= 3; frame++) {
    out.mask(maskOf('front', frame, 10))
    await delay(150)
  }
  await expect.poll(() => listener.text('roadmask/busy/front/overlay')).toEqual(['jpeg'])
  await listener.stop()
  expect(out.counts().dropped).toEqual({ offline: 0, slow_link: 0, refused: 0, too_large: 0, not_painted: 2 })
})
