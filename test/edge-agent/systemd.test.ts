// What systemd hears, by its own systemd-notify at a real datagram socket; and the unit, by systemd's own judgement.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { openLog } from '../../edge-agent/log.ts'
import { notifySystemd } from '../../edge-agent/systemd.ts'
import { writeBrightBundle } from '../bright-bundle.ts'
import { statusOf } from './made-messages.ts'
import { runAgent } from './running-agent.ts'

let dir: string
let systemd: ChildProcess
let heard: string[]
let env: Record<string, string>

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roadmask-'))
  await writeBrightBundle(join(dir, 'bundle'))
})
afterAll(() => rm(dir, { recursive: true }))
beforeEach(async () => {
  const NOTIFY_SOCKET = join(dir, `notify-${Math.random()}`)
  systemd = spawn('python3', [join(import.meta.dirname, 'systemd.py'), NOTIFY_SOCKET], { stdio: ['ignore', 'pipe', 'inherit'] })
  heard = []
  const lines = createInterface({ input: systemd.stdout! })
  await once(lines, 'line')
  // systemd-notify waits until its BARRIER has been taken; it is no word of ours.
  lines.on('line', (line) => line.includes('BARRIER=1') || heard.push(JSON.parse(line)))
  env = { NOTIFY_SOCKET, WATCHDOG_USEC: '1500000' }
})
afterEach(async () => {
  systemd.kill()
  await once(systemd, 'close')
})

const signs = () => heard.filter((message) => message.includes('WATCHDOG=1'))

test('a service is ready, alive, reloads and ends in the words of sd_notify', { timeout: 60_000 }, async () => {
  const settings = `bundle: ${join(dir, 'bundle')}\nbroker: { port: 0 }\ncameras: [{ name: front, source: test }]`
  const agent = await runAgent(settings, [], env)
  await expect.poll(() => heard[0], { timeout: 20_000 }).toBe('READY=1')
  expect(agent.log.some(({ msg }) => msg === 'listening')).toBe(true)
  await expect.poll(() => heard.join('\n'), { timeout: 20_000 }).toContain('STATUS=model ready; 1 of 1 cameras online')
  await expect.poll(() => signs().length).toBeGreaterThan(3)

  const before = heard.length
  const askedMicros = process.hrtime.bigint() / 1000n
  agent.process.kill('SIGHUP')
  await expect.poll(() => heard.slice(before).filter((message) => /RELOADING|READY/.test(message)).length).toBe(2)
  const [reloading, ready] = heard.slice(before).filter((message) => /RELOADING|READY/.test(message))
  const [, micros] = /^RELOADING=1\nMONOTONIC_USEC=(\d+)$/.exec(reloading!) ?? []
  expect(BigInt(micros!) >= askedMicros).toBe(true)
  expect(ready).toBe('READY=1')

  agent.process.kill('SIGTERM')
  expect(await agent.ended).toBe(0)
  expect(heard).toContain('STOPPING=1\nSTATUS=ending')
  expect(agent.log.filter(({ msg }) => msg.startsWith('systemd-notify'))).toEqual([])
})

test('no sign of life while the model is not well', async () => {
  let well = true
  const known = { statuses: () => [statusOf('front', 'offline', 'No picture\nfor 5 s')], modelReady: () => false }
  const service = notifySystemd({ ...process.env, ...env }, { known, healthy: () => well, log: openLog('fatal') })
  service.ready()
  await expect.poll(() => signs().length).toBeGreaterThan(1)
  expect(heard[1]).toBe('WATCHDOG=1\nSTATUS=model loading; 0 of 1 cameras online; front: No picture for 5 s')
  well = false
  await delay(700)
  const before = signs().length
  await delay(1500)
  expect(signs().length).toBe(before)
  await service.stopping()
})

test('outside of systemd nothing is said, and a watchdog for another process is not ours', async () => {
  const known = { statuses: () => [], modelReady: () => true }
  const around = { known, healthy: () => true, log: openLog('fatal') }
  const alone = notifySystemd({ PATH: process.env.PATH }, around)
  alone.ready()
  const other = notifySystemd({ ...process.env, ...env, WATCHDOG_PID: '1' }, around)
  other.ready()
  await delay(1500)
  expect(heard).toEqual(['READY=1', 'STATUS=model ready; 0 of 0 cameras online'])
  await Promise.all([alone.stopping(), other.stopping()])
})

const run = promisify(execFile)
const { stdout: version } = await run('systemd-analyze', ['--version'])
const unit = 'deploy/roadmask-agent.service'

test('systemd understands every line of the unit', async () => {
  const { stderr } = await run('systemd-analyze', ['verify', unit])
  expect(stderr).not.toContain('roadmask-agent')
})

// Ubuntu 22.04 has 249, which judges only what runs.
test.skipIf(Number(/\d+/.exec(version)) < 250)('systemd finds little that is exposed: at most 3 of 10', async () => {
  await run('systemd-analyze', ['security', '--offline=true', '--threshold=30', unit])
})
