// The whole agent as it is started by hand, with a viewer on its WebSocket who notes when each mask came.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { monotonicMicros } from '../monotonic.ts'
import { build } from '../paths.ts'
import { type Result, unpackMask } from '../wire.ts'
import { childrenOf, cpuSeconds, privateMb } from './processes.ts'

/** A mask as its viewer got it. */
export interface Seen {
  result: Result
  /** On the monotonic clock. */
  atMicros: number
  /** Whether a picture came with it. */
  picture: boolean
}

/** What was seen over a while. */
export interface Watched {
  seconds: number
  masks: Seen[]
  /** Cores in use by process: `main`, `segment`, and `camera` for all of them together. */
  cores: Record<string, number>
}

export interface BenchedAgent {
  /** Address of the page. */
  url: string
  /** The viewer goes; from now on `watch` sees nothing. */
  leave(): void
  /** Watches for so long, from now on. */
  watch(seconds: number): Promise<Watched>
  /** Stops all its processes where they are, so that something else can be measured; a second or two does no harm. */
  pause(): void
  resume(): void
  /** Private memory by process, in MB; of cameras the largest. */
  memory(): Record<string, number>
  /** When GStreamer's running time was zero in the process that plays the one camera, on the monotonic clock. */
  zeroMicros(): number
  stop(): Promise<void>
}

const startTimeoutMs = 120_000

/** Starts an agent and waits until `cameras` of them have sent masks. `config` is YAML, and so JSON. */
export async function startBenchedAgent(config: { cameras: unknown[] } & Record<string, unknown>): Promise<BenchedAgent> {
  const dir = mkdtempSync(join(tmpdir(), 'roadmask-bench-'))
  const file = join(dir, 'agent.yaml')
  writeFileSync(file, JSON.stringify(config))
  const agent = spawn(process.execPath, ['--enable-source-maps', join(build, 'edge-agent/main.js'), '--config', file], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      // Settings of an image or a service, such as its broker and its state folder, are not those of a measurement.
      ...Object.fromEntries(
        Object.entries(process.env).filter(([name]) => !name.startsWith('ROADMASK_') || name === 'ROADMASK_COMPUTE'),
      ),
      ROADMASK_STATE_DIR: join(dir, 'state'),
      ROADMASK_HTTP_PORT: '0',
      ...(!('mqtt' in config) && { ROADMASK_BROKER_PORT: '0' }),
      // Says when a pipeline's time began, and no more: a few lines a pipeline.
      GST_DEBUG: 'GST_CLOCK:5',
      GST_DEBUG_FILE: join(dir, 'clock-%p.log'),
      GST_DEBUG_NO_COLOR: '1',
    },
  })
  const pid = agent.pid!
  const said: string[] = []
  const kill = () => {
    agent.kill('SIGKILL')
    rmSync(dir, { recursive: true, force: true })
  }
  process.once('exit', kill)
  const gone = once(agent, 'close')
  let page: string | undefined
  for (const stream of [agent.stdout, agent.stderr])
    createInterface({ input: stream }).on('line', (line) => {
      said.push(line)
      if (line.startsWith('{')) page ??= (JSON.parse(line) as { page?: string }).page
    })

  async function until<T>(what: string, look: () => T | undefined | false): Promise<T> {
    const end = performance.now() + startTimeoutMs
    for (;;) {
      const found = look()
      if (found) return found
      if (agent.exitCode !== null || performance.now() > end)
        throw new Error(`The agent did not ${what}:\n${said.slice(-8).join('\n')}`)
      await sleep(20)
    }
  }

  async function stop() {
    process.off('exit', kill)
    agent.kill('SIGTERM')
    const timer = setTimeout(() => agent.kill('SIGKILL'), 5000)
    await gone
    clearTimeout(timer)
    rmSync(dir, { recursive: true, force: true })
  }

  try {
    const url = await until('listen', () => page)
    let masks: Seen[] = []
    const socket = new WebSocket(new URL('ws', url.replace('http', 'ws')))
    socket.on('message', (data: Buffer, binary) => {
      if (!binary) return
      const atMicros = monotonicMicros()
      const { result, picture } = unpackMask(data)
      masks.push({ result, atMicros, picture: picture.length > 0 })
    })
    await once(socket, 'open')
    const seen = new Set<string>()
    await until('make masks of all cameras', () => {
      for (const { result } of masks) seen.add(result.camera)
      masks = []
      return seen.size === config.cameras.length
    })
    const signalAll = (signal: NodeJS.Signals) => {
      for (const one of processes()) process.kill(one.pid, signal)
    }
    const processes = () => [{ pid, module: 'main' }, ...childrenOf(pid)]
    return {
      url,
      leave: () => socket.close(),
      async watch(seconds) {
        const before = processes().map((one) => ({ ...one, cpu: cpuSeconds(one.pid) }))
        const began = performance.now()
        masks = []
        await sleep(1000 * seconds)
        const took = (performance.now() - began) / 1000
        const cores: Record<string, number> = {}
        for (const { pid, module, cpu } of before) cores[module] = (cores[module] ?? 0) + (cpuSeconds(pid) - cpu) / took
        return { seconds: took, masks, cores }
      },
      pause: () => signalAll('SIGSTOP'),
      resume: () => signalAll('SIGCONT'),
      memory() {
        const sizes: Record<string, number> = {}
        for (const { pid, module } of processes()) sizes[module] = Math.max(sizes[module] ?? 0, privateMb(pid))
        return sizes
      },
      zeroMicros() {
        const logs = readdirSync(dir).filter((name) => name.startsWith('clock-'))
        const zeros = logs.flatMap((name) => [
          ...readFileSync(join(dir, name), 'utf8').matchAll(/set base_time=(\d+):(\d\d):(\d\d)\.(\d{9})/g),
        ])
        const micros = zeros.map(([, h, m, s, ns]) => (Number(h) * 3600 + Number(m) * 60 + Number(s)) * 1e6 + Number(ns) / 1000)
        return Math.max(...micros) // the pipeline that looked at the camera first began before
      },
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}
