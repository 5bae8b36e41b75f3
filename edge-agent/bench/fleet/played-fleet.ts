// A fleet on this machine: one Mosquitto, a web server with signed models, light agents in a few processes, and the commands
// that a person gives.
import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { mkdir, stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, normalize } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { modelFile, openBundle, writeBundle } from '../../../deploy/bundle.ts'
import { lot } from '../../../deploy/ship/waves.ts'
import { build, demoBundle } from '../../paths.ts'
import type { Orders, Told } from './light-agents.ts'
import { type BenchedBroker, startBroker } from './mosquitto.ts'

export interface FleetSettings {
  devices: number
  processes: number
  /** Of a model, in KiB: small, since it is the fleet that is measured and not the disk. */
  modelKib: number
  /** Every so manieth device, in the order of the waves, does not end with the model: its trial ends badly or it trusts other keys. */
  everyFails: number
  trialMs: number
  tls: boolean
}

export interface Ran {
  code: number | null
  out: string
  err: string
  seconds: number
}

export interface PlayedFleet {
  broker: BenchedBroker
  /** Id of the release that is rolled out; it lies in `second`, and at `url`. */
  release: string
  url: string
  failing: number
  /** Bytes that the web server sent. */
  served(): number
  connected(): number
  /** Resolves when so many hold a connection. Throws when they do not in time. */
  until(connected: number, patienceMs?: number): Promise<void>
  /** A command of deploy, with the broker. */
  deploy(...args: string[]): Promise<Ran>
  /** The devices of the last process are switched off; and on again. */
  leave(): Promise<void>
  comeBack(): void
  close(): Promise<void>
}

/** Everything lies in memory where the machine has a disk there: a thousand agents would measure one disk otherwise. */
const place = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

/** Starts it; all devices are connected then. */
export async function playFleet(settings: FleetSettings): Promise<PlayedFleet> {
  const { devices, processes, everyFails, trialMs, tls } = settings
  const folder = mkdtempSync(join(place, 'roadmask-fleet-'))
  const agents: ChildProcess[] = []
  const connected = new Map<number, number>()
  let broker: BenchedBroker | undefined
  const web = await serve(join(folder, 'www'))
  const end = async (agent: ChildProcess) => {
    if (agent.exitCode !== null || agent.signalCode !== null) return
    if (agent.connected) agent.send('stop')
    await Promise.race([once(agent, 'exit'), delay(20_000)])
    agent.kill('SIGKILL')
  }
  const close = async () => {
    await Promise.all(agents.map(end))
    await broker?.close()
    web.close()
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    broker = await startBroker(folder, tls)
    const { url, tls: files } = broker
    const access = Object.entries(files).flatMap(([name, path]) => [`--${name}`, path])
    const run = (...args: string[]) => runDeploy(folder, args, {})
    const deploy = (...args: string[]) => runDeploy(folder, [...args, ...access], { ROADMASK_MQTT_URL: url })
    await makeModel(join(folder, 'first'), 'first', 1)
    await makeModel(join(folder, 'second'), 'second', settings.modelKib)
    for (const name of ['signing', 'other']) {
      await run('keys', '--out', name)
      await run('trust', `${name}.json`, '--add', `${name}.pub`)
    }
    const release = /release (\w+) of/.exec((await run('sign', 'second', '--key', 'signing.key')).out)?.[1]
    if (!release) throw new Error('The model of the benchmark could not be signed')
    await mkdir(join(folder, 'www'))
    await run('publish', 'second', '--to', 'www')

    const names = Array.from({ length: devices }, (_, i) => `car${String(i + 1).padStart(5, '0')}`)
    const order = [...names].sort((a, b) => (lot(release, a) < lot(release, b) ? -1 : 1))
    const bad = order.filter((_, i) => i % everyFails === Math.floor(everyFails / 2))
    const start = (i: number) => {
      const orders: Orders = {
        settings: {
          mqtt: { url, ...files },
          bundle: join(folder, 'first'),
          update: { keys: join(folder, 'signing.json'), groups: ['vehicles'] },
        },
        folder: join(folder, 'devices'),
        devices: names.filter((_, n) => n % processes === i),
        failing: bad.filter((_, n) => n % 2 === 0),
        untrusting: { devices: bad.filter((_, n) => n % 2 === 1), keys: join(folder, 'other.json') },
        trialMs,
      }
      const file = join(folder, `orders-${i}.json`)
      writeFileSync(file, JSON.stringify(orders))
      const agent = fork(join(build, 'edge-agent/bench/fleet/light-agents.js'), [file])
      agent.on('message', (told: Told) => connected.set(i, told.connected))
      agents[i] = agent
    }
    for (let i = 0; i < processes; i++) start(i)
    const fleet: PlayedFleet = {
      broker,
      release,
      url: `${web.url}${release}/`,
      failing: bad.length,
      served: web.sent,
      connected: () => [...connected.values()].reduce((sum, some) => sum + some, 0),
      async until(wanted, patienceMs = 180_000) {
        const endMs = performance.now() + patienceMs
        while (fleet.connected() !== wanted) {
          const ended = agents.find(({ exitCode }) => exitCode)
          if (ended) throw new Error(`A process of light agents ended with code ${ended.exitCode}`)
          if (performance.now() > endMs) throw new Error(`${fleet.connected()} devices are connected, expected ${wanted}`)
          await delay(20)
        }
      },
      deploy,
      async leave() {
        await end(agents.at(-1)!)
        connected.delete(processes - 1)
      },
      comeBack: () => start(processes - 1),
      close,
    }
    await fleet.until(devices)
    return fleet
  } catch (error) {
    await close()
    throw error
  }
}

/** A bundle of random bytes with the manifest of the one that comes with the agent: nobody computes with it. */
async function makeModel(dir: string, name: string, kib: number) {
  const { manifest } = await openBundle(demoBundle)
  const { files: _, format: __, version: ___, ...rest } = manifest
  const bytes = new Uint8Array(kib * 1024)
  for (let at = 0; at < bytes.length; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536))
  await writeBundle(dir, { ...rest, name }, { [modelFile]: bytes })
}

async function runDeploy(cwd: string, args: string[], env: Record<string, string>): Promise<Ran> {
  const began = performance.now()
  const child = spawn(process.execPath, [join(build, 'deploy/deploy.js'), ...args], { cwd, env: { ...process.env, ...env } })
  let [out, err] = ['', '']
  child.stdout.on('data', (data) => (out += data))
  child.stderr.on('data', (data) => (err += data))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, out, err, seconds: (performance.now() - began) / 1000 }
}

/** Serves a folder, whole files alone: the agents go on from the start where a file broke off. */
async function serve(dir: string) {
  let sent = 0
  const server = createServer(async ({ url = '' }, response) => {
    const file = join(dir, normalize(decodeURIComponent(url)))
    const found = await stat(file).catch(() => undefined)
    if (!found?.isFile()) return void response.writeHead(404).end()
    sent += found.size
    response.writeHead(200, { 'content-length': found.size })
    createReadStream(file).pipe(response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    sent: () => sent,
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}
