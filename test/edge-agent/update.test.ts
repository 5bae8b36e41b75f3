// Models over the air as a device takes them: a real agent, Mosquitto, a web server, and bundles that are right or wrong.
import { createHash, randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { modelFile, openBundle, writeBundle } from '../../deploy/bundle.ts'
import type { Envelope } from '../../deploy/release.ts'
import { type UpdateState, updateTopics } from '../../edge-agent/wire.ts'
import { writeBrightBundle } from '../bright-bundle.ts'
import { type FileServer, makeKey, serveFiles, signBundle, trusting } from './made-release.ts'
import { type Mosquitto, type Subscriber, startMosquitto, subscribe } from './mosquitto.ts'
import { type RunningAgent, startAgent } from './running-agent.ts'

const key = makeKey()
const topic = updateTopics('roadmask', 'd')
let dir: string
let mosquitto: Mosquitto
let listener: Subscriber
let files: FileServer
let agent: RunningAgent
const settings = () => `device: d
bundle: ${join(dir, 'first')}
mqtt: { url: "${mosquitto.url}" }
cameras: [{ name: front, source: test, width: 320, height: 240, fps: 5 }]
update: { keys: ${join(dir, 'keys.json')}, groups: [north], limits: { shadow_seconds: 0 } }`
const start = () => startAgent(settings(), ['--state_dir', join(dir, 'state')])

const states = () => listener.on(topic.state).map(({ payload }) => JSON.parse(payload.toString()) as UpdateState)
const state = () => states().at(-1)
const offer = (release: Envelope, folder: string, to = topic.set) =>
  listener.client.publishAsync(to, JSON.stringify({ release, url: `${files.url}${folder}` }), { qos: 1, retain: true })
const withdraw = (to = topic.set) => listener.client.publishAsync(to, '', { qos: 1, retain: true })
const trust = (keys: unknown) => writeFile(join(dir, 'keys.json'), JSON.stringify(keys))
/** What stands there of models: whole, half or to be fetched. */
const models = () =>
  readdirSync(join(dir, 'state'), { recursive: true, encoding: 'utf8' }).filter((path) => /^models\/(?!incoming$)/.test(path))

/** A bundle of its own name, with so many bytes beside the model. */
async function makeBundle(name: string, bytes = 3_000_000) {
  const bundle = join(dir, name)
  const { manifest } = await openBundle(join(dir, 'first'))
  const { files: _, format: __, version: ___, ...rest } = manifest
  const model = await readFile(join(dir, 'first', modelFile))
  await writeBundle(bundle, { ...rest, name }, { [modelFile]: model, 'card/weights.bin': randomBytes(bytes) })
  return bundle
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roadmask-'))
  await writeBrightBundle(join(dir, 'first'), { name: 'first' })
  await trust(trusting(key.publicKey))
  mosquitto = await startMosquitto()
  listener = await subscribe(mosquitto.url, 'roadmask/d/#')
  files = await serveFiles(dir)
  agent = await start()
})
afterAll(async () => {
  await agent.stop()
  await files.close()
  await listener.stop()
  await mosquitto.stop()
  await rm(dir, { recursive: true })
})

test('a device says what it runs, retained', async () => {
  await expect
    .poll(() => state(), { timeout: 20_000 })
    .toMatchObject({
      device: 'd',
      state: 'idle',
      groups: ['north'],
      model: { name: 'first' },
    })
})

