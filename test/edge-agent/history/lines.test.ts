// What the device remembers over time: that sums are right, files bounded, and that neither a crash nor a clock spoils them.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type History, keepHistory } from '../../../edge-agent/history/history.ts'
import { openLevels } from '../../../edge-agent/history/levels.ts'
import { openRing, type Ring, type Timed } from '../../../edge-agent/history/ring.ts'
import { readSeries } from '../../../edge-agent/history/series.ts'
import { addSparse, addTo, buckets, quantile, sparse } from '../../../edge-agent/history/sketch.ts'
import { addMask, makeTally, type Span, spanOf } from '../../../edge-agent/history/tally.ts'
import { openLog } from '../../../edge-agent/log.ts'
import { build } from '../../../edge-agent/paths.ts'
import { Config } from '../../../edge-agent/settings/config.ts'
import type { Result } from '../../../edge-agent/wire.ts'
import { maskOf, statusOf } from '../made-messages.ts'
import { stats } from '../made-site.ts'

const log = openLog('fatal')
const MiB = 1024 * 1024
const noon = Date.UTC(2026, 0, 31, 12) / 1000
let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'roadmask-'))
})
afterEach(async () => {
  vi.useRealTimers()
  await rm(folder, { recursive: true })
})

const resultOf = (camera: string, facts: Partial<Result> = {}): Result => ({ ...maskOf(camera, 1).result, ...facts })

describe('durations', () => {
  test('put together of parts have the median and the 99th percentile of the whole, within 4.5 %', () => {
    const all: number[] = []
    const whole = new Uint32Array(buckets)
    for (let part = 0; part < 20; part++) {
      const sketch = new Uint32Array(buckets)
      for (let i = 0; i < 300; i++) {
        const ms = 3 * Math.exp(2 * Math.sin(12.9898 * (300 * part + i))) // from 0.4 to 22 ms
        all.push(ms)
        addTo(sketch, ms)
      }
      addSparse(whole, JSON.parse(JSON.stringify(sparse(sketch))))
    }
    all.sort((a, b) => a - b)
    for (const share of [0.5, 0.99]) {
      const exact = all[Math.ceil(share * all.length) - 1]!
      expect(Math.abs(quantile(whole, share)! / exact - 1)).toBeLessThan(0.045)
    }
  })

  test('that cannot be are counted at an end, and none at all are no number', () => {
    const sketch = new Uint32Array(buckets)
    expect(quantile(sketch, 0.5)).toBeNull()
    for (const ms of [0, -1, 1e9]) addTo(sketch, ms)
    expect(sparse(sketch)).toEqual([0, 2, buckets - 1, 1])
  })
})

