// The whole agent for real: its compiled program, GStreamer, TensorFlow, Mosquitto, WebSockets, signals.
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import sharp from 'sharp'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { modelFile, openBundle, writeBundle } from '../../deploy/bundle.ts'
import type { CameraStatus, MaskMessage, Result } from '../../edge-agent/wire.ts'
import { writeBrightBundle } from '../bright-bundle.ts'
import { type Mosquitto, type Subscriber, startMosquitto, subscribe } from './mosquitto.ts'
import { isAlive, type RunningAgent, runAgent, startAgent } from './running-agent.ts'

let dir: string
let bundle: string
/** Its hashes are right, its model is not one. */
let broken: string
let agent: RunningAgent | undefined
let listener: Subscriber | undefined

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roadmask-'))
  bundle = join(dir, 'bundle')
  await writeBrightBundle(bundle, { width: 96, height: 64 })
  broken = join(dir, 'broken')
  const { manifest } = await openBundle(bundle)
  const model = await readFile(join(bundle, modelFile))
  await writeBundle(broken, manifest, { [modelFile]: model.subarray(0, model.length / 2) })
})
afterAll(() => rm(dir, { recursive: true }))

async function stop() {
  await listener?.stop()
  await agent?.stop()
  agent = listener = undefined
}

const oneCamera = (more = '') => `device: test01\nbundle: ${bundle}\nbroker: { port: 0 }\n${more}
cameras: [{ name: front, source: test, width: 320, height: 240, fps: 25 }]`

/** Text chunks of a PNG by keyword. */
async function textOf(png: Uint8Array): Promise<Record<string, string>> {
  const { comments = [] } = await sharp(png).metadata()
  return Object.fromEntries(comments.map(({ keyword, text }) => [keyword, text]))
}

/** Waits until masks of frames taken from now on come in. */
async function newMasks(masks: MaskMessage[], camera = 'front') {
  const now = Date.now() * 1000
  const isNew = ({ result }: MaskMessage) => result.camera === camera && result.captured_us > now
  await expect.poll(() => masks.filter(isNew).length, { timeout: 20_000 }).toBeGreaterThan(2)
}

/** Masks by MQTT and by WebSocket must be the same bytes and say the same. */
async function compareWays() {
  const { masks } = await agent!.watch()
  await expect.poll(() => listener!.on('roadmask/test01/front/mask').length, { timeout: 20_000 }).toBeGreaterThan(3)
  // Another program of another maker, in another process.
  const { stdout: raw } = await promisify(execFile)(
    'mosquitto_sub',
    ['-h', '127.0.0.1', '-p', new URL(agent!.mqtt).port, '-t', 'roadmask/test01/front/mask', '-C', '1', '-N', '-W', '10'],
    { encoding: 'buffer' },
  )
  const payloads = [raw, ...listener!.on('roadmask/test01/front/mask').map(({ payload }) => payload)]
  await expect.poll(() => masks.length).toBeGreaterThan(5)
  let compared = 0
  for (const payload of payloads) {
    const { frame, captured_us, model, region } = await textOf(payload)
    const twin = masks.find(({ result }) => String(result.frame) === frame)
    if (!twin) continue // from before the WebSocket was open
    expect(Buffer.compare(payload, twin.mask)).toBe(0)
    expect([captured_us, model, region]).toEqual([String(twin.result.captured_us), 'bright', twin.result.region.join(',')])
    const results = listener!.text('roadmask/test01/front/result').map((text) => JSON.parse(text) as Result)
    const sent = results.find((result) => result.frame === twin.result.frame)
    if (sent) expect(sent).toEqual(twin.result)
    compared++
  }
  expect(compared).toBeGreaterThan(2)
}

