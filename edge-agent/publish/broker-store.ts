// What the agent's own broker keeps in memory for clients that are away, within bounds. aedes keeps all of it for ever: each
// message for each client that came once without "clean session". Here the sessions that were away for the longest are
// forgotten, and a session that is full takes no more messages, as in Mosquitto (max_queued_messages).
import { Readable } from 'node:stream'
import type { Aedes, AedesPublishPacket } from 'aedes'

export const mostSessions = 64
export const mostMessages = 1000
const mostBytes = 512 * 1024

type Packet = Omit<AedesPublishPacket, 'messageId'> & { messageId?: number | undefined }
interface Who {
  id: string
}

/** The part of aedes-persistence's store that is bounded here. */
interface Store {
  addSubscriptions(client: Who, subscriptions: unknown[]): Promise<void>
  cleanSubscriptions(client: Who): Promise<void>
  cleanIncoming(client: Who): Promise<void>
  outgoingEnqueue(to: { clientId: string }, packet: Packet): Promise<void>
  outgoingEnqueueCombi(to: { clientId: string }[], packet: Packet): Promise<void>
  outgoingUpdate(client: Who, packet: Packet): Promise<void>
  outgoingClearMessageId(client: Who, packet: Packet): Promise<Packet | undefined>
  outgoingStream(client: Who): Readable
}

const bytesOf = ({ topic = '', payload = '' }: Packet) => topic.length + payload.length

/** Bounds what a broker that was just made keeps. */
export function boundStore(aedes: Aedes): void {
  const { persistence: store } = aedes as unknown as { persistence: Store }
  const { addSubscriptions, cleanSubscriptions } = store
  /** What each session has not confirmed; the one that came last is last. */
  const sessions = new Map<string, Packet[]>()
  const here = new Set<string>()
  aedes.on('client', ({ id }) => here.add(id))
  aedes.on('clientDisconnect', ({ id }) => here.delete(id))

  function put(id: string, packet: Packet) {
    const queue = sessions.get(id) ?? []
    const bytes = queue.reduce((sum, waiting) => sum + bytesOf(waiting), bytesOf(packet))
    if (queue.length < mostMessages && bytes <= mostBytes) queue.push({ ...packet, messageId: undefined })
  }

  Object.assign(store, {
    async addSubscriptions(client, subscriptions) {
      await addSubscriptions.call(store, client, subscriptions)
      const queue = sessions.get(client.id) ?? []
      sessions.delete(client.id)
      sessions.set(client.id, queue)
      for (const id of sessions.keys()) {
        if (sessions.size <= mostSessions) break
        if (here.has(id)) continue
        await store.cleanIncoming({ id })
        await store.cleanSubscriptions({ id })
      }
    },
    async cleanSubscriptions(client) {
      sessions.delete(client.id)
      await cleanSubscriptions.call(store, client)
    },
    async outgoingEnqueue({ clientId }, packet) {
      put(clientId, packet)
    },
    async outgoingEnqueueCombi(to, packet) {
      for (const { clientId } of to) put(clientId, packet)
    },
    async outgoingUpdate({ id }, packet) {
      const queue = sessions.get(id) ?? []
      const at = queue.findIndex((waiting) =>
        waiting.brokerId === packet.brokerId
          ? waiting.brokerCounter === packet.brokerCounter
          : waiting.messageId === packet.messageId,
      )
      if (at < 0) throw new Error(`Client ${id} takes nothing, and no more is kept for it`)
      if (queue[at]!.brokerId === packet.brokerId) queue[at]!.messageId = packet.messageId
      else queue[at] = packet // the second half of QoS 2
    },
    async outgoingClearMessageId({ id }, { messageId }) {
      const queue = sessions.get(id) ?? []
      const at = queue.findIndex((waiting) => waiting.messageId === messageId)
      return at < 0 ? undefined : queue.splice(at, 1)[0]
    },
    outgoingStream: ({ id }) => Readable.from([...(sessions.get(id) ?? [])]),
  } satisfies Partial<Store>)
}
