// The acceptance: sensors of a Jetson out of a folder that plays one, its judgement, and the program itself on this machine.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { judgeLoad } from '../../edge-agent/accept/judge.ts'
import type { Load, Moment } from '../../edge-agent/accept/load.ts'
import type { Acceptance } from '../../edge-agent/accept/page.ts'
import { openSensors } from '../../edge-agent/accept/sensors.ts'
import { runProgram } from '../run-program.ts'

function temporaryFolder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'accept '))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

/** Files as JetPack 6 has them on an Orin. */
function playOrin(): { root: string; put: (path: string, text: string) => void } {
  const root = temporaryFolder()
  const put = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), `${text}\n`)
  }
  put('proc/meminfo', 'MemTotal: 7802932 kB\nMemAvailable: 4000000 kB')
  put('sys/class/thermal/thermal_zone0/type', 'cpu-thermal')
  put('sys/class/thermal/thermal_zone0/temp', '51218')
  put('sys/class/thermal/thermal_zone0/trip_point_0_type', 'passive')
  put('sys/class/thermal/thermal_zone0/trip_point_0_temp', '99000')
  put('sys/class/thermal/thermal_zone0/trip_point_1_type', 'critical')
  put('sys/class/thermal/thermal_zone0/trip_point_1_temp', '104500')
  put('sys/class/thermal/thermal_zone1/type', 'cv0-thermal') // switched off: it has no temperature
  put('sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq', '1344000')
  put('sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq', '1728000')
  put('sys/class/devfreq/17000000.ga10b/cur_freq', '918000000')
  put('sys/class/devfreq/17000000.ga10b/max_freq', '1020000000')
  put('sys/class/devfreq/17000000.ga10b/device/load', '983')
  put('sys/class/devfreq/15340000.vic/cur_freq', '115200000')
  put('sys/class/hwmon/hwmon1/in1_label', 'VDD_IN')
  put('sys/class/hwmon/hwmon1/in1_input', '5000')
  put('sys/class/hwmon/hwmon1/curr1_input', '2500')
  put('sys/class/hwmon/hwmon2/oc3_event_cnt', '4')
  return { root, put }
}

test('a Jetson tells its heat, clocks, GPU, power and how often it was slowed down', () => {
  const { root, put } = playOrin()
  const sensors = openSensors(root)
  expect(sensors.limits['cpu-thermal']).toEqual({ passive: 99, critical: 104.5 })
  expect(sensors.highest_mhz).toEqual({ cpu0: 1728, ga10b: 1020 })
  expect(sensors.sample(7)).toEqual({
    seconds: 7,
    temperatures: { 'cpu-thermal': 51.218 },
    clocks_mhz: { cpu0: 1344, ga10b: 918 },
    gpu_percent: expect.closeTo(98.3),
    watts: { VDD_IN: 12.5 },
    memory_available_mb: 4096,
  })
  expect(sensors.throttled()).toEqual({ oc3: 4 })
  put('sys/class/hwmon/hwmon2/oc3_event_cnt', '6')
  expect(sensors.throttled()).toEqual({ oc3: 6 })
})

test('a machine that tells nothing has nothing, and no clocks of zero', () => {
  const sensors = openSensors(temporaryFolder())
  expect(sensors.sample(0)).toMatchObject({ temperatures: {}, clocks_mhz: {}, watts: {} })
  expect(sensors.throttled()).toEqual({})
})

/** Ten minutes on an Orin; `of` changes each moment. */
function loadOf(of: (i: number) => Partial<Moment>, throttled: Record<string, number> = { oc3: 0 }): Load {
  const { root } = playOrin()
  const sample = openSensors(root).sample(0)
  const moments = Array.from({ length: 40 }, (_, i) => ({
    ...sample,
    seconds: 15 * i,
    masks_per_second: 30,
    latency_ms: 30,
    infer_ms: 20,
    agent_mb: 900,
    ...of(i),
  }))
  const stages_ms = { infer: { median: 20, p99: 25 }, whole: { median: 30, p99: 45 } }
  return { seconds: 600, masks: 18_000, masks_per_second: 30, stages_ms, cores: {}, moments, throttled }
}

const failed = (load: Load) => {
  const { root } = playOrin()
  return judgeLoad(load, openSensors(root), { masks: 10 })
    .filter(({ state }) => state === 'fail')
    .map(({ section, name }) => `${section}: ${name}`)
}

test('a cool device at an even rate is accepted; heat, alarms, low clocks, leaks and a falling rate are not', () => {
  expect(failed(loadOf(() => ({})))).toEqual([])
  expect(failed(loadOf((i) => ({ temperatures: { 'cpu-thermal': 60 + i } })))).toEqual(['Heat: cpu-thermal'])
  expect(failed(loadOf(() => ({}), { oc3: 2 }))).toEqual(['Heat: slowed down'])
  expect(failed(loadOf(() => ({ clocks_mhz: { ga10b: 306 } })))).toEqual(['Clocks: ga10b'])
  expect(failed(loadOf((i) => ({ agent_mb: 900 + 10 * i })))).toEqual(['Memory: growth'])
  expect(failed(loadOf(() => ({ memory_available_mb: 120 })))).toEqual(['Memory: left for others'])
  expect(failed(loadOf((i) => ({ masks_per_second: i < 20 ? 30 : 20 })))).toEqual(['Load: rate over time'])
  expect(failed({ ...loadOf(() => ({})), masks_per_second: 4 })).toEqual(['Load: masks a second'])
})

test('the program looks at this machine, loads it, and writes one report', { timeout: 240_000 }, async () => {
  const out = join(temporaryFolder(), 'report')
  const {
    code,
    out: said,
    err,
  } = await runProgram('edge-agent/accept/accept.js', ['--minutes', '0.1', '--masks', '0.5', '--out', out])
  const acceptance = JSON.parse(readFileSync(join(out, 'accept.json'), 'utf8')) as Acceptance
  const states = Object.fromEntries(acceptance.checks.map(({ section, name, state }) => [`${section}: ${name}`, state]))
  expect(code, `${said}${err}`).toBe(acceptance.ok ? 0 : 1)
  expect(states).toMatchObject({ 'Device: doctor': 'pass', 'Compute: TensorFlow': 'pass', 'Load: masks a second': 'pass' })
  expect(states['Model: full width']).toBe('skipped')
  expect(acceptance.load.moments.length).toBeGreaterThan(1)
  expect(acceptance.load.masks).toBeGreaterThan(0)
  expect(Object.keys(acceptance.load.stages_ms)).toEqual(expect.arrayContaining(['capture', 'infer', 'encode', 'whole']))
  const page = readFileSync(join(out, 'accept.html'), 'utf8')
  expect(page).toContain(`${acceptance.checks.filter(({ state }) => state === 'pass').length} passed`)
  expect(page.match(/<h3>(Masks a second|Latency|Memory)<\/h3><svg/g)).toHaveLength(3)
  expect(page).not.toMatch(/(src|href)="|@import|https?:/)
})

test('what it cannot take is said in a sentence', async () => {
  const { code, err } = await runProgram('edge-agent/accept/accept.js', ['--minutes', 'many'])
  expect(code).toBe(2)
  expect(err).toContain('--minutes: expected')
})
