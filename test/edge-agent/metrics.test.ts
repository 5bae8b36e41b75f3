// What Prometheus gets, checked by its own promtool.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import type { Known } from '../../edge-agent/known.ts'
import { readHardware } from '../../edge-agent/serve/hardware.ts'
import { startMetrics } from '../../edge-agent/serve/metrics.ts'
import { parseConfig } from '../../edge-agent/settings/read-config.ts'
import type { OutputStats, UpdateState } from '../../edge-agent/wire.ts'
import { maskOf, outputStats } from './made-messages.ts'
import { type MadeSite, openMadeSite, stats } from './made-site.ts'

let made: MadeSite | undefined
afterEach(async () => {
  await made?.close()
  made = undefined
})

/** Value of a series; undefined where there is none. */
const sample = (text: string, series: string) => {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${series} `))
  return line && Number(line.slice(series.length + 1))
}

async function promtool(text: string) {
  const tool = spawn('promtool', ['check', 'metrics'])
  let said = ''
  for (const stream of [tool.stdout, tool.stderr]) stream.on('data', (bytes: Buffer) => (said += bytes))
  tool.stdin.end(text)
  const [code] = (await once(tool, 'close')) as [number]
  return { code, said }
}

test('promtool finds nothing to complain of, and every stage is counted', async () => {
  made = await openMadeSite()
  const { metrics, ask } = made
  for (let frame = 1; frame <= 3; frame++) metrics.mask({ ...maskOf('front', frame).result, dropped: 2 * frame })
  metrics.frames('front', 9)
  const response = await ask('metrics')
  expect(response.headers.get('content-type')).toContain('text/plain; version=0.0.4')
  const text = await response.text()
  expect(await promtool(text)).toEqual({ code: 0, said: '' })
  for (const [stage, ms] of Object.entries(maskOf('front', 1).result.timings_ms)) {
    expect(sample(text, `roadmask_stage_seconds_count{camera="front",stage="${stage}"}`), stage).toBe(3)
    expect(sample(text, `roadmask_stage_seconds_sum{camera="front",stage="${stage}"}`), stage).toBeCloseTo((3 * ms) / 1000)
  }
  expect(sample(text, 'roadmask_frames_total{camera="front"}')).toBe(9)
  expect(sample(text, 'roadmask_frames_dropped_total{camera="front",reason="overtaken"}')).toBe(6)
  expect(sample(text, 'roadmask_road_ratio{camera="front"}')).toBe(0.125)
  expect(sample(text, 'roadmask_process_resident_memory_bytes{process="agent"}')).toBe(2 ** 26)
  expect(sample(text, 'roadmask_process_cpu_seconds_total{process="agent"}')).toBeGreaterThan(0)
  expect(text).toMatch(/^roadmask_build_info\{version="[\d.]+",model="run-1",node="v/m)
})

test('promtool complains of what is wrong', async () => {
  expect((await promtool('# TYPE bad counter\nbad 1\n')).code).not.toBe(0)
})

test('counts go on when a camera process begins anew, and go with their camera', async () => {
  made = await openMadeSite()
  const { metrics } = made
  for (const dropped of [5, 7, 1, 4]) metrics.mask({ ...maskOf('front', 1).result, dropped })
  metrics.mask(maskOf('rear', 1).result)
  expect(sample(await metrics.text(), 'roadmask_frames_dropped_total{camera="front",reason="overtaken"}')).toBe(11)
  metrics.settings(parseConfig({ name: 'a.yaml', text: 'cameras: [{ name: rear, source: test }]' }, {}, []))
  const text = await metrics.text()
  expect(text).not.toContain('camera="front"')
  expect(sample(text, 'roadmask_masks_total{camera="rear"}')).toBe(1)
})

test('what every way out dropped is counted with its reason', async () => {
  const { mqtt, ...more } = outputStats
  const outputs: OutputStats = {
    ...more,
    mqtt: {
      ...mqtt,
      dropped: { ...mqtt.dropped, slow_link: 3 },
      outbox: { ...mqtt.outbox, dropped: { full: 4, old: 0, damaged: 0 } },
    },
    recorder: { dropped: { slow_disk: 5, fault: 0 } },
    hard_frames: { kept: 1, bytes: 1, dropped: { slow_disk: 6, fault: 0 } },
  }
  const known: Known = {
    statuses: () => [],
    latest: () => undefined,
    modelReady: () => true,
    processes: () => ({}),
    stats: async () => ({ ...stats, outputs }),
  }
  const text = await startMetrics({
    known,
    model: () => 'run-1',
    update: () => ({ state: 'idle' }) as UpdateState,
    folder: tmpdir(),
  }).text()
  const dropped = (output: string, reason: string) =>
    sample(text, `roadmask_messages_dropped_total{output="${output}",reason="${reason}"}`)
  expect(dropped('mqtt', 'slow_link')).toBe(3)
  expect(dropped('outbox', 'full')).toBe(4)
  expect(dropped('recorder', 'slow_disk')).toBe(5)
  expect(dropped('hard_frames', 'slow_disk')).toBe(6)
})

test('two scrapes at once do not mix', async () => {
  made = await openMadeSite()
  const texts = await Promise.all(Array.from({ length: 5 }, () => made!.metrics.text()))
  for (const text of texts) expect(sample(text, 'roadmask_clients{output="websocket"}')).toBe(0)
})

test("a Jetson's temperatures and GPU are read where its kernel shows them, and are absent elsewhere", async () => {
  const root = await mkdtemp(join(tmpdir(), 'roadmask-'))
  const put = async (path: string, text: string) => {
    await mkdir(join(root, path, '..'), { recursive: true })
    await writeFile(join(root, path), text)
  }
  expect(await readHardware(root)).toEqual({ temperatures: {}, gpuLoad: undefined })
  await put('class/thermal/thermal_zone0/type', 'cpu-thermal\n')
  await put('class/thermal/thermal_zone0/temp', '48250\n')
  await put('class/thermal/thermal_zone1/type', 'cpu-thermal\n') // a second one of that name
  await put('class/thermal/thermal_zone1/temp', '-1500\n')
  await put('class/thermal/thermal_zone2/type', 'cv0-thermal\n') // its sensor is off and gives no temp
  await put('devices/platform/17000000.gpu/load', '473\n')
  await mkdir(join(root, 'class/devfreq/17000000.gpu'), { recursive: true })
  await symlink(join(root, 'devices/platform/17000000.gpu'), join(root, 'class/devfreq/17000000.gpu/device'))
  expect(await readHardware(root)).toEqual({ temperatures: { 'cpu-thermal': 48.25, thermal_zone1: -1.5 }, gpuLoad: 0.473 })
  await rm(root, { recursive: true })
})
