// What images are made of, as far as it works without building one: the health check, the entry and the stages' files.
import { execFile, execFileSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePort } from '../edge-agent/mosquitto.ts'
import { startAgent } from '../edge-agent/running-agent.ts'

const repository = join(import.meta.dirname, '../..')
const images = join(repository, 'deploy/images')
let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roadmask-'))
})
afterAll(() => rm(dir, { recursive: true }))

const health = (port: string) =>
  new Promise<number>((ended) => {
    const env = { ...process.env, ROADMASK_HTTP_PORT: port }
    execFile(process.execPath, [join(images, 'health.mjs')], { env }, (error) => ended(Number(error?.code ?? 0)))
  })

test('the health check finds an agent well over http and https, and nobody where none is', { timeout: 60_000 }, async () => {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', join(dir, 'key.pem')]
  execFileSync('openssl', ['req', '-x509', ...key, '-subj', '/CN=jetson01', '-out', join(dir, 'cert.pem')], { stdio: 'pipe' })
  const plain = 'broker: { port: 0 }\ncameras: [{ name: front, source: test, enabled: false }]'
  for (const settings of [plain, `${plain}\nhttp: { cert: ${join(dir, 'cert.pem')}, key: ${join(dir, 'key.pem')} }`]) {
    const agent = await startAgent(settings)
    try {
      expect(await health(new URL(agent.url).port)).toBe(0)
    } finally {
      await agent.stop()
    }
  }
  expect(await health(String(await freePort()))).toBe(1)
})

test('the entry runs the agent, and every other program by its name', () => {
  writeFileSync(join(dir, 'node'), '#!/bin/sh\necho "$@"\n', { mode: 0o755 })
  const env = { PATH: `${dir}:${process.env.PATH}`, ROADMASK_HOME: repository }
  const runs = (...args: string[]) =>
    execFileSync(join(images, 'roadmask'), args, { env, encoding: 'utf8' }).trim().replace('--enable-source-maps ', '')
  expect(runs('--config', 'x.yaml')).toBe('build/edge-agent/main.js --config x.yaml')
  expect(runs('agent', '--config', 'x.yaml')).toBe('build/edge-agent/main.js --config x.yaml')
  expect(runs('token', 'a')).toBe('build/edge-agent/main.js token a')
  expect(runs('serve')).toBe('build/trainer/sagemaker/container.js serve')
  for (const word of ['accept', 'doctor', 'trainer', 'evaluate', 'export', 'train']) {
    const [program] = runs(word, '--help').split(' ')
    expect(program).not.toContain('main')
    expect(existsSync(join(repository, program!)), program).toBe(true)
  }
  expect(runs('sh', '-c', 'echo a shell')).toBe('a shell')
})
