// WebSocket out, at /ws of the page's own server: who comes hears how things are, the newest picture of each camera, then every mask. A slow client gets the
// newest mask of each camera whenever it has taken the last; the ones between are dropped for it alone and counted. It may say of
// which cameras it wants masks.
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { z } from 'zod'
import type { Log } from '../log.ts'
import type { Config } from '../settings/config.ts'
import {
  type CameraStatus,
  type MaskMessage,
  type OutputStats,
  packMask,
  type SocketMessage,
  type SocketWish,
  wireVersion,
} from '../wire.ts'
import type { Output } from './output.ts'

export interface SocketOutput extends Output {
  /** Takes over an HTTP request to upgrade, which was checked before. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
  counts(): OutputStats['websocket']
  /** Says hello again: another model runs. */
  greet(): void
}

export interface SocketSettings {
  config: Config
  model(): string
  statuses(): CameraStatus[]
  log: Log
  /** The first client came, or the last one went. */
  watched(watched: boolean): void
}

/** What may lie in a client's socket before the next mask waits; about one picture. */
const longestBacklogBytes = 128 * 1024
const pingEveryMs = 15_000
const closeTimeoutMs = 500
/** The names of many cameras. */
const longestFromClient = 16 * 1024

interface Client {
  socket: WebSocket
  /** Newest mask of each camera that did not fit yet. */
  pending: Map<string, Uint8Array>
  /** Undefined: those of all cameras. */
  wanted: Set<string> | undefined
  dropped: number
  alive: boolean
}

const Wish = z.object({ masks: z.union([z.literal('all'), z.array(z.string())]) }) satisfies z.ZodType<SocketWish>

/** Serves WebSocket clients; connections come by `upgrade`. */
export function serveSockets({ config, model, statuses, log, watched }: SocketSettings): SocketOutput {
  const server = new WebSocketServer({ noServer: true, maxPayload: longestFromClient, perMessageDeflate: false })
  const clients = new Set<Client>()
  /** Of each camera, the newest that came with its picture. */
  const newest = new Map<string, { message: MaskMessage; atMs: number }>()
  let dropped = 0

  let settings = config

  const hello = (): SocketMessage => {
    const { cameras, collect } = settings
    const zones = cameras
      .filter(({ zones }) => zones.length > 0)
      .map(({ name, zones }) => [name, zones.map(({ name, polygon }) => ({ name, polygon }))])
    return {
      type: 'hello',
      version: wireVersion,
      device: config.device,
      model: model(),
      cameras: statuses(),
      zones: Object.fromEntries(zones),
      collecting: collect.enabled,
    }
  }
  const say = (socket: WebSocket, message: SocketMessage) => socket.send(JSON.stringify(message))
  const sayAll = (message: SocketMessage) => {
    for (const { socket } of clients) say(socket, message)
  }

  /** Sends what waits as long as the client keeps up; each send calls back when the system took it. */
  function flush(client: Client) {
    for (const [camera, bytes] of client.pending) {
      if (client.socket.bufferedAmount > longestBacklogBytes) return
      client.pending.delete(camera)
      client.socket.send(bytes, () => flush(client))
    }
  }

  server.on('connection', (socket) => {
    const client: Client = { socket, pending: new Map(), wanted: undefined, dropped: 0, alive: true }
    clients.add(client)
    if (clients.size === 1) watched(true)
    say(socket, hello())
    for (const [camera, { message, atMs }] of newest)
      client.pending.set(camera, packMask(aged(message, performance.now() - atMs)))
    flush(client)
    socket.on('message', (data) => {
      const { success, data: wish } = Wish.safeParse(parsed(String(data)))
      if (!success) return socket.close(1007, 'expected {"masks": "all"} or {"masks": ["<camera>", …]}')
      client.wanted = wish.masks === 'all' ? undefined : new Set(wish.masks)
      for (const camera of client.pending.keys()) if (client.wanted?.has(camera) === false) client.pending.delete(camera)
    })
    socket.on('pong', () => (client.alive = true))
    socket.on('error', (error) => log.debug(error, 'WebSocket'))
    socket.on('close', () => {
      clients.delete(client)
      log.debug({ dropped: client.dropped }, 'WebSocket client gone')
      if (clients.size === 0) watched(false)
    })
  })

  const pings = setInterval(() => {
    for (const client of clients) {
      if (!client.alive) client.socket.terminate() // a phone that left the network says no goodbye
      client.alive = false
      client.socket.ping()
    }
  }, pingEveryMs)

  return {
    upgrade: (request, socket, head) =>
      server.handleUpgrade(request, socket, head, (webSocket) => server.emit('connection', webSocket, request)),
    counts: () => ({ clients: clients.size, dropped: { slow_client: dropped } }),
    mask(message: MaskMessage) {
      const { camera } = message.result
      if (message.picture.length) newest.set(camera, { message, atMs: performance.now() })
      const wanting = [...clients].filter(({ wanted }) => wanted?.has(camera) ?? true)
      if (wanting.length === 0) return
      const bytes = packMask(message)
      for (const client of wanting) {
        if (client.pending.has(camera)) {
          client.dropped++
          dropped++
        }
        client.pending.set(camera, bytes)
        flush(client)
      }
    },
    greet: () => sayAll(hello()),
    status: (status) => sayAll({ type: 'status', ...status }),
    event: (event) => sayAll({ type: 'event', event }),
    stats: (stats) => sayAll({ type: 'stats', ...stats }),
    settings(changed) {
      settings = changed
      const { cameras } = changed
      for (const kept of [newest, ...[...clients].map(({ pending }) => pending)])
        for (const camera of kept.keys()) if (!cameras.some(({ name }) => name === camera)) kept.delete(camera)
      sayAll(hello())
    },
    async close() {
      clearInterval(pings)
      const gone = [...clients].map(({ socket }) => new Promise((closed) => socket.once('close', closed)))
      for (const { socket } of clients) socket.close(1001, 'the agent is ending')
      await Promise.race([Promise.all(gone), new Promise((late) => setTimeout(late, closeTimeoutMs))])
      for (const { socket } of clients) socket.terminate()
      server.close()
    },
  }
}

/** A message that is sent so much later than it was made. */
const aged = (message: MaskMessage, ms: number): MaskMessage => ({
  ...message,
  result: { ...message.result, age_ms: Math.round(10 * (message.result.age_ms + ms)) / 10 },
})

/** JSON, or undefined where it is none. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
