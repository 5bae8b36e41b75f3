// Who may talk to the broker, and as whom: a real Mosquitto with TLS, client certificates and an ACL, and clients that share
// a name.
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer as createPlainServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import { connectAsync } from 'mqtt'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { openLog } from '../../edge-agent/log.ts'
import { connectMqtt, type MqttOutput } from '../../edge-agent/publish/mqtt.ts'
import { reconnectDelayMs, tlsOptions } from '../../edge-agent/publish/mqtt-link.ts'
import { openOutbox } from '../../edge-agent/publish/outbox.ts'
import { parseConfig } from '../../edge-agent/settings/read-config.ts'
import { openState } from '../../edge-agent/state.ts'
import { eventOf, maskOf, noUpdates, statusOf } from './made-messages.ts'
import { freePort, type Mosquitto, type Subscriber, startMosquitto, subscribe } from './mosquitto.ts'

let dir: string
let secure: Mosquitto
let plain: Mosquitto
const closing: (() => Promise<void>)[] = []
const path = (name: string) => join(dir, name)

/** A certificate for a name, signed by the authority or by itself. */
function certify(name: string, authority?: string) {
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' })
  const key = [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-keyout',
    `${name}.key`,
    '-subj',
    `/CN=${name}`,
  ]
  if (!authority) return openssl('req', '-x509', '-days', '2', ...key, '-out', `${name}.pem`)
  openssl('req', '-new', ...key, '-addext', 'subjectAltName=IP:127.0.0.1', '-out', `${name}.csr`)
  const signed = ['-CA', `${authority}.pem`, '-CAkey', `${authority}.key`, '-CAcreateserial', '-days', '2']
  openssl('x509', '-req', '-in', `${name}.csr`, ...signed, '-extfile', 'san', '-out', `${name}.pem`)
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roadmask-'))
  await writeFile(path('san'), 'subjectAltName=IP:127.0.0.1')
  for (const authority of ['ca', 'other']) certify(authority)
  for (const name of ['broker', 'vehicle', 'depot']) certify(name, 'ca')
  await writeFile(
    path('acl'),
    'user vehicle\ntopic readwrite roadmask/vehicle/#\ntopic deny roadmask/vehicle/secret/event\nuser depot\ntopic read roadmask/#\n',
  )
  execFileSync('chmod', ['-R', 'a+rX', dir]) // Mosquitto may leave root
  secure = await startMosquitto(
    undefined,
    `allow_anonymous false\ncafile ${path('ca.pem')}\ncertfile ${path('broker.pem')}\nkeyfile ${path('broker.key')}
require_certificate true\nuse_identity_as_username true\nacl_file ${path('acl')}`,
  )
  plain = await startMosquitto()
})
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})
afterAll(async () => {
  await secure.stop()
  await plain.stop()
  await rm(dir, { recursive: true })
})

async function open(device: string, mqtt: string): Promise<MqttOutput> {
  const folder = await mkdtemp(join(tmpdir(), 'roadmask-'))
  const text = `device: ${device}\nstate_dir: ${folder}\nmqtt: { ${mqtt} }\ncameras: [{ name: front, source: test }, { name: secret, source: test }]`
  const config = parseConfig({ name: 'a', text }, {}, [])
  const log = openLog('fatal')
  const state = await openState(config, {})
  const outbox = openOutbox(folder, config.outbox, log)
  const output = connectMqtt(config, {
    own: undefined,
    outbox,
    state,
    updates: noUpdates,
    painter: { overlay: async () => undefined },
    log,
    setEnabled() {},
  })
  closing.push(async () => {
    await output.close()
    await outbox.close()
    state.close()
    await rm(folder, { recursive: true })
  })
  return output
}
const tls = (more = `cert: ${path('vehicle.pem')}, key: ${path('vehicle.key')}`, ca = 'ca') =>
  `url: "mqtts://127.0.0.1:${secure.port}", ca: ${path(`${ca}.pem`)}, ${more}`
