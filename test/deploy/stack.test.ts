// What stands around the agent in deploy/compose, each part by its own program: Mosquitto with our certificates and its acl
// file, Prometheus with our rules on a real agent, and every query of Grafana's board.
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { parse } from 'yaml'
import { freePort } from '../edge-agent/mosquitto.ts'
import { type RunningAgent, startAgent } from '../edge-agent/running-agent.ts'

const run = promisify(execFile)
const stack = join(import.meta.dirname, '../../deploy/compose')
let dir: string
const certs = (...args: string[]) =>
  run(join(stack, 'certs.sh'), args, { env: { ...process.env, ROADMASK_SECRETS: join(dir, 'secrets') } })

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roadmask-'))
})
afterAll(() => rm(dir, { recursive: true }))

describe('the broker', () => {
  let broker: ChildProcess
  let port: number
  const said: string[] = []
  const clients: MqttClient[] = []

  beforeAll(async () => {
    await certs('broker', 'localhost', '127.0.0.1')
    await certs('device', 'car01', 'car02', 'stolen')
    await certs('operator')
    await certs('viewer')
    await cp(join(dir, 'secrets/devices/stolen'), join(dir, 'secrets/kept'), { recursive: true })
    await certs('revoke', 'stolen')
    port = await freePort()
    await mkdir(join(dir, 'data'))
    const text = await readFile(join(stack, 'mosquitto/mosquitto.conf'), 'utf8')
    const placed = text
      .replace('listener 8883', `${process.getuid?.() === 0 ? 'user root\n' : ''}listener ${port} 127.0.0.1`)
      .replaceAll('/mosquitto/tls', join(dir, 'secrets/broker'))
      .replaceAll('/mosquitto/config', join(stack, 'mosquitto'))
      .replaceAll('/mosquitto/data', join(dir, 'data'))
    await writeFile(join(dir, 'mosquitto.conf'), placed)
    broker = spawn('mosquitto', ['-c', join(dir, 'mosquitto.conf')], { stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [broker.stdout!, broker.stderr!]) stream.on('data', (bytes: Buffer) => said.push(bytes.toString()))
    await vi.waitUntil(async () => broker.exitCode !== null || (await come('viewer').catch(() => undefined)), {
      timeout: 10_000,
    })
    expect(broker.exitCode, said.join('')).toBe(null)
  })
  afterAll(async () => {
    await Promise.all(clients.map((client) => client.endAsync(true)))
    broker.kill('SIGKILL')
  })

  const read = (folder: string, name: string) => readFileSync(join(dir, 'secrets', folder, `${name}.pem`))
  async function come(folder: string) {
    const [ca, cert, key] = [read(folder, 'ca'), read(folder, 'cert'), read(folder, 'key')]
    const options: IClientOptions = { ca, cert, key, protocolVersion: 5, reconnectPeriod: 0 }
    const client = await connectAsync(`mqtts://localhost:${port}`, options, false)
    clients.push(client)
    return client
  }

  test('a device reads and writes its own topics and hears the fleet, and nothing of another', {
    timeout: 30_000,
  }, async () => {
    const [one, other, operator] = [await come('devices/car01'), await come('devices/car02'), await come('operator')]
    const heard: string[] = []
    one.on('message', (topic) => heard.push(topic))
    await one.subscribeAsync('roadmask/#', { qos: 1 })
    for (const device of ['car01', 'car02']) {
      await operator.publishAsync(`roadmask/${device}/front/enabled/set`, 'OFF', { qos: 1 })
      await other.publishAsync(`roadmask/${device}/available`, 'online', { qos: 1 }).catch(({ code }) => expect(code).toBe(135))
    }
    await other.publishAsync('roadmask/fleet/update/set', '{}', { qos: 1 }).catch(({ code }) => expect(code).toBe(135))
    await operator.publishAsync('roadmask/fleet/update/set', '{}', { qos: 1, retain: true })
    await operator.publishAsync('roadmask/group/north/update/set', '{}', { qos: 1 })
    await one.publishAsync('roadmask/car01/available', 'online', { qos: 1 })
    const own = ['roadmask/car01/front/enabled/set', 'roadmask/car01/available']
    const orders = ['roadmask/fleet/update/set', 'roadmask/group/north/update/set']
    await expect.poll(() => heard.toSorted(), { timeout: 10_000 }).toEqual([...own, ...orders].toSorted())
  })

  test('a viewer reads everything and writes nothing', async () => {
    const [viewer, one] = [await come('viewer'), await come('devices/car01')]
    const heard: string[] = []
    viewer.on('message', (topic) => heard.push(topic))
    await viewer.subscribeAsync('roadmask/car01/#', { qos: 1 })
    await expect(viewer.publishAsync('roadmask/car01/front/enabled/set', 'ON', { qos: 1 })).rejects.toMatchObject({ code: 135 })
    await one.publishAsync('roadmask/car01/front/status', '{}', { qos: 1 })
    await expect.poll(() => heard).toEqual(['roadmask/car01/front/status'])
  })

  test('the agent of the Compose file finds the broker and may say all it has to', { timeout: 60_000 }, async () => {
    const text = await readFile(join(stack, 'agent.yaml'), 'utf8')
    const placed = text
      .replace('localhost:8883', `localhost:${port}`)
      .replaceAll('/etc/roadmask/tls', join(dir, 'secrets/devices/car02'))
      .replace('bundle: /bundle', `bundle: ${join(stack, '../../edge-agent/demo/bundle')}`)
    const viewer = await come('viewer')
    const heard = new Set<string>()
    viewer.on('message', (topic) => heard.add(topic.replace('roadmask/car02/', '')))
    await viewer.subscribeAsync('roadmask/car02/#', { qos: 1 })
    const agent = await startAgent(placed, [], { ROADMASK_DEVICE: 'car02' })
    try {
      const wanted = ['available', 'front/status', 'front/enabled', 'front/mask', 'front/result']
      await expect.poll(() => wanted.filter((topic) => !heard.has(topic)), { timeout: 45_000 }).toEqual([])
      expect(agent.log.filter(({ level }) => level === 'warn' || level === 'error')).toEqual([])
    } finally {
      await agent.stop()
    }
  })

  test('nobody comes in without a certificate, or with a revoked one', async () => {
    const ca = read('broker', 'ca')
    await expect(connectAsync(`mqtts://localhost:${port}`, { ca, reconnectPeriod: 0 }, false)).rejects.toThrow()
    await expect(come('kept')).rejects.toThrow(/revoked/)
  })

  test('names that are topics of everybody are refused as devices', async () => {
    for (const name of ['fleet', 'group', 'operator', 'a/b', '..'])
      await expect(certs('device', name), name).rejects.toMatchObject({ code: 1 })
  })
})

const withPrometheus = spawnSync('prometheus', ['--version']).status === 0
describe.skipIf(!withPrometheus)('Prometheus', () => {
  const alerts = join(stack, 'prometheus')

  test('promtool finds config, rules and their cases well', async () => {
    await run('promtool', ['test', 'rules', 'alerts.test.yml'], { cwd: alerts })
    const { stdout } = await run('promtool', ['check', 'rules', 'alerts.yml'], { cwd: alerts })
    expect(stdout).toContain('7 rules found')
  })

  test('every query of the board has an answer about a real agent', { timeout: 120_000 }, async () => {
    const token = 'a-token-of-a-viewer'
    const sha256 = createHash('sha256').update(token).digest('hex')
    const access = `access: { tokens: [{ name: prometheus, role: viewer, sha256: ${sha256} }] }`
    let agent: RunningAgent | undefined
    let prometheus: ChildProcess | undefined
    try {
      agent = await startAgent(`${access}\nbroker: { port: 0 }\ncameras: [{ name: front, source: demo }]`)
      const folder = join(dir, 'prometheus')
      await cp(alerts, folder, { recursive: true })
      await writeFile(join(folder, 'token'), token)
      const text = await readFile(join(folder, 'prometheus.yml'), 'utf8')
      const placed = text
        .replaceAll('15s', '1s')
        .replace('/etc/prometheus-secrets/token', 'token')
        .replace('127.0.0.1:8080', new URL(agent.url).host)
      await writeFile(join(folder, 'prometheus.yml'), placed)
      await run('promtool', ['check', 'config', join(folder, 'prometheus.yml')])
      const port = await freePort()
      const flags = [`--web.listen-address=127.0.0.1:${port}`, `--storage.tsdb.path=${join(dir, 'tsdb')}`]
      prometheus = spawn('prometheus', [`--config.file=${join(folder, 'prometheus.yml')}`, ...flags], { stdio: 'ignore' })

      const ask = async (query: string) => {
        const answer = await fetch(`http://127.0.0.1:${port}/api/v1/query?${new URLSearchParams({ query })}`)
        const { status, error, data } = (await answer.json()) as { status: string; error?: string; data: { result: Sample[] } }
        expect({ query, status, error }).toEqual({ query, status: 'success', error: undefined })
        return data.result
      }
      const masks = () => ask('increase(roadmask_masks_total[10s])').catch(() => [])
      await expect.poll(async () => Number((await masks())[0]?.value[1] ?? 0), { timeout: 60_000 }).toBeGreaterThan(0)

      const silent: string[] = []
      const queries = boardQueries()
      expect(queries.length).toBeGreaterThan(25)
      for (const [title, query] of queries) if ((await ask(query)).length === 0) silent.push(title)
      // No such hardware here, and nothing was lost.
      const may = ['Hottest part', 'GPU', 'Messages that did not get out, a second', 'Drift']
      expect(silent.filter((title) => !may.includes(title))).toEqual([])
      expect((await ask('roadmask_build_info'))[0]?.metric.device).toBe('jetson01')
      const rules = await (await fetch(`http://127.0.0.1:${port}/api/v1/rules`)).json()
      expect(rules.data.groups[0].rules.length).toBe(7)
    } finally {
      prometheus?.kill('SIGKILL')
      await agent?.stop()
    }
  })
})

interface Sample {
  metric: Record<string, string>
  value: [number, string]
}

/** The title of each panel with each of its queries, as Grafana would ask with everything chosen. */
function boardQueries(): [string, string][] {
  const { panels } = JSON.parse(readFileSync(join(stack, 'grafana/boards/roadmask.json'), 'utf8')) as {
    panels: { title: string; targets?: { expr: string }[] }[]
  }
  return panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }): [string, string] => [
      title,
      expr.replaceAll('$__rate_interval', '10s').replaceAll(/\$(device|camera)/g, '.*'),
    ]),
  )
}

test('every file that the Compose file mounts is there', async () => {
  const { services } = parse(readFileSync(join(stack, 'compose.yaml'), 'utf8'), { merge: true }) as {
    services: Record<string, { volumes?: (string | object)[]; build?: { context: string; dockerfile: string } }>
  }
  const mounts = Object.values(services).flatMap(({ volumes = [] }) =>
    volumes.map((volume) => (typeof volume === 'string' ? volume.split(':')[0]! : '')),
  )
  const ours = mounts.filter((path) => path.startsWith('./') && !path.startsWith('./secrets/'))
  expect(ours.length).toBeGreaterThan(5)
  for (const path of ours) expect(existsSync(join(stack, path)), path).toBe(true)
  for (const { build } of Object.values(services))
    if (build) expect(existsSync(join(stack, build.context, build.dockerfile)), build.dockerfile).toBe(true)
})
