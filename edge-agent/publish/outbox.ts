// Store and forward: what must not get lost is written down before it is sent, and kept until the broker has taken it. At
// least once, in order, over any outage, SIGKILL or power cut; bounded by size and age, oldest first out, counted.
// Own code, since npm's stores for MQTT.js packets know neither bounds, nor checksums, nor what is on the medium.
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Log } from '../log.ts'
import type { Config } from '../settings/config.ts'
import type { CameraEvent, OutboxStats } from '../wire.ts'
import type { NewEvent } from './output.ts'
import { openSegments } from './segments.ts'
import { openTally } from './tally.ts'

export interface OutboxMessage {
  topic: string
  payload: string
  retain: boolean
}

export interface Stored extends OutboxMessage {
  sequence: number
}

export interface Outbox {
  /** Made with the folder; tells its events and its MQTT client from those of others. */
  id: string
  /** Gives an event its number, which no other event of this outbox gets. */
  number(event: NewEvent): CameraEvent
  add(message: OutboxMessage): void
  /** The oldest message after `sequence` that is on the medium and waits. */
  next(after: number): Stored | undefined
  /** The broker has it. */
  done(sequence: number): void
  /** Calls back whenever there may be more to send. */
  onReady(ready: () => void): void
  stats(): OutboxStats
  close(): Promise<void>
}

/** At most so often onto the medium: events are rare, and a flood of them must not wear it out. */
const syncEveryMs = 250
/** What the broker took is noted so often; what is not noted before a crash is sent again. */
const noteEveryMs = 1000
/** Files of which the oldest goes where all take too much. */
const segmentsAtMost = 8
/** Before this a clock was never set: no age is told by it. */
const plausibleMs = Date.UTC(2024, 0)
const dayMs = 24 * 3600 * 1000

interface Head {
  id: string
  /** The last numbers that were given, to a message and to an event. */
  sequence: number
  events: number
}

interface Entry {
  head?: Head
  sequence?: number
  at?: number
  topic?: string
  payload?: string
  retain?: boolean
  /** The last number that was given to an event. */
  events?: number
  /** All up to this one are delivered. */
  done?: number
}

interface Waiting extends Stored {
  segment: number
  /** By the monotonic clock, which no time server sets. */
  bornMs: number
}

