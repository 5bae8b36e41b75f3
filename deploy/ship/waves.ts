// What a rollout decides on: which device is of which wave, what became of it, and when it is enough. Pure functions of what the
// broker has retained, so that a rollout that was broken off goes on as it was.
import { createHash } from 'node:crypto'
import type { Release } from '../release.ts'
import type { Device } from './fleet.ts'

/** So many devices, or a share of them. */
export interface Amount {
  value: number
  percent: boolean
}

/** `10` or `2.5%`. Throws for what is neither. */
export function parseAmount(text: string, option: string): Amount {
  const [, digits, sign] = /^(\d+(?:\.\d+)?)(%?)$/.exec(text.trim()) ?? []
  const value = Number(digits)
  const percent = sign === '%'
  if (digits === undefined || (percent ? value > 100 : !Number.isInteger(value)))
    throw new Error(`--${option}: expected a number of devices or a share such as 10%, found ${text}`)
  return { value, percent }
}

/** The reverse of `parseAmount`. */
export const textOf = ({ value, percent }: Amount) => `${value}${percent ? '%' : ''}`

/** `30s`, `10m`, `2h` or `1d`, in milliseconds. Throws for anything else. */
export function parseTime(text: string, option: string): number {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)([smhd])$/.exec(text.trim()) ?? []
  if (!unit) throw new Error(`--${option}: expected a time such as 30s, 10m, 2h or 1d, found ${text}`)
  return Number(digits) * { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[unit]!
}

/** `1,10%,50%,100%`: so many after each wave. Throws where they do not grow. */
export function parseWaves(text: string): Amount[] {
  const waves = text.split(',').map((part) => parseAmount(part, 'waves'))
  const shrinks = waves.some((wave, i) => {
    const before = waves[i - 1]
    return wave.value === 0 || (before && before.percent === wave.percent && before.value >= wave.value)
  })
  if (shrinks) throw new Error(`--waves: expected amounts that grow, such as 1,10%,50%,100%, found ${text}`)
  return waves
}

/** Sizes of the waves for so many devices; in a small fleet some have none and fall away. */
export function sizesOf(waves: readonly Amount[], devices: number): number[] {
  const ends = waves.map(({ value, percent }) => Math.min(devices, Math.ceil(percent ? (value * devices) / 100 : value)))
  return ends.map((end, i) => end - Math.max(0, ...ends.slice(0, i))).filter((size) => size > 0)
}

/** How many failures among so many that were offered it are still taken. */
export const allowedOf = ({ value, percent }: Amount, offered: number) =>
  percent ? Math.floor((value * offered) / 100) : value

/** The same chance for each device, another one for each release. */
export const lot = (id: string, device: string) => createHash('sha256').update(`${id} ${device}`).digest('hex')

/**
 * In the order of the waves: those that were offered it already, so that the waves of a rollout that goes on are those that
 * began; then by lot, those that are away behind the others, since a wave that nobody answers proves nothing.
 */
export function inOrder(devices: readonly Device[], id: string, wasOffered: (device: Device) => boolean): Device[] {
  const rank = (device: Device) => (wasOffered(device) ? 0 : device.available === 'online' ? 1 : 2)
  return devices
    .map((device) => ({ device, key: `${rank(device)}${lot(id, device.device)}` }))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ device }) => device)
}

/** `newer`: it runs what was signed later, and needs nothing. `away`: it takes the offer when it comes back. */
export type Verdict = 'settled' | 'newer' | 'failed' | 'away' | 'working'

/** Whether the next wave may begin: none of this one is at it, and of all so far somebody answered, where all may be away. */
export const isThrough = (wave: readonly Verdict[], soFar: readonly Verdict[]) =>
  !wave.includes('working') && soFar.some((verdict) => verdict !== 'away')

/** A release that cannot be fetched or verified now is tried again by the device; what stays so for long has failed. */
const failedForMs = 60_000

export interface Timing {
  nowMs: number
  /** When it was offered, or when this rollout was started again. */
  offeredMs: number
  /** A device that says nothing for so long while it works on the release has failed. */
  silentMs: number
}

/** What became of a release on a device that was offered it, and why, for a person. */
export function verdictOf(
  device: Device,
  { id, release }: { id: string; release: Release },
  { nowMs, offeredMs, silentMs }: Timing,
): { verdict: Verdict; why: string } {
  const { state, model, image, available, reason = '' } = device
  const isOurs = device.release?.id === id
  const silentForMs = nowMs - Math.max(device.heardMs, offeredMs)
  const words = state.replace('_', ' ')
  const why = reason ? `${words}: ${reason}` : words
  if (isOurs) {
    if (state === 'settled') return { verdict: 'settled', why }
    if (state === 'refused' || state === 'rolled_back') return { verdict: 'failed', why }
    if (state === 'failed' && silentForMs > Math.min(failedForMs, silentMs)) return { verdict: 'failed', why }
  } else {
    const runs = release.kind === 'image' ? image === release.image : model.release === id
    if (runs) return { verdict: 'settled', why: 'settled' }
    if (release.kind === 'bundle' && model.released && Date.parse(model.released) > Date.parse(release.released))
      return { verdict: 'newer', why: `runs ${model.name} (${model.release}), which was signed later` }
    if (available !== 'online') return { verdict: 'away', why: 'away' }
  }
  if (silentForMs > silentMs) {
    const where = available === 'online' ? 'silent' : 'lost'
    return { verdict: 'failed', why: `${where} for ${Math.round(silentForMs / 1000)} s, last ${why}` }
  }
  return { verdict: 'working', why: isOurs ? words : 'offered' }
}
