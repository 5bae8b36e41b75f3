import { spawnSync } from 'node:child_process'
import { appendFileSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { openLog } from '../../edge-agent/log.ts'
import { type Outbox, openOutbox, type Stored } from '../../edge-agent/publish/outbox.ts'
import type { CameraEvent } from '../../edge-agent/wire.ts'
import { eventOf } from './made-messages.ts'

const log = openLog('fatal')
let folder: string
let outbox: Outbox

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'roadmask-'))
  outbox = open()
})
afterEach(async () => {
  vi.restoreAllMocks()
  await outbox.close()
  await rm(folder, { recursive: true })
})

const open = (max_mib = 1, max_days = 30) => openOutbox(folder, { max_mib, max_days }, log)
async function reopen(max_mib = 1, max_days = 30) {
  await outbox.close()
  outbox = open(max_mib, max_days)
}
const add = (text: string) => outbox.add({ topic: 'a/b', payload: text, retain: false })
const files = () =>
  readdirSync(folder)
    .filter((name) => /\.log$/.test(name))
    .sort()
const newest = () => join(folder, files().at(-1)!)

/** All that waits, oldest first. */
function waiting(): Stored[] {
  const found: Stored[] = []
  for (let next = outbox.next(0); next; next = outbox.next(next.sequence)) found.push(next)
  return found
}
const texts = () => waiting().map(({ payload }) => payload)
const added = async (...more: string[]) => {
  const before = waiting().length
  for (const text of more) add(text)
  await expect.poll(() => waiting().length).toBe(before + more.length)
}

test('what was added is there after the next start, in order, until the broker has it', async () => {
  await added('one', 'two', 'three')
  await reopen()
  expect(waiting().map(({ topic, payload, retain }) => [topic, payload, retain])).toEqual(
    ['one', 'two', 'three'].map((payload) => ['a/b', payload, false]),
  )
  outbox.done(waiting()[0]!.sequence)
  await reopen()
  expect(texts()).toEqual(['two', 'three'])
})

test('other files of the folder are left alone', async () => {
  writeFileSync(join(folder, 'switches.json'), '{}')
  await added('one')
  await reopen()
  expect(texts()).toEqual(['one'])
  expect(readFileSync(join(folder, 'switches.json'), 'utf8')).toBe('{}')
})

test('nothing is sent before it is on disk', async () => {
  const ready = vi.fn()
  outbox.onReady(ready)
  add('one')
  expect(outbox.next(0)).toBeUndefined()
  expect(readFileSync(newest(), 'utf8')).toContain('one') // SIGKILL would not take it any more
  await expect.poll(() => ready.mock.calls.length).toBe(1)
  expect(outbox.next(0)?.payload).toBe('one')
})

test('a message that the broker took before an older one is kept with it, and sent again after a crash', async () => {
  await added('one', 'two', 'three')
  const [one, two] = waiting()
  outbox.done(two!.sequence)
  await reopen()
  expect(texts()).toEqual(['one', 'two', 'three'])
  outbox.done(two!.sequence)
  outbox.done(one!.sequence)
  await reopen()
  expect(texts()).toEqual(['three'])
})

test('a tail that was torn is cut off, at whatever byte', async () => {
  await added('one', 'two')
  await outbox.close()
  const whole = readFileSync(newest())
  const end = whole.length
  for (let torn = 1; torn < 90; torn += 7) {
    writeFileSync(newest(), whole)
    appendFileSync(newest(), whole.subarray(end - torn, end - 1))
    outbox = open()
    expect(texts(), `${torn} bytes`).toEqual(['one', 'two'])
    expect(outbox.stats().dropped.damaged).toBe(0)
    await outbox.close()
    expect(statSync(newest()).size).toBe(end)
  }
  outbox = open()
  await added('three')
  await reopen()
  expect(texts()).toEqual(['one', 'two', 'three'])
})

test('a line that rotted is left out and counted, the rest is there', async () => {
  await added('one', 'two', 'three')
  await outbox.close()
  writeFileSync(newest(), readFileSync(newest(), 'utf8').replace('"two"', '"tvo"'))
  outbox = open()
  expect(texts()).toEqual(['one', 'three'])
  expect(outbox.stats().dropped.damaged).toBe(1)
})

test('an event keeps its number, and no other event gets it, whatever happened between', async () => {
  const number = () => {
    const event = outbox.number(eventOf('front', 'x'))
    outbox.add({ topic: 'a/event', payload: JSON.stringify(event), retain: false })
    return event
  }
  const first = [number(), number()]
  await reopen()
  for (const { sequence } of waiting()) outbox.done(sequence)
  await reopen()
  const events: CameraEvent[] = [...first, number()]
  expect(events.map(({ sequence }) => sequence)).toEqual([1, 2, 3])
  expect(events.map(({ id }) => id)).toEqual([1, 2, 3].map((sequence) => `${outbox.id}-${sequence}`))
})

