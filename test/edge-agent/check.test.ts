// `npm run agent -- check FILE`, the program as a person runs it.
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runProgram } from '../run-program.ts'

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roadmask-'))
})
afterAll(() => rm(dir, { recursive: true }))

async function check(text: string, mode = 0o600, flags: string[] = []) {
  const file = join(dir, 'agent.yaml')
  await writeFile(file, text)
  await chmod(file, mode)
  return runProgram('edge-agent/main.js', ['check', file, ...flags])
}

test('what would run, in words; nothing is unwise about the defaults', async () => {
  const { code, out, err } = await check('device: car\ncameras: [{ name: a, source: test, enabled: false }]', 0o644, [
    '--http.port',
    '0',
  ])
  expect([code, err]).toEqual([0, ''])
  expect(out).toMatch(/^model +roadmask-starter, 320 x 240, other, road, computes on what TensorFlow finds$/m)
  expect(out).toMatch(/^camera +a: test \(switched off\)$/m)
  expect(out).toMatch(/^topics +roadmask\/car\/<camera>\/…$/m)
  expect(out).toMatch(/^page +127\.0\.0\.1, any free port$/m)
  expect(out).not.toContain('warning')
  expect(out).toMatch(/The settings are right\.$/m)
})

test('every way out that is switched on is told, and none that is not', async () => {
  const plain = await check('device: car')
  for (const word of ['gps', 'record', 'collect', 'access', 'Home Assistant', 'overlays']) expect(plain.out).not.toContain(word)
  expect(plain.out).toMatch(/^outbox +events and states, up to 4 MiB and 30 days$/m)
  const { code, out } = await check(`device: car
state_dir: ${join(dir, 'state')}
mqtt: { home_assistant: ha, overlays_per_minute: 6 }
access: { tokens: [{ name: grafana, role: viewer, sha256: "${'0'.repeat(64)}" }] }
gps: { host: 10.0.0.9 }
record: { enabled: true, pictures: true, max_mib: 100 }
collect: { enabled: true, per_day: 7 }`)
  expect(code).toBe(0)
  expect(out).toMatch(/^ +1 masks and 1 results a second of each camera, 6 overlays a minute$/m)
  expect(out).toMatch(/^ +discovery for Home Assistant below ha\/$/m)
  expect(out).toMatch(/^access +grafana \(viewer\)$/m)
  expect(out).toMatch(/^gps +gpsd on 10\.0\.0\.9, port 2947$/m)
  expect(out).toContain(`masks, facts and pictures in ${join(dir, 'state/recordings')}, up to 100 MiB and 72 hours`)
  expect(out).toMatch(/^collect +7 hard frames a day of each reason, up to 256 MiB$/m)
  expect(out).not.toContain('000000')
})

test('what is unwise is said, and no password', async () => {
  await writeFile(join(dir, 'secret'), 'hunter1', { mode: 0o644 })
  const text = `mqtt: { url: "mqtt://10.0.0.1", username: u, password_file: secret }
http: { host: 0.0.0.0 }
cameras: [{ name: a, source: "rtsp://admin:hunter2@10.0.0.2/1" }]`
  const { code, out } = await check(text, 0o644)
  expect(code).toBe(0)
  expect(out).toContain('"mqtt.url" is mqtt://10.0.0.1: the password crosses the network unencrypted')
  expect(out).toContain('"http.host" is 0.0.0.0 without "http.cert": ')
  expect(out).toContain(`${join(dir, 'secret')} is a secret that everybody on this machine can read: chmod o-r`)
  expect(out).toContain(`${join(dir, 'agent.yaml')} holds a password and everybody on this machine can read it`)
  expect(out).not.toContain('hunter')
  await chmod(join(dir, 'secret'), 0o600)
  const { out: better } = await check(text.replace('mqtt:/', 'mqtts:/').replace('0.0.0.0', '127.0.0.1'))
  expect(better).not.toContain('warning')
})

test('what cannot work ends with code 2: all of it at once, and mistakes by their place', async () => {
  const { code, err } = await check(`bundle: /none
mqtt: { url: "mqtts://h", ca: /none.pem }
cameras: [{ name: a, source: "file:/none.mp4" }, { name: b, source: "v4l2:/dev/none" }]`)
  expect(code).toBe(2)
  expect(err).toContain('Expected a bundle in /none')
  expect(err).toContain('Camera a: There is no file /none.mp4')
  expect(err).toContain('Camera b: There is no camera /dev/none')
  expect(err).toContain('"mqtt.ca" cannot be read: ENOENT')
  const mistake = await check('camras: []')
  expect([mistake.code, mistake.err]).toEqual([2, 'agent.yaml:1:1: unknown key "camras"; did you mean "cameras"?\n'])
  expect((await runProgram('edge-agent/main.js', ['check', join(dir, 'none.yaml')])).code).toBe(2)
})
