// Events that are kept: all of them and with the picture of their moment, within bounds, over restarts and crashes.
import { appendFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type EventQuestion, type Events, keepEvents } from '../../../edge-agent/history/events.ts'
import { openLog } from '../../../edge-agent/log.ts'
import { Config } from '../../../edge-agent/settings/config.ts'
import type { CameraEvent, MaskMessage } from '../../../edge-agent/wire.ts'
import { eventOf, maskOf } from '../made-messages.ts'

const second = 1_000_000
const noon = (Date.UTC(2026, 0, 31, 12) / 1000) * second
let folder: string
let events: Events
let wanted: string[]
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'roadmask-'))
  events = open()
})
afterEach(async () => {
  await events.close()
  await rm(folder, { recursive: true })
})

const settings = (history: object = {}) =>
  Config.parse({ history, cameras: ['front', 'rear'].map((name) => ({ name, source: 'test' })) })

function open(
  history: object = {},
  overlay: (message: MaskMessage) => Promise<Uint8Array | undefined> = async () => undefined,
) {
  wanted = []
  const around = { state: folder, folder, painter: { overlay }, wantPicture: (name: string) => void wanted.push(name) }
  return keepEvents(settings(history), { ...around, log: openLog('fatal') })
}
async function reopen(history: object = {}, overlay?: (message: MaskMessage) => Promise<Uint8Array | undefined>) {
  await events.close()
  events = open(history, overlay)
}

const event = (number: number, type: CameraEvent['type'], camera = 'front'): CameraEvent => ({
  ...eventOf(camera, `event ${number}`, number),
  type,
  at_us: noon + number * second,
})
const picture = (number: number, bytes = 10, camera = 'front'): MaskMessage => {
  const message = maskOf(camera, number, bytes)
  return { ...message, result: { ...message.result, captured_us: noon + number * second } }
}
const all: EventQuestion = { types: [], cameras: [], from: 0, to: Infinity, before: undefined, limit: 100 }
const page = async (question: Partial<EventQuestion> = {}) => {
  const { events: found, next } = await events.page({ ...all, ...question })
  return { found: found.map(({ sequence }) => sequence), next }
}
const pictured = async () => {
  const found = (await events.page({ ...all, limit: 1000 })).events
  return found.filter(({ picture_us }) => picture_us !== undefined).map(({ sequence }) => sequence)
}

test('are told the newest first, page by page, and of the wanted kind, camera and time alone', async () => {
  for (let i = 1; i <= 7; i++) events.add(event(i, i % 2 ? 'camera_lost' : 'camera_back', i < 4 ? 'front' : 'rear'))
  expect(await page()).toEqual({ found: [7, 6, 5, 4, 3, 2, 1], next: null })
  const first = await page({ limit: 3 })
  expect(first).toEqual({ found: [7, 6, 5], next: 'box-5' })
  events.add(event(8, 'drift_start')) // meanwhile
  expect(await page({ limit: 3, before: first.next! })).toEqual({ found: [4, 3, 2], next: 'box-2' })
  expect(await page({ limit: 3, before: 'box-2' })).toEqual({ found: [1], next: null })
  expect(await page({ before: 'box-99' })).toEqual({ found: [], next: null })
  expect((await page({ types: ['camera_back', 'drift_start'] })).found).toEqual([8, 6, 4, 2])
  expect((await page({ cameras: ['rear'] })).found).toEqual([7, 6, 5, 4])
  expect((await page({ from: noon + 2 * second, to: noon + 4 * second })).found).toEqual([3, 2])
})

test('are there after the next start with their pictures, also behind a line that was torn', async () => {
  events.add(event(1, 'zone_blocked'))
  events.mask(picture(1))
  await expect.poll(pictured).toEqual([1])
  await events.close()
  appendFileSync(join(folder, 'events-00000001.log'), '12345678 {"t":17')
  writeFileSync(join(folder, 'pictures/new'), 'half a pic')
  events = open()
  events.add(event(2, 'camera_lost')) // before all is read
  expect((await page()).found).toEqual([2, 1])
  expect(await pictured()).toEqual([1])
  expect(await events.picture('box-1')).toEqual(Buffer.alloc(10, 1))
  expect(await events.picture('box-2')).toBeUndefined()
  expect(await events.picture('../events-00000001.log')).toBeUndefined()
  expect(readdirSync(join(folder, 'pictures'))).toEqual([`${noon + second}.front.jpg`])
})

