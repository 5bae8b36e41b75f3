// The example subscribers, as they stand in deploy/examples, against a broker.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { connectAsync, type MqttClient } from 'mqtt'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { topics } from '../../edge-agent/wire.ts'
import { eventOf, maskOf } from '../edge-agent/made-messages.ts'
import { type Mosquitto, startMosquitto } from '../edge-agent/mosquitto.ts'
import { hasPython, python } from '../python.ts'

const examples = join(import.meta.dirname, '../../deploy/examples')
const to = topics('roadmask', 'jetson01').camera('front')
let broker: Mosquitto
let client: MqttClient
let program: ChildProcess | undefined

beforeAll(async () => {
  broker = await startMosquitto()
  client = await connectAsync(broker.url)
})
afterEach(async () => {
  if (!program) return
  program.kill('SIGKILL')
  await once(program, 'close')
  program = undefined
})
afterAll(async () => {
  await client.endAsync()
  await broker.stop()
})

const runs: [string, string[]][] = [['node', [process.execPath, join(examples, 'subscribe.mjs')]]]
if (hasPython) runs.push(['python', [python, join(examples, 'subscribe.py')]])

test.each(runs)('the one in %s prints results and masks, and each event once', async (name, [command, file]) => {
  const address = name === 'node' ? [broker.url] : ['127.0.0.1', String(broker.port)]
  program = spawn(command!, [file!, ...address], { stdio: ['ignore', 'pipe', 'inherit'] })
  let out = ''
  program.stdout!.on('data', (data) => {
    out += data
  })
  const { result, mask } = maskOf('front', 1)
  await expect
    .poll(
      async () => {
        await client.publishAsync(to.result, JSON.stringify(result))
        return out
      },
      { timeout: 20_000 },
    )
    .toContain('jetson01 front: 12.5 % road')
  await client.publishAsync(to.mask, Buffer.from(mask))
  for (const sequence of [1, 2, 1, 2, 3])
    await client.publishAsync(to.event, JSON.stringify(eventOf('front', 'no picture', sequence)), { qos: 1 })
  await expect.poll(() => out).toContain('event 3')
  expect(out).toContain('jetson01 front: a mask of 6 bytes')
  expect(out.match(/event \d camera_lost no picture/g)).toEqual([1, 2, 3].map((n) => `event ${n} camera_lost no picture`))
})

test("Node-RED's flow hears the topics of the table, and its function lets each event through once", () => {
  const flow = JSON.parse(readFileSync(join(examples, 'node-red.json'), 'utf8')) as Record<string, string>[]
  const ids = flow.map(({ id }) => id)
  expect(new Set(ids).size).toBe(ids.length)
  for (const node of flow)
    for (const next of (node.wires as unknown as string[][] | undefined)?.flat() ?? []) expect(ids).toContain(next)
  const heard = flow.filter(({ type }) => type === 'mqtt in').map(({ topic }) => topic)
  expect(heard).toEqual([to.result, to.event].map((topic) => topic.replace('jetson01/front', '+/+')))
  const kept = new Map<string, unknown>()
  const context = { get: (key: string) => kept.get(key), set: (key: string, value: unknown) => kept.set(key, value) }
  const run = new Function('msg', 'context', flow.find(({ type }) => type === 'function')!.func!)
  const through = [1, 2, 1, 2, 3].filter((sequence) => run({ payload: eventOf('front', '', sequence) }, context))
  expect(through).toEqual([1, 2, 3])
})
