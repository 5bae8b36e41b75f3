// Recordings: real files, read by MCAP's own readers; and a real agent that is killed while it writes one.
import { mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { McapIndexedReader } from '@mcap/core'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { makeRecorder } from '../../edge-agent/record/recorder.ts'
import { type Recorded, readRecording, schemaOf } from '../../edge-agent/record/recording.ts'
import { Config } from '../../edge-agent/settings/config.ts'
import { writeBrightBundle } from '../bright-bundle.ts'
import { runProgram } from '../run-program.ts'
import { eventOf, maskOf, statusOf } from './made-messages.ts'
import { startAgent } from './running-agent.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roadmask-'))
})
afterEach(() => rm(dir, { recursive: true }))

const settings = (record: object) => Config.parse({ record: { enabled: true, masks_per_second: 1000, ...record } })
const silent = pino({ level: 'silent' })
const recordings = async (folder = join(dir, 'recordings')) =>
  (await readdir(folder).catch(() => [])).sort().map((name) => join(folder, name))

/** A recording by its index, as Foxglove opens it. Throws where it has none. */
async function readIndexed(path: string) {
  const file = await open(path)
  try {
    const readable = {
      size: async () => BigInt((await file.stat()).size),
      read: async (offset: bigint, size: bigint) => {
        const bytes = new Uint8Array(Number(size))
        await file.read(bytes, 0, bytes.length, Number(offset))
        return bytes
      },
    }
    const reader = await McapIndexedReader.Initialize({ readable })
    const messages = []
    for await (const message of reader.readMessages({ validateCrcs: true })) {
      const { topic, schemaId } = reader.channelsById.get(message.channelId)!
      const json = JSON.parse(Buffer.from(message.data).toString())
      messages.push({ topic, schema: reader.schemasById.get(schemaId)!.name, time: message.logTime, json })
    }
    return messages
  } finally {
    await file.close()
  }
}

interface Field {
  type: string
  properties?: Record<string, Field>
  items?: Field
}

async function readAll(path: string): Promise<Recorded[]> {
  const all: Recorded[] = []
  for await (const message of readRecording(path)) all.push(message)
  return all
}

describe('a recorder', () => {
  test('writes masks, facts, pictures, states and events, by an index and with times of capture', async () => {
    const recorder = makeRecorder(settings({ pictures: true }), dir, silent)
    recorder.status(statusOf('front'))
    recorder.mask(maskOf('front', 1))
    recorder.mask(maskOf('front', 2, 100))
    recorder.event(eventOf('front', 'gone'))
    await recorder.close()
    const [path, ...more] = await recordings()
    expect(more).toEqual([])
    const messages = await readIndexed(path!)
    expect(messages.map(({ topic }) => topic).sort()).toEqual(
      ['event', 'mask', 'mask', 'picture', 'result', 'result', 'status', 'status'].map((kind) => `/front/${kind}`),
    )
    const of = (topic: string) => messages.filter((message) => message.topic === topic)
    expect(
      of('/front/mask').map(({ schema, time, json }) => [
        schema,
        time,
        json.format,
        Buffer.from(json.data, 'base64').toString(),
      ]),
    ).toEqual([
      ['foxglove.CompressedImage', 1_000_001_000n, 'png', 'mask 1'],
      ['foxglove.CompressedImage', 1_000_002_000n, 'png', 'mask 2'],
    ])
    expect(of('/front/result').map(({ json }) => json)).toEqual([maskOf('front', 1).result, maskOf('front', 2).result])
    expect(of('/front/picture')[0]!.json).toMatchObject({
      timestamp: { sec: 1, nsec: 2000 },
      frame_id: 'front',
      format: 'jpeg',
      data: Buffer.alloc(100, 2).toString('base64'),
    })
    expect(of('/front/event')[0]!.json).toEqual(eventOf('front', 'gone'))
  })

  test('describes each kind of message by a schema that Foxglove takes', () => {
    // It knows fields of these types; of lists, those of single values and of objects. Each object has to name its fields.
    const check = (schema: Field, path: string) => {
      expect(schema.type, path).toBe('object')
      for (const [name, field] of Object.entries(schema.properties!)) {
        const inner = field.type === 'array' ? field.items! : field
        expect(['boolean', 'string', 'number', 'integer', 'object'], `${path}.${name}`).toContain(inner.type)
        if (inner.type === 'object') check(inner, `${path}.${name}`)
      }
    }
    for (const kind of ['mask', 'picture', 'result', 'event', 'status', 'stats'] as const)
      check(schemaOf(kind).schema as Field, kind)
    expect(schemaOf('result')).toMatchObject({
      name: 'roadmask.Result',
      schema: {
        properties: {
          road_percent: { type: 'number' },
          region: { type: 'array', items: { type: 'number' } },
          timings_ms: { properties: { infer: { type: 'number' } } },
        },
      },
    })
  })

  test('is off until the settings say so, and begins a file and ends it when they change', async () => {
    const recorder = makeRecorder(Config.parse({}), dir, silent)
    recorder.status(statusOf('front'))
    recorder.mask(maskOf('front', 1))
    expect(await recordings()).toEqual([])
    const cameras = [{ name: 'front', source: 'test' }]
    recorder.settings(Config.parse({ cameras, record: { enabled: true } }))
    recorder.mask(maskOf('front', 2))
    recorder.settings(Config.parse({ cameras }))
    await vi.waitFor(async () => expect((await readIndexed((await recordings())[0]!)).length).toBe(3))
    const topics = (await readIndexed((await recordings())[0]!)).map(({ topic }) => topic)
    expect(topics.sort()).toEqual(['/front/mask', '/front/result', '/front/status'])
    await recorder.close()
  })

  test('holds its rate, but for frames with a picture where pictures are recorded', async () => {
    const recorder = makeRecorder(settings({ masks_per_second: 0.01, pictures: true }), dir, silent)
    for (let frame = 1; frame <= 20; frame++) recorder.mask(maskOf('front', frame, frame === 10 ? 50 : 0))
    await recorder.close()
    const masks = (await readIndexed((await recordings())[0]!)).filter(({ topic }) => topic === '/front/mask')
    expect(masks.map(({ json }) => Buffer.from(json.data, 'base64').toString())).toEqual(['mask 1', 'mask 10'])
  })

  test('stays within its bounds: the oldest file goes, and what does not fit the queue is dropped and counted', async () => {
    const recorder = makeRecorder(settings({ pictures: true, max_mib: 8 }), dir, silent)
    const whole = async () =>
      // The oldest may go between the list and the look.
      (await Promise.all((await recordings()).map((path) => stat(path).catch(() => ({ size: 0 }))))).reduce(
        (sum, { size }) => sum + size,
        0,
      )
    let first: string | undefined
    for (let frame = 1; frame <= 60; frame++) {
      recorder.mask(maskOf('front', frame, 256 * 1024))
      // The disk takes its time; nothing here waits for it.
      if (frame % 4 === 0) await vi.waitFor(async () => expect((await recordings()).length).toBeGreaterThan(0))
      if (frame % 4 === 0) await new Promise((later) => setTimeout(later, 20))
      first ??= (await recordings())[0]
      expect(await whole()).toBeLessThan(9.5 * 1024 * 1024)
    }
    for (let frame = 61; frame <= 160; frame++) recorder.mask(maskOf('front', frame, 256 * 1024))
    expect(recorder.counts().recorder!.dropped.slow_disk).toBeGreaterThan(50)
    await recorder.close()
    const paths = await recordings()
    expect(paths).not.toContain(first)
    expect(await whole()).toBeLessThan(9.5 * 1024 * 1024)
    for (const path of paths) expect((await readIndexed(path)).length).toBeGreaterThan(0)
  })

  test('pauses where the disk takes nothing, says so once and goes on without', async () => {
    await writeFile(join(dir, 'recordings'), 'no folder')
    const lines: string[] = []
    const log = pino({ level: 'error' }, { write: (line: string) => void lines.push(line) })
    const recorder = makeRecorder(settings({}), dir, log)
    recorder.mask(maskOf('front', 1))
    await vi.waitFor(() => expect(lines.length).toBe(1))
    for (let frame = 2; frame < 10; frame++) recorder.mask(maskOf(`camera-${frame}`, frame))
    expect(recorder.counts().recorder!.dropped.fault).toBeGreaterThan(15)
    await recorder.close()
    expect(lines).toEqual([expect.stringMatching(/recording pauses, and tries again every 30 s: /)])
  })
})

