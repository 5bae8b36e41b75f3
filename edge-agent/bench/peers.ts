// The agent beside agents in Python: the same video, bundle and broker; what counts is what a subscriber gets.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { Aedes } from 'aedes'
import { connectAsync } from 'mqtt'
import { monotonicMicros } from '../monotonic.ts'
import { repository } from '../paths.ts'
import { startBenchedAgent } from './agent.ts'
import { stagesOf } from './latency.ts'
import { hd } from './scenarios.ts'
import { makeVideo } from './videos.ts'

export const runtimes = ['tensorflow', 'onnxruntime'] as const
export type Runtime = (typeof runtimes)[number]

/** What a subscriber got of one of them. */
export interface Subscribed {
  name: string
  /** Masks a second of the video as fast as it goes. */
  rate: number
  /** Of the same at 30 frames a second, from the decoder to the subscriber, milliseconds. */
  whole: number[]
  /** Without inference, and the wait for it where that is told. */
  own: number[]
}

interface Message {
  topic: string
  body: Record<string, unknown>
  atMicros: number
}

const settleSeconds = 4
const startSeconds = 120

/** A broker of its own, and all results that go over it. */
async function openBroker() {
  const aedes = await Aedes.createBroker()
  const server = createServer((socket) => aedes.handle(socket.setNoDelay(true)))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`)
  let messages: Message[] = []
  client.on('message', (topic, payload) => {
    const atMicros = monotonicMicros()
    if (topic.endsWith('/result')) messages.push({ topic, body: JSON.parse(String(payload)), atMicros })
  })
  await client.subscribeAsync('#') // masks too, as subscribers do
  return {
    port,
    /** What came in so many seconds, some seconds after the first. */
    async listen(seconds: number, alive: () => void): Promise<Message[]> {
      messages = []
      for (const end = performance.now() + 1000 * startSeconds; messages.length === 0; await sleep(50)) {
        alive()
        if (performance.now() > end) throw new Error(`No result within ${startSeconds} s`)
      }
      await sleep(1000 * settleSeconds)
      messages = []
      await sleep(1000 * seconds)
      alive()
      return messages
    },
    async close() {
      await client.endAsync()
      server.close()
      aedes.close()
    },
  }
}

type Broker = Awaited<ReturnType<typeof openBroker>>
type Pace = 'clock' | 'model'

async function ourMessages(bundle: string, pace: Pace, seconds: number, broker: Broker) {
  const agent = await startBenchedAgent({
    device: 'bench',
    bundle,
    cameras: [{ name: 'road', source: `file:${makeVideo(hd)}`, pace }],
    mqtt: { url: `mqtt://127.0.0.1:${broker.port}`, masks_per_second: 1000, results_per_second: 1000 },
  })
  try {
    return { messages: await broker.listen(seconds, () => {}), zeroMicros: agent.zeroMicros() }
  } finally {
    await agent.stop()
  }
}

async function peerMessages(runtime: Runtime, bundle: string, pace: Pace, seconds: number, broker: Broker) {
  const python = join(repository, '.setup/bench-agent/python/bin/python')
  const args = [join(repository, 'edge-agent/bench/peer.py'), runtime, bundle, makeVideo(hd), pace, String(broker.port)]
  const child = spawn(python, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '3' } })
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  const said: string[] = []
  createInterface({ input: child.stderr }).on('line', (line) => said.push(line))
  const alive = () => {
    if (child.exitCode !== null) throw new Error(`The peer with ${runtime} ended:\n${said.slice(-8).join('\n')}`)
  }
  try {
    return await broker.listen(seconds, alive)
  } finally {
    process.off('exit', kill)
    kill()
  }
}

/** Ours first, then the others. */
export async function comparePeers(bundle: string, others: readonly Runtime[], seconds: number): Promise<Subscribed[]> {
  const broker = await openBroker()
  try {
    const fast = await ourMessages(bundle, 'model', seconds, broker)
    const paced = await ourMessages(bundle, 'clock', seconds, broker)
    const seen = paced.messages.map(({ body, atMicros }) => ({ result: body as never, atMicros, picture: false }))
    const stages = stagesOf(seen, hd.fps, paced.zeroMicros, Date.now() * 1000 - monotonicMicros())
    const found: Subscribed[] = [
      { name: 'agent', rate: fast.messages.length / seconds, whole: stages.whole ?? [], own: stages.own ?? [] },
    ]
    for (const name of others) {
      const rate = (await peerMessages(name, bundle, 'model', seconds, broker)).length / seconds
      const whole = await peerMessages(name, bundle, 'clock', seconds, broker)
      const ms = whole.map(({ body, atMicros }) => (atMicros - Number(body.decoded_us)) / 1000)
      found.push({ name, rate, whole: ms, own: whole.map(({ body }, i) => ms[i]! - Number(body.infer_ms)) })
    }
    return found
  } finally {
    await broker.close()
  }
}
