// Agents whose update is cut short: by SIGKILL at the step that decides what runs, and by a disk that is full. All steps:
// npm run bench -- update.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { push } from '../../deploy/ship/push.ts'
import { prepareKilledUpdates } from '../../edge-agent/bench/killed-update.ts'
import type { UpdateState } from '../../edge-agent/wire.ts'
import { writeBrightBundle } from '../bright-bundle.ts'
import { mountTinyDisk } from '../tiny-disk.ts'
import { makeKey, signBundle, trusting } from './made-release.ts'
import { type RunningAgent, startAgent } from './running-agent.ts'

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roadmask-'))
  for (const name of ['first', 'second']) await writeBrightBundle(join(dir, name), { name })
})
afterAll(() => rm(dir, { recursive: true }))

test('killed before the switch is in place, an agent starts with the old model, whole, and gets to the new one', async () => {
  const updates = await prepareKilledUpdates(join(dir, 'first'), join(dir, 'second'))
  try {
    const { step, started, ended } = await updates.killedAt(/"rename","path":"update\.json\.tmp".*second runs.*on trial"/)
    expect(step?.more).toBe('second runs, first before, on trial')
    expect(started).toBe('first')
    expect(ended).toMatchObject({ state: 'settled', model: { name: 'second' }, previous: { name: 'first' } })
  } finally {
    await updates.close()
  }
})

const probe = mountTinyDisk(1)
probe?.unmount()

describe.skipIf(!probe)('a disk that is full', () => {
  test('keeps the old model, also over a restart, and the new one takes over when there is room', async () => {
    const disk = mountTinyDisk(16)!
    const key = makeKey()
    await writeFile(join(dir, 'keys.json'), JSON.stringify(trusting(key.publicKey)))
    await signBundle(join(dir, 'second'), key.privateKey)
    const settings = `
bundle: ${join(dir, 'first')}
broker: { port: 0 }
cameras: [{ name: front, source: test, width: 320, height: 240, fps: 10 }]
update: { keys: ${join(dir, 'keys.json')}, limits: { shadow_seconds: 3, trial_seconds: 1, max_latency_ratio: 8 } }`
    const start = () => startAgent(settings, ['--state_dir', join(disk.folder, 'state')])
    let agent: RunningAgent = await start()
    const state = async () => (await (await fetch(new URL('api/update', agent.url))).json()) as UpdateState
    const told = async () => [(await state()).state, (await state()).model.name]
    const wait = { timeout: 60_000 }
    try {
      await push([join(dir, 'second'), '--to', agent.url])
      await expect.poll(told, wait).toEqual(['shadow', 'first'])
      disk.fill()
      await expect.poll(told, wait).toEqual(['failed', 'first'])
      expect((await state()).reason).toMatch(/the switch cannot be written, tried again in 10 s: ENOSPC/)
      await agent.stop()
      agent = await start()
      expect((await state()).model.name).toBe('first')
      disk.empty()
      await expect.poll(told, wait).toEqual(['settled', 'second'])
    } finally {
      await agent.stop()
      disk.unmount()
    }
  })
})
