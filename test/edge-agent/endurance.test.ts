// What months without a visit do to an agent, in seconds: settings read a hundred times, and a state folder that is gone.
import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { CameraStatus, Stats } from '../../edge-agent/wire.ts'
import { writeBrightBundle } from '../bright-bundle.ts'
import { type RunningAgent, startAgent } from './running-agent.ts'

let dir: string
let agent: RunningAgent
const settings = (name: string, more: string, top = '') =>
  `device: long\nbundle: ${dir}/bundle\nbroker: { port: 0 }\nstate_dir: ${dir}/state\n${top}
cameras:\n  - { name: stays, source: test, width: 320, height: 240, fps: 10${more} }
  - { name: ${name}, source: test, width: 320, height: 240, fps: 10 }\n`
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roadmask-'))
  await writeBrightBundle(join(dir, 'bundle'))
  agent = await startAgent(settings('other', ''), [], { ROADMASK_STATE_DIR: '' })
})
afterEach(async () => {
  await agent.stop()
  await rm(dir, { recursive: true, force: true })
})

const ask = async (path: string, init?: RequestInit) => {
  const response = await fetch(new URL(path, agent.url), init)
  expect(response.status).toBe(200)
  return response.json()
}
const online = () =>
  expect
    .poll(async () => ((await ask('api/cameras')) as CameraStatus[]).map(({ state }) => state), { timeout: 30_000 })
    .toEqual(['online', 'online'])
const masks = async () => ((await ask('api/cameras')) as { result: { frame: number } | null }[])[0]!.result?.frame ?? 0

test('a hundred reloads leave no process, no open file and no memory behind', async () => {
  const pid = agent.process.pid!
  const files = () => readdirSync(`/proc/${pid}/fd`).length
  const mib = () => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024
  let round = 0
  async function reload() {
    round++
    const zone = `, zones: [{ name: z${round % 3}, polygon: [[0, 0.5], [1, 0.5], [1, 1]] }], masks_per_second: ${1 + (round % 5)}`
    const name = round % 20 < 10 ? 'other' : 'another' // each tenth time one camera goes and one comes
    await agent.save(settings(name, zone, `log: ${round % 2 ? 'warn' : 'info'}`))
    await ask('api/reload', { method: 'POST' })
  }
  for (let i = 0; i < 30; i++) await reload()
  await online()
  const before = { children: agent.children('camera').length, files: files(), mib: mib() }
  for (let i = 0; i < 100; i++) await reload()
  await online()
  expect(agent.children('camera').length).toBe(before.children)
  await expect.poll(files, { timeout: 10_000 }).toBeLessThanOrEqual(before.files + 2)
  expect(mib()).toBeLessThan(before.mib + 40) // V8 tidies up when it likes; a leak of settings and cameras is more
  expect(agent.children('segment').length).toBe(1)
}, 120_000)

test('a state folder that vanishes costs what it held, and neither masks nor a clean end', async () => {
  await online()
  await rm(join(dir, 'state'), { recursive: true })
  const frame = await masks()
  for (const enabled of [false, true])
    await ask('api/cameras/other/enabled', {
      method: 'POST',
      body: JSON.stringify({ enabled }),
      headers: { 'content-type': 'application/json' },
    })
  await online()
  await expect.poll(masks, { timeout: 10_000 }).toBeGreaterThan(frame)
  expect(((await ask('api/stats')) as Stats).outputs.mqtt.outbox.messages).toBe(0) // events went on their way
  expect(agent.log.some(({ msg }) => /switches\.json in .* cannot be written and will be as before/.test(msg))).toBe(true)
  const ended = new Promise((code) => agent.process.once('exit', code))
  agent.process.kill('SIGTERM')
  expect(await ended).toBe(0)
  expect(agent.complaints).toEqual([])
}, 60_000)
