// Who gets in, and what for: over real HTTP, WebSockets and MQTT.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { connectAsync, connect as connectMqtt, type MqttClient } from 'mqtt'
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { WebSocket } from 'ws'
import { greet } from '../../edge-agent/greeting.ts'
import { openLog } from '../../edge-agent/log.ts'
import { type Broker, openBroker } from '../../edge-agent/publish/broker.ts'
import { mostMessages, mostSessions } from '../../edge-agent/publish/broker-store.ts'
import { hashToken, makeToken, openAccess } from '../../edge-agent/serve/access.ts'
import { countAttempts } from '../../edge-agent/serve/attempts.ts'
import { proofHeader } from '../../edge-agent/serve/door.ts'
import { checkPassword, hashPassword, nobodysHash } from '../../edge-agent/serve/passwords.ts'
import { parseConfig } from '../../edge-agent/settings/read-config.ts'
import { writeBrightBundle } from '../bright-bundle.ts'
import { type MadeSite, memoryStore, openMadeSite } from './made-site.ts'
import { type RunningAgent, startAgent } from './running-agent.ts'

const token = { viewer: makeToken(), operator: makeToken() }
let closed: string
let made: MadeSite | undefined
const open = async (text: string, store = memoryStore()) => {
  made = await openMadeSite(text, store)
  return made
}
const bearer = (text: string) => ({ headers: { authorization: `Bearer ${text}` } })

beforeAll(async () => {
  const [ann, bob] = await Promise.all([hashPassword('correct horse'), hashPassword('battery staple')])
  closed = JSON.stringify({
    access: {
      users: [
        { name: 'ann', role: 'operator', password: ann },
        { name: 'bob', role: 'viewer', password: bob },
      ],
      tokens: [
        { name: 'prometheus', role: 'viewer', sha256: hashToken(token.viewer) },
        { name: 'script', role: 'operator', sha256: hashToken(token.operator) },
      ],
    },
  })
})
afterEach(async () => {
  await made?.close()
  made = undefined
})

const post = (body: unknown, headers = {}): RequestInit => ({
  method: 'POST',
  body: JSON.stringify(body),
  headers: { 'content-type': 'application/json', ...headers },
})

/** Signs in as a browser does: cookie and proof. */
async function signIn({ ask }: MadeSite, name: string, password: string) {
  const response = await ask('api/session', post({ name, password }))
  const { proof, ...told } = (await response.json()) as { proof: string }
  const cookie = response.headers.get('set-cookie') ?? ''
  return { status: response.status, told, proof, cookie: cookie.split(';')[0]!, attributes: cookie }
}

const everyPath = [
  'api/cameras',
  'api/cameras/front',
  'api/cameras/front/mask.png',
  'api/cameras/front/picture.jpg',
  'api/cameras/front/overlay.mjpg',
  'api/stats',
  'api/config',
  'api/openapi.json',
  'api/session',
  'api/what-may-come',
]

describe('while nobody is configured', () => {
  test('this machine alone gets in, without a password', async () => {
    const { ask, fresh } = await open('')
    expect(fresh).toBeUndefined()
    expect((await ask('api/config')).status).toBe(200)
    expect(await (await ask('api/session')).json()).toEqual({ name: 'local', role: 'operator' })
  })

  test('opening it to the network makes an operator token once, of which only the hash is kept', async () => {
    const store = memoryStore()
    const { ask, fresh } = await open('http: { host: 0.0.0.0 }', store)
    expect(fresh).toMatch(/^rmt_[\w-]{43}$/)
    expect(JSON.stringify(store.read('operator-token'))).not.toContain(fresh)
    expect((await ask('api/cameras')).status).toBe(401)
    expect((await ask('api/config', bearer(fresh!))).status).toBe(200)
    await made!.close()
    const again = await open('http: { host: 0.0.0.0 }', store)
    expect(again.fresh).toBeUndefined()
    expect((await again.ask('api/config', bearer(fresh!))).status).toBe(200)
  })

  test('health is told to everyone, cameras are not', async () => {
    const { ask } = await open('http: { host: 0.0.0.0 }')
    expect((await ask('healthz')).status).toBe(200)
    expect(await (await ask('readyz')).json()).toEqual({ ready: true, model: 'ready' })
    expect((await ask('')).status).toBe(200) // the page, which asks to sign in
  })
})