test('it takes no more disk than it may: the oldest go, counted', async () => {
  const text = 'x'.repeat(1000)
  for (let i = 0; i < 3000; i++) add(`${i} ${text}`)
  const { bytes, messages, dropped } = outbox.stats()
  const onDisk = files().reduce((sum, file) => sum + statSync(join(folder, file)).size, 0)
  expect(bytes).toBe(onDisk)
  expect(bytes).toBeLessThan(1.2 * 2 ** 20)
  expect(messages).toBeGreaterThan(700)
  expect(messages + dropped.full).toBe(3000)
  await reopen()
  const numbers = texts().map((payload) => Number.parseInt(payload, 10))
  expect(numbers).toEqual(Array.from({ length: messages }, (_, i) => 3000 - messages + i))
})

test('files are removed once all in them is delivered, and what follows is numbered on', async () => {
  const text = 'x'.repeat(1000)
  await added(...Array.from({ length: 400 }, (_, i) => `${i} ${text}`))
  expect(files().length).toBeGreaterThan(2)
  const last = waiting().at(-1)!.sequence
  for (const { sequence } of waiting()) outbox.done(sequence)
  expect(files()).toHaveLength(1)
  await reopen()
  await added('more')
  expect(waiting()[0]!.sequence).toBe(last + 1)
})

test('it goes on where it may take less than before, with nothing left to make room', async () => {
  await reopen(64)
  const text = 'x'.repeat(1000)
  for (let i = 0; i < 1500; i++) add(`${i} ${text}`)
  await expect.poll(() => waiting().length).toBe(1500)
  for (const { sequence } of waiting()) outbox.done(sequence)
  await reopen(1)
  expect(outbox.stats().bytes).toBeGreaterThan(2 ** 20)
  await added('one', 'two')
  expect(texts()).toEqual(['one', 'two'])
  expect(outbox.stats().bytes).toBeLessThan(2 ** 20)
})

test('messages that are too old go, but a clock that was never set makes none old', async () => {
  vi.spyOn(Date, 'now').mockReturnValue(Date.UTC(2026, 0))
  await added('old')
  vi.spyOn(Date, 'now').mockReturnValue(1000) // a machine without a clock of its own
  await added('new')
  vi.restoreAllMocks()
  await reopen(1, 1)
  expect(texts()).toEqual(['new'])
  expect(outbox.stats().dropped.old).toBe(1)
})

test('a clock that jumps while it runs makes nothing old', async () => {
  vi.spyOn(Date, 'now').mockReturnValue(Date.UTC(2024, 6))
  await added('one')
  vi.restoreAllMocks()
  expect(texts()).toEqual(['one'])
  expect(outbox.stats().oldest_s).toBeLessThan(60)
})

test('a disk that is full costs what it should keep, not the message; and leaves no half a line', async () => {
  // In a process whose files may grow to 8 kB.
  const program = `
    import { openOutbox } from ${JSON.stringify(join(process.cwd(), 'build/edge-agent/publish/outbox.js'))}
    const errors = []
    process.on('SIGXFSZ', () => {})
    const log = { error: (text) => errors.push(text), warn() {}, info() {} }
    const outbox = openOutbox(${JSON.stringify(folder)}, { max_mib: 1, max_days: 1 }, log)
    for (let i = 0; i < 20; i++) {
      const { sequence } = outbox.number({})
      outbox.add({ topic: 'a', payload: sequence + ' ' + 'x'.repeat(1000), retain: false })
    }
    await new Promise((ready) => outbox.onReady(() => ready()))
    let seen = 0
    for (let next = outbox.next(0); next; next = outbox.next(next.sequence)) seen++
    console.log(JSON.stringify({ seen, errors }))
    process.kill(process.pid, 'SIGKILL')`
  await outbox.close()
  const { stdout, stderr } = spawnSync(
    'bash',
    ['-c', 'ulimit -f 8; exec "$0" --input-type=module -e "$1"', process.execPath, program],
    {
      encoding: 'utf8',
    },
  )
  expect(stderr).toBe('')
  const { seen, errors } = JSON.parse(stdout)
  expect(seen).toBe(20)
  expect(errors).toHaveLength(1)
  expect(errors[0]).toContain('cannot be written; it is kept in memory alone: EFBIG')
  outbox = open()
  expect(outbox.stats()).toMatchObject({ messages: 7, dropped: { damaged: 0 } })
  expect(readFileSync(newest(), 'utf8').endsWith('\n')).toBe(true)
  // The broker may have had all 20: no other event may come under one of their numbers.
  expect(outbox.number(eventOf('front', 'x')).sequence).toBe(21)
})

test("what lies on the disk is nobody else's to read", async () => {
  await added('one')
  expect(files().map((file) => statSync(join(folder, file)).mode & 0o077)).toEqual(files().map(() => 0))
})
