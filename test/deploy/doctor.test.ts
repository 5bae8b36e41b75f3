// Doctor as the program it is, on this machine: TensorFlow computes and GStreamer plays for real.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { writeBundle } from '../../deploy/bundle.ts'
import type { Finding } from '../../deploy/doctor/finding.ts'
import { render } from '../../deploy/doctor/report.ts'
import { repository } from './checkout.ts'

interface Report {
  ok: boolean
  machine: { node: string; memory: { total_bytes: number }; disk: { free_bytes: number } }
  compute: { proof: { tensorflow: string; device: string; difference: number; convolution_ms: number; gflops: number } }
  gstreamer: { version: string; elements: Record<string, boolean>; pipeline_runs: boolean; chosen: Record<string, string> }
  bundle: { name: string } | null
  findings: Finding[]
}

function temporaryFolder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'doctor '))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

async function makeBundle(): Promise<string> {
  const dir = join(temporaryFolder(), 'bundle')
  await writeBundle(
    dir,
    {
      name: 'small',
      created: '2026-01-01T00:00:00Z',
      architecture: { net: 'fcn8s', encoder: 'vgg16', width: 0.25, fc: 512, batchNorm: true, parameters: 1 },
      input: { width: 64, height: 32, fit: 'crop', resizer: 'bilinear', matrix: 'bt709', range: 'video' },
      classes: [
        { name: 'other', colour: '#000000' },
        { name: 'road', colour: '#ffffff' },
      ],
      road: 1,
      measures: { road_iou: 0.9 },
      data: [],
      commit: '',
      settings: {},
    },
    { 'model/saved_model.pb': Buffer.from('a model') },
  )
  return dir
}

function doctor(args: readonly string[], env: Record<string, string> = {}) {
  const program = join(repository, 'build/deploy/doctor.js')
  return spawnSync(process.execPath, [program, ...args], { env: { ...process.env, ...env }, encoding: 'utf8' })
}

test('what TensorFlow computes on is found by computing, and GStreamer is found by playing', async () => {
  const { status, stdout, stderr } = doctor(['--json', '--bundle', await makeBundle()])
  const report = JSON.parse(stdout) as Report
  expect(stderr).toBe('')
  expect(report.findings.filter(({ state }) => state === 'problem')).toEqual([])
  expect(status).toBe(0)
  expect(report.ok).toBe(true)
  expect(report.compute.proof.tensorflow).toMatch(/^2\.\d+\.\d+/)
  expect(report.compute.proof.device).toBe(existsSync('/dev/nvidiactl') ? 'gpu' : 'cpu')
  expect(report.compute.proof.difference).toBeLessThan(0.01)
  expect(report.compute.proof.convolution_ms).toBeGreaterThan(0)
  expect(report.gstreamer.pipeline_runs).toBe(true)
  expect(report.gstreamer.elements).toMatchObject({
    v4l2src: true,
    rtspsrc: true,
    gdppay: true,
    nvarguscamerasrc: expect.any(Boolean),
  })
  const { chosen } = report.gstreamer
  for (const decoder of [chosen.h264, chosen.h265, chosen.jpeg]) expect(decoder).toMatch(/dec/)
  expect(chosen.encoder).toMatch(/jpegenc$/)
  expect(report.findings.find(({ name }) => name === 'chosen')?.text).toContain(`H.264 is decoded by ${chosen.h264}`)
  expect(report.machine.node).toBe(process.version)
  expect(report.machine.memory.total_bytes).toBeGreaterThan(2 ** 30)
  expect(report.machine.disk.free_bytes).toBeGreaterThan(0)
  expect(report.bundle?.name).toBe('small')
})

test('a bundle whose file was changed fails it, with the file and what to do', async () => {
  const dir = await makeBundle()
  writeFileSync(join(dir, 'model/saved_model.pb'), 'a madel')
  const { status, stdout } = doctor(['--bundle', dir])
  expect(status).toBe(1)
  expect(stdout.replace(/\s+/g, ' ')).toContain('saved_model.pb is not what the manifest says')
  expect(stdout).toContain('One problem keeps the agent from working here.')
  expect(stdout).not.toContain('\x1b')
})

test('GStreamer without its plugins fails it, with the packages to install', async () => {
  const empty = temporaryFolder()
  const env = { GST_PLUGIN_SYSTEM_PATH_1_0: empty, GST_REGISTRY_1_0: join(empty, 'registry') }
  const { status, stdout } = doctor(['--json', '--bundle', await makeBundle()], env)
  const { findings } = JSON.parse(stdout) as Report
  expect(status).toBe(1)
  const needed = findings.find(({ name }) => name === 'needed')
  expect(needed?.text).toContain('gdppay')
  expect(needed?.advice).toMatch(/sudo apt-get install .*gstreamer1\.0-plugins-bad/)
  expect(findings.find(({ name }) => name === 'chosen')?.text).toContain('H.264 is decoded by nothing')
  expect(findings.find(({ name }) => name === 'H.264')?.state).toBe('problem')
  expect(findings.find(({ name }) => name === 'pipeline')?.state).toBe('problem')
})

test('an option it does not know is refused with those it does', () => {
  const { status, stderr } = doctor(['--jsno'])
  expect(status).toBe(2)
  expect(stderr).toContain('--json')
})

test.skipIf(!existsSync(join(repository, 'node_modules/@tensorflow/tfjs-node-gpu/lib/napi-v8/tensorflow.node')))(
  'TensorFlow loads and computes without a word, and tells everything where it is asked to',
  () => {
    const program = `const tf = require('@tensorflow/tfjs-node-gpu'); tf.matMul(tf.ones([8, 8]), tf.ones([8, 8])).dataSync()`
    const load = (env: Record<string, string>) =>
      spawnSync(process.execPath, ['-e', program], {
        cwd: repository,
        env: { PATH: process.env.PATH, ...env },
        encoding: 'utf8',
      })
    expect(load({})).toMatchObject({ status: 0, stdout: '', stderr: '' })
    expect(load({ TF_CPP_MIN_LOG_LEVEL: '0' }).stderr).toContain('cpu_feature_guard')
  },
)

test('the report keeps within the width of the terminal and counts the problems', () => {
  const long = readFileSync(join(repository, 'package.json'), 'utf8').replace(/\s+/g, ' ').slice(0, 400)
  const findings: Finding[] = [
    { section: 'One', name: 'first', state: 'ok', text: long },
    { section: 'One', name: 'second', state: 'problem', text: 'broken', advice: 'Mend it.' },
    { section: 'Two', name: 'third', state: 'problem', text: 'broken too' },
  ]
  const text = render(findings, { colour: false, columns: 80 })
  expect(Math.max(...text.split('\n').map(({ length }) => length))).toBeLessThanOrEqual(80)
  expect(text).toContain('2 problems keep the agent from working here.')
  expect(stripVTControlCharacters(render(findings, { colour: true, columns: 80 }))).toBe(text)
})
