// Setting cameras up over HTTP on a real agent: real streams tried, a camera added, changed and removed, zones set; all of it in
// the config file with its comments, in /api/config and on MQTT.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findDevices } from '../../edge-agent/capture/devices.ts'
import { demoDrive } from '../../edge-agent/paths.ts'
import { hashToken } from '../../edge-agent/serve/access.ts'
import type { CameraStatus, Result } from '../../edge-agent/wire.ts'
import { writeBrightBundle } from '../bright-bundle.ts'
import { freePort, type Subscriber, subscribe } from './mosquitto.ts'
import { type RtspServer, startRtsp } from './rtsp-server.ts'
import { type RunningAgent, startAgent } from './running-agent.ts'

let dir: string
let agent: RunningAgent
let listener: Subscriber
let rtsp: RtspServer
let rtspPort: number

const tokens = { viewer: 'rmt_viewer', operator: 'rmt_operator' }
const comments = `# The yard, set up in May
device: yard                  # not the house
broker: { port: 0 }
access:
  tokens:
    - { name: v, role: viewer, sha256: ${hashToken(tokens.viewer)} }
    - { name: o, role: operator, sha256: ${hashToken(tokens.operator)} }
cameras:
  # by the gate
  - name: gate
    source: test   # until it hangs
    width: 320
    height: 240
    fps: 10
`
const settings = () => `bundle: ${join(dir, 'bundle')}\n${comments}`

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roadmask-'))
  await writeBrightBundle(join(dir, 'bundle'))
  rtspPort = await freePort()
  rtsp = await startRtsp(rtspPort, 320, 240, undefined, ['ann', 'hush-hush'])
  agent = await startAgent(settings())
  listener = await subscribe(agent.mqtt, 'roadmask/yard/#', 4, { username: 'x', password: tokens.viewer })
})
afterAll(async () => {
  await listener.stop()
  await agent.stop()
  await rtsp.stop()
  await rm(dir, { recursive: true })
})