describe('a closed door', () => {
  test('lets nobody in unknown, by whatever path, and says how to', async () => {
    const { ask } = await open(closed)
    for (const path of [...everyPath, 'metrics']) {
      for (const init of [{}, bearer('rmt_wrong'), { headers: { cookie: 'roadmask_session=wrong' } }]) {
        const response = await ask(path, init)
        expect(response.status, path).toBe(401)
        expect(response.headers.get('www-authenticate')).toBe('Bearer')
      }
    }
    expect(await (await ask('api/cameras')).json()).toEqual({
      title: 'Unauthorized',
      status: 401,
      detail: 'Sign in on the page, or send "Authorization: Bearer TOKEN"',
    })
  })

  test('is found behind whatever spelling of an address', async () => {
    const { site } = await open(closed)
    const statusOf = async (target: string, headers = {}) => {
      const request = httpRequest({ host: '127.0.0.1', port: site.port, path: target, headers }).end()
      const [response] = (await once(request, 'response')) as [IncomingMessage]
      return response.resume().statusCode
    }
    const spellings = [
      '/%61pi/config',
      '//api/config',
      '/api//config',
      '/./api/config',
      '/dashboard/../api/config',
      '/api/config/',
      '/API/config',
    ]
    const absolute = `http://127.0.0.1:${site.port}/api/config`
    for (const path of [...spellings, '/dashboard/..%2fapi/config', '/%6detrics', absolute])
      expect(await statusOf(path), path).toBe(401)
    const viewer = bearer(token.viewer).headers
    for (const path of ['/%61pi/config', '/api/%63onfig', absolute]) expect(await statusOf(path, viewer), path).toBe(403)
  })

  test('lets a viewer see and change nothing', async () => {
    const { ask, switched } = await open(closed)
    const viewer = bearer(token.viewer)
    expect((await ask('api/cameras', viewer)).status).toBe(200)
    for (const [path, init] of [
      ['api/config', {}],
      ['api/cameras/front/enabled', post({ enabled: false })],
      ['api/reload', { method: 'POST' }],
      ['api/what-may-come', { method: 'PUT' }],
    ] as const) {
      const response = await ask(path, { ...init, headers: { ...init, ...viewer.headers } as Record<string, string> })
      expect(response.status, path).toBe(403)
      expect(await response.json()).toMatchObject({ detail: 'This takes an operator; prometheus is a viewer' })
    }
    expect(switched).toEqual([])
  })

  test('lets an operator switch a camera', async () => {
    const { ask, switched } = await open(closed)
    const { headers } = bearer(token.operator)
    expect((await ask('api/cameras/front/enabled', post({ enabled: false }, headers))).status).toBe(200)
    expect(switched).toEqual([['front', false]])
  })

  test('is the same for WebSockets', async () => {
    const { site } = await open(closed)
    const url = new URL('ws', site.url.replace('http', 'ws'))
    const [, response] = (await once(new WebSocket(url), 'unexpected-response')) as [unknown, { statusCode: number }]
    expect(response.statusCode).toBe(401)
    const socket = new WebSocket(url, bearer(token.viewer))
    await once(socket, 'open')
  })

  test('breaks off what was open when its session ends', async () => {
    const { ask, site } = await open(closed)
    const { cookie, proof } = await signIn(made!, 'bob', 'battery staple')
    const socket = new WebSocket(new URL('ws', site.url.replace('http', 'ws')), { headers: { cookie } })
    await once(socket, 'open')
    const stream = await ask('api/cameras/front/picture.mjpg', { headers: { cookie } })
    const ended = stream.body!.pipeTo(new WritableStream()).catch(() => 'broken off')
    const other = new WebSocket(new URL('ws', site.url.replace('http', 'ws')), bearer(token.operator))
    await once(other, 'open')
    const gone = once(socket, 'close')
    expect((await ask('api/session', { method: 'DELETE', headers: { cookie, [proofHeader]: proof } })).status).toBe(204)
    await gone
    expect(await ended).toBe('broken off')
    expect(other.readyState).toBe(WebSocket.OPEN)
  })

  test('is closed for whoever is no longer in the settings', async () => {
    const { ask, access } = await open(closed)
    expect((await ask('api/cameras', bearer(token.viewer))).status).toBe(200)
    const changed = JSON.parse(closed)
    changed.access.tokens.shift()
    access.settings(parseConfig({ name: 'b.yaml', text: JSON.stringify(changed) }, {}, []))
    expect((await ask('api/cameras', bearer(token.viewer))).status).toBe(401)
    expect((await ask('api/cameras', bearer(token.operator))).status).toBe(200)
  })
})

