// The history of the real agent, over its API: what a zone's event looked like, what a crash leaves, who may read it.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { hashToken, makeToken } from '../../../edge-agent/serve/access.ts'
import { csv } from '../../../edge-agent/serve/csv.ts'
import type { EventPage, History } from '../../../edge-agent/wire.ts'
import { writeBrightBundle } from '../../bright-bundle.ts'
import { openMadeSite } from '../made-site.ts'
import { type RunningAgent, startAgent } from '../running-agent.ts'

let dir: string
let agent: RunningAgent

/** Road is what is bright: all of `white`, nothing of `black`. */
const settings = (pattern: 'white' | 'black') => `device: history
bundle: ${join(dir, 'bundle')}
broker: { port: 0 }
cameras:
  - name: front
    source: 'gst:videotestsrc is-live=true pattern=${pattern} ! video/x-raw,width=320,height=240,framerate=10/1'
    zones: [{ name: '=ahead', polygon: [[0.4, 0.9], [0.45, 0.6], [0.55, 0.6], [0.6, 0.9]], hold_s: 0.3 }]
`
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roadmask-'))
  await writeBrightBundle(join(dir, 'bundle'))
  agent = await start()
})
afterAll(async () => {
  await agent.stop()
  await rm(dir, { recursive: true })
})

const start = () => startAgent(settings('black'), [], { ROADMASK_STATE_DIR: join(dir, 'state') })
const ask = (path: string) => fetch(new URL(path, agent.url))
const json = async <Answer>(path: string) => (await (await ask(path)).json()) as Answer
const eventsOf = async (query = '') => (await json<EventPage>(`api/events${query}`)).events
const latest = (seconds = 900, points = 90) => {
  const [from, to] = [Date.now() - 1000 * seconds, Date.now()].map((ms) => new Date(ms).toISOString())
  return json<History>(`api/history?from=${from}&to=${to}&points=${points}`)
}
const slow = { timeout: 40_000 }

test('an event of a zone is there with the picture of its moment, the road painted into it', { timeout: 60_000 }, async () => {
  await expect.poll(() => eventsOf('?type=zone_blocked'), slow).toMatchObject([{ zone: '=ahead', camera: 'front' }])
  await agent.save(settings('white'))
  await expect.poll(() => eventsOf('?type=zone_clear'), slow).toMatchObject([{ picture_us: expect.any(Number) }])
  const [clear] = await eventsOf('?type=zone_clear')
  expect(Math.abs(clear!.picture_us! - clear!.at_us)).toBeLessThan(5_000_000)
  const answer = await ask(`api/events/${clear!.id}/picture`)
  expect(answer.headers.get('content-type')).toBe('image/jpeg')
  const { data, info } = await sharp(await answer.arrayBuffer())
    .raw()
    .toBuffer({ resolveWithObject: true })
  const middle = 3 * (info.width * (info.height >> 1) + (info.width >> 1))
  expect(data[middle]! + 50).toBeLessThan(data[middle + 1]!) // white, tinted
})

test('lines over time follow within seconds, and SIGKILL leaves what was written', { timeout: 150_000 }, async () => {
  await expect.poll(async () => (await latest()).cameras.front?.road_percent.most.includes(100), slow).toBe(true)
  const { step_s, cameras } = await latest()
  const front = cameras.front!
  expect(step_s).toBe(10)
  expect(Math.max(...front.masks_per_second.map((value) => value ?? 0))).toBeGreaterThan(1)
  expect(front.stages_ms.infer.median.some((value) => value !== null && value > 0)).toBe(true)
  expect(front.age_ms.p99.some((value) => value !== null && value > 0)).toBe(true)
  expect(front.zones['=ahead']!.blocked_percent.some((value) => value !== null)).toBe(true)
  const memory = async () => Math.max(...(await latest()).device.memory_mib.most.map((mib) => mib ?? 0))
  await expect.poll(memory, slow).toBeGreaterThan(50)

  const before = await eventsOf()
  const off = 'history: { enabled: false }\n'
  await agent.save(settings('white') + off) // written at once instead of within a minute
  await expect.poll(async () => (await latest()).recording, slow).toBe(false)
  await agent.save(settings('white'))
  await expect.poll(async () => (await latest()).recording, slow).toBe(true)
  agent.process.kill('SIGKILL')
  await agent.stop()
  agent = await start()
  await expect.poll(async () => (await latest(3600, 60)).cameras.front?.road_percent.most.includes(100), slow).toBe(true)
  const after = await eventsOf()
  expect(after.filter(({ id }) => before.some((one) => one.id === id))).toEqual(before)
})

test('as tables for a spreadsheet, which take no name for a formula', async () => {
  const lines = await ask('api/history.csv?points=360')
  expect(lines.headers.get('content-disposition')).toBe('attachment; filename="roadmask-history.csv"')
  const rows = (await lines.text()).split('\r\n').map((row) => row.split(','))
  expect(rows.at(-1)).toEqual([''])
  expect(rows[0]!.slice(0, 4)).toEqual(['time', 'seconds', 'camera', 'road_percent_mean'])
  expect(rows[0]!.at(-1)).toBe('zone =ahead blocked_percent')
  expect(rows.length).toBeGreaterThan(2)
  for (const row of rows.slice(1, -1)) {
    expect(row).toHaveLength(rows[0]!.length)
    expect(row[0]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d0\.000Z$/)
    expect(row[2]).toBe('front')
  }
  const events = (await (await ask('api/events.csv?type=zone_blocked')).text()).split('\r\n')
  expect(events[0]).toBe('time,camera,type,zone,detail,step_ms,latitude,longitude,picture_time,id')
  expect(events[1]).toMatch(/^[\d-]+T[\d:.]+Z,front,zone_blocked,'=ahead,'=ahead: 0 % road,,,,/)
  expect(csv([['a "b", c', '-1', -1, '@x', 'two\nlines', null, 0.5]])).toBe(`"a ""b"", c",'-1,-1,'@x,"two\nlines",,0.5\r\n`)
})

test('what is asked wrongly is told so', async () => {
  const detail = async (path: string) => {
    const answer = await ask(path)
    expect(answer.status, path).toBe(400)
    return ((await answer.json()) as { detail: string }).detail
  }
  expect(await detail('api/history?from=yesterday')).toContain('"from": expected a time of ISO 8601')
  expect(await detail('api/history?from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z')).toBe('Expected "from" before "to"')
  expect(await detail('api/history?from=1926-02-01T00:00:00Z')).toBe('Expected at most ten years from "from" to "to"')
  expect(await detail('api/history?points=0')).toContain('"points"')
  expect(await detail('api/history?cameras=front')).toContain('cameras')
  expect(await detail('api/events?type=stolen')).toContain('"type"')
})

test('a viewer may read all of it, and nobody else', async () => {
  const token = makeToken()
  const made = await openMadeSite(`http: { host: 0.0.0.0 }
access: { tokens: [{ name: desk, role: viewer, sha256: ${hashToken(token)} }] }`)
  for (const path of ['history', 'history.csv', 'events', 'events.csv', 'events/x/picture']) {
    const status = async (headers: Record<string, string>) => (await made.ask(`api/${path}`, { headers })).status
    expect(await status({}), path).toBe(401)
    expect(await status({ authorization: `Bearer ${token}` }), path).toBe(path.endsWith('picture') ? 404 : 200)
  }
  await made.close()
})
