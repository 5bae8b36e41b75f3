// The commands that bring a model to devices, with a real agent behind TLS, a broker, a web server and S3 as moto plays it.
import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { modelFile, openBundle, writeBundle } from '../../deploy/bundle.ts'
import type { UpdateState } from '../../edge-agent/wire.ts'
import { writeBrightBundle } from '../bright-bundle.ts'
import { type FileServer, makeKey, serveFiles, signBundle } from '../edge-agent/made-release.ts'
import { type Mosquitto, startMosquitto, subscribe } from '../edge-agent/mosquitto.ts'
import { type RunningAgent, startAgent } from '../edge-agent/running-agent.ts'
import { runProgram } from '../run-program.ts'
import { hasMoto, type Moto, startMoto } from '../trainer/sagemaker/moto.ts'

const token = 'rmt_of-a-person'
let dir: string
let mosquitto: Mosquitto
let moto: Moto | undefined
let files: FileServer
let agent: RunningAgent
const deploy = (...args: string[]) =>
  runProgram('deploy/deploy.js', args, { cwd: dir, env: { ...process.env, ...moto?.env, ROADMASK_MQTT_URL: mosquitto.url } })

async function makeBundle(name: string, bytes = 5_000_000) {
  const { manifest } = await openBundle(join(dir, 'first'))
  const { files: _, format: __, version: ___, ...rest } = manifest
  const model = await readFile(join(dir, 'first', modelFile))
  await writeBundle(join(dir, name), { ...rest, name }, { [modelFile]: model, 'weights.bin': randomBytes(bytes) })
  const { out, code, err } = await deploy('sign', name, '--key', 'signing.key')
  expect(err + code).toBe('0')
  return /release (\w+) of/.exec(out)![1]!
}
const start = () =>
  startAgent(
    `device: jetson01
bundle: ${join(dir, 'first')}
mqtt: { url: "${mosquitto.url}" }
http: { cert: ${join(dir, 'cert.pem')}, key: ${join(dir, 'key.pem')} }
access: { tokens: [{ name: ann, role: operator, sha256: ${createHash('sha256').update(token).digest('hex')} }] }
cameras: [{ name: front, source: test, width: 320, height: 240, fps: 5 }]
update: { keys: ${join(dir, 'trusted.json')}, groups: [vehicles], limits: { shadow_seconds: 0, trial_seconds: 1 } }`,
    ['--state_dir', join(dir, 'state')],
    moto?.env,
  )
async function devices(...args: string[]) {
  const { out } = await deploy('status', '--json', ...args)
  return out
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as UpdateState & { available: string })
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roadmask-'))
  const names = ['-addext', 'subjectAltName=IP:127.0.0.1', '-subj', '/CN=jetson01']
  const how = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', 'key.pem']
  execFileSync('openssl', ['req', '-x509', ...how, ...names, '-out', 'cert.pem'], { cwd: dir, stdio: 'pipe' })
  await writeFile(join(dir, 'token'), `${token}\n`)
  await writeBrightBundle(join(dir, 'first'), { name: 'first' })
  mosquitto = await startMosquitto()
  if (hasMoto) {
    moto = await startMoto()
    const { AWS_ENDPOINT_URL: endpoint, AWS_REGION: region } = moto.env
    const credentials = { accessKeyId: 'of-moto', secretAccessKey: 'of-moto' }
    const s3 = new S3Client({ endpoint: endpoint!, region: region!, credentials, forcePathStyle: true })
    await s3.send(new CreateBucketCommand({ Bucket: 'models', CreateBucketConfiguration: { LocationConstraint: 'eu-west-1' } }))
  }
  files = await serveFiles(join(dir, 'www'))
  await deploy('keys')
  await deploy('trust', 'trusted.json', '--add', 'signing.pub')
  agent = await start()
})
afterAll(async () => {
  await agent.stop()
  await files.close()
  moto?.stop()
  await mosquitto.stop()
  await rm(dir, { recursive: true })
})

