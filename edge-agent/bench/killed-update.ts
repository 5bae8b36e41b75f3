// An agent that is given a new model, and is killed at one of the steps by which that changes its disk.
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash, generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream, existsSync, readFileSync } from 'node:fs'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, normalize } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { connectAsync } from 'mqtt'
import { manifestFile, openBundle } from '../../deploy/bundle.ts'
import { type Envelope, keyId, signRelease, type TrustedKeys } from '../../deploy/release.ts'
import { build } from '../paths.ts'
import { type UpdateState, updateTopics } from '../wire.ts'

/** A change of what is on disk of models. */
export interface Step {
  step: number
  what: string
  /** Below the state folder. */
  path: string
  /** What update.json is to say, for its own steps. */
  more: string
}

export interface Killed {
  /** The step that was not done; undefined where the agent came to its end. */
  step: Step | undefined
  /** What ran when it was started again, and how it ended. */
  started: string
  ended: UpdateState
}

export interface KilledUpdates {
  /** All steps of an update that goes well and is taken back by hand. */
  steps(): Promise<Step[]>
  /**
   * Kills an agent just before a step, and starts it again. The step is its number, or a regular expression that fits what
   * kill-at.ts writes of it. Throws where what it starts with is not whole.
   */
  killedAt(step: number | RegExp): Promise<Killed>
  close(): Promise<void>
}

const device = 'killed'
const topic = updateTopics('roadmask', device)
const patienceMs = 600_000
/** How a release ends. */
const ends = ['settled', 'rolled_back', 'refused']

