// A fleet as its broker knows it: what each device said last, and what it is offered, all of it retained.
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { topics, updateTopics } from '../../edge-agent/wire.ts'
import { type Release, readEnvelope } from '../release.ts'
import { type BrokerValues, openBroker } from './broker.ts'

const Model = z.object({ name: z.string(), release: z.string().optional(), released: z.string().optional() })
/** What is read of an UpdateState; it comes from outside. */
const State = z.object({
  agent_version: z.string(),
  image: z.string().optional(),
  groups: z.array(z.string()).default([]),
  model: Model,
  previous: Model.optional(),
  state: z.string(),
  release: z.object({ id: z.string(), name: z.string(), kind: z.string() }).optional(),
  progress: z.object({ bytes: z.number(), of: z.number() }).optional(),
  comparison: z.looseObject({ agreement: z.number() }).optional(),
  reason: z.string().optional(),
  since_us: z.number(),
})

export interface Device extends z.infer<typeof State> {
  /** By its topic, which a broker with an ACL keeps others from. */
  device: string
  available: string
  /** When it said something last, by the monotonic clock; what was retained counts from when it came. */
  heardMs: number
}

/** What is offered on a topic. */
export interface Offered {
  id: string
  release: Release
}

export interface Fleet {
  /** Those that have ever said what they run, by name. */
  devices(): Device[]
  device(name: string): Device | undefined
  /** By topic; only those that `openFleet` was asked for. */
  offers: ReadonlyMap<string, Offered>
  connected(): boolean
  /** Retained or empty where nothing is wanted any more. */
  publish(topic: string, payload: string, retain: boolean): Promise<void>
  close(): Promise<void>
}

export interface FleetNeeds {
  /** Topics of offers that are to be known too, wildcards and all. */
  offers?: string[]
  /** Calls back after all that was retained is here, with the device that said something. */
  onChange?: (device: Device) => void
}

/** Retained messages come at once; when none came for so long, all are here. */
const quietMs = 500
const firstMs = 5000

/** Connects, stays connected, and waits until all that is retained is here. */
export async function openFleet(values: BrokerValues & { prefix: string }, { offers: wanted = [], onChange }: FleetNeeds = {}) {
  const client = await openBroker(values, true)
  const states = new Map<string, z.infer<typeof State> & { heardMs: number }>()
  const available = new Map<string, string>()
  const offers = new Map<string, Offered>()
  const levels = values.prefix.split('/').length
  let heardMs = performance.now()
  let all = false
  const device = (name: string): Device | undefined => {
    const state = states.get(name)
    return state && { ...state, device: name, available: available.get(name) ?? 'unknown' }
  }

  client.on('message', (topic, payload, { retain }) => {
    if (retain) heardMs = performance.now()
    const [name = '', what, set] = topic.split('/').slice(levels)
    if (topic.endsWith('/update/set')) return set === undefined ? undefined : hearOffer(topic, payload)
    if (what === 'available') available.set(name, payload.toString())
    else if (payload.length === 0) states.delete(name)
    else {
      const found = stateOf(payload)
      if (!found) return console.error(plain(`${topic}: not the state of a device`))
      states.set(name, { ...found, heardMs: performance.now() })
    }
    const changed = all && device(name)
    if (changed) onChange?.(changed)
  })
  function hearOffer(topic: string, payload: Buffer) {
    const found = payload.length ? offerOf(payload) : undefined
    if (found) offers.set(topic, found)
    else offers.delete(topic)
  }

  const { state } = updateTopics(values.prefix, '+')
  /** One after the other, and unacknowledged: a broker drops what does not fit into its queue for a client. */
  for (const topic of [state, topics(values.prefix, '+').available, ...wanted]) {
    const began = performance.now()
    heardMs = began
    await client.subscribeAsync(topic, { qos: 0 })
    while (performance.now() - heardMs < quietMs || (states.size === 0 && performance.now() - began < firstMs)) await delay(100)
  }
  const half = [...states.keys()].filter((name) => !available.has(name)).length
  if (half > 0)
    console.error(
      `${half} devices did not say whether they are there. Where there are many, the broker must queue a message for each: in Mosquitto max_queued_messages, max_queued_bytes`,
    )
  all = true
  client.on('close', () => console.error('The connection to the broker is lost; it is tried again'))
  const fleet: Fleet = {
    devices: () => [...states.keys()].sort().map((name) => device(name)!),
    device,
    offers,
    connected: () => client.connected,
    publish: async (topic, payload, retain) => void (await client.publishAsync(topic, payload, { qos: 1, retain })),
    close: () => client.removeAllListeners('close').endAsync(),
  }
  return fleet
}

function stateOf(payload: Buffer) {
  try {
    return State.parse(JSON.parse(payload.toString()))
  } catch {
    return undefined
  }
}

function offerOf(payload: Buffer): Offered | undefined {
  try {
    const { id, release } = readEnvelope((JSON.parse(payload.toString()) as { release: unknown }).release)
    return { id, release }
  } catch {
    return undefined
  }
}

/** What a device says is shown on a terminal, where control characters would act. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken away
export const plain = (text: string) => text.replace(/[\x00-\x1f\x7f-\x9f]/g, ' ')

/** Rows under their heading, as wide as they need. */
export function columns(rows: string[][]): string {
  const clean = rows.map((row) => row.map(plain))
  const widths = clean[0]!.map((_, i) => Math.max(...clean.map((row) => row[i]!.length)))
  return clean
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