describe('a session', () => {
  test('begins with name and password, is a cookie that scripts and other sites cannot use, and ends', async () => {
    const { ask } = await open(closed)
    const { told, cookie, attributes, proof } = await signIn(made!, 'bob', 'battery staple')
    expect(told).toEqual({ name: 'bob', role: 'viewer' })
    expect(attributes).toMatch(/HttpOnly/)
    expect(attributes).toMatch(/SameSite=Strict/)
    expect(attributes).not.toMatch(/Secure/) // over plain HTTP it would never come back
    expect(await (await ask('api/session', { headers: { cookie } })).json()).toEqual({ name: 'bob', role: 'viewer', proof })
    expect((await ask('api/cameras', { headers: { cookie } })).status).toBe(200)
    const gone = await ask('api/session', { method: 'DELETE', headers: { cookie, [proofHeader]: proof } })
    expect([gone.status, gone.headers.get('set-cookie')]).toEqual([204, expect.stringContaining('Max-Age=0')])
    expect((await ask('api/cameras', { headers: { cookie } })).status).toBe(401)
  })

  test('changes something only with the proof that our page can read and no other', async () => {
    const { ask, switched } = await open(closed)
    const { cookie, proof } = await signIn(made!, 'ann', 'correct horse')
    const other = await signIn(made!, 'ann', 'correct horse')
    for (const headers of [{ cookie }, { cookie, [proofHeader]: 'x' }, { cookie, [proofHeader]: other.proof }])
      expect((await ask('api/cameras/front/enabled', post({ enabled: false }, headers))).status).toBe(403)
    expect(switched).toEqual([])
    expect((await ask('api/cameras/front/enabled', post({ enabled: false }, { cookie, [proofHeader]: proof }))).status).toBe(
      200,
    )
  })

  test('begins with a token as well, and outlives a restart but not its password', async () => {
    const store = memoryStore()
    await open(closed, store)
    const ann = await signIn(made!, 'ann', 'correct horse')
    const script = await signIn(made!, '', token.operator)
    expect(script.told).toEqual({ name: 'script', role: 'operator' })
    await made!.close()
    const changed = JSON.parse(closed)
    changed.access.users[0].password = await hashPassword('another one')
    const { ask } = await open(JSON.stringify(changed), store)
    expect((await ask('api/cameras', { headers: { cookie: script.cookie } })).status).toBe(200)
    expect((await ask('api/cameras', { headers: { cookie: ann.cookie } })).status).toBe(401)
  })

  test('does not begin with a wrong word, and guessing is held up', async () => {
    const { ask } = await open(closed)
    expect((await signIn(made!, 'ann', 'battery staple')).status).toBe(401)
    expect((await signIn(made!, 'eve', 'correct horse')).status).toBe(401)
    for (let i = 0; i < 3; i++) await signIn(made!, '', 'rmt_wrong')
    const held = await ask('api/session', post({ name: 'ann', password: 'correct horse' }))
    expect(held.status).toBe(429)
    expect(Number(held.headers.get('retry-after'))).toBeGreaterThan(0)
  })

  test.each([
    ['nothing', { method: 'POST', headers: { 'content-type': 'application/json' } }, 400],
    ['no JSON', { method: 'POST', body: '{', headers: { 'content-type': 'application/json' } }, 400],
    ['a form', { method: 'POST', body: 'name=ann', headers: { 'content-type': 'application/x-www-form-urlencoded' } }, 415],
    ['something else', post({ user: 'ann' }), 400],
    ['too much', post({ name: 'ann', password: 'x'.repeat(100_000) }), 413],
  ])('refuses %s with a problem', async (_, init, status) => {
    const { ask } = await open(closed)
    const response = await ask('api/session', init)
    expect(response.status).toBe(status)
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    const detail = status === 415 ? /^Expected JSON with "content-type: application\/json", found application\/x-www/ : /./
    expect(await response.json()).toMatchObject({ status, detail: expect.stringMatching(detail) })
  })
})

