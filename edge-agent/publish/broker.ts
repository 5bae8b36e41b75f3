// The agent's own MQTT broker, for where none is configured: aedes, MQTT 3.1 and 3.1.1, retained messages in memory.
import { createServer } from 'node:net'
import { Aedes } from 'aedes'
import type { Config } from '../config.ts'
import { listen } from '../serve/listen.ts'

export interface Broker {
  /** Where clients on this machine reach it. */
  url: string
  host: string
  port: number
  close(): Promise<void>
}

/** Ids of clients may be as long as MQTT 3.1.1 allows; aedes keeps to the 23 letters of 3.1. */
const longestClientId = 65_535

/** Opens the broker on the configured port, or on the next free one from 1883. */
export async function openBroker({ host, port }: Config['broker']): Promise<Broker> {
  const aedes = await Aedes.createBroker({ maxClientsIdLength: longestClientId })
  const server = createServer((socket) => {
    socket.setNoDelay(true)
    aedes.handle(socket)
  })
  const taken = await listen(server, { host, port, from: 1883, setting: 'broker.port' })
  return {
    url: `mqtt://${taken.reach}:${taken.port}`,
    host,
    port: taken.port,
    close: () =>
      new Promise((closed) => {
        server.close()
        aedes.close(() => closed())
      }),
  }
}