const version = (output: MqttOutput) => expect.poll(() => output.counts().version, { timeout: 20_000 })
const problem = (output: MqttOutput, timeout = 20_000) => expect.poll(() => output.counts().problem, { timeout })

/** Listens as the depot, which may read only. */
async function depot(topic: string): Promise<Subscriber> {
  const options = {
    ca: readFileSync(path('ca.pem')),
    cert: readFileSync(path('depot.pem')),
    key: readFileSync(path('depot.key')),
  }
  const listener = await subscribe(`mqtts://127.0.0.1:${secure.port}`, topic, 5, options)
  closing.push(() => listener.stop())
  return listener
}

describe('TLS with certificates of both sides, and an ACL', () => {
  test.each(['3.1.1', '5'])('MQTT %s carries all that the ACL lets through', async (spoken) => {
    const listener = await depot('roadmask/vehicle/#')
    const out = await open('vehicle', `${tls()}, version: "${spoken}"`)
    await version(out).toBe(spoken)
    out.status(statusOf('front'))
    out.event(eventOf('front', spoken))
    await expect
      .poll(() => listener.text('roadmask/vehicle/front/event').map((text) => JSON.parse(text).detail), { timeout: 20_000 })
      .toEqual([spoken])
    out.mask(maskOf('front', 7)) // of masks some are dropped while the link is busy
    await expect.poll(() => listener.text('roadmask/vehicle/front/mask')).toEqual(['mask 7'])
    expect(out.counts().sent_bytes).toMatchObject({
      available: 'roadmask/vehicle/available'.length + 'online'.length,
      mask: 'roadmask/vehicle/front/mask'.length + 'mask 7'.length,
    })
  })

  test('on 5 the broker says what it refuses: that is counted and said, and what follows goes on', async () => {
    const listener = await depot('roadmask/vehicle/#')
    const out = await open('vehicle', `${tls()}, version: "5"`)
    await version(out).toBe('5')
    out.event(eventOf('secret', 'one'))
    out.event(eventOf('front', 'two'))
    await expect.poll(() => listener.text('roadmask/vehicle/front/event')).toHaveLength(1)
    await expect.poll(() => out.counts().outbox.messages).toBe(0) // the broker's word to us may come later than its word to others
    expect(out.counts().dropped.refused).toBe(1)
    expect(out.counts().problem).toBe(
      'The broker refuses messages on roadmask/vehicle/secret/event: Publish error: Not authorized',
    )
  })

  test.each([
    ['a broker of an authority that is not trusted', () => tls(undefined, 'other'), /certificate|self.signed|verify/],
    ['no certificate of its own', () => tls('version: "5"'), /certificate|handshake|closed|reset/i],
  ])('%s: no connection, and the reason is said', async (_, mqtt, reason) => {
    const out = await open('vehicle', mqtt())
    await problem(out).toMatch(reason)
    expect(out.counts().version).toBe('')
  })

  test('the protocol that the settings name is asked for in TLS', async () => {
    const server = createServer({
      cert: readFileSync(path('broker.pem')),
      key: readFileSync(path('broker.key')),
      ALPNProtocols: ['x-amzn-mqtt-ca'],
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    await open('vehicle', `url: "mqtts://127.0.0.1:${port}", ca: ${path('ca.pem')}, alpn: x-amzn-mqtt-ca`)
    const [socket] = await once(server, 'secureConnection')
    expect(socket.alpnProtocol).toBe('x-amzn-mqtt-ca')
    socket.destroy()
    server.close()
  })

  test.each([
    ['mqtts://a1-ats.iot.eu-west-1.amazonaws.com:443', 'cert: CERT, key: KEY', ['x-amzn-mqtt-ca']],
    ['mqtts://a1-ats.iot.eu-west-1.amazonaws.com:443', 'username: a, password: b', ['mqtt']],
    ['mqtts://a1-ats.iot.eu-west-1.amazonaws.com:8883', 'cert: CERT, key: KEY', undefined],
    ['mqtts://broker.example.com:443', 'cert: CERT, key: KEY', undefined],
  ])('AWS IoT Core on port 443 gets the protocol that it wants: %s, %s', (url, more, protocols) => {
    const files = more.replace('CERT', path('vehicle.pem')).replace('KEY', path('vehicle.key'))
    const { mqtt } = parseConfig({ name: 'a', text: `mqtt: { url: "${url}", ${files} }` }, {}, [])
    expect(tlsOptions(mqtt).ALPNProtocols).toEqual(protocols)
  })
})

describe('two of one name', () => {
  test('a broker of 5 that tells of it is believed at once, and left alone for a good while', async () => {
    let connections = 0
    // Mosquitto 2.0 hangs up without the reason, so this side of it is written by hand.
    const server = createPlainServer((socket) => {
      connections++
      socket.on('error', () => {})
      socket.once('data', () => {
        socket.write(Buffer.from('2003000000', 'hex')) // CONNACK, success
        setTimeout(() => socket.end(Buffer.from('e0028e00', 'hex')), 200) // DISCONNECT, session taken over
      })
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    closing.push(async () => void server.close())
    const out = await open(
      'one',
      `url: "mqtt://127.0.0.1:${(server.address() as AddressInfo).port}", client_id: same, version: "5"`,
    )
    await problem(out).toContain('Another client has the client id same. Give each agent')
    await new Promise((resolve) => setTimeout(resolve, 4000)) // twice what it waits after any other loss
    expect(connections).toBe(1)
  })

  test('where the broker gives no reason it is noticed by what happens', async () => {
    const same = `url: "${plain.url}", client_id: both, version: "3.1.1"`
    const first = await open('one', same)
    await version(first).toBe('3.1.1')
    const second = await open('two', same)
    const said = () => [first, second].some((out) => out.counts().problem.includes('another client has the client id both'))
    await expect.poll(said, { timeout: 60_000 }).toBe(true)
  })

  test.each(['3.1.1', '5'])('the same device by another id is noticed on %s', async (spoken) => {
    const one = await open('twin', `url: "${plain.url}", version: "${spoken}"`)
    await version(one).toBe(spoken)
    await open('twin', `url: "${plain.url}", version: "${spoken}"`)
    await problem(one).toContain('Another agent publishes as device twin')
  })

  test.each(['3.1.1', '5'])('alone, nothing is said; the late will of a lost connection is set right (%s)', async (spoken) => {
    const listener = await subscribe(plain.url, 'roadmask/alone/available')
    closing.push(() => listener.stop())
    const out = await open('alone', `url: "${plain.url}", version: "${spoken}"`)
    await expect.poll(() => listener.text('roadmask/alone/available').at(-1)).toBe('online')
    const other = await connectAsync(plain.url)
    await other.publishAsync('roadmask/alone/available', 'offline', { retain: true })
    await other.endAsync()
    await expect.poll(() => listener.text('roadmask/alone/available').slice(-2)).toEqual(['offline', 'online'])
    expect(out.counts().problem).toBe('')
  })
})

test('tries come later and later, at random, and much later against one of the same name', () => {
  const between = (failures: number, takeovers = 0) => [0, 1].map((random) => reconnectDelayMs(failures, takeovers, random))
  expect(between(0)).toEqual([1000, 2000])
  expect(between(3)).toEqual([8000, 16_000])
  expect(between(1000)).toEqual([30_000, 60_000])
  expect(between(0, 1)).toEqual([30_000, 60_000])
  expect(between(0, 100)).toEqual([450_000, 900_000])
})

test('a message larger than the broker takes stays here, counted', async () => {
  const port = await freePort()
  const broker = await startMosquitto(port, 'allow_anonymous true\nmax_packet_size 2000')
  closing.push(() => broker.stop())
  const listener = await subscribe(broker.url, 'roadmask/large/#', 5)
  closing.push(() => listener.stop())
  const out = await open('large', `url: "${broker.url}", version: "5", masks_per_second: 1000`)
  await version(out).toBe('5')
  await expect.poll(() => listener.text('roadmask/large/available')).toEqual(['online'])
  out.mask({ ...maskOf('front', 1), mask: new Uint8Array(3000) })
  expect(out.counts().dropped.too_large).toBe(1)
})