async function ask(method: string, path: string, body?: unknown, { as = tokens.operator, tag = '' } = {}) {
  const response = await fetch(new URL(path, agent.url), {
    method,
    headers: {
      authorization: `Bearer ${as}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(tag && { 'if-match': tag }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const told = (await response.json()) as Record<string, unknown> & { detail: string }
  return { status: response.status, told, tag: response.headers.get('etag') ?? '' }
}
const trial = (body: Record<string, unknown>) => ask('POST', 'api/cameras/test', { name: 'tried', ...body })
const file = async () => readFile(agent.file, 'utf8')

test('what may be changed is told to operators, with the tag of the file', async () => {
  const { status, told, tag } = await ask('GET', 'api/setup')
  expect([status, tag]).toEqual([200, expect.stringMatching(/^".{22}"$/)])
  expect(told).toEqual({
    file: agent.file,
    pipelines: false,
    cameras: [{ name: 'gate', source: 'test', width: 320, height: 240, fps: 10 }],
  })
  for (const path of ['api/setup', 'api/devices'])
    expect((await ask('GET', path, undefined, { as: tokens.viewer })).status).toBe(403)
  expect((await ask('DELETE', 'api/cameras/gate', undefined, { as: tokens.viewer })).status).toBe(403)
  expect((await ask('POST', 'api/cameras/test', { name: 'gate' }, { as: tokens.viewer })).status).toBe(403)
  expect((await ask('GET', 'api/devices')).status).toBe(200)
})

describe('a test of a camera', () => {
  test('gives the upright picture, and what the camera sends', async () => {
    const { status, told } = await trial({ source: `file:${demoDrive}`, rotation: 90 })
    expect([status, told.detail]).toEqual([200, undefined])
    expect(told).toMatchObject({ width: 640, height: 360, format: 'I420', decoder: expect.stringContaining('dec') })
    expect(told.fps).toBeGreaterThan(5)
    const { width, height, format } = await sharp(Buffer.from(String(told.jpeg), 'base64')).metadata()
    expect([width, height, format]).toEqual([360, 640, 'jpeg'])
  })

  test('one that needs a password gives pictures with it', async () => {
    const { status, told } = await trial({ source: `rtsp://ann:hush-hush@127.0.0.1:${rtspPort}/stream` })
    expect([status, told.detail]).toEqual([200, undefined])
    expect(told).toMatchObject({ width: 320, height: 240 })
    const { dominant } = await sharp(Buffer.from(String(told.jpeg), 'base64')).stats()
    expect(Math.min(dominant.r, dominant.g, dominant.b)).toBeGreaterThan(230)
  })

  test.each<[string, () => Record<string, unknown> | Promise<Record<string, unknown>>, RegExp]>([
    [
      'a wrong password',
      () => ({ source: `rtsp://ann:wrong-one@127.0.0.1:${rtspPort}/stream` }),
      /^The camera refuses the user or the password/,
    ],
    ['no password', () => ({ source: `rtsp://127.0.0.1:${rtspPort}/stream` }), /^The camera refuses the user or the password/],
    [
      'a wrong path',
      () => ({ source: `rtsp://ann:hush-hush@127.0.0.1:${rtspPort}/other` }),
      /^The camera has no stream at this path/,
    ],
    [
      'nothing that listens',
      async () => ({ source: `rtsp://ann:hush-hush@127.0.0.1:${await freePort()}/` }),
      /127.0.0.1 answers, but nothing listens on its port \d+/,
    ],
    [
      'a name that nobody has',
      () => ({ source: 'rtsp://camera.invalid/1' }),
      /No machine is known under the name camera.invalid/,
    ],
    ['no file', () => ({ source: 'file:/nowhere.mp4' }), /^There is no file \/nowhere.mp4$/],
    ['a file of something else', () => ({ source: `file:${agent.file}` }), /^Nothing here can decode this: it is no video/],
    ['no such device', () => ({ source: 'v4l2:/dev/video77' }), /^There is no camera \/dev\/video77; found/],
    ['a sensor that is not there', () => ({ source: 'csi:0' }), /nvarguscamerasrc/],
    [
      'a region beyond the picture',
      () => ({ source: 'test', region: [0, 0, 4000, 100] }),
      /region .* does not lie within the picture of 1280 x 720/,
    ],
    ['settings that do not fit', () => ({ source: 'test', transport: 'tcp' }), /"transport" is for rtsp sources/],
  ])('says what is wrong: %s', async (_, body, words) => {
    const { status, told } = await trial(await body())
    expect([status, told.detail]).toEqual([422, expect.stringMatching(words)])
  })

  test('refuses pipeline texts, and takes one camera at a time, which ends when nobody waits for it', async () => {
    expect(await trial({ source: 'gst:videotestsrc' })).toMatchObject({
      status: 403,
      told: { detail: expect.stringContaining('access.pipelines') },
    })
    const before = agent.children('camera')
    const gone = new AbortController()
    const headers = { authorization: `Bearer ${tokens.operator}`, 'content-type': 'application/json' }
    const body = JSON.stringify({ name: 'first', source: 'test' })
    const first = fetch(new URL('api/cameras/test', agent.url), { method: 'POST', headers, body, signal: gone.signal }).catch(
      () => 'gone',
    )
    await expect.poll(() => agent.children('camera').length).toBe(before.length + 1)
    expect(await trial({ source: 'test' })).toMatchObject({
      status: 503,
      told: { detail: expect.stringContaining('Another camera') },
    })
    gone.abort()
    expect(await first).toBe('gone')
    await expect.poll(() => agent.children('camera')).toEqual(before)
    await expect.poll(async () => (await trial({ source: 'file:/nowhere' })).status).toBe(422)
  })

  test('tells no password, neither to whom it answers nor to the log', async () => {
    const all = JSON.stringify([agent.log, agent.complaints, (await ask('GET', 'api/setup')).told])
    for (const secret of ['hush-hush', 'wrong-one']) expect(all).not.toContain(secret)
  })
})