test('an agent that is killed leaves a recording that can be read, gives it its index at the next start, and replays it', async () => {
  await writeBrightBundle(join(dir, 'bundle'), { width: 32, height: 16 })
  const config = JSON.stringify({
    bundle: join(dir, 'bundle'),
    state_dir: join(dir, 'state'),
    cameras: [{ name: 'ball', source: 'test', width: 320, height: 240 }],
    record: { enabled: true, masks_per_second: 30, pictures: true, folder: join(dir, 'recordings') },
    broker: { port: 0 },
  })
  const agent = await startAgent(config)
  await vi.waitUntil(async () => ((await recordings())[0] ? (await stat((await recordings())[0]!)).size > 150_000 : false), {
    timeout: 30_000,
  })
  agent.process.kill('SIGKILL')
  await agent.stop()
  const [path] = await recordings()
  await expect(readIndexed(path!)).rejects.toThrow()
  const kept = await readAll(path!)
  const count = (all: { topic: string }[], topic: string) => all.filter((message) => message.topic === topic).length
  expect(count(kept, '/ball/mask')).toBeGreaterThan(20)

  const again = await startAgent(config)
  await vi.waitUntil(async () => (await recordings()).length > 1, { timeout: 30_000 })
  await again.stop()
  expect(again.log.map(({ msg }) => msg)).toContainEqual(expect.stringMatching(/was not finished and is repaired$/))
  const repaired = await readIndexed(path!)
  expect(repaired.length).toBe(kept.length)

  const pictures = count(repaired, '/ball/picture')
  expect(pictures).toBeGreaterThan(0)
  const replay = (out: string, ...more: string[]) =>
    runProgram('edge-agent/main.js', ['replay', path!, '--bundle', join(dir, 'bundle'), '--out', join(dir, out), ...more])
  expect(await replay('first')).toMatchObject({ code: 0, err: '' })
  expect((await replay('second', '--against', join(dir, 'first'))).out).toMatch(/100\.000 % of the pixels agree/)
  const [first, second] = await Promise.all(['first', 'second'].map((out) => readFile(join(dir, out, 'results.jsonl'), 'utf8')))
  expect(second).toBe(first)
  const lines = first!
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(lines.map(({ captured_us }) => captured_us)).toEqual(
    repaired.filter(({ topic }) => topic === '/ball/picture').map(({ time }) => Number(time / 1000n)),
  )
})
