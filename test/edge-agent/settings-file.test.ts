// The config file as the page changes it: real files, other writers, killed writers, and everything that is refused.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, lstatSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { build } from '../../edge-agent/paths.ts'
import {
  addCamera,
  patchCamera,
  removeCamera,
  setZones,
  shownCamera,
  tryCamera,
} from '../../edge-agent/settings/camera-changes.ts'
import { parseConfig } from '../../edge-agent/settings/read-config.ts'
import type { Refused } from '../../edge-agent/settings/refused.ts'
import { type CameraChange, openSettingsFile, readSettings, settingsPlace } from '../../edge-agent/settings/settings-file.ts'

let dir: string
let path: string
let reloads: number
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roadmask-'))
  path = join(dir, 'agent.yaml')
  reloads = 0
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const reload = async () => ({ applied: [`reload ${++reloads}`], needsRestart: [] })
const open = (env = {}, flags: string[] = [], named = true) => openSettingsFile({ place: { path, named }, env, flags, reload })
const refusal = (work: Promise<unknown>) =>
  work.then(
    () => expect.fail('it was not refused'),
    ({ status, message }: Refused) => [status, message] as const,
  )
const no = { pipelines: false }
const turn = (rotation: 0 | 90 | 180 | 270): CameraChange => patchCamera('front', { rotation }, no)
const text = '# Ours\ndevice: d\ncameras:\n  - { name: front, source: test }   # the front\n  - name: rear\n    source: demo\n'

