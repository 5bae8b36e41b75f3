// What an installer must know of a camera in one glance: live, or why not. Pure, so that every case has a test.
import type { CameraStatus } from '../../edge-agent/wire.ts'
import type { Link } from '../connection.ts'
import { clock, duration } from '../ui/numbers.ts'

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