test('a camera is added, changed, given zones and removed; the file keeps its comments, the agent and MQTT follow', async () => {
  const statusOf = async (name: string) => (await ask('GET', `api/cameras/${name}`)).told as unknown as CameraStatus
  const configured = async () => (await ask('GET', 'api/config')).told.cameras as Record<string, unknown>[]
  const lastResult = () => JSON.parse(listener.text('roadmask/yard/back/result').at(-1) ?? '{}') as Result
  let { tag } = await ask('GET', 'api/setup')
  const stale = tag

  const added = await ask('POST', 'api/cameras', { name: 'back', source: 'test', width: 320, height: 240, fps: 5 }, { tag })
  expect(added).toMatchObject({ status: 201, told: { applied: ['cameras.back'], needs_restart: [] } })
  tag = added.tag
  const back = '  - name: back\n    source: test\n    width: 320\n    height: 240\n    fps: 5\n'
  expect(await file()).toBe(settings() + back)
  await expect.poll(async () => (await statusOf('back')).state, { timeout: 30_000 }).toBe('online')
  await expect.poll(() => listener.on('roadmask/yard/back/result').length, { timeout: 30_000 }).toBeGreaterThan(0)
  await expect.poll(() => listener.text('roadmask/yard/back/status').map((text) => JSON.parse(text).state)).toContain('online')
  expect((await configured()).map(({ name }) => name)).toEqual(['gate', 'back'])

  expect(await ask('PATCH', 'api/cameras/back', { fps: 10 }, { tag: stale })).toMatchObject({ status: 412 })
  expect(await ask('PATCH', 'api/cameras/back', { fps: 10, zones: [] }, { tag })).toMatchObject({ status: 400 })
  const zones = [
    {
      name: 'all',
      polygon: [
        [0, 0],
        [1, 0],
        [1, 1],
        [0, 1],
      ],
      hold_s: 0,
    },
    {
      name: 'corner',
      polygon: [
        [0, 0],
        [0.1, 0],
        [0, 0.1],
      ],
    },
  ]
  const put = await ask('PUT', 'api/cameras/back/zones', zones, { tag })
  expect(put).toMatchObject({ status: 200, told: { applied: ['cameras.back.zones'] } })
  const zoneText =
    '    zones:\n      - name: all\n        polygon: [[0, 0], [1, 0], [1, 1], [0, 1]]\n        hold_s: 0\n      - name: corner\n        polygon: [[0, 0], [0.1, 0], [0, 0.1]]\n'
  expect(await file()).toBe(settings() + back + zoneText)
  await expect.poll(() => lastResult().zones?.map(({ name }) => name), { timeout: 30_000 }).toEqual(['all', 'corner'])
  expect(lastResult().zones![0]!.road_percent).toBe(lastResult().road_percent)

  const patched = await ask('PATCH', 'api/cameras/back', { rotation: 90, fps: null }, { tag: put.tag })
  expect(patched).toMatchObject({ status: 200 })
  await expect.poll(() => lastResult().camera_width, { timeout: 30_000 }).toBe(240)
  expect((await configured())[1]).toMatchObject({ rotation: 90, zones: [{ name: 'all' }, { name: 'corner' }] })
  expect((await configured())[1]).not.toHaveProperty('fps')

  expect(await ask('PUT', 'api/cameras/back/zones', [])).toMatchObject({ status: 200 })
  expect(await ask('DELETE', 'api/cameras/back')).toMatchObject({ status: 200, told: { applied: ['cameras.back'] } })
  expect(await file()).toBe(settings())
  expect((await statusOf('back')) as unknown).toMatchObject({ status: 404 })
  expect(await ask('DELETE', 'api/cameras/gate')).toMatchObject({ status: 409 })
})

test('the most zones that a camera can have fit into a request, and more does not', async () => {
  const polygon = Array.from({ length: 64 }, (_, i) => [
    0.5 + Math.round(4999 * Math.cos(i / 10)) / 10000,
    0.5 + Math.round(4999 * Math.sin(i / 10)) / 10000,
  ])
  const zones = Array.from({ length: 32 }, (_, i) => ({
    name: `zone ${i}`,
    polygon,
    blocked_below: 40,
    clear_above: 60,
    hold_s: 2,
  }))
  expect(await ask('PUT', 'api/cameras/gate/zones', zones)).toMatchObject({ status: 200 })
  expect(await ask('PUT', 'api/cameras/gate/zones', [...zones, { ...zones[0], name: 'one more' }])).toMatchObject({
    status: 400,
  })
  expect(await ask('PUT', 'api/cameras/gate/zones', 'x'.repeat(70_000))).toMatchObject({ status: 413 })
  await ask('PUT', 'api/cameras/gate/zones', [])
  expect(await file()).toBe(settings())
})

test('devices are found where the kernel lists them, each camera once', async () => {
  const listed: [string, string, string][] = [
    ['video10', 'Capture card', '0'],
    ['video2', 'HD Webcam: HD Webcam', '0'],
    ['video3', 'HD Webcam: HD Webcam', '1'],
    ['v4l-subdev0', 'sensor', '0'],
  ]
  for (const [node, name, index] of listed) {
    await mkdir(join(dir, 'classes', node), { recursive: true })
    await writeFile(join(dir, 'classes', node, 'name'), `${name}\n`)
    await writeFile(join(dir, 'classes', node, 'index'), `${index}\n`)
  }
  expect(await findDevices(join(dir, 'classes'))).toEqual([
    { path: '/dev/video2', name: 'HD Webcam: HD Webcam' },
    { path: '/dev/video10', name: 'Capture card' },
  ])
  expect(await findDevices(join(dir, 'nothing'))).toEqual([])
})
