import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Held, hold } from '../../../edge-agent/facts/hold.ts'
import { makeJudge } from '../../../edge-agent/facts/judge.ts'
import { lookAtMasks, type MaskFacts } from '../../../edge-agent/facts/mask-facts.ts'
import { DriftSettings, FactSettings, Zone } from '../../../edge-agent/facts/settings.ts'
import { openTold, type Told } from '../../../edge-agent/facts/told.ts'
import { watchZones } from '../../../edge-agent/facts/zone-states.ts'
import { openLog } from '../../../edge-agent/log.ts'
import type { NewEvent } from '../../../edge-agent/publish/output.ts'
import type { MaskMade } from '../../../edge-agent/segment/messages.ts'
import { Config } from '../../../edge-agent/settings/config.ts'
import { openState } from '../../../edge-agent/state.ts'
import type { Region } from '../../../edge-agent/wire.ts'
import { draw } from './drawn.ts'

const whole = [[0, 0], [1, 0], [1, 1], [0, 1]] // biome-ignore format: one line
const zone = (more: object = {}) => Zone.parse({ name: 'ahead', polygon: whole, ...more })

describe('a state that is held', () => {
  const through = (steps: [atMs: number, wish: boolean | undefined][], holdMs = 100) => {
    let held: Held = { on: false }
    return steps.map(([atMs, wish]) => {
      held = hold(held, wish, atMs, holdMs)
      return held.on
    })
  }

  test('changes when the wish for it has lasted', () => {
    expect(through([[0, true], [99, true], [100, true], [150, false], [249, false], [250, false]])).toEqual(
      [false, false, true, true, true, false],
    ) // biome-ignore format: beside each other
  })

  test('a wish that breaks off, or is neither, begins anew', () => {
    expect(through([[0, true], [90, false], [110, true], [200, true]])).toEqual([false, false, false, false]) // biome-ignore format: one line
    expect(through([[0, true], [90, undefined], [110, true], [209, true], [210, true]])).toEqual([false, false, false, false, true]) // biome-ignore format: one line
  })

  test('without a time to hold it changes at once', () => {
    expect(
      through(
        [
          [0, true],
          [0, false],
        ],
        0,
      ),
    ).toEqual([true, false])
  })
})

describe('zones in time', () => {
  const run = (settings: Zone, roads: (number | null)[], everyMs = 500, freshAt = -1) => {
    const judge = watchZones([settings])
    return roads.map((road_percent, i) => {
      const { zones, changed } = judge([{ name: 'ahead', road_percent }], i * everyMs, i === freshAt || i === 0)
      return `${zones[0]!.blocked ? 'blocked' : 'clear'}${zones[0]!.pending ? '?' : ''}${changed.length ? '!' : ''}`
    })
  }

  test('one is blocked once it has held too little road for its time, and clear again likewise; until then it is pending', () => {
    expect(run(zone(), [80, 40, 40, 40, 40, 80, 80, 80])).toEqual([
      'clear',
      'clear?',
      'clear?',
      'blocked!',
      'blocked',
      'blocked?',
      'blocked?',
      'clear!',
    ])
  })

  test('between the thresholds it stays as it is', () => {
    expect(run(zone({ hold_s: 0 }), [55, 49, 55, 59.9, 60, 55])).toEqual([
      'clear',
      'blocked!',
      'blocked',
      'blocked',
      'clear!',
      'clear',
    ])
    expect(run(zone({ hold_s: 0, clear_above: 50 }), [49, 50])).toEqual(['blocked!', 'clear!'])
    expect(run(zone({ hold_s: 0, blocked_below: 95 }), [90, 99, 100])).toEqual(['blocked!', 'blocked', 'clear!'])
  })

  test('a zone that is not seen stays as it is, and time without a camera does not count', () => {
    expect(run(zone({ hold_s: 0 }), [40, null, null])).toEqual(['blocked!', 'blocked', 'blocked'])
    expect(run(zone(), [40, 40, 40], 600_000, 1)).toEqual(['clear?', 'clear?', 'blocked!'])
  })
})

const settings = { facts: FactSettings.parse({ sectors: 4, rle: true }), zones: [zone()] }
const all: Region = [0, 0, 80, 40]
const frame = { process: 1, cameraWidth: 80, cameraHeight: 40, region: all, seen: all }
const said = 0.98765