test('of a zone have the picture of their frame or of the next one, which is asked for', async () => {
  events.mask(picture(1))
  events.add(event(2, 'zone_blocked'))
  expect(wanted).toEqual(['front'])
  events.mask({ ...picture(2), picture: new Uint8Array() })
  events.mask(picture(2, 10, 'rear'))
  events.mask(picture(3))
  await expect.poll(async () => (await events.page(all)).events[0]!.picture_us).toBe(noon + 3 * second)
})

test('of a camera that is gone have its last picture, and where no next one comes so have others', async () => {
  events.mask(picture(1))
  events.add(event(2, 'camera_lost'))
  await expect.poll(pictured).toEqual([2])
  events.add(event(3, 'zone_blocked'))
  expect(await pictured()).toEqual([2])
  await expect.poll(pictured, { timeout: 10_000 }).toEqual([3, 2])
  expect(wanted).toEqual(['front'])
})

test('are painted where they can be, and those of a moment share a picture', async () => {
  let painted = 0
  await reopen({}, async () => Buffer.from(`painted ${++painted}`))
  for (const i of [1, 2, 3]) events.add(event(i, 'zone_blocked'))
  events.mask(picture(3))
  await expect.poll(pictured).toEqual([3, 2, 1])
  for (const i of [1, 2, 3]) expect(String(await events.picture(`box-${i}`))).toBe('painted 1')
  await reopen({}, () => Promise.reject(new Error('The painting process was killed')))
  events.add(event(4, 'zone_clear'))
  events.mask(picture(4))
  await expect.poll(pictured).toEqual([4, 3, 2, 1])
  expect(await events.picture('box-4')).toEqual(Buffer.alloc(10, 4))
})

test('stay within their number and their bytes: the oldest go, pictures before events', async () => {
  await reopen({ events: 100, pictures_mib: 1 })
  vi.spyOn(performance, 'now').mockImplementation(
    (
      (now) => () =>
        (now += 600)
    )(0),
  ) // a camera has a picture a second kept
  for (let i = 1; i <= 250; i++) {
    events.add(event(i, 'camera_enabled'))
    events.mask(picture(i, 50_000))
    await expect.poll(async () => (await pictured())[0], { interval: 1 }).toBe(i)
  }
  vi.restoreAllMocks()
  const sizes = () => readdirSync(join(folder, 'pictures')).map((name) => statSync(join(folder, 'pictures', name)).size)
  for (const again of [false, true]) {
    if (again) await reopen({ events: 100, pictures_mib: 1 })
    const { found } = await page({ limit: 1000 })
    expect(found.length).toBeGreaterThan(80)
    expect(found.length).toBeLessThanOrEqual(100)
    expect(found).toEqual(found.map((_, i) => 250 - i))
    expect(await pictured()).toEqual(found.slice(0, 20)) // 20 times 50 000 bytes
    expect(sizes()).toEqual(Array(20).fill(50_000))
  }
  const logs = readdirSync(folder).filter((name) => name.endsWith('.log'))
  expect(logs.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)).toBeLessThanOrEqual(100 * 512)
  await events.forget(noon / second + 249)
  expect((await page()).found).toEqual([250, 249])
  expect(sizes()).toHaveLength(2)
})

test('have no pictures where none are wanted, and are not kept where no history is', async () => {
  await reopen({ pictures_mib: 0 })
  events.mask(picture(1))
  events.add(event(1, 'camera_lost'))
  expect(wanted).toEqual([])
  events.settings(settings({ enabled: false }))
  events.add(event(2, 'camera_lost'))
  expect((await page()).found).toEqual([1])
  expect(await pictured()).toEqual([])
})