describe('a ring of lines', () => {
  type Line = Timed & { text: string }
  const open = (most = MiB) => openRing<Line>(folder, 'lines', () => ({ bytes: most, seconds: 1e9 }))
  const all = async (ring: Ring<Line>, from = 0, to = Number.POSITIVE_INFINITY) => {
    const found: Line[] = []
    for await (const lines of ring.read(from, to)) found.push(...lines)
    return found.map(({ t, text }) => `${t} ${text}`)
  }
  const files = () => readdirSync(folder).filter((name) => name.startsWith('lines-'))
  const newest = () => join(folder, files().sort().at(-1)!)

  test('gives what was written, after the next start too, and of the wanted time alone', async () => {
    const ring = await open()
    await ring.append([
      { t: 1, text: 'one' },
      { t: 2, text: 'two' },
    ])
    await ring.append([{ t: 3, text: 'three' }])
    for (const opened of [ring, await open()]) {
      expect(await all(opened)).toEqual(['1 one', '2 two', '3 three'])
      expect(await all(opened, 2, 3)).toEqual(['2 two'])
      expect([await opened.oldest(), await opened.newest()]).toEqual([1, 3])
    }
  })

  test('shows each line once while it is on its way', async () => {
    const ring = await open()
    const writing: Promise<void>[] = []
    for (let t = 0; t < 200; t++) {
      writing.push(ring.append([{ t, text: 'x'.repeat(200) }]))
      if (t % 10 === 0) expect(await all(ring)).toHaveLength(t + 1)
    }
    await Promise.all(writing)
    expect(await all(ring)).toHaveLength(200)
  })

  test('drops a torn tail and passes over a rotten line, and goes on behind them', async () => {
    await (await open()).append([1, 2, 3].map((t) => ({ t, text: 'a' })))
    appendFileSync(newest(), '1234abcd {"t":4,"text":"to')
    await (await open()).append([{ t: 5, text: 'b' }])
    expect(await all(await open())).toEqual(['1 a', '2 a', '3 a', '5 b'])
    const bytes = readFileSync(newest())
    bytes[bytes.indexOf('"text"') + 3]! ^= 1
    writeFileSync(newest(), bytes)
    expect(await all(await open())).toEqual(['2 a', '3 a', '5 b'])
  })

  test('stays within its bytes: the oldest go, and other files of the folder stay', async () => {
    writeFileSync(join(folder, 'else.log'), 'x'.repeat(100_000))
    let most = 50_000
    const ring = await openRing<Line>(folder, 'lines', () => ({ bytes: most, seconds: 1e9 }))
    const size = () => files().reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
    for (let t = 0; t < 2000; t++) {
      await ring.append([{ t, text: 'x'.repeat(100) }])
      if (t % 100 === 0) expect(size()).toBeLessThanOrEqual(most)
    }
    expect(size()).toBeGreaterThan(0.8 * most)
    const found = await all(ring)
    expect(found.at(-1)).toMatch(/^1999 /)
    expect(await ring.oldest()).toBe(Number.parseInt(found[0]!, 10))
    most = 10_000 // new settings
    await ring.append([{ t: 2000, text: '' }])
    expect(size()).toBeLessThanOrEqual(most)
    await ring.forget(3000)
    expect(await all(ring)).toEqual([])
    expect(readdirSync(folder)).toEqual(['else.log'])
  })

  test('where the disk takes no more, says so and leaves no half a line', async () => {
    const program = `
      import { openRing } from '${build}/edge-agent/history/ring.js'
      process.on('SIGXFSZ', () => {})
      const ring = await openRing('${folder}', 'lines', () => ({ bytes: ${MiB}, seconds: 1e9 }))
      let lost = 0
      for (let t = 0; t < 100; t++) await ring.append([{ t, text: 'x'.repeat(100) }]).catch(() => lost++)
      console.log(lost)`
    const limited = ['-c', 'ulimit -f 8; exec "$0" --input-type=module -e "$1"', process.execPath, program]
    const child = spawn('bash', limited, { stdio: ['ignore', 'pipe', 'inherit'] })
    let out = ''
    child.stdout.on('data', (text) => {
      out += text
    })
    await once(child, 'close')
    expect(Number(out)).toBeGreaterThan(20)
    const ring = await open()
    expect(await all(ring)).toHaveLength(100 - Number(out))
    expect(readFileSync(newest(), 'utf8').endsWith('\n')).toBe(true)
  })

  test('survives SIGKILL at any moment: what was handed over is there, whole and once', async () => {
    const program = `
      import { openRing } from '${build}/edge-agent/history/ring.js'
      const ring = await openRing('${folder}', 'lines', () => ({ bytes: ${16 * MiB}, seconds: 1e9 }))
      let t = ((await ring.newest()) ?? -1) + 1
      for (;;) {
        await ring.append(Array.from({ length: 7 }, (_, i) => ({ t: t + i, text: 'x'.repeat(500 + (t % 97)) })))
        t += 7
        process.stdout.write(t + '\\n')
      }`
    let sure = 0
    for (const ms of [10, 35, 60, 85]) {
      const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
      let out = ''
      child.stdout.on('data', (text) => {
        out += text
      })
      await once(child.stdout, 'data')
      await new Promise((wait) => setTimeout(wait, ms))
      child.kill('SIGKILL')
      await once(child, 'close')
      sure = Number(out.slice(0, out.lastIndexOf('\n')).split('\n').at(-1))
      const times = (await all(await open())).map((line) => Number.parseInt(line, 10))
      expect(times.length).toBeGreaterThanOrEqual(sure)
      expect(times).toEqual(times.map((_, i) => i))
    }
    expect(sure).toBeGreaterThan(7)
  })
})