describe('the facts of a mask', () => {
  const mask = draw(
    '........', //
    '22####..',
    '2.####.#',
    '22####..',
  )

  test('stand together, of any number of classes', () => {
    const look = lookAtMasks(settings, { width: 8, height: 4, road: 1 })
    expect(look(mask.ids, frame, said)).toEqual({
      road_percent: 40.63,
      confidence: 0.988,
      largest_area: { percent: 37.5, of_road_percent: 92.31 },
      contours: [{ percent: 37.5, hole: false, points: [[0.75, 0.25], [0.75, 1], [0.25, 1], [0.25, 0.25]] }], // biome-ignore format: one line
      free_space: { end_y: [1, 0.25, 0.25, 1] },
      zones: [{ name: 'ahead', road_percent: 40.63 }],
      rle: { size: [4, 8], counts: expect.any(String) },
    })
  })

  test('tell how much changed since the camera’s mask before, whatever class it was', () => {
    const look = lookAtMasks(settings, { width: 8, height: 4, road: 1 })
    expect(look(mask.ids, frame, said).changed_percent).toBeUndefined()
    expect(look(mask.ids, frame, said).changed_percent).toBe(0)
    const other = Int32Array.from(mask.ids)
    other[0] = 2
    other[31] = 1
    expect(look(other, frame, said).changed_percent).toBe(6.25)
    expect(look(mask.ids, { ...frame, process: 2 }, said).changed_percent).toBeUndefined()
  })

  test('follow a camera whose picture has another size, and leave bars out', () => {
    const look = lookAtMasks(settings, { width: 8, height: 4, road: 1 })
    const all = new Int32Array(32).fill(1)
    expect(look(all, frame, said).largest_area.percent).toBe(100)
    const wide: typeof frame = { ...frame, cameraHeight: 20, region: [0, -10, 80, 40], seen: [0, 0, 80, 20] }
    // The model takes the bars for road too; neither the numbers nor the mask that is sent do.
    expect(look(all, wide, said)).toMatchObject({
      road_percent: 100,
      largest_area: { percent: 100, of_road_percent: 100 },
      contours: [{ percent: 100, hole: false }],
      zones: [{ road_percent: 100 }],
    })
    expect([...all]).toEqual([...Array(8).fill(0), ...Array(16).fill(1), ...Array(8).fill(0)])
    const tall: typeof frame = { ...frame, cameraWidth: 40, region: [-20, 0, 80, 40], seen: [0, 0, 40, 40] }
    expect(look(new Int32Array(32).fill(1), tall, said).road_percent).toBe(100)
    const other = lookAtMasks(settings, { width: 8, height: 4, road: 0 })
    const none = new Int32Array(32).fill(1)
    expect(other(none, wide, said).road_percent).toBe(0)
    expect(other(new Int32Array(32), wide, said).road_percent).toBe(100)
  })

  test('are about the camera’s own region, whose bars lie over the picture and not beside it', () => {
    const zones = [zone({ polygon: [[0, 0], [1, 0], [1, 1], [0, 1]] }), zone({ polygon: [[0, 0], [1, 0], [1, 0.25], [0, 0.25]] })] // biome-ignore format: corners
    const look = lookAtMasks({ ...settings, zones }, { width: 8, height: 4, road: 1 })
    const all = new Int32Array(32).fill(1)
    expect(look(all, { ...frame, seen: [0, 10, 80, 20] }, said)).toMatchObject({
      road_percent: 100,
      zones: [{ road_percent: 100 }, { road_percent: null }],
    })
    expect([...all]).toEqual([...Array(8).fill(0), ...Array(16).fill(1), ...Array(8).fill(0)])
  })

  test('leave out what is switched off', () => {
    const off = { facts: FactSettings.parse({ contours: 0, sectors: 0 }), zones: [] }
    const facts = lookAtMasks(off, { width: 8, height: 4, road: 1 })(mask.ids, frame, said)
    expect(Object.keys(facts)).toEqual(['road_percent', 'confidence', 'largest_area', 'zones'])
  })

  test('have metres where the mounting is known', () => {
    const mounting = { height_m: 1.5, pitch_deg: 0, focal_px: 100 }
    const look = lookAtMasks({ ...settings, mounting }, { width: 8, height: 4, road: 1 })
    const ahead = draw('........', '........', '........', '########')
    expect(look(ahead.ids, frame, said).free_space).toEqual({ end_y: Array(4).fill(0.75), metres: Array(4).fill(15) })
  })
})

const made = (atS: number, road: number, left: number): MaskMade => ({
  type: 'mask',
  frame: {
    ...frame,
    camera: 'front',
    frame: 1,
    capturedMicros: 1e6 * atS,
    capturedMonotonicMicros: 1e6 * atS,
    picture: false,
  },
  png: new Uint8Array(),
  facts: {
    road_percent: 30,
    zones: [
      { name: 'ahead', road_percent: road },
      { name: 'left', road_percent: left },
    ],
  } as MaskFacts,
  timings: { capture: 0, wait: 0, infer: 0, facts: 0, encode: 0 },
  sentMonotonicMicros: 0,
})