describe('with a broker of its own', () => {
  beforeAll(async () => {
    agent = await startAgent(oneCamera('mqtt: { masks_per_second: 1000, results_per_second: 1000 }'))
    listener = await subscribe(agent.mqtt, 'roadmask/test01/#')
  })
  afterAll(stop)

  test('a mask by MQTT and by WebSocket is the same bytes with the same facts', compareWays)

  test('a result has the facts of its mask, and times that add up to its age', async () => {
    const { masks } = await agent!.watch()
    await expect.poll(() => masks.length, { timeout: 20_000 }).toBeGreaterThan(10)
    const { result, mask } = masks.at(-1)!
    const { data, info } = await sharp(mask).toColourspace('b-w').raw().toBuffer({ resolveWithObject: true })
    const road = data.filter((value) => value === 255).length
    expect([info.width, info.height]).toEqual([result.width, result.height])
    expect(result.road_percent).toBeCloseTo((100 * road) / data.length, 1)
    expect(road).toBeGreaterThan(0) // the white ball
    expect(result).toMatchObject({ camera_width: 320, camera_height: 240, region: [0, 14, 320, 212], model: 'bright' })
    const { capture, wait, infer, facts, encode, publish } = result.timings_ms
    expect(capture + wait + infer + facts + encode + publish).toBeGreaterThan(0.5 * result.age_ms)
    expect(capture + wait + infer + facts + encode + publish).toBeLessThanOrEqual(result.age_ms + 1)
    expect(Math.abs(Date.now() - result.captured_us / 1000)).toBeLessThan(10_000)
  })

  test('a camera is switched off and on by MQTT', async () => {
    const { masks } = await agent!.watch()
    await newMasks(masks)
    const set = (wish: string) => listener!.client.publish('roadmask/test01/front/enabled/set', wish, { qos: 1 })
    const states = () => listener!.text('roadmask/test01/front/status').map((text) => (JSON.parse(text) as CameraStatus).state)
    set('OFF')
    await expect.poll(() => states().at(-1)).toBe('disabled')
    await expect.poll(() => agent!.children('camera')).toEqual([])
    set('ON')
    await newMasks(masks)
    await expect.poll(() => states().slice(-3)).toEqual(['disabled', 'offline', 'online']) // states go by way of the disk
    expect(listener!.text('roadmask/test01/front/enabled').at(-1)).toBe('ON')
    const events = listener!.text('roadmask/test01/front/event').map((text) => JSON.parse(text).type)
    expect(events).toEqual(['camera_disabled', 'camera_enabled'])
  })

  test.each(['camera', 'segment'] as const)('masks flow again after SIGKILL of the %s process', async (module) => {
    const { masks } = await agent!.watch()
    await newMasks(masks)
    const [pid] = agent!.children(module)
    process.kill(pid!, 'SIGKILL')
    await expect.poll(() => isAlive(pid!)).toBe(false)
    await newMasks(masks)
    expect(agent!.children(module)).not.toContain(pid)
  })
})

describe('with Mosquitto', () => {
  let mosquitto: Mosquitto
  beforeEach(async () => {
    mosquitto = await startMosquitto()
    agent = await startAgent(oneCamera(`mqtt: { url: "${mosquitto.url}" }`).replace('broker: { port: 0 }', ''))
    listener = await subscribe(mosquitto.url, 'roadmask/test01/#')
  })
  afterEach(async () => {
    await stop()
    await mosquitto.stop()
  })
  const children = () => [...agent!.children('camera'), ...agent!.children('segment')]

  test('the same; and after SIGTERM: exit code 0, offline retained, no child left', async () => {
    await compareWays()
    const before = children()
    expect(before).toHaveLength(2)
    await agent!.stop()
    expect(agent!.process.exitCode).toBe(0)
    expect(before.filter(isAlive)).toEqual([])
    await listener!.stop()
    listener = await subscribe(mosquitto.url, 'roadmask/test01/available')
    await expect.poll(() => listener!.heard[0]).toMatchObject({ retain: true, payload: Buffer.from('offline') })
  })

  test('when the agent dies, its children end by themselves and the broker says offline', async () => {
    await expect.poll(() => children().length).toBe(2)
    await expect.poll(() => listener!.text('roadmask/test01/available'), { timeout: 20_000 }).toEqual(['online'])
    const before = children()
    agent!.process.kill('SIGKILL')
    await expect.poll(() => before.filter(isAlive), { timeout: 10_000 }).toEqual([])
    await expect.poll(() => listener!.text('roadmask/test01/available')).toEqual(['online', 'offline'])
  })
})

