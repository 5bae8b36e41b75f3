// Listening on a port that is configured, or on the first free one from the usual port on.
import { once } from 'node:events'
import type { AddressInfo, Server } from 'node:net'

export interface Place {
  host: string
  /** Undefined: the first free port from `from` on. */
  port: number | undefined
  from: number
  /** Name of the setting, for the error. */
  setting: string
}

export interface Address {
  port: number
  /** A host by which clients on this machine reach it, fit for an address. */
  reach: string
}

/** How many ports are tried. */
const tries = 20

/** Listens. Throws where the configured port is taken or cannot be had. */
export async function listen(server: Server, { host, port, from, setting }: Place): Promise<Address> {
  const candidates = port === undefined ? Array.from({ length: tries }, (_, i) => from + i) : [port]
  for (const candidate of candidates) {
    try {
      server.listen(candidate, host)
      await once(server, 'listening')
      return { port: (server.address() as AddressInfo).port, reach: reachable(host) }
    } catch (cause) {
      const { code, message } = cause as NodeJS.ErrnoException
      if (port === undefined && code === 'EADDRINUSE') continue
      const reason = code === 'EADDRINUSE' ? 'it is taken' : message
      throw new Error(`Cannot listen on port ${candidate} of ${host}: ${reason}. Set "${setting}" to another one.`, { cause })
    }
  }
  throw new Error(`Ports ${from} to ${from + tries - 1} of ${host} are all taken. Set "${setting}" to a free one.`)
}

/** Every address is heard at the loopback one too. */
const reachable = (host: string) =>
  host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '[::1]' : host.includes(':') ? `[${host}]` : host
