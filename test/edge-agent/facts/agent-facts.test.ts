// Facts of the real agent: what it says of pictures that are known, and what new settings change while it runs.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { lookOf, summariseLooks } from '../../../deploy/picture-look.ts'
import type { CameraEvent, Result } from '../../../edge-agent/wire.ts'
import { writeBrightBundle } from '../../bright-bundle.ts'
import { type Subscriber, subscribe } from '../mosquitto.ts'
import { type RunningAgent, startAgent, type Watcher } from '../running-agent.ts'

let dir: string
let agent: RunningAgent
let listener: Subscriber
let watcher: Watcher

/** Road is what is bright: the whole picture of `white`, none of `black`. */
const settings = (pattern: 'white' | 'black', zone = '') => `device: facts
bundle: ${join(dir, 'bundle')}
broker: { port: 0 }
cameras:
  - name: front
    source: 'gst:videotestsrc is-live=true pattern=${pattern} ! video/x-raw,width=320,height=240,framerate=10/1'
    zones: [{ name: ahead, polygon: [[0.4, 0.9], [0.45, 0.6], [0.55, 0.6], [0.6, 0.9]], hold_s: 0.3${zone} }]
    mounting: { height_m: 1.5, pitch_deg: 10, focal_px: 300 }
    drift: { over_s: 4 }
`

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roadmask-'))
  // Trained on black pictures alone.
  const black = lookOf(new Uint8Array(3 * 96 * 64), 96, { left: 0, right: 96, top: 0, bottom: 64 })
  await writeBrightBundle(join(dir, 'bundle'), { looks: summariseLooks([black, black]) })
  agent = await startAgent(settings('black'))
  listener = await subscribe(agent.mqtt, 'roadmask/facts/#')
  watcher = await agent.watch()
})
afterAll(async () => {
  await listener.stop()
  await agent.stop()
  await rm(dir, { recursive: true })
})

const newest = () => watcher.masks.at(-1)?.result
const events = () => listener.text('roadmask/facts/front/event').map((text) => JSON.parse(text) as CameraEvent)

test('without road the zone becomes blocked: a fact of the mask, and an event of that frame', async () => {
  await expect.poll(() => newest()?.blocked, { timeout: 30_000 }).toBe(true)
  expect(newest()).toMatchObject({
    road_percent: 0,
    largest_area: { percent: 0, of_road_percent: 0 },
    changed_percent: 0,
    contours: [],
    zones: [{ name: 'ahead', road_percent: 0, blocked: true }],
    free_space: { end_y: Array(9).fill(expect.closeTo(0.9417, 2)) }, // the lower edge of what the model sees
  })
  await expect.poll(() => newest()?.drift, { timeout: 20_000 }).toMatchObject({ active: false })
  expect(newest()!.timings_ms.facts).toBeGreaterThan(0)
  await expect
    .poll(() => listener.text('roadmask/facts/front/result').map((text) => (JSON.parse(text) as Result).blocked))
    .toContain(true)
  // The event may have come before there was anybody to hear it.
  const first = watcher.texts.find((text) => text.type === 'event')
  if (first) expect(first.event).toMatchObject({ type: 'zone_blocked', zone: 'ahead' })
})

test('with road in it again it is clear, though the camera process is another one', async () => {
  await agent.save(settings('white'))
  await expect.poll(() => newest()?.blocked, { timeout: 30_000 }).toBe(false)
  expect(newest()).toMatchObject({ road_percent: 100, largest_area: { percent: 100, of_road_percent: 100 } })
  const [contour] = newest()!.contours!
  expect(contour).toMatchObject({ percent: 100, hole: false })
  expect(contour!.points).toHaveLength(4)
  const { end_y, metres } = newest()!.free_space!
  expect(end_y).toEqual(Array(9).fill(expect.closeTo(0.0583, 2)))
  expect(metres).toEqual(Array(9).fill(null)) // above the horizon
  await expect.poll(() => events().map(({ type }) => type)).toContain('zone_clear')
  const clear = events().find(({ type }) => type === 'zone_clear')!
  expect(clear).toMatchObject({ zone: 'ahead', detail: 'ahead: 100 % road' })
  expect(Math.abs(clear.at_us / 1000 - Date.now())).toBeLessThan(60_000)
})

test('it drifts now: white is nothing that the model was trained on', async () => {
  await expect.poll(() => newest()?.drift?.active, { timeout: 30_000 }).toBe(true)
  await expect.poll(() => events().map(({ type }) => type)).toContain('drift_start')
  expect(events().find(({ type }) => type === 'drift_start')!.detail).toMatch(
    /^[\d.]+ times as strange as a training picture may be$/,
  )
})

test('a zone that is drawn anew holds at once, and the camera goes on undisturbed', async () => {
  const [camera, model] = [agent.children('camera'), agent.children('segment')]
  await agent.save(settings('white').replace('name: ahead', 'name: lane'))
  await expect.poll(() => newest()?.zones?.[0]?.name, { timeout: 30_000 }).toBe('lane')
  expect([agent.children('camera'), agent.children('segment')]).toEqual([camera, model])
})