/** Opens the outbox in a folder that nobody else writes to. */
export function openOutbox(folder: string, { max_mib, max_days }: Config['outbox'], log: Log): Outbox {
  const { segments, entries, damaged } = openSegments(folder, 'outbox')
  /** The last number of an event that was given while no entry could be written. */
  const tally = openTally(join(folder, 'outbox-events'))
  const maxBytes = max_mib * 2 ** 20
  const segmentBytes = maxBytes / segmentsAtMost
  const dropped = { full: 0, old: 0, damaged }
  let head: Head = { id: randomBytes(4).toString('hex'), sequence: 0, events: 0 }
  let done = 0
  let ready = () => {}
  let failed = ''
  let heldBytes = 0
  const waiting: Waiting[] = []
  const early = new Set<number>() // taken by the broker before an older one

  for (const { segment, entry } of entries as { segment: number; entry: Entry }[]) {
    const { id = head.id, sequence: given = 0, events = 0 } = entry.head ?? { id: head.id, ...entry }
    head = { id, sequence: Math.max(head.sequence, given), events: Math.max(head.events, events) }
    done = Math.max(done, entry.done ?? 0)
    if (!entry.sequence) continue
    const { sequence, topic = '', payload = '', retain = false, at = 0 } = entry
    const ageMs = at < plausibleMs ? 0 : Math.max(0, Date.now() - at)
    hold({ sequence, topic, payload, retain, segment, bornMs: performance.now() - ageMs })
  }
  head.events = Math.max(head.events, tally.found)
  while (waiting[0] && waiting[0].sequence <= done) letGo()
  if (damaged) log.warn({ lines: damaged, folder }, 'the outbox has lines that cannot be read; they are left out')
  if (!segments.numbers().length) segments.begin({ head })
  if (waiting.length) log.info({ messages: waiting.length }, 'the outbox holds messages of the last run')
  forgetDelivered()

  let written = head.sequence
  let synced = head.sequence
  let syncedMs = Number.NEGATIVE_INFINITY
  let syncing: Promise<void> | undefined
  let noting: NodeJS.Timeout | undefined

  function hold(message: Waiting) {
    waiting.push(message)
    heldBytes += message.topic.length + message.payload.length
  }
  function letGo(): Waiting {
    const oldest = waiting.shift()!
    heldBytes -= oldest.topic.length + oldest.payload.length
    return oldest
  }

  /** A disk that is full or broken costs what it should keep, not the message, which stays in memory. */
  function onDisk(act: () => void): boolean {
    try {
      act()
      return true
    } catch (error) {
      fail(error as Error)
      return false
    }
  }
  function fail({ message }: Error) {
    if (message !== failed) log.error(`the outbox in ${folder} cannot be written; it is kept in memory alone: ${message}`)
    failed = message
  }

  function drop(reason: 'full' | 'old') {
    done = letGo().sequence
    dropped[reason]++
    if (dropped[reason] === 1 || dropped[reason] % 1000 === 0)
      log.warn(
        { dropped: dropped[reason] },
        `the outbox is ${reason === 'full' ? 'full' : 'full of old messages'}: the oldest went`,
      )
  }

  function dropOld() {
    while (waiting[0] && performance.now() - waiting[0].bornMs > max_days * dayMs) drop('old')
  }

  /** Lets the oldest file go where all take too much, and what a disk that does not write would pile up in memory. */
  function makeRoom() {
    dropOld()
    onDisk(forgetDelivered)
    const oldest = waiting[0]?.segment
    if (segments.bytes().all > maxBytes) while (waiting[0] && waiting[0].segment === oldest) drop('full')
    while (heldBytes > maxBytes) drop('full')
    onDisk(() => {
      forgetDelivered()
      if (segments.bytes().newest > segmentBytes) segments.begin({ head })
    })
  }

  /** Removes the files of which nothing waits. */
  function forgetDelivered() {
    const oldest = waiting[0]?.segment ?? Number.POSITIVE_INFINITY
    for (const segment of segments.numbers().slice(0, -1)) if (segment < oldest) segments.remove(segment)
  }

  function note() {
    clearTimeout(noting)
    noting = undefined
    onDisk(() => segments.append({ done }))
  }

  /** Puts what was added onto the medium: at once after a quiet time, together with what follows in a flood. */
  function sync() {
    syncing ??= (async () => {
      await delay(Math.max(0, syncedMs + syncEveryMs - performance.now()))
      const upTo = written
      await segments.sync().catch(fail)
      syncedMs = performance.now()
      synced = upTo
      syncing = undefined
      if (written > synced) sync()
      ready()
    })()
  }

  return {
    id: head.id,
    number: (event) => ({ ...event, id: `${head.id}-${++head.events}`, sequence: head.events }),
    add({ topic, payload, retain }) {
      const sequence = ++head.sequence
      makeRoom()
      if (onDisk(() => segments.append({ sequence, at: Date.now(), topic, payload, retain, events: head.events }))) failed = ''
      else tally.raise(head.events)
      hold({ sequence, topic, payload, retain, segment: segments.numbers().at(-1)!, bornMs: performance.now() })
      written = sequence
      sync()
    },
    next(after) {
      dropOld()
      const message = waiting.find(({ sequence }) => sequence > after)
      return message && message.sequence <= synced ? message : undefined
    },
    done(sequence) {
      early.add(sequence)
      for (let oldest = waiting[0]; oldest && early.has(oldest.sequence); oldest = waiting[0]) done = letGo().sequence
      for (const taken of early) if (taken <= done) early.delete(taken)
      onDisk(forgetDelivered)
      noting ??= setTimeout(note, noteEveryMs)
    },
    onReady(callback) {
      ready = callback
    },
    stats: () => ({
      messages: waiting.length,
      bytes: segments.bytes().all,
      oldest_s: waiting[0] ? Math.round((performance.now() - waiting[0].bornMs) / 1000) : 0,
      dropped: { ...dropped },
    }),
    async close() {
      ready = () => {}
      if (noting) note()
      while (syncing) await syncing
      segments.close()
      tally.close()
    },
  }
}
