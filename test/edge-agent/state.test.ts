import { existsSync, statSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openLog } from '../../edge-agent/log.ts'
import { parseConfig } from '../../edge-agent/settings/read-config.ts'
import { openState, type State, stateFolder } from '../../edge-agent/state.ts'
import { openSwitches } from '../../edge-agent/supervise/switches.ts'

let dir: string
let state: State | undefined
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roadmask-'))
})
afterEach(async () => {
  state?.close()
  state = undefined
  await rm(dir, { recursive: true })
})

const config = (more: string) => parseConfig({ name: 'a', text: more }, {}, [])
const open = (folder = dir) => openState(config(`state_dir: ${folder}`), {})

describe('the folder', () => {
  test('is that of the settings, of systemd, or of the user, by device', () => {
    const of = (text: string, env: NodeJS.ProcessEnv) => stateFolder(config(text), env)
    expect(of('state_dir: /a', { STATE_DIRECTORY: '/b' })).toBe('/a')
    expect(of('device: c', { STATE_DIRECTORY: '/b:/c' })).toBe('/b')
    expect(of('device: c', { XDG_STATE_HOME: '/x' })).toBe('/x/roadmask/c')
    expect(of('device: c', {})).toBe(join(homedir(), '.local/state/roadmask/c'))
    expect(() => of('device: ..', { XDG_STATE_HOME: '/x' })).toThrow('neither "." nor ".."')
  })

  test('is made where it is missing, for this user alone', async () => {
    state = await open(join(dir, 'a/b'))
    expect(statSync(state.folder).mode & 0o777).toBe(0o700)
  })

  test('that cannot be used is an error that says what to do', async () => {
    writeFileSync(join(dir, 'file'), '')
    await expect(open(join(dir, 'file/below'))).rejects.toThrow(/file\/below, which cannot be used: ENOTDIR.*--state_dir/s)
  })

  test('of a running agent is refused to another one, by whatever name, and free when that has ended', async () => {
    state = await open()
    await expect(open(`${dir}/.`)).rejects.toThrow(`Another agent keeps its state in ${dir}`)
    state.close()
    state = await open()
  })

  test('holds what was written, and nothing half', async () => {
    state = await open()
    expect(state.read('a')).toBeUndefined()
    state.write('a', { b: 1 })
    expect(state.read('a')).toEqual({ b: 1 })
    writeFileSync(join(dir, 'a.json'), '{"b":')
    expect(state.read('a')).toBeUndefined()
    expect(existsSync(join(dir, 'a.json.tmp'))).toBe(false)
  })
})

test('a camera that was switched stays so over a restart, until the setting itself changes', async () => {
  state = await open()
  const log = openLog('fatal')
  const [on, off] = [
    { name: 'front', enabled: true },
    { name: 'front', enabled: false },
  ]
  openSwitches(state, log).set(on, false)
  expect(openSwitches(state, log).enabled(on)).toBe(false)
  expect(openSwitches(state, log).enabled({ name: 'rear', enabled: true })).toBe(true)
  expect(openSwitches(state, log).enabled(off)).toBe(false) // changed to what was wished
  expect(openSwitches(state, log).enabled(on)).toBe(true) // and back: no wish is left
  openSwitches(state, log).set(off, true)
  openSwitches(state, log).set(off, false)
  expect(state.read('switches')).toEqual({})
})