describe('an agent of its own', () => {
  afterEach(stop)

  test('pictures come with the masks of their own frames', async () => {
    agent = await startAgent(
      oneCamera()
        .replace(
          'source: test',
          'source: "gst:videotestsrc is-live=true pattern=blink ! video/x-raw,format=I420,width=320,height=240,framerate=7/1"',
        )
        .replace(', width: 320, height: 240, fps: 25', ''),
    )
    const { masks } = await agent.watch()
    const pictured = () => masks.filter(({ picture }) => picture.length)
    await expect.poll(() => pictured().length, { timeout: 20_000 }).toBeGreaterThan(15)
    // The camera is slower than the pictures' rate: nearly every mask has one, since somebody watches.
    const since = masks.slice(masks.findIndex(({ picture }) => picture.length))
    expect(pictured().length / since.length).toBeGreaterThan(0.6)
    // The whole picture blinks between black and white from frame to frame, and white is road.
    for (const { result, picture } of pictured()) {
      const { channels, isOpaque } = await sharp(picture).stats()
      expect(isOpaque).toBe(true)
      expect(Math.round(channels[0]!.mean / 255), `frame ${result.frame}`).toBe(Math.round(result.road_percent / 100))
    }
    expect(new Set(pictured().map(({ result }) => result.road_percent > 50)).size).toBe(2)
  })

  test('a segmenting process that hangs is replaced', async () => {
    agent = await startAgent(oneCamera('segment: { timeout_ms: 1000 }'))
    const { masks } = await agent.watch()
    await newMasks(masks)
    const [pid] = agent.children('segment')
    process.kill(pid!, 'SIGSTOP')
    await expect.poll(() => isAlive(pid!), { timeout: 10_000 }).toBe(false)
    await newMasks(masks)
  })

  test('one that takes too much memory works on until its replacement is warm', async () => {
    agent = await startAgent(oneCamera('segment: { memory_limit_mib: 1 }'))
    const { masks } = await agent.watch()
    await newMasks(masks)
    const ready = () => agent!.log.filter(({ msg }) => msg === 'model ready').length
    await expect.poll(ready, { timeout: 20_000 }).toBe(2)
    await newMasks(masks)
    await expect.poll(() => agent!.children('segment').length).toBe(1)
    const atMicros = (text: string, i = 0) =>
      1000 * Date.parse(String(agent!.log.filter(({ msg }) => msg.includes(text))[i]!.time))
    const [began, warm] = [atMicros('too much memory'), atMicros('model ready', 1)]
    const meanwhile = masks.filter(({ result }) => result.captured_us > began && result.captured_us < warm)
    expect(meanwhile.length).toBeGreaterThan(2)
  })

  test('SIGTERM ends it within about a second, also where its processes hang', async () => {
    agent = await startAgent(oneCamera())
    const { masks, socket } = await agent.watch()
    await newMasks(masks)
    const closed = once(socket, 'close')
    const children = [...agent.children('camera'), ...agent.children('segment')]
    for (const pid of children) process.kill(pid, 'SIGSTOP')
    const askedMs = performance.now()
    await agent.stop()
    expect(agent.process.exitCode).toBe(0)
    expect(performance.now() - askedMs).toBeLessThan(2500) // 0.8 s where nothing else runs
    expect((await closed)[0]).toBe(1001)
    expect(children.filter(isAlive)).toEqual([])
  })

  test('it ends when its terminal is closed, although SIGHUP has another meaning for a service', async () => {
    const program = [process.execPath, 'build/edge-agent/main.js', '--http.port', '0', '--broker.port', '0', '--state_dir', dir]
    const terminal = [join(import.meta.dirname, 'terminal.py'), 'Subscribe', ...program, '--bundle', bundle]
    const { stdout } = await promisify(execFile)('python3', terminal, { timeout: 60_000 })
    expect(stdout).toBe('-9\n')
  })

  test('SIGTERM while everything is still starting', async () => {
    agent = await startAgent(oneCamera())
    await agent.stop()
    expect(agent.process.exitCode).toBe(0)
  })

  test('cameras share the model fairly, and one that cannot be had does not disturb the others', async () => {
    const camera = (name: string, source: string) => `  - { name: ${name}, source: "${source}" }\n`
    const live = 'gst:videotestsrc is-live=true ! video/x-raw,format=I420,width=160,height=120,framerate=20/1'
    agent = await startAgent(
      `device: test01\nbundle: ${bundle}\nbroker: { port: 0 }\ncameras:\n${camera('a', live)}${camera('b', live)}${camera('c', 'file:/none.mp4')}`,
    )
    const { masks } = await agent.watch()
    const count = (name: string) => masks.filter(({ result }) => result.camera === name).length
    await newMasks(masks, 'a')
    await newMasks(masks, 'b')
    const before = [count('a'), count('b')]
    await expect.poll(() => count('a') - before[0]!, { timeout: 20_000 }).toBeGreaterThan(20)
    expect(count('b') - before[1]!).toBeGreaterThan(10)
    const answer = (await (await fetch(new URL('api/cameras', agent.url))).json()) as CameraStatus[]
    expect(answer.map(({ camera: name, state }) => [name, state])).toEqual([
      ['a', 'online'],
      ['b', 'online'],
      ['c', 'offline'],
    ])
    expect(answer[2]!.reason).toContain('There is no file')
  })

  test('a video plays over and over without a gap in its numbers', async () => {
    const file = join(dir, 'short.mp4')
    await promisify(execFile)('gst-launch-1.0', [
      '-q',
      ...'videotestsrc num-buffers=20 pattern=ball ! video/x-raw,format=I420,width=160,height=120,framerate=20/1 ! x264enc ! mp4mux ! filesink'.split(
        ' ',
      ),
      `location=${file}`,
    ])
    agent = await startAgent(
      `device: test01\nbundle: ${bundle}\nbroker: { port: 0 }\ncameras: [{ name: front, source: "file:${file}" }]`,
    )
    const [pid] = agent.children('camera')
    const { masks } = await agent.watch()
    await expect.poll(() => masks.at(-1)?.result.frame ?? 0, { timeout: 20_000 }).toBeGreaterThan(70)
    const frames = masks.map(({ result }) => result.frame)
    expect(frames).toEqual([...frames].sort((a, b) => a - b))
    const times = masks.map(({ result }) => result.captured_us)
    expect(times).toEqual([...times].sort((a, b) => a - b))
    expect(agent.children('camera')).toEqual([pid])
    const { state } = ((await (await fetch(new URL('api/cameras', agent.url))).json()) as CameraStatus[])[0]!
    expect(state).toBe('online')
  })
})

describe('what cannot start says why', () => {
  test.each([
    ['a mistake in the config', () => 'camras: []', 2, 'agent.yaml:1:1: unknown key "camras"; did you mean "cameras"?'],
    ['a bundle that is not there', () => 'bundle: /none', 1, 'Expected a bundle in /none'],
    ['a GPU that is not there', () => `${oneCamera()}\ncompute: gpu`, 2, 'TensorFlow found no GPU'],
    ['a model that TensorFlow cannot load', () => `bundle: ${broken}\nbroker: { port: 0 }`, 2, 'The bundle cannot be used: '],
  ])('%s', async (_, config, code, message) => {
    const { log, complaints, ended } = await runAgent(config(), [], { CUDA_VISIBLE_DEVICES: '-1' }) // hides a GPU that is there
    expect(await ended).toBe(code)
    expect(complaints.join('\n') + JSON.stringify(log)).toContain(message)
  })
})