/** `old` and `candidate`: bundles of different names. `stateDir`: makes a folder for the state of each agent. */
export async function prepareKilledUpdates(
  old: string,
  candidate: string,
  stateDir = (dir: string) => join(dir, 'state'),
): Promise<KilledUpdates> {
  const dir = await mkdtemp(join(tmpdir(), 'roadmask-'))
  const { release, keys } = await sign(candidate)
  await writeFile(join(dir, 'keys.json'), JSON.stringify(keys))
  const server = createServer(({ url = '' }, response) => {
    const file = join(candidate, normalize(decodeURIComponent(url)))
    if (!existsSync(file)) return void response.writeHead(404).end()
    createReadStream(file).pipe(response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const names = await Promise.all([old, candidate].map(async (bundle) => (await openBundle(bundle)).manifest.name))

  /** An agent that is offered the model as soon as it listens, as by a retained message. */
  async function start(state: string, killAt: number | RegExp) {
    const log = join(dir, 'steps.log')
    await rm(log, { force: true })
    const file = join(dir, 'agent.yaml')
    const limits = { shadow_seconds: 1, trial_seconds: 1, min_agreement: 0.9, max_latency_ratio: 100 }
    const config = {
      device,
      bundle: old,
      state_dir: state,
      cameras: [{ name: 'front', source: 'test', width: 320, height: 240, fps: 8 }],
      preview: { fps: 0 },
      history: { enabled: false },
      http: { port: 0 },
      broker: { port: 0 },
      update: { keys: join(dir, 'keys.json'), limits },
    }
    await writeFile(file, JSON.stringify(config))
    const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('ROADMASK_'))
    const preload = join(build, 'edge-agent/bench/kill-at.js')
    const program = join(build, 'edge-agent/main.js')
    const agent = spawn(process.execPath, ['--enable-source-maps', '--import', preload, program, '--config', file], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...Object.fromEntries(kept),
        KILL_AT: typeof killAt === 'number' ? String(killAt) : killAt.source,
        KILL_LOG: log,
        KILL_BELOW: state,
      },
    })
    const kill = () => void agent.kill('SIGKILL')
    process.once('exit', kill)
    const gone = once(agent, 'close').then(() => process.off('exit', kill))
    return { agent, gone, ...(await places(agent)), steps: () => readSteps(log) }
  }

  async function offered(started: Awaited<ReturnType<typeof start>>) {
    if (!started.mqtt) return
    const client = await connectAsync(started.mqtt, { connectTimeout: 2000, reconnectPeriod: 0 }).catch(() => undefined)
    client?.on('error', () => {})
    client?.publish(topic.set, JSON.stringify({ release, url }), { qos: 1, retain: true })
    started.gone.then(() => client?.end(true))
  }

  /** Through to its end, and back to the old model; or until it is killed. */
  async function run(state: string, killAt: number | RegExp): Promise<Step[]> {
    const started = await start(state, killAt)
    await offered(started)
    await until(started.agent, started.page, ({ state }) => state === 'settled')
    if (started.page && started.agent.exitCode === null && started.agent.signalCode === null) {
      await fetch(`${started.page}api/update/rollback`, { method: 'POST' }).catch(() => {})
      await until(started.agent, started.page, ({ state, model }) => state === 'rolled_back' && model.name === names[0])
      await sleep(300) // what follows from it
      started.agent.kill('SIGTERM')
    }
    await started.gone
    return started.steps()
  }

  return {
    async steps() {
      const state = stateDir(await mkdtemp(join(dir, 'run-')))
      return run(state, 0)
    },
    async killedAt(step) {
      const state = stateDir(await mkdtemp(join(dir, 'run-')))
      const steps = await run(state, step)
      const last = typeof step === 'number' ? steps.find((one) => one.step === step) : steps.at(-1)
      const started = await start(state, 0)
      const first = (await until(started.agent, started.page, () => true))!
      if (!names.includes(first.model.name))
        throw new Error(`Killed at step ${step} the agent starts with ${first.model.name}, expected ${names.join(' or ')}`)
      await offered(started)
      const ended = (await until(started.agent, started.page, ({ state }) => ends.includes(state)))!
      const running = await masksOf(started.page!, ended.model.name)
      if (running !== ended.model.name)
        throw new Error(`Killed at step ${step} the agent says that ${ended.model.name} runs, but masks are of ${running}`)
      started.agent.kill('SIGTERM')
      await started.gone
      return { step: last, started: first.model.name, ended }
    },
    async close() {
      server.closeAllConnections()
      server.close()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

async function sign(bundle: string): Promise<{ release: Envelope; keys: TrustedKeys }> {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const bytes = await readFile(join(bundle, manifestFile))
  const { manifest } = await openBundle(bundle)
  const release = signRelease(
    {
      version: 1,
      kind: 'bundle',
      name: manifest.name,
      released: new Date().toISOString(),
      manifest_sha256: createHash('sha256').update(bytes).digest('hex'),
      bytes: Object.values(manifest.files).reduce((sum, file) => sum + file.bytes, 0),
      needs: {},
    },
    privateKey,
  )
  const public_key = String(publicKey.export({ type: 'spki', format: 'pem' }))
  return { release, keys: { keys: [{ id: keyId(publicKey), public_key, expires: '2126-01-01T00:00:00Z' }] } }
}

/** Where an agent listens; nothing where it is killed before that. */
async function places(agent: ChildProcess): Promise<{ page?: string; mqtt?: string }> {
  const said: string[] = []
  const lines = createInterface({ input: agent.stdout! })
  agent.stderr!.resume()
  const closed = once(agent, 'close')
  for (;;) {
    const line = await Promise.race([once(lines, 'line').then(([text]) => String(text)), closed.then(() => undefined)])
    if (line === undefined) {
      if (agent.signalCode === 'SIGKILL') return {}
      throw new Error(`The agent ended:\n${said.slice(-5).join('\n')}`)
    }
    said.push(line)
    const { page, mqtt } = line.startsWith('{') ? (JSON.parse(line) as { page?: string; mqtt?: string }) : {}
    if (page && mqtt) {
      lines.on('line', () => {})
      return { page, mqtt: mqtt.split(' ')[0]! }
    }
  }
}

/** The state once it is as wanted; undefined where the agent has ended. */
async function until(agent: ChildProcess, page: string | undefined, wanted: (state: UpdateState) => boolean) {
  const end = performance.now() + patienceMs
  let last: UpdateState | undefined
  while (page && agent.exitCode === null && agent.signalCode === null) {
    const answer = await fetch(`${page}api/update`).catch(() => undefined)
    last = (await answer?.json().catch(() => undefined)) as UpdateState | undefined
    if (last && wanted(last)) return last
    if (performance.now() > end) throw new Error(`The agent does not get on: ${JSON.stringify(last)}`)
    await sleep(50)
  }
  return undefined
}

/** The model of the newest mask, which should be this one. */
async function masksOf(page: string, name: string): Promise<string | undefined> {
  const end = performance.now() + patienceMs
  let found: string | undefined
  while (found !== name && performance.now() < end) {
    const camera = (await (await fetch(`${page}api/cameras/front`)).json()) as { result?: { model: string } }
    found = camera.result?.model
    await sleep(50)
  }
  return found
}

const readSteps = (log: string): Step[] =>
  existsSync(log)
    ? readFileSync(log, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Step)
    : []

/** A copy of a bundle under another name. */
export async function renamedBundle(from: string, to: string, name: string): Promise<string> {
  await cp(from, to, { recursive: true })
  const manifest = JSON.parse(await readFile(join(from, manifestFile), 'utf8')) as { name: string }
  await writeFile(join(to, manifestFile), JSON.stringify({ ...manifest, name }))
  return to
}
