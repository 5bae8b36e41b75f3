// A real Mosquitto on a free port, and what was published there.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt'

export interface Mosquitto {
  url: string
  port: number
  stop(signal?: NodeJS.Signals): Promise<void>
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Starts a broker that lets everyone in, with further lines of mosquitto.conf. */
export async function startMosquitto(port?: number, more = ''): Promise<Mosquitto> {
  const taken = port ?? (await freePort())
  const dir = await mkdtemp(join(tmpdir(), 'roadmask-'))
  const file = join(dir, 'mosquitto.conf')
  await writeFile(file, `listener ${taken} 127.0.0.1\npersistence false\n${more || 'allow_anonymous true'}\n`)
  const broker: ChildProcess = spawn('mosquitto', ['-c', file], { stdio: 'ignore' })
  for (let tries = 0; !(await answers(taken)); tries++) {
    if (tries > 100 || broker.exitCode !== null) throw new Error(`Mosquitto did not start on port ${taken}`)
    await delay(50)
  }
  return {
    url: `mqtt://127.0.0.1:${taken}`,
    port: taken,
    async stop(signal = 'SIGKILL') {
      broker.kill(signal)
      if (broker.exitCode === null && broker.signalCode === null) await once(broker, 'exit')
      await rm(dir, { recursive: true, force: true })
    },
  }
}

const answers = (port: number) =>
  new Promise<boolean>((answered) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      answered(true)
    })
    socket.on('error', () => answered(false))
  })

export interface Heard {
  topic: string
  payload: Buffer
  qos: number
  retain: boolean
  contentType?: string
  userProperties?: Record<string, string | string[]>
}

export interface Subscriber {
  client: MqttClient
  heard: Heard[]
  on(topic: string): Heard[]
  text(topic: string): string[]
  stop(): Promise<void>
}

/** Subscribes and keeps what comes. */
export async function subscribe(
  url: string,
  topic: string,
  protocolVersion: 4 | 5 = 4,
  more: IClientOptions = {},
): Promise<Subscriber> {
  const client = await connectAsync(url, { ...more, protocolVersion })
  const heard: Heard[] = []
  client.on('message', (name, payload, { qos, retain, properties }) => {
    heard.push({
      topic: name,
      payload,
      qos,
      retain,
      ...(properties?.contentType && { contentType: properties.contentType }),
      ...(properties?.userProperties && { userProperties: properties.userProperties }),
    })
  })
  await client.subscribeAsync(topic, { qos: 1 })
  const on = (name: string) => heard.filter((message) => message.topic === name)
  return {
    client,
    heard,
    on,
    text: (name) => on(name).map(({ payload }) => payload.toString()),
    stop: () => client.endAsync(true),
  }
}