describe('spans', () => {
  /** Ten seconds of a camera that makes `masks` masks, all with this share of road. */
  function spanAt(t: number, masks: number, road: number, facts: Partial<Result> = {}, camera = 'front'): Span {
    const tally = makeTally()
    tally.seconds = 10
    for (let i = 0; i < masks; i++) addMask(tally, resultOf(camera, { road_percent: road, ...facts }), 1)
    return spanOf(tally, t, camera)
  }
  const ask = { points: 24, cameras: [] as string[] }

  test('of a day become hours, minutes and quarters of an hour that agree with all of them', async () => {
    const levels = await openLevels(folder, () => ({ bytes: 64 * MiB, seconds: 1e9 }))
    const day = Array.from({ length: 8640 }, (_, i) => i).filter((i) => i < 3000 || i >= 3360) // an hour is missing
    const zones = (i: number) => [{ name: 'lane', road_percent: 40, blocked: i % 360 < 90 }]
    const spans = day.map((i) => spanAt(noon + 10 * i, 1 + (i % 3), i / 100, { age_ms: i < 4320 ? 20 : 80, zones: zones(i) }))
    await levels.add(spans)

    const hours = await readSeries(levels, { ...ask, from: noon, to: noon + 86_400 }, () => [])
    expect(hours).toMatchObject({ from_us: noon * 1e6, step_s: 3600, points: 24 })
    const front = hours.cameras.front!
    expect(front.masks_per_second).toEqual(Array(24).fill(0.2).with(9, 0.2))
    // The sum of (1 + i % 3) * i / 100 by that of 1 + i % 3, over the spans of each hour that are there.
    const meanOf = (hour: number) => {
      const within = day.filter((i) => Math.floor(i / 360) === hour)
      const [sum, count] = within.reduce(([sum, n], i) => [sum + (1 + (i % 3)) * (i / 100), n + 1 + (i % 3)], [0, 0])
      return sum / count
    }
    for (let hour = 0; hour < 24; hour++) expect(front.road_percent.mean[hour]).toBeCloseTo(meanOf(hour), 0)
    expect([front.road_percent.least[2], front.road_percent.most[2]]).toEqual([7.2, 10.8]) // 7.20 to 10.79, in tenths
    expect(front.zones.lane!.blocked_percent[0]).toBe(25)
    expect(front.zones.lane!.road_percent[0]).toBe(40)
    expect(front.age_ms.median[0]! / 20).toBeCloseTo(1, 1)
    expect(front.age_ms.median[23]! / 80).toBeCloseTo(1, 1)
    expect(front.dropped_per_second[3]).toBe(0.2)

    const fine = await readSeries(levels, { ...ask, points: 300, from: noon + 29_700, to: noon + 30_300 }, () => [])
    expect(fine.step_s).toBe(10)
    // A gap is a gap: 300 seconds, and then nothing.
    expect(fine.cameras.front!.masks_per_second.map((value) => value !== null)).toEqual([
      ...Array(30).fill(true),
      ...Array(30).fill(false),
    ])
    const minutes = await readSeries(levels, { ...ask, points: 60, from: noon, to: noon + 3600 }, () => [])
    expect(minutes.step_s).toBe(60)
    expect(minutes.cameras.front!.masks_per_second).toEqual(Array(60).fill(0.2))
    const uneven = await readSeries(levels, { ...ask, points: 10, from: noon + 5, to: noon + 3601 }, () => [])
    expect(uneven.points).toBeLessThanOrEqual(11)
    expect(uneven.step_s % 60).toBe(0)
  })

  test('that had not become a longer one are taken up by the next start', async () => {
    const first = await openLevels(folder, () => ({ bytes: 64 * MiB, seconds: 1e9 }))
    const six = (from: number, road: number) => Array.from({ length: 60 }, (_, i) => spanAt(noon + from + 10 * i, 1, road))
    await first.add(six(0, 10)) // 10 minutes of a quarter of an hour
    const second = await openLevels(folder, () => ({ bytes: 64 * MiB, seconds: 1e9 })) // as after SIGKILL
    await second.add(six(600, 40))
    for (const levels of [second, await openLevels(folder, () => ({ bytes: 64 * MiB, seconds: 1e9 }))]) {
      const { step_s, cameras } = await readSeries(levels, { ...ask, points: 2, from: noon, to: noon + 1800 }, () => [])
      expect(step_s).toBe(900)
      expect(cameras.front!.road_percent.mean).toEqual([20, 40]) // 10 minutes of 10 % and 5 of 40 %, then 5 of 40 %
      expect(cameras.front!.masks_per_second).toEqual([0.1, 0.1])
    }
  })

  test('that are fine go first, and a longer time back is told by coarser ones', async () => {
    const levels = await openLevels(folder, () => ({ bytes: MiB, seconds: 1e9 }))
    for (let hour = 0; hour < 24; hour++)
      await levels.add(Array.from({ length: 360 }, (_, i) => spanAt(noon + 3600 * hour + 10 * i, 30, 50)))
    const at = async (from: number) => {
      const { step_s, cameras } = await readSeries(levels, { ...ask, points: 600, from, to: from + 3600 }, () => [])
      return { step_s, known: cameras.front?.masks_per_second.every((value) => value === 3) }
    }
    expect(await at(noon + 23 * 3600)).toEqual({ step_s: 10, known: true })
    expect(await at(noon)).toEqual({ step_s: 60, known: true })
  })

  test('of a camera with any name, and of those that were asked for alone', async () => {
    const levels = await openLevels(folder, () => ({ bytes: MiB, seconds: 1e9 }))
    const names = ['front', '__proto__', 'ünï "1",=x']
    await levels.add(names.map((name) => spanAt(noon, 1, 50, { zones: [{ name, road_percent: 1, blocked: false }] }, name)))
    const all = await readSeries(levels, { ...ask, from: noon, to: noon + 60 }, () => [])
    expect(Object.keys(all.cameras).sort()).toEqual([...names].sort())
    expect(Object.keys(all.cameras[names[1]!]!.zones)).toEqual([names[1]])
    const one = await readSeries(levels, { ...ask, cameras: [names[2]!], from: noon, to: noon + 60 }, () => [])
    expect(Object.keys(one.cameras)).toEqual([names[2]])
  })
})