describe('a change', () => {
  test('is written, taken over, and told with the tag of the new file', async () => {
    writeFileSync(path, text)
    chmodSync(path, 0o640)
    const file = open()
    const { tag, cameras } = await file.read()
    expect(cameras.map(({ name }) => name)).toEqual(['front', 'rear'])
    const outcome = await file.change(turn(90), tag)
    expect(outcome).toMatchObject({ applied: ['reload 1'], needsRestart: [] })
    expect(outcome.tag).not.toBe(tag)
    expect((await file.read()).tag).toBe(outcome.tag)
    expect(readFileSync(path, 'utf8')).toBe(text.replace('source: test', 'source: test, rotation: 90'))
    expect(statSync(path).mode & 0o777).toBe(0o640)
    expect(readdirSync(dir)).toEqual(['agent.yaml'])
    expect(await file.change(turn(90), outcome.tag)).toEqual({ applied: [], needsRestart: [], tag: outcome.tag })
    expect(reloads).toBe(1)
  })

  test('makes the file where the agent finds it by itself the next time, with the camera that ran before', async () => {
    const env = { ROADMASK_STATE_DIR: dir }
    const place = settingsPlace(undefined, env, [])
    expect(place).toEqual({ path, named: false })
    expect((await readSettings(place, env, [])).cameras.map(({ name }) => name)).toEqual(['demo'])
    await open(env, [], false).change(addCamera({ name: 'yard', source: 'v4l2:/dev/video0' }, no), '"none"')
    expect(readFileSync(path, 'utf8')).toMatch(
      /^# Settings of this agent, made from its page\..*\ncameras:\n {2}- name: demo\n/,
    )
    expect((await readSettings(place, env, [])).cameras.map(({ name }) => name)).toEqual(['demo', 'yard'])
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  test('goes through a link to where it points, which stays one', async () => {
    writeFileSync(join(dir, 'real.yaml'), text)
    symlinkSync('real.yaml', path)
    await open().change(turn(180))
    expect(lstatSync(path).isSymbolicLink()).toBe(true)
    expect(readFileSync(join(dir, 'real.yaml'), 'utf8')).toContain('rotation: 180')
  })

  test('waits for the one before it: of many at once none is lost', async () => {
    writeFileSync(path, text)
    const file = open()
    const names = Array.from({ length: 12 }, (_, i) => `c${i}`)
    await Promise.all(names.map((name) => file.change(addCamera({ name, source: 'test' }, no))))
    expect((await file.read()).cameras.map(({ name }) => name)).toEqual(['front', 'rear', ...names])
  })

  test('killed at any moment leaves the old file or the new one, and the next one is written', async () => {
    const padding = `# ${'x'.repeat(100)}\n`.repeat(2000)
    writeFileSync(path, text + padding)
    const script = `
      const { openSettingsFile } = await import(${JSON.stringify(pathToFileURL(join(build, 'edge-agent/settings/settings-file.js')))})
      const reload = async () => ({ applied: [], needsRestart: [] })
      const file = openSettingsFile({ place: { path: ${JSON.stringify(path)}, named: true }, env: {}, flags: [], reload })
      for (let i = 0; ; i++) {
        await file.change((cameras) => cameras.map((camera) => ({ ...camera, timeout_ms: 1000 + i % 2 * 500 })))
        if (i === 0) console.log('writes')
      }`
    const seen = new Set<string>()
    for (let round = 0; round < 8; round++) {
      const writer = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
      await once(writer.stdout, 'data')
      await delay(20 + 13 * round)
      writer.kill('SIGKILL')
      await once(writer, 'exit')
      const found = readFileSync(path, 'utf8')
      expect(found.endsWith(padding)).toBe(true)
      const [front, rear] = parseConfig({ text: found }, {}, []).cameras
      expect(front!.timeout_ms).toBe(rear!.timeout_ms)
      for (const name of readdirSync(dir)) seen.add(name)
    }
    expect([...seen].filter((name) => !['agent.yaml', '.agent.yaml.new'].includes(name))).toEqual([])
    await open().change(turn(270))
    expect(readFileSync(path, 'utf8')).toContain('rotation: 270')
    expect(readdirSync(dir)).toEqual(['agent.yaml'])
  })
})

describe('is refused, and nothing is written', () => {
  async function refused(
    work: (file: ReturnType<typeof open>) => Promise<unknown>,
    status: number,
    words: RegExp,
    file = open(),
  ) {
    const before = readFileSync(path, 'utf8')
    const [found, message] = await refusal(work(file))
    expect([found, message]).toEqual([status, expect.stringMatching(words)])
    expect(readFileSync(path, 'utf8')).toBe(before)
    expect(readdirSync(dir)).toEqual(['agent.yaml'])
    expect(reloads).toBe(0)
  }
  beforeEach(() => writeFileSync(path, text))

  test('where the file was changed meanwhile', async () => {
    const { tag } = await open().read()
    writeFileSync(path, `${text}# more\n`)
    await refused((file) => file.change(turn(90), tag), 412, /changed meanwhile.*Load it again/)
  })

  test.each<[string, CameraChange, RegExp]>([
    [
      'a zone that is a line',
      setZones('rear', [
        {
          name: 'z',
          polygon: [
            [0, 0],
            [1, 0],
            [0.5, 0],
          ],
        },
      ]),
      /^"polygon" is a line/,
    ],
    ['a width without a height', patchCamera('front', { width: 640 }, no), /^"width" and "height" come together/],
    ['a setting of other sources', patchCamera('rear', { transport: 'tcp' }, no), /"transport" is for rtsp sources, but/],
    [
      'a pace that contradicts',
      patchCamera('rear', { pace: 'model', masks_per_second: 1 }, no),
      /"pace: model" gives every frame/,
    ],
    ['a region beyond the picture', patchCamera('front', { region: [0.5, 0, 0.6, 1] }, no), /must not reach beyond 1/],
  ])('where the schema refuses it: %s', (_, change, words) => refused((file) => file.change(change), 422, words))

  test('by the path of the mistake where there is one to name', () =>
    refused(
      (file) => file.change((cameras) => [...cameras, { name: 'a b', source: 'tset' }]),
      422,
      /^"cameras\[2\].name": expected one level/,
    ))

  test('where the file has a mistake already, which is told with its place', async () => {
    writeFileSync(path, `${text}mqt: {}\n`)
    await refused((file) => file.change(turn(90)), 409, /mistake; correct it by hand first: agent.yaml:7:1: unknown key "mqt"/)
  })

  test('where the cameras come from elsewhere, which a test of a camera would not tell', async () => {
    const env = { ROADMASK_SOURCE: 'demo' }
    await refused((file) => file.change(turn(90)), 409, /comes from ROADMASK_SOURCE.*Start the agent without/, open(env))
    await refused((file) => file.change(turn(90)), 409, /comes from --source/, open({}, ['--source=test']))
    await refused((file) => file.would(turn(90)), 409, /comes from --source/, open({}, ['--source', 'test']))
  })

  test('where the file is read-only, and what to do', async () => {
    chmodSync(path, 0o444)
    expect(await open().fault()).toMatch(/agent.yaml is read-only. Edit it by hand, or let the agent write there/)
    await refused((file) => file.change(turn(90)), 409, /is read-only/)
  })

  test('where it could only be written as a file of somebody else', async () => {
    if (process.getuid?.() !== 0) return // only root can make one
    chownSync(dir, 65534, 65534)
    process.seteuid!(65534)
    try {
      expect((await refusal(open().change(turn(90))))[1]).toMatch(/belongs to another user \(0\) than the agent \(65534\)/)
    } finally {
      process.seteuid!(0)
    }
  })

  test('where no file can be made', async () => {
    path = '/proc/agent.yaml'
    expect((await refusal(open({}, [], false).change(addCamera({ name: 'a', source: 'test' }, no))))[1]).toMatch(
      /\/proc\/agent.yaml cannot be (written|replaced)/,
    )
    path = join(dir, 'gone.yaml')
    expect(await refusal(open().read())).toEqual([409, expect.stringMatching(/gone.yaml cannot be read: ENOENT/)])
  })

  test('where cameras contradict each other', async () => {
    await refused((file) => file.change(addCamera({ name: 'rear', source: 'test' }, no)), 409, /There is a camera rear already/)
  })

  test('where a camera would be the last to go, or is none', async () => {
    writeFileSync(path, 'cameras: [{ name: front, source: test }]\n')
    await refused((file) => file.change(removeCamera('front')), 409, /only camera, and the agent needs one/)
    await refused((file) => file.change(removeCamera('side')), 404, /no camera side in the config file/)
    await refused((file) => file.would(tryCamera({ name: 'side' }, no)), 404, /no camera side, and no "source"/)
  })
})

describe('passwords', () => {
  const secret = 'cameras:\n  - { name: front, source: "rtsp://ann:hush@10.0.0.2:554/1" }\n'
  beforeEach(() => writeFileSync(path, secret))
  const sourceAfter = async (source: string) => {
    await open().change(patchCamera('front', { source }, no))
    return (await open().read()).cameras[0]!.source
  }

  test('are not shown, and a source that is sent back as it was shown keeps its own', async () => {
    const [front] = (await open().read()).cameras.map(shownCamera)
    expect(front!.source).toBe('rtsp://***@10.0.0.2:554/1')
    expect(await sourceAfter(front!.source)).toBe('rtsp://ann:hush@10.0.0.2:554/1')
    expect(readFileSync(path, 'utf8')).toBe(secret)
    expect(await sourceAfter('rtsp://***@10.0.0.2:554/2?x=1')).toBe('rtsp://ann:hush@10.0.0.2:554/2?x=1')
    expect(await sourceAfter('rtsp://bob:new@10.0.0.9/2')).toBe('rtsp://bob:new@10.0.0.9/2')
  })

  test.each([
    'rtsp://***@10.0.0.3:554/1',
    'rtsp://***@10.0.0.2:555/1',
    'rtsps://***@10.0.0.2:554/1',
    'rtsp://a:***@10.0.0.2:554/1',
  ])('go nowhere but to their own host: %s', async (source) => {
    expect(await refusal(open().change(patchCamera('front', { source }, no)))).toEqual([
      422,
      expect.stringContaining('type the password again'),
    ])
    expect(await refusal(open().would(tryCamera({ name: 'front', source }, no)))).toEqual([422, expect.anything()])
    expect(readFileSync(path, 'utf8')).toBe(secret)
  })

  test('in a file of their own go with their host too', async () => {
    writeFileSync(join(dir, 'pw'), 'hush\n')
    writeFileSync(path, 'cameras: [{ name: front, source: "rtsp://ann@10.0.0.2/1", password_file: pw }]\n')
    const file = open()
    const settings = await file.would(tryCamera({ name: 'front', source: 'rtsp://***@10.0.0.2/2' }, no))
    expect(settings.cameras[0]!.source).toBe('rtsp://ann:hush@10.0.0.2/2')
    const away = patchCamera('front', { source: 'rtsp://ann@evil.example/1' }, no)
    expect(await refusal(file.would(away))).toEqual([422, expect.stringContaining('"password_file"')])
  })

  test('pipeline texts are taken where that is allowed; one that is there may stay', async () => {
    const source = 'gst:videotestsrc ! video/x-raw,width=64'
    const add = (pipelines: boolean) => open().change(addCamera({ name: 'g', source }, { pipelines }))
    expect(await refusal(add(false))).toEqual([403, expect.stringContaining('access.pipelines: true')])
    await add(true)
    await open().change(patchCamera('g', { source, rotation: 90 }, no))
    expect(await refusal(open().change(patchCamera('g', { source: `${source} ! tee` }, no)))).toEqual([403, expect.anything()])
  })
})
