// A rollout as it runs. Nothing is kept here: what was offered and what became of it is retained by the broker, so that it can be
// broken off, and gone on with from anywhere.
import { setTimeout as delay } from 'node:timers/promises'
import { mapBounded } from '../each.ts'
import type { Release } from '../release.ts'
import type { Device, Fleet } from './fleet.ts'
import { lengthOf, type ProgressLine } from './progress-line.ts'
import { type Amount, allowedOf, inOrder, isThrough, sizesOf, type Timing, textOf, type Verdict, verdictOf } from './waves.ts'

/** Offers that are on their way to the broker at once. */
export const atOnce = 50
export const lookEveryMs = 250

export interface Work {
  waves: Amount[]
  halt: Amount
  soakMs: number
  silentMs: number
  fleet: Fleet
  id: string
  release: Release
  /** What is offered. */
  payload: string
  shared: string[]
  setTopic(device: string): string
  isMeant(device: Device): boolean
  signal: AbortSignal
  line: ProgressLine
}

export interface Outcome {
  release: { id: string; name: string; kind: string }
  end: 'done' | 'halted' | 'broken off'
  seconds: number
  waves: ({ devices: number } & Record<Verdict, number>)[]
  /** Devices that were not reached by a wave. */
  left: number
  /** Topics that offer it to those that are yet to come. */
  standing: string[]
  failures: { device: string; why: string }[]
}

/** The waves: those that were offered it first, whoever did it. */
export function wavesOf({ fleet, id, waves, shared, setTopic, isMeant }: Work): Device[][] {
  const isOffered = (topic: string) => fleet.offers.get(topic)?.id === id
  const toAll = shared.some(isOffered)
  const had = (device: Device) => device.release?.id === id || device.model.release === id
  const order = inOrder(
    fleet.devices().filter(isMeant),
    id,
    (device) => toAll || isOffered(setTopic(device.device)) || had(device),
  )
  let from = 0
  return sizesOf(waves, order.length).map((size) => {
    from += size
    return order.slice(from - size, from)
  })
}

/** Wave by wave; never throws for what a device does. */
export async function runWaves(work: Work): Promise<Outcome> {
  const { fleet, id, release, halt, soakMs, line, signal } = work
  const beganMs = performance.now()
  const waves = wavesOf(work).map((wave) => wave.map(({ device }) => device))
  const offeredMs = new Map<string, number>()
  const timing = (device: string): Timing => ({
    nowMs: performance.now(),
    offeredMs: offeredMs.get(device) ?? beganMs,
    silentMs: work.silentMs,
  })
  const judge = (name: string) => {
    const device = fleet.device(name)
    return device ? verdictOf(device, work, timing(name)) : { verdict: 'away' as const, why: 'forgotten by the broker' }
  }
  const isOffered = (name: string) => offeredMs.has(name)
  let begun = 0 // devices of the waves so far
  const isTooMuch = () =>
    waves.flat().filter((name) => isOffered(name) && judge(name).verdict === 'failed').length > allowedOf(halt, begun)
  let end: Outcome['end'] = 'done'
  line.done(`${release.name} (${id}) to ${waves.flat().length} devices in ${waves.length} waves`)

  for (const [i, wave] of waves.entries()) {
    const head = `wave ${i + 1} of ${waves.length}`
    begun += wave.length
    const waveMs = performance.now()
    let settledMs: number | undefined
    let halted = false
    const say = () => `${head}: ${countsOf(wave.filter(isOffered).map(judge))}, ${lengthOf(performance.now() - waveMs)}`
    const offering = mapBounded(wave, atOnce, async (name) => {
      if (halted || signal.aborted) return
      if (
        judge(name).verdict !== 'settled' &&
        ![work.setTopic(name), ...work.shared].some((to) => fleet.offers.get(to)?.id === id)
      )
        await fleet.publish(work.setTopic(name), work.payload, true)
      offeredMs.set(name, performance.now())
    })
    offering.catch(() => {}) // it is thrown below
    for (;;) {
      if (signal.aborted) break
      // Nobody is judged by what we do not hear.
      if (fleet.connected()) {
        halted = isTooMuch()
        const verdicts = (names: string[]) => names.map((name) => (isOffered(name) ? judge(name).verdict : 'working'))
        settledMs = isThrough(verdicts(wave), verdicts(waves.slice(0, i + 1).flat()))
          ? (settledMs ?? performance.now())
          : undefined
        if (halted || (settledMs !== undefined && performance.now() - settledMs >= soakMs)) break
      }
      line.show(say())
      await delay(lookEveryMs, undefined, { signal }).catch(() => {})
    }
    await Promise.race([offering, delay(1000)])
    line.done(say())
    if (halted) line.done(`Halted: more failures than ${textOf(halt)} of ${begun} devices. The rest is left as it is.`)
    else if (signal.aborted) line.done('Broken off. What is offered stays; the same command goes on.')
    if (halted || signal.aborted) {
      end = halted ? 'halted' : 'broken off'
      break
    }
  }

  const isWhole = waves.flat().length === fleet.devices().filter(work.isMeant).length
  const standing = end === 'done' && isWhole ? await offerToAll(work, waves.flat()) : []
  const all = waves.flat().filter(isOffered)
  return {
    release: { id, name: release.name, kind: release.kind },
    end,
    seconds: Math.round((performance.now() - beganMs) / 100) / 10,
    waves: waves.map((wave) => ({ devices: wave.length, ...tally(wave.filter(isOffered).map(judge)) })),
    left: fleet.devices().filter(work.isMeant).length - all.length,
    standing,
    failures: all.flatMap((device) => {
      const { verdict, why } = judge(device)
      return verdict === 'failed' ? [{ device, why }] : []
    }),
  }
}

/** One message for all, those that are yet to come too, in the place of one for each. */
async function offerToAll({ fleet, id, payload, shared, setTopic, line }: Work, devices: string[]): Promise<string[]> {
  for (const to of shared) if (fleet.offers.get(to)?.id !== id) await fleet.publish(to, payload, true)
  if (!shared.length) return []
  const own = devices.map(setTopic).filter((to) => fleet.offers.get(to)?.id === id)
  await mapBounded(own, atOnce, (to) => fleet.publish(to, '', true))
  line.done(`Offered on ${shared.join(', ')} from now on, for devices that are away or yet to come`)
  return shared
}

function tally(judged: { verdict: Verdict }[]): Record<Verdict, number> {
  const counts = { settled: 0, newer: 0, failed: 0, away: 0, working: 0 }
  for (const { verdict } of judged) counts[verdict]++
  return counts
}

/** `92 settled, 5 downloading, 3 away`. */
function countsOf(judged: { verdict: Verdict; why: string }[]): string {
  const counts = new Map<string, number>()
  for (const { verdict, why } of judged) {
    const word = verdict === 'working' ? why : verdict
    counts.set(word, (counts.get(word) ?? 0) + 1)
  }
  return [...counts].map(([word, count]) => `${count} ${word}`).join(', ') || 'nobody yet'
}