describe('the history of an agent', () => {
  const clock = { wall: 0, monotonic: 1000 }
  const clocks = { wallMicros: () => 1e6 * clock.wall, monotonicMicros: () => 1e6 * clock.monotonic }
  const settings = (history: object = {}, ...cameras: string[]) =>
    Config.parse({ history, cameras: (cameras.length ? cameras : ['front']).map((name) => ({ name, source: 'test' })) })
  let history: History

  async function start(wall: number, config = settings()) {
    Object.assign(clock, { wall, monotonic: 1000 })
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const painter = { overlay: async () => undefined }
    history = keepHistory(config, { state: folder, painter, wantPicture() {}, log }, clocks)
    await told(0) // it is open
  }
  /** So many seconds with a mask in each. */
  function run(seconds: number, facts: Partial<Result> | null = {}, camera = 'front') {
    for (let i = 0; i < seconds; i++) {
      if (facts) history.mask({ ...maskOf(camera, 1), result: resultOf(camera, facts) })
      clock.wall++
      clock.monotonic++
      vi.advanceTimersByTime(1000)
    }
  }
  const hour = (from: number) => history.series({ from, to: from + 3600, points: 360, cameras: [] })
  const told = async (from: number, camera = 'front') => (await hour(from)).cameras[camera]?.masks_per_second ?? []
  /** From and to where it is known, in points of ten seconds. */
  const known = (line: (number | null)[]) => [
    line.findIndex((value) => value !== null),
    line.findLastIndex((value) => value !== null),
  ]
  afterEach(() => history.close())

  test('is told before it is written, and is the same after the next start', async () => {
    await start(noon)
    run(45, { road_percent: 30 })
    history.stats({ ...stats, memory_mib: { agent: 60, segment: 300 } })
    run(5)
    const before = await hour(noon)
    expect(before.cameras.front!.masks_per_second.slice(0, 6)).toEqual([1, 1, 1, 1, 1, null])
    expect(before.cameras.front!.road_percent.mean.slice(0, 4)).toEqual([30, 30, 30, 30])
    expect(before.device.memory_mib.mean.slice(3, 6)).toEqual([null, 360, null])
    expect(before.recording).toBe(true)
    run(30)
    await history.close()
    await start(noon + 80)
    expect(known(await told(noon))).toEqual([0, 7])
  })

  test('of a device that wakes up in 1970 is told at the right time once its clock is set', async () => {
    await start(100)
    run(300)
    expect(known(await told(0))).toEqual([-1, -1])
    clock.wall = noon + 300
    run(60)
    expect(known(await told(noon))[0]).toBeLessThanOrEqual(1)
    expect((await told(noon)).filter((value) => value !== null).length).toBeGreaterThanOrEqual(34)
  })

  test('goes on where the clock is set back or forward, and the later account of a moment stands', async () => {
    await start(noon)
    run(600, { road_percent: 10 })
    clock.wall -= 300
    run(120, { road_percent: 90 })
    const { mean } = (await hour(noon)).cameras.front!.road_percent
    expect(mean.slice(0, 24)).toEqual(Array(24).fill(10))
    expect(mean.slice(32, 40)).toEqual(Array(8).fill(90))
    expect(mean.slice(44, 60)).toEqual(Array(16).fill(10))
    clock.wall += 86_400
    run(120)
    expect(known(await told(noon + 86_400 + 420))).toEqual([0, 11])
    await history.close()
    await start(clock.wall)
    expect(known(await told(noon))).toEqual([0, 59])
  })

  test('tells a camera that gives nothing from one that is switched off, and forgets none that is gone', async () => {
    await start(noon, settings({}, 'front', 'rear', 'gone'))
    for (const camera of ['rear', 'gone']) history.status(statusOf(camera))
    history.status(statusOf('front', 'disabled'))
    run(60, {}, 'gone')
    history.settings(settings({}, 'front', 'rear'))
    run(60, null)
    const { cameras } = await hour(noon)
    expect(cameras.front).toBeUndefined()
    expect(cameras.rear!.masks_per_second.slice(0, 13)).toEqual([...Array(12).fill(0), null])
    expect(cameras.rear!.road_percent.mean.slice(0, 12)).toEqual(Array(12).fill(null))
    expect(known(cameras.gone!.masks_per_second)).toEqual([0, 5])
  })

  test('stops and goes on as the settings say, and what was is still told', async () => {
    await start(noon)
    run(60)
    history.settings(settings({ enabled: false }))
    run(60)
    expect((await hour(noon)).recording).toBe(false)
    history.settings(settings())
    run(60)
    const line = await told(noon)
    expect(line.slice(0, 20).map((value) => value !== null)).toEqual([
      ...Array(6).fill(true),
      ...Array(6).fill(false),
      ...Array(6).fill(true),
      false,
      false,
    ])
  })

  test('counts frames that were dropped over a new camera process', async () => {
    await start(noon)
    run(5, { dropped: 0 })
    run(5, { dropped: 20 })
    run(10, { dropped: 5 })
    expect((await hour(noon)).cameras.front!.dropped_per_second.slice(0, 2)).toEqual([2, 0.5])
  })

  test('is written once a minute, in few bytes', async () => {
    await start(noon)
    const files = () => readdirSync(join(folder, 'history')).map((name) => statSync(join(folder, 'history', name)).size)
    run(50)
    await vi.waitUntil(async () => (await told(noon)).length > 0)
    expect(() => files()).toThrow('ENOENT')
    run(10)
    await vi.waitFor(() => expect(files().some((size) => size > 0)).toBe(true))
    run(540)
    await history.close()
    const bytes = files().reduce((sum, size) => sum + size, 0)
    expect(bytes).toBeLessThan(60 * 500)
  })

  test('lets go of what is too old, but not where the clock has just been set', async () => {
    await start(noon, settings({ max_days: 1 }))
    run(120)
    await history.close()
    await start(noon + 10 * 86_400, settings({ max_days: 1 }))
    run(1800)
    expect(known(await told(noon))).toEqual([0, 11])
    clock.wall += 7200
    run(3000)
    expect(known(await told(noon))).toEqual([0, 11])
    run(900)
    await vi.waitUntil(async () => known(await told(noon))[0] === -1)
  })
})
