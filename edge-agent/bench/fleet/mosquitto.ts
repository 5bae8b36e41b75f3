// A Mosquitto of the benchmark's own, which can be started again on its port with what it had retained, and what it tells of itself.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { connect as mqttConnect } from 'mqtt'
import { cpuSeconds, privateMb } from '../processes.ts'

/** All that went through the broker since it was started, and what it costs. */
export interface Counts {
  atMs: number
  bytesIn: number
  bytesOut: number
  /** Packets of every kind, pings too. */
  packetsIn: number
  packetsOut: number
  cpuSeconds: number
  memoryMb: number
}

/** What was most within one second. */
export interface Peaks {
  packets: number
  bytes: number
}

export interface BenchedBroker {
  url: string
  /** For who connects: with TLS a certificate is asked for. */
  tls: { ca?: string; cert?: string; key?: string }
  counts(): Counts
  /** Both ways together, since a moment of `counts`. */
  peaks(sinceMs: number): Peaks
  stop(): Promise<void>
  start(): Promise<void>
  close(): Promise<void>
}

const topics = ['bytes/received', 'bytes/sent', 'messages/received', 'messages/sent'].map((name) => `$SYS/broker/${name}`)

/** Starts one in `folder`. Throws where there is none. */
export async function startBroker(folder: string, withTls: boolean): Promise<BenchedBroker> {
  const port = await freePort()
  const tls: BenchedBroker['tls'] = withTls ? makeCertificate(folder) : {}
  const lines = withTls ? [`cafile ${tls.ca}`, `certfile ${tls.cert}`, `keyfile ${tls.key}`, 'require_certificate true'] : []
  const config = join(folder, 'mosquitto.conf')
  // Started as root it would be another user, who cannot write here.
  const common = ['user root', 'persistence true', `persistence_location ${folder}/`, 'sys_interval 1', 'log_type error']
  writeFileSync(config, `${[`listener ${port} 127.0.0.1`, ...lines, ...common, 'allow_anonymous true'].join('\n')}\n`)
  let child: ChildProcess
  async function start() {
    child = spawn('mosquitto', ['-c', config], { stdio: 'ignore' })
    const failed = once(child, 'error').then(([error]) => {
      throw new Error(`Mosquitto cannot be started (Debian's package is mosquitto): ${(error as Error).message}`)
    })
    const answers = async () => {
      while (!(await isOpen(port))) {
        if (child.exitCode !== null) throw new Error(`Mosquitto ended with code ${child.exitCode}; its settings are ${config}`)
        await delay(20)
      }
    }
    await Promise.race([failed, answers()])
    failed.catch(() => {})
  }
  async function stop() {
    numbers.clear()
    child.kill() // what is retained is written before it ends
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  }
  await start()
  const url = `${withTls ? 'mqtts' : 'mqtt'}://127.0.0.1:${port}`
  const numbers = new Map<string, number>()
  const client = mqttConnect(url, { reconnectPeriod: 200, ...readAll(tls) })
  client.on('error', () => {}) // while it is down
  /** Each time that it has told all four. */
  const told: { atMs: number; packets: number; bytes: number }[] = []
  client.on('message', (topic, payload) => {
    numbers.set(topic, Number(payload))
    if (topic !== topics.at(-1)) return
    const [bytesIn = 0, bytesOut = 0, packetsIn = 0, packetsOut = 0] = topics.map((name) => numbers.get(name))
    told.push({ atMs: performance.now(), packets: packetsIn + packetsOut, bytes: bytesIn + bytesOut })
  })
  await client.subscribeAsync(topics)
  return {
    url,
    tls,
    start,
    counts() {
      const [bytesIn, bytesOut, packetsIn, packetsOut] = topics.map((topic) => numbers.get(topic) ?? 0) as [
        number,
        number,
        number,
        number,
      ]
      const pid = child.pid!
      return {
        atMs: performance.now(),
        bytesIn,
        bytesOut,
        packetsIn,
        packetsOut,
        cpuSeconds: cpuSeconds(pid),
        memoryMb: privateMb(pid),
      }
    },
    stop,
    peaks(sinceMs) {
      const since = told.filter(({ atMs }) => atMs >= sinceMs)
      const most = (what: 'packets' | 'bytes') =>
        Math.max(0, ...since.slice(1).map((now, i) => (1000 * (now[what] - since[i]![what])) / (now.atMs - since[i]!.atMs)))
      return { packets: most('packets'), bytes: most('bytes') }
    },
    async close() {
      client.end(true)
      await stop()
    },
  }
}

/** One certificate for both sides, which is its own authority: the work of a handshake is the same. */
function makeCertificate(folder: string) {
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const name = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '7']
  execFileSync('openssl', ['req', '-x509', ...curve, ...name, '-keyout', key, '-out', cert], { stdio: 'ignore' })
  return { ca: cert, cert, key }
}

const readAll = (files: Record<string, string>) =>
  Object.fromEntries(Object.entries(files).map(([name, path]) => [name, readFileSync(path)]))

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

const isOpen = (port: number) =>
  new Promise<boolean>((answered) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      answered(true)
    })
    socket.on('error', () => answered(false))
  })