test('a zone that changes is an event of the frame that decided it, and a fact of every mask', () => {
  const events: NewEvent[] = []
  const judge = makeJudge(
    [{ name: 'front', zones: [zone(), zone({ name: 'left' })], drift: DriftSettings.parse({}) }],
    (event) => events.push(event),
  )
  expect(judge.facts(made(0, 20, 80), true)).toMatchObject({ road_percent: 30, blocked: false })
  expect(judge.facts(made(2, 20, 80), false)).toMatchObject({
    blocked: true,
    zones: [
      { name: 'ahead', road_percent: 20, blocked: true },
      { name: 'left', road_percent: 80, blocked: false },
    ],
  })
  judge.facts(made(3, 90, 80), false)
  expect(judge.facts(made(4.5, 90, 80), false).blocked).toBe(false)
  expect(events.map(({ type, zone, at_us, detail }) => [type, zone, at_us, detail])).toEqual([
    ['zone_blocked', 'ahead', 2e6, 'ahead: 20 % road'],
    ['zone_clear', 'ahead', 4.5e6, 'ahead: 90 % road'],
  ])

  // A zone that was told as blocked is told as clear, also by new settings.
  judge.facts(made(6, 20, 80), false)
  judge.facts(made(8, 20, 80), false)
  events.length = 0
  judge.settings({
    cameras: [{ name: 'front', zones: [zone({ name: 'left' }), zone({ hold_s: 0 })], drift: DriftSettings.parse({}) }],
  })
  expect(judge.facts(made(9, 90, 20), false).zones).toBeUndefined() // by the old ones
  const swapped = made(10, 90, 80)
  swapped.facts.zones.reverse()
  expect(judge.facts(swapped, false).blocked).toBe(false)
  expect(events.map(({ type, zone }) => [type, zone])).toEqual([['zone_clear', 'ahead']])
})

describe('what was told has an end', () => {
  const drift = DriftSettings.parse({})
  const front = (...zones: Zone[]) => [{ name: 'front', zones, drift }]
  const left = zone({ name: 'left' })
  let events: NewEvent[] = []
  const said = () => events.splice(0).map(({ type, zone, detail }) => [type, zone, detail])
  let kept: Told = {}
  const keep = (told: Told) => {
    kept = structuredClone(told)
  }
  const memory = () => ({ found: kept, keep, stop() {} })
  const blockedRun = () => {
    ;[events, kept] = [[], {}]
    const judge = makeJudge(front(zone(), left), (event) => events.push(event), memory())
    judge.facts(made(0, 20, 80), true)
    judge.facts(made(2, 20, 80), false)
    expect(said()).toEqual([['zone_blocked', 'ahead', 'ahead: 20 % road']])
    return judge
  }

  test('a zone that is clear after a restart is told so, one that is still blocked is not told again', () => {
    blockedRun()
    const clear = makeJudge(front(zone(), left), (event) => events.push(event), memory())
    expect(clear.facts(made(10, 90, 80), true).blocked).toBe(true) // until that has held
    expect(said()).toEqual([])
    clear.facts(made(12, 90, 80), false)
    expect(said()).toEqual([['zone_clear', 'ahead', 'ahead: 90 % road']])
    expect(kept).toEqual({})
    blockedRun()
    const still = makeJudge(front(zone(), left), (event) => events.push(event), memory())
    for (const at of [10, 12, 14]) expect(still.facts(made(at, 20, 80), at === 10).blocked).toBe(true)
    expect(said()).toEqual([])
  })

  test('between the thresholds nothing is known of before a restart, or of another zone of that name', () => {
    blockedRun()
    const again = makeJudge(front(zone(), left), (event) => events.push(event), memory())
    again.facts(made(10, 55, 80), true)
    again.facts(made(12, 55, 80), false)
    expect(said()).toEqual([['zone_clear', 'ahead', 'ahead: 55 % road']])
    const edited = blockedRun()
    edited.settings({ cameras: front(zone({ polygon: [[0, 0], [1, 0], [1, 0.5]] }), left) }) // biome-ignore format: one line
    edited.facts(made(10, 55, 80), false)
    edited.facts(made(12, 55, 80), false)
    expect(said()).toEqual([['zone_clear', 'ahead', 'ahead: 55 % road']])
    const untouched = blockedRun()
    untouched.settings({ cameras: front(zone(), zone({ name: 'left', hold_s: 2 })) })
    untouched.facts(made(10, 55, 80), false)
    expect(untouched.facts(made(12, 55, 80), false).blocked).toBe(true)
    expect(said()).toEqual([])
  })

  test('a zone or a camera that is no more is clear, by new settings and after a restart', () => {
    const gone = ['zone_clear', 'ahead', 'ahead: is in the settings no more']
    blockedRun().settings({ cameras: front(left) })
    expect([said(), kept]).toEqual([[gone], {}])
    blockedRun().settings({ cameras: [] })
    expect(said()).toEqual([gone])
    blockedRun()
    makeJudge(front(left), (event) => events.push(event), memory())
    expect([said(), kept]).toEqual([[gone], {}])
    kept = { front: { blocked: [], drifts: true } }
    makeJudge([], (event) => events.push(event), memory())
    expect(said()).toEqual([['drift_end', undefined, 'the camera is in the settings no more']])
  })

  test('is on disk at once, and no more often than flash likes', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'roadmask-'))
    const log = openLog('fatal')
    const state = await openState(Config.parse({ state_dir: dir }), {})
    const told = openTold(state, log)
    const of = (...blocked: string[]): Told => ({ front: { blocked, drifts: false } })
    told.keep(of('a'))
    expect(openTold(state, log).found).toEqual(of('a'))
    for (let i = 0; i < 100; i++) told.keep(of('a', `b${i}`))
    expect(openTold(state, log).found).toEqual(of('a'))
    told.stop()
    expect(openTold(state, log).found).toEqual(of('a', 'b99'))
    state.close()
    await rm(dir, { recursive: true })
  })
})