describe('hashes', () => {
  test('are of the password alone', async () => {
    const hash = await hashPassword('Straße é')
    expect(await checkPassword('Straße é', hash)).toBe(true)
    expect(await checkPassword('Strasse é', hash)).toBe(false)
    expect(await hashPassword('Straße é')).not.toBe(hash)
    expect(await checkPassword('', nobodysHash)).toBe(false)
  })

  test('waits grow with each failure, are forgotten after a success, and count a whole IPv6 network as one', () => {
    let now = 0
    const attempts = countAttempts(() => now)
    const fail = (address: string, times: number) => {
      for (let i = 0; i < times; i++) attempts.failed(address)
    }
    fail('10.0.0.1', 4)
    expect(attempts.wait('10.0.0.1')).toBe(0)
    fail('10.0.0.1', 1)
    expect(attempts.wait('::ffff:10.0.0.1')).toBe(2)
    fail('10.0.0.1', 20)
    expect(attempts.wait('10.0.0.1')).toBe(900)
    expect(attempts.wait('10.0.0.2')).toBe(0)
    now += 901_000
    expect(attempts.wait('10.0.0.1')).toBe(0)
    attempts.succeeded('10.0.0.1')
    fail('10.0.0.1', 1)
    expect(attempts.wait('10.0.0.1')).toBe(0)
    fail('2001:db8::1', 5)
    expect(attempts.wait('2001:db8:0:0:7::9')).toBeGreaterThan(0)
    expect(attempts.wait('2001:db8:0:1::1')).toBe(0)
  })
})

