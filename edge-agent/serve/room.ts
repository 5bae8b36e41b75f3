// Room for those who ask: connections are bounded in number and in the time they may take. Who holds one and asks nothing, or
// asks slower than anybody does who means it (Slowloris), makes place for whoever comes when all are taken.
import type { Server } from 'node:http'
import type { Server as SecureServer } from 'node:https'
import type { Socket } from 'node:net'

/** Many pages, streams and scripts. */
const mostConnections = 256
/** What the system may hand over at once before one that makes place is gone. */
const atOnce = 32
/** Who takes nothing of an answer for so long is gone. Streams, which have pauses, are exempt: door.ts holds them. */
const takesNothingMs = 60_000

/** For the making of a server. */
export const patience = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 1000,
  handshakeTimeout: 10_000, // TLS
}

/** Keeps within the bounds what connects to a server. */
export function keepRoom(server: Server | SecureServer): void {
  /** Connections on which nothing is being answered, by their other end: those first that have been so for the longest. */
  const idle = new Map<string, Socket>()
  let open = 0
  // Under TLS a request has another socket than the connection, with the same other end.
  const endOf = ({ remoteAddress, remotePort }: Socket) => `${remoteAddress} ${remotePort}`

  server.setTimeout(takesNothingMs)
  server.maxConnections = mostConnections + atOnce
  server.on('connection', (socket: Socket) => {
    const end = endOf(socket)
    open++
    idle.set(end, socket)
    socket.once('close', () => {
      open--
      idle.delete(end)
    })
    if (open > mostConnections) [...idle.values()].find(({ destroyed }) => !destroyed)?.destroy()
  })
  server.on('request', ({ socket: asking, headers }, response) => {
    if ('content-length' in headers || 'transfer-encoding' in headers) return // its body may come as slowly as it likes
    const end = endOf(asking)
    const socket = idle.get(end)
    idle.delete(end)
    response.once('close', () => {
      if (socket && !socket.destroyed) idle.set(end, socket)
    })
  })
  server.on('upgrade', ({ socket }) => idle.delete(endOf(socket)))
}
