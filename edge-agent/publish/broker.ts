// The agent's own MQTT broker, for where none is configured: aedes, MQTT 3.1 and 3.1.1, retained messages in memory. Where
// its door is closed, clients come with a name and password of the config, or with a token as their password.
import { randomBytes } from 'node:crypto'
import { createServer, type Socket } from 'node:net'
import { Aedes, type AedesOptions, type AuthenticateError, type Client } from 'aedes'
import { type Access, type Person, same } from '../serve/access.ts'
import { listen } from '../serve/listen.ts'
import type { Config } from '../settings/config.ts'
import { boundStore } from './broker-store.ts'

export interface Broker {
  /** Where clients on this machine reach it. */
  url: string
  host: string
  port: number
  /** How the agent itself gets in. */
  login: { username: string; password: string }
  close(): Promise<void>
}

/** Ids of clients may be as long as MQTT 3.1.1 allows; aedes keeps to the 23 letters of 3.1. */
const longestClientId = 65_535
/** What a client may send before it is let in: its name, password and will. */
const longestIntroduction = 128 * 1024
/** And what at once after that: the largest packet. The agent itself may send larger ones, such as a picture of 8K. */
const longestPacket = 1024 * 1024
/** Retained messages that others than the agent put here. */
const mostRetained = 2000
const mostRetainedBytes = 8 * 1024 * 1024
const mostHalfReceived = 20 // messages of QoS 2 of a client
const mostConnections = 256
/** Messages under way at once. Each waits for the slowest of those it goes to, so there are more than clients. */
const mostUnderWay = 4 * mostConnections
/** A client that takes nothing for so long is gone. */
const patienceMs = 20_000

/** Opens the broker on the configured port, or on the next free one from 1883. */
export async function openBroker({ host, port }: Config['broker'], access: Access): Promise<Broker> {
  const login = { username: '$agent', password: randomBytes(24).toString('base64url') } // no user can have that name
  const packets = boundPackets()
  const aedes = await Aedes.createBroker({
    maxClientsIdLength: longestClientId,
    concurrency: mostUnderWay,
    drainTimeout: patienceMs,
    maxInflightInbound: mostHalfReceived,
    // Without this, one client that does not read holds up every other one until it is given up.
    authorizeForward: (client, packet) => (packet.qos === 0 && (client.conn as Socket).writableNeedDrain ? null : packet),
    ...doorOf(host, access, login, packets),
  })
  boundStore(aedes)
  aedes.on('client', packets.whole)
  aedes.on('ping', (_, client) => packets.whole(client))
  aedes.on('ack', (_, client) => packets.whole(client))
  aedes.on('subscribe', (_, client) => packets.whole(client))
  aedes.on('unsubscribe', (_, client) => packets.whole(client))
  const server = createServer((socket) => {
    socket.setNoDelay(true)
    packets.watch(socket)
    aedes.handle(socket)
  })
  server.maxConnections = mostConnections
  const taken = await listen(server, { host, port, from: 1883, setting: 'broker.port' })
  return {
    url: `mqtt://${taken.reach}:${taken.port}`,
    host,
    port: taken.port,
    login,
    close: () =>
      new Promise((closed) => {
        server.close()
        aedes.close(() => closed())
      }),
  }
}

/** aedes gathers a whole packet, up to 256 MB, before it asks who sends it and what it is. */
function boundPackets() {
  /** What each client had sent when its last packet was whole; nothing before it is let in. */
  const sent = new WeakMap<object, number>()
  const exempt = new WeakSet<object>()
  return {
    whole: ({ conn }: Client) => void sent.set(conn, (conn as Socket).bytesRead),
    exempt: ({ conn }: Client) => void exempt.add(conn),
    watch(socket: Socket) {
      socket.on('readable', () => {
        const before = sent.get(socket)
        const most = before === undefined ? longestIntroduction : longestPacket
        if (socket.bytesRead - (before ?? 0) > most && !exempt.has(socket)) socket.destroy()
      })
    },
  }
}

/** Whether there is room for a retained message. */
function boundRetained() {
  const bytes = new Map<string, number>() // by topic
  let all = 0
  return (topic: string, length: number, always: boolean) => {
    const before = bytes.get(topic) ?? 0
    const size = length && topic.length + length
    const full = (before === 0 && bytes.size >= mostRetained) || all - before + size > mostRetainedBytes
    if (size && full && !always) return false
    all += size - before
    if (size) bytes.set(topic, size)
    else bytes.delete(topic)
    return true
  }
}

/** Who may connect, and who may publish: a viewer may not. Who comes through an open door may do both. */
function doorOf(
  host: string,
  access: Access,
  login: Broker['login'],
  packets: ReturnType<typeof boundPackets>,
): Partial<AedesOptions> {
  const retains = boundRetained()
  const people = new WeakMap<Client, Person>()
  const refuse = (returnCode: 3 | 4, message: string): AuthenticateError => Object.assign(new Error(message), { returnCode })
  return {
    authenticate(client, username = '', bytes, answer) {
      const password = bytes?.toString() ?? ''
      const admit = (person: Person) => {
        people.set(client, person)
        answer(null, true)
      }
      if (username === login.username && same(password, login.password)) {
        packets.exempt(client)
        return admit({ name: username, role: 'operator' })
      }
      if (!access.closed(host)) return admit({ name: 'local', role: 'operator' })
      const address = (client.conn as Socket).remoteAddress ?? ''
      access.signIn(username, password, address).then(
        ({ person, waitS }) => {
          if (person) admit(person)
          else answer(waitS ? refuse(3, `Too many tries from ${address}`) : refuse(4, 'Name or password is wrong'), null)
        },
        (error: Error) => answer(refuse(3, error.message), null),
      )
    },
    authorizePublish(client, { topic, payload, retain }, answer) {
      if (client) packets.whole(client)
      // Without a client it is the broker's own, such as the will of one that is gone, which was asked for before.
      const person = client && people.get(client)
      if (client && person?.role !== 'operator') answer(new Error(`${person?.name ?? 'Nobody'} may not publish to ${topic}`))
      else if (topic.startsWith('$')) answer(new Error(`${topic} is the broker's own`))
      else if (retain && !retains(topic, payload.length, person?.name === login.username))
        answer(new Error(`There is no room to retain another message: ${topic}`))
      else answer(null)
    },
  }
}