describe("the agent's own broker", () => {
  let broker: Broker | undefined
  afterEach(async () => broker?.close())
  const openClosed = async (text: string) => {
    const config = parseConfig({ name: 'agent.yaml', text }, {}, [])
    const access = openAccess(config, memoryStore(), openLog('fatal'))
    broker = await openBroker({ ...config.broker, port: 0 }, access)
    return { access, broker }
  }
  const join = (username?: string, password?: string) =>
    connectAsync(broker!.url, {
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
      reconnectPeriod: 0,
    })

  test('is as closed as the page: opened without users it takes the operator token', async () => {
    const { access } = await openClosed('broker: { host: 0.0.0.0 }')
    await expect(join()).rejects.toThrow('Bad username or password')
    await expect(join('operator', 'rmt_wrong')).rejects.toThrow('Bad username or password')
    const client = await join('', access.fresh)
    await client.publishAsync('roadmask/d/front/enabled/set', 'OFF', { qos: 1 })
    await client.endAsync()
  })

  test('lets go of a stranger who sends without an end', async () => {
    const { broker } = await openClosed(closed)
    const socket = connect(broker.port, '127.0.0.1')
    socket.on('error', () => {})
    socket.write(Buffer.from([0x10, 0xff, 0xff, 0xff, 0x7f])) // CONNECT of 256 MB
    const feed = setInterval(() => socket.writable && socket.write(Buffer.alloc(64 * 1024)), 10)
    await new Promise<void>((gone) => socket.once('close', () => gone()))
    clearInterval(feed)
    expect(socket.bytesWritten).toBeLessThan(2 ** 22)
  })

  /** Resolves when the broker hangs up. */
  const hungUp = (client: MqttClient) => new Promise<void>((gone) => client.once('close', () => gone()))

  test('takes no packet beyond a bound, and the largest of the agent', async () => {
    const { broker } = await openClosed('')
    const [agent, reader, other] = await Promise.all([join(broker.login.username, broker.login.password), join(), join()])
    const heard: number[] = []
    reader.on('message', (_, payload) => heard.push(payload.length))
    await reader.subscribeAsync('#')
    for (let i = 0; i < 4; i++) await other.publishAsync('a', Buffer.alloc(900_000), { qos: 1 }) // one is no other
    await agent.publishAsync('b', Buffer.alloc(5_000_000), { qos: 1 })
    await expect.poll(() => heard).toEqual([900_000, 900_000, 900_000, 900_000, 5_000_000])
    const gone = hungUp(other)
    other.publish('a', Buffer.alloc(5_000_000))
    await gone
    await Promise.all([agent.endAsync(), reader.endAsync()])
    expect(heard).toHaveLength(5)
  })

  test('retains so many messages of others, and always those of the agent', async () => {
    const { broker } = await openClosed('')
    const [agent, other] = await Promise.all([join(broker.login.username, broker.login.password), join()])
    const big = Buffer.alloc(900_000)
    for (let i = 0; i < 9; i++) await other.publishAsync(`a/${i}`, big, { qos: 1, retain: true })
    await other.publishAsync('a/0', big, { qos: 1, retain: true }) // again is not one more
    const gone = hungUp(other)
    other.publish('a/9', big, { qos: 1, retain: true })
    await gone
    await agent.publishAsync('roadmask/d/available', 'online', { qos: 1, retain: true })
    await agent.publishAsync('a/0', '', { qos: 1, retain: true })
    const reader = await join()
    const topics = new Set<string>()
    reader.on('message', (topic) => topics.add(topic))
    await reader.subscribeAsync('#')
    const kept = [1, 2, 3, 4, 5, 6, 7, 8].map((i) => `a/${i}`)
    await expect.poll(() => [...topics].sort()).toEqual([...kept, 'roadmask/d/available'])
    await Promise.all([agent.endAsync(), reader.endAsync()])
  })

  test('keeps for who is away as much as fits, and forgets those who were away for the longest', async () => {
    const { broker } = await openClosed('')
    const away = async (clientId: string) => {
      const client = await connectAsync(broker.url, { clientId, clean: false, reconnectPeriod: 0 })
      await client.subscribeAsync('e', { qos: 1 })
      await client.endAsync()
    }
    const back = async (clientId: string) => {
      const client = connectMqtt(broker.url, { clientId, clean: false, reconnectPeriod: 0 })
      const heard: string[] = []
      client.on('message', (_, payload) => heard.push(payload.toString()))
      const sessionPresent = await new Promise<boolean>((known) => client.once('connect', (ack) => known(ack.sessionPresent)))
      return { client, heard, sessionPresent }
    }
    await away('first')
    await away('second')
    const agent = await join(broker.login.username, broker.login.password)
    for (let i = 1; i <= mostMessages + 50; i++) await agent.publishAsync('e', String(i), { qos: 1 })
    const first = await back('first')
    expect(first.sessionPresent).toBe(true)
    await expect.poll(() => first.heard.length, { timeout: 20_000 }).toBe(mostMessages)
    expect(first.heard).toEqual(Array.from({ length: mostMessages }, (_, i) => String(i + 1)))
    await agent.publishAsync('e', 'now', { qos: 1 }) // there is room again
    await expect.poll(() => first.heard.at(-1)).toBe('now')
    for (let i = 0; i < mostSessions; i++) await away(`more-${i}`)
    const second = await back('second')
    expect(second.sessionPresent).toBe(false)
    await agent.publishAsync('e', 'later', { qos: 1 })
    await expect.poll(() => first.heard.at(-1)).toBe('later')
    expect(second.heard).toEqual([])
    await Promise.all([agent, first.client, second.client].map((client) => client.endAsync()))
  })

  test('holds nobody up for a client that does not read', async () => {
    const { broker } = await openClosed('')
    const stalled = connect(broker.port, '127.0.0.1').on('error', () => {})
    const connectPacket = [0x10, 13, 0, 4, ...Buffer.from('MQTT'), 4, 2, 0, 0, 0, 1, 0x73]
    stalled.write(Buffer.from([...connectPacket, 0x82, 6, 0, 1, 0, 1, 0x23, 1])) // as "s", subscribed to #
    const [agent, reader] = await Promise.all([join(broker.login.username, broker.login.password), join()])
    let heard = 0
    reader.on('message', () => heard++)
    await reader.subscribeAsync('#')
    const mask = Buffer.alloc(100_000)
    for (let sent = 1; sent <= 400; sent++) {
      agent.publish('roadmask/d/front/mask', mask)
      if (sent % 20 === 0) await expect.poll(() => heard, { timeout: 5000 }).toBe(sent)
    }
    await agent.publishAsync('roadmask/d/front/event', '{}', { qos: 1 })
    await expect.poll(() => heard).toBe(401)
    stalled.destroy()
    await Promise.all([agent.endAsync(), reader.endAsync()])
  })

  test('lets a viewer subscribe and not publish', async () => {
    const { broker } = await openClosed(closed)
    const agent = await join(broker.login.username, broker.login.password)
    const viewer = await join('bob', 'battery staple')
    const heard: string[] = []
    viewer.on('message', (topic) => heard.push(topic))
    await viewer.subscribeAsync('#')
    await agent.publishAsync('roadmask/d/front/result', '{}', { qos: 1 })
    await expect.poll(() => heard).toEqual(['roadmask/d/front/result'])
    const out = new Promise<void>((done) => viewer.once('close', done))
    viewer.publish('roadmask/d/front/enabled/set', 'OFF')
    await out
    const operator = await join('ann', 'correct horse')
    await operator.publishAsync('roadmask/d/front/enabled/set', 'OFF', { qos: 1 })
    await Promise.all([agent.endAsync(), operator.endAsync()])
  })
})