describe('refused with the reason, and nothing on disk changes', () => {
  const cases: [string, (bundle: string) => Promise<Envelope>, RegExp][] = [
    [
      'an unsigned bundle',
      async (bundle) => ({ ...(await signBundle(bundle, key.privateKey)), signatures: [] }),
      /It is no release: signatures/,
    ],
    ['one that a stranger signed', (bundle) => signBundle(bundle, makeKey().privateKey), /is not among the 1 trusted ones/],
    [
      'one whose agent is not this one',
      (bundle) => signBundle(bundle, key.privateKey, { needs: { agent: '>=99' } }),
      /it needs agent >=99, found /,
    ],
    [
      'one for a larger machine',
      (bundle) => signBundle(bundle, key.privateKey, { needs: { memory_mib: 99_000_000 } }),
      /99000000 MiB of memory, found/,
    ],
    [
      'another manifest than the signed one',
      async (bundle) => {
        const envelope = await signBundle(bundle, key.privateKey)
        await writeFile(join(bundle, 'manifest.json'), `${await readFile(join(bundle, 'manifest.json'), 'utf8')}\n`)
        return envelope
      },
      /The manifest is not the signed one: expected sha256/,
    ],
    [
      'an altered file',
      async (bundle) => {
        const path = join(bundle, 'card/weights.bin')
        const bytes = await readFile(path)
        bytes[1000]! ^= 1
        await writeFile(path, bytes)
        return signBundle(bundle, key.privateKey)
      },
      /card\/weights.bin is not the signed one: expected sha256/,
    ],
    [
      'a truncated file',
      async (bundle) => {
        await truncate(join(bundle, 'card/weights.bin'), 1_000_000)
        return signBundle(bundle, key.privateKey)
      },
      /card\/weights.bin has 1000000 bytes where it is offered, the signed one 3000000/,
    ],
  ]
  test.each(cases)('%s', async (what, make, reason) => {
    const name = createHash('sha256').update(what).digest('hex').slice(0, 8)
    const release = await make(await makeBundle(name))
    await offer(release, name)
    await expect.poll(() => state()?.reason ?? '', { timeout: 20_000 }).toMatch(reason)
    expect(state()).toMatchObject({ state: 'refused', model: { name: 'first' } })
    expect(models()).toEqual([])
    expect(readdirSync(join(dir, 'state'))).not.toContain('update.json')
    await withdraw()
  })

  test.each([
    ['expired', { expires: '2026-01-02T00:00:00Z' }, /expired on 2026-01-02/],
    ['was revoked', { revoked: '2026-01-03T00:00:00Z' }, /was revoked on 2026-01-03/],
  ])('one whose key %s', async (how, more, reason) => {
    const bundle = await makeBundle(`key-${how.slice(-7)}`)
    await trust(trusting(key.publicKey, more))
    await offer(await signBundle(bundle, key.privateKey), bundle)
    await expect.poll(() => state()?.reason ?? '', { timeout: 20_000 }).toMatch(reason)
    await trust(trusting(key.publicKey))
    await withdraw()
    expect(readdirSync(join(dir, 'state'))).not.toContain('update.json')
  })
})

test('a download that breaks off goes on where it did, and the model runs, also after a restart; the old offer is no more taken', async () => {
  const old = await signBundle(await makeBundle('old'), key.privateKey)
  const release = await signBundle(await makeBundle('second'), key.privateKey)
  let broken = 0
  files.instead = (path, response, from) => {
    if (!path.endsWith('weights.bin') || broken++ > 1) return false
    response.writeHead(from ? 206 : 200, {
      'content-length': 3_000_000 - from,
      ...(from && { 'content-range': `bytes ${from}-2999999/3000000` }),
    })
    readFile(join(dir, path)).then((bytes) => {
      response.write(bytes.subarray(from, from + 1_000_000))
      setTimeout(() => response.destroy(), 300)
    })
    return true
  }
  await offer(release, 'second', topic.group('north'))
  await expect.poll(() => state()?.state, { timeout: 40_000 }).toBe('trial')
  files.instead = undefined
  const weights = files.asked.filter(({ path }) => path.startsWith('/second') && path.endsWith('weights.bin'))
  expect(weights.map(({ from }) => from)).toEqual([0, expect.any(Number), expect.any(Number)])
  expect(weights[1]!.from).toBeGreaterThan(0)
  expect(weights[2]!.from).toBeGreaterThan(weights[1]!.from)
  expect(states().some(({ state, progress }) => state === 'downloading' && progress?.of)).toBe(true)

  await offer(old, 'old')
  await expect.poll(() => state()?.reason ?? '').toMatch(/It was signed at .*, not after the newest that this device accepted/)
  await withdraw()

  await agent.stop()
  const asked = files.asked.length
  agent = await start()
  await expect.poll(() => state()?.model, { timeout: 20_000 }).toMatchObject({ name: 'second' })
  expect(files.asked.length).toBe(asked)
})

test('of two offers the newer one is fetched, and the older one as soon as that is withdrawn', async () => {
  const older = await signBundle(await makeBundle('older'), key.privateKey)
  const newer = await signBundle(await makeBundle('newer'), key.privateKey)
  files.instead = (path) => path.startsWith('/newer/') && path.endsWith('weights.bin') // never answered
  await offer(newer, 'newer')
  await expect.poll(() => state()?.release?.name, { timeout: 20_000 }).toBe('newer')
  await offer(older, 'older', topic.fleet)
  await expect.poll(() => state()?.state, { timeout: 20_000 }).toBe('downloading')
  expect(state()?.release?.name).toBe('newer')
  await withdraw()
  await expect.poll(() => state()?.release?.name, { timeout: 20_000 }).toBe('older')
  files.instead = undefined
})
