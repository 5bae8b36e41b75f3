// What an installer must know of a camera in one glance: live, or why not. Pure, so that every case has a test.
import type { CameraStatus } from '../edge-agent/wire.ts'
import type { Link } from './connection.ts'

export interface Condition {
  /** `live` is the only one in which the picture shows what the camera sees now. */
  kind: 'live' | 'waiting' | 'stale' | 'lost' | 'disabled' | 'cut' | 'fault'
  /** The same in one word. */
  word: string
  title: string
  detail: string
}

export interface Known {
  link: Link
  status: CameraStatus | undefined
  /** Age of the picture on the screen, from its capture; undefined before the first. */
  ageMs: number | undefined
  /** How old a picture may grow before it is called stale. */
  staleMs: number
  /** The last message of this camera that could not be shown, and why; empty after a good one. */
  fault: string
  nowMs: number
}

/** The gravest thing that is true of a camera, first the line to the agent, then the camera, then its pictures. */
export function cameraCondition({ link, status, ageMs, staleMs, fault, nowMs }: Known): Condition {
  const age = ageMs === undefined ? '' : `This picture is ${duration(Math.max(1000, ageMs))} old`
  const told = (...parts: string[]) => parts.filter(Boolean).join('. ')
  if (link.state === 'broken') return { kind: 'cut', word: 'No agent', title: 'Agent lost', detail: told(link.reason, age) }
  if (link.state !== 'open') return { kind: 'cut', word: 'No agent', title: 'Connecting to the agent', detail: age }
  if (status && status.state !== 'online') {
    const since = `Since ${clock(status.since_us / 1000, nowMs)}`
    const detail = told(status.reason, since, age)
    return status.state === 'disabled'
      ? { kind: 'disabled', word: 'Off', title: 'Camera switched off', detail }
      : { kind: 'lost', word: 'Lost', title: 'Camera lost', detail }
  }
  if (fault) return { kind: 'fault', word: 'Fault', title: 'Picture cannot be shown', detail: told(fault, age) }
  if (ageMs === undefined)
    return { kind: 'waiting', word: 'Waiting', title: 'Waiting for the first picture', detail: status?.reason ?? '' }
  if (ageMs > staleMs)
    return {
      kind: 'stale',
      word: 'Stale',
      title: 'Stale picture',
      detail: told(age, 'No newer one came, although the camera is online'),
    }
  return { kind: 'live', word: 'Live', title: 'Live', detail: '' }
}

/** A time span for people, to the second and then coarser: `7 s`, `3 min 05 s`, `2 h 10 min`, `4 d 3 h`. */
export function duration(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000))
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0')
  if (s < 60) return `${s} s`
  if (s < 3600) return `${Math.floor(s / 60)} min ${two(s % 60)} s`
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${two((s % 3600) / 60)} min`
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3600)} h`
}

/** Time of day, with the date where it is not today's. */
export function clock(ms: number, nowMs: number): string {
  const at = new Date(ms)
  const time = at.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit' })
  return at.toDateString() === new Date(nowMs).toDateString() ? time : `${at.toLocaleDateString()} ${time}`
}