describe('the program', () => {
  test('opened to the network prints an operator token, once and beside the log', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'roadmask-'))
    await writeBrightBundle(join(dir, 'bundle'), { width: 96, height: 64 })
    const config = `device: opened\nstate_dir: ${join(dir, 'kept')}\nbundle: ${join(dir, 'bundle')}\nbroker: { port: 0 }
http: { host: 0.0.0.0 }\ncameras: [{ name: front, source: test }]`
    const env = { ROADMASK_STATE_DIR: '' } // the one of the file, which outlives this agent
    const first = await startAgent(config, [], env)
    const printed = first.log.flatMap(({ msg }) => /rmt_[\w-]{43}/.exec(msg) ?? [])
    expect(printed).toHaveLength(1)
    expect(first.log.map(({ msg }) => msg).join('\n')).toContain('password for the own broker too')
    const own = Object.values(networkInterfaces()).flatMap((all) => all!.filter(({ internal }) => !internal))
    if (own.length) expect(own.map(({ address }) => address)).toContain(new URL(first.url).hostname)
    expect(first.log.filter(({ level }) => level).some((line) => JSON.stringify(line).includes(printed[0]!))).toBe(false)
    const cameras = (agent: RunningAgent, init = {}) => fetch(new URL('api/cameras', agent.url), init)
    expect((await cameras(first)).status).toBe(401)
    expect((await cameras(first, bearer(printed[0]!))).status).toBe(200)
    await first.stop()
    const second = await startAgent(config, [], env)
    expect(second.log.filter(({ msg }) => msg.includes('rmt_'))).toEqual([])
    expect((await cameras(second, bearer(printed[0]!))).status).toBe(200)
    await second.stop()
    await rm(dir, { recursive: true })
  })

  test("says of the token only what it is good for: another's broker does not know it", async () => {
    const said = vi.spyOn(process.stdout, 'write').mockReturnValue(true)
    const { site, access } = await open('http: { host: 0.0.0.0 }')
    const config = parseConfig({ name: 'a.yaml', text: 'mqtt: { url: mqtt://10.0.0.2 }' }, {}, [])
    const places = { page: site, broker: 'mqtt://10.0.0.2', model: 'm', access, file: '/nowhere.yaml' }
    await greet(openLog('fatal'), config, places)
    expect(String(said.mock.calls)).toContain('Sign in with it on the page')
    expect(String(said.mock.calls)).not.toContain('broker')
    said.mockRestore()
  })

  const run = async (args: string[], input = '') => {
    const program = spawn(process.execPath, ['build/edge-agent/main.js', ...args])
    program.stdin.end(input)
    const [out, complaints, [code]] = await Promise.all([text(program.stdout), text(program.stderr), once(program, 'close')])
    return { out, complaints, code }
  }

  test('makes lines for the config, which let in whom they should', async () => {
    const user = await run(['user', 'ann', '--role', 'operator'], 'correct horse\n')
    const { users } = parseConfig({ name: 'a.yaml', text: user.out }, {}, []).access
    expect(users).toMatchObject([{ name: 'ann', role: 'operator' }])
    expect(await checkPassword('correct horse', users[0]!.password)).toBe(true)
    expect(user.out + user.complaints).not.toContain('correct horse')

    const token = await run(['token', 'prometheus', '--role=viewer'])
    const { tokens } = parseConfig({ name: 'a.yaml', text: token.out }, {}, []).access
    expect(tokens).toEqual([{ name: 'prometheus', role: 'viewer', sha256: hashToken(/rmt_[\w-]+/.exec(token.complaints)![0]) }])
    expect(token.out).not.toContain('rmt_')
  })

  test.each([
    ['no role', ['user', 'ann'], 'Expected user NAME --role viewer, or --role operator'],
    ['another role', ['token', 'ann', '--role', 'boss'], 'The role of the token: Invalid option'],
    ['a name with a space', ['token', 'a b', '--role', 'viewer'], 'The name of the token: letters, digits'],
    ['a short password', ['user', 'ann', '--role', 'viewer'], 'Expected a password of at least 8 characters, found 5'],
  ])('refuses %s', async (_, args, message) => {
    const { complaints, code, out } = await run(args, 'short\n')
    expect(complaints).toContain(message)
    expect([code, out]).toEqual([1, ''])
  })
})