test('push: over a link that breaks it goes on where it ended; a stranger, and what a stranger signed, is refused', async () => {
  const id = await makeBundle('second')
  const device = new URL(agent.url)
  let passed = 0
  const link = createServer((socket) => {
    const to = connect(Number(device.port), device.hostname)
    const cut = () => [socket, to].map((end) => end.destroy())
    socket.on('error', cut).on('close', cut)
    to.on('error', cut).on('close', cut).pipe(socket)
    socket.on('data', (bytes) => {
      const before = passed
      passed += bytes.length
      if (before < 2_500_000 && passed >= 2_500_000) cut()
      else to.write(bytes)
    })
  }).listen(0, '127.0.0.1')
  await once(link, 'listening')
  const to = ['--to', `https://127.0.0.1:${(link.address() as AddressInfo).port}`]
  try {
    expect((await deploy('push', 'second', ...to)).err).toMatch(/cannot be reached: (self-signed|unable to verify)/)
    expect((await deploy('push', 'second', ...to, '--ca', 'cert.pem')).err).toContain('answered 401: Sign in')
    const known = [...to, '--ca', 'cert.pem', '--token-file', 'token']

    const foreign = await makeBundle('foreign', 1000)
    await signBundle(join(dir, 'foreign'), makeKey().privateKey)
    const refused = await deploy('push', 'foreign', ...known)
    expect([refused.code, refused.err, foreign]).toEqual([
      1,
      expect.stringContaining('is not among the 1 trusted ones'),
      foreign,
    ])
    await writeFile(join(dir, 'foreign/weights.bin'), 'other')
    expect((await deploy('push', 'foreign', ...known)).err).toContain('is not what the manifest says')

    const { code, out, err } = await deploy('push', 'second', ...known)
    expect(err + code).toBe('0')
    expect(out).toMatch(/again in 2 s\n(.* are there\n)+/)
    expect(out).toMatch(/jetson01: (shadow|trial|settled)/)
    expect(passed).toBeLessThan(8_500_000) // and not all of it again
    await expect
      .poll(devices, { timeout: 30_000 })
      .toMatchObject([{ device: 'jetson01', available: 'online', state: 'settled', release: { id } }])
  } finally {
    link.close()
  }
})

test('publish and offer: a group takes it from a web server, and status has all of it from retained messages', async () => {
  const id = await makeBundle('third')
  expect((await deploy('publish', 'third', '--to', 'www')).out).toContain(`third, release ${id}: www/${id}/`)
  expect((await readdir(join(dir, 'www', id))).sort()).toEqual(['manifest.json', 'model', 'release.json', 'weights.bin'])
  expect((await deploy('offer', 'third', '--url', `${files.url}nowhere`, '--fleet')).err).toContain('is not there: 404')
  expect((await deploy('offer', 'third', '--url', `${files.url}${id}`, '--device', 'a/b')).err).toContain('found a/b')
  const offered = await deploy('offer', 'third', '--url', `${files.url}${id}`, '--group', 'vehicles')
  expect(offered.out).toMatch(/^roadmask\/group\/vehicles\/update\/set: \d+ bytes, retained$/m)
  await expect.poll(async () => (await devices())[0], { timeout: 30_000 }).toMatchObject({ state: 'settled', release: { id } })
  await agent.stop()
  const away = await subscribe(mosquitto.url, 'roadmask/nothing')
  await away.client.publishAsync('roadmask/evil/update', '{"device":"\\u001b[2J"}', { qos: 1, retain: true })
  await away.stop()
  const { out, err } = await deploy('status')
  expect(out).toMatch(/^jetson01 +offline +\S+ +third \(\w+\) +settled +\d+ s/m)
  expect(out).toContain('1 devices, 1 away: 1 settled')
  expect(err).toContain('roadmask/evil/update: not the state of a device')
  expect(await devices('--group', 'others')).toEqual([])
  agent = await start()
  await expect.poll(async () => (await devices())[0]?.model, { timeout: 30_000 }).toMatchObject({ name: 'third', release: id })
})

test('offer --rollback: the model before comes back, once; --withdraw: nothing is wanted any more', async () => {
  await deploy('offer', '--withdraw', '--group', 'vehicles')
  expect((await deploy('offer', '--rollback', '--fleet')).err).toContain('expected --device NAME')
  expect((await deploy('offer', '--rollback', '--device', 'jetson01')).code).toBe(0)
  await expect
    .poll(async () => (await devices())[0], { timeout: 30_000 })
    .toMatchObject({ state: 'rolled_back', reason: 'asked for over MQTT' })
})

test.skipIf(!hasMoto)('from S3, with the credentials that a device has', async () => {
  const id = await makeBundle('fourth')
  expect((await deploy('publish', 'fourth', '--to', 's3://models/road')).out).toContain(`s3://models/road/${id}/`)
  await deploy('offer', 'fourth', '--url', `s3://models/road/${id}/`, '--device', 'jetson01')
  await expect
    .poll(async () => (await devices())[0], { timeout: 30_000 })
    .toMatchObject({ state: 'settled', release: { id, name: 'fourth' } })
})
