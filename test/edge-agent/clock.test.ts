// A device whose clock is years behind until NTP sets it, here by libfaketime under the whole agent: the wall clock jumps,
// the monotonic one does not.
import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { watchClock } from '../../edge-agent/clock-watch.ts'
import type { CameraEvent, CameraStatus } from '../../edge-agent/wire.ts'
import { writeBrightBundle } from '../bright-bundle.ts'
import { type Subscriber, subscribe } from './mosquitto.ts'
import { type RunningAgent, startAgent } from './running-agent.ts'

let agent: RunningAgent | undefined
let listener: Subscriber | undefined
let dir: string | undefined
afterEach(async () => {
  vi.useRealTimers()
  await listener?.stop()
  await agent?.stop()
  if (dir) await rm(dir, { recursive: true, force: true })
})

test('the agent lives through a step of the clock, says it, and its times are right from then on', async () => {
  dir = await mkdtemp(join(tmpdir(), 'roadmask-'))
  await writeBrightBundle(join(dir, 'bundle'))
  const library = execFileSync('dpkg', ['-L', 'libfaketime'], { encoding: 'utf8' }).match(/^.*\/libfaketime\.so\.1$/m)
  expect(library, 'install libfaketime').not.toBeNull()
  const clock = join(dir, 'clock')
  const yearsMs = 2000 * 86_400_000
  await writeFile(clock, '-2000d')
  agent = await startAgent(
    `device: test01
bundle: ${join(dir, 'bundle')}
broker: { port: 0 }
cameras: [{ name: front, source: test, width: 320, height: 240, fps: 20 }]`,
    [],
    {
      LD_PRELOAD: library![0],
      FAKETIME_TIMESTAMP_FILE: clock,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    },
  )
  listener = await subscribe(agent.mqtt, 'roadmask/test01/front/#')
  const { masks } = await agent.watch()
  const wait = { timeout: 30_000 }
  const aheadMs = () => masks.at(-1)!.result.captured_us / 1000 - Date.now()
  await expect.poll(() => masks.length, wait).toBeGreaterThan(5)
  expect(aheadMs()).toBeLessThan(-yearsMs + 60_000)
  const [frameBefore, pid] = [masks.at(-1)!.result.frame, agent.children('camera')]

  await writeFile(clock, '+0d')
  const events = () => listener!.text('roadmask/test01/front/event').map((text) => JSON.parse(text) as CameraEvent)
  await expect.poll(() => events().map(({ type }) => type), wait).toEqual(['clock_step'])
  expect(Math.abs(events()[0]!.step_ms! - yearsMs)).toBeLessThan(10_000)
  expect(events()[0]!.detail).toContain('forward')
  expect(agent.log.find(({ msg }) => msg.includes('the clock was set'))).toMatchObject({ step_ms: events()[0]!.step_ms })

  await expect.poll(() => masks.at(-1)!.result.frame, wait).toBeGreaterThan(frameBefore + 30)
  expect(Math.abs(aheadMs())).toBeLessThan(10_000)
  for (const { result } of masks) expect(Math.abs(result.age_ms)).toBeLessThan(10_000)
  const status = JSON.parse(listener.text('roadmask/test01/front/status').at(-1)!) as CameraStatus
  expect(status.state).toBe('online')
  expect(Date.now() - status.since_us / 1000).toBeLessThan(120_000) // not years
  expect(agent.children('camera')).toEqual(pid)
})

test('the grain and the slow adjustment of a clock are no steps', () => {
  vi.useFakeTimers()
  const now = { monotonic: 1e6, wall: 5e12 }
  const steps: number[] = []
  const said: unknown[] = []
  const clocks = { monotonicMicros: () => now.monotonic, wallMicros: () => now.wall }
  const end = watchClock((micros) => steps.push(micros), { warn: (fields: unknown) => said.push(fields) }, clocks)
  const pass = (micros: number, wallMore = 0) => {
    now.monotonic += micros
    now.wall += micros + wallMore
    vi.advanceTimersByTime(500)
  }
  for (let i = 0; i < 10_000; i++) pass(500_000, 250 + (i % 2 ? 900 : -900)) // 500 ppm and milliseconds
  expect(steps).toEqual([])
  pass(500_000, -3_600_000_000)
  pass(500_000)
  expect(steps).toEqual([-3_600_000_000])
  expect(said).toEqual([{ step_ms: -3_600_000 }])
  end()
})
