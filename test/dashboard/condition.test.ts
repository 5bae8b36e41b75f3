// What a tile says: the gravest thing that is true, with its reason and the age of the picture.
import { describe, expect, test } from 'vitest'
import { closeReason, defaults, retryDelayMs } from '../../dashboard/connection.ts'
import { cameraCondition, type Known } from '../../dashboard/live/condition.ts'
import { clock } from '../../dashboard/ui/numbers.ts'
import { statusOf } from './serve-page.ts'

const nowMs = Date.parse('2026-03-01T12:00:00Z')
const live: Known = { link: { state: 'open' }, status: statusOf('front'), ageMs: 120, staleMs: 3000, fault: '', nowMs }
const offline = { ...statusOf('front', 'offline', 'no route to host'), since_us: nowMs * 1000 - 65_000_000 }

describe('a camera', () => {
  test('is live while the line is open, the camera online and the picture young', () => {
    expect(cameraCondition(live).kind).toBe('live')
  })

  test('that is lost says why, since when, and how old its picture is', () => {
    const { kind, title, detail } = cameraCondition({ ...live, status: offline, ageMs: 65_000 })
    expect({ kind, title }).toEqual({ kind: 'lost', title: 'Camera lost' })
    expect(detail).toBe(`no route to host. Since ${clock(nowMs - 65_000, nowMs)}. This picture is 1 min 05 s old`)
  })

  test('that is switched off is no fault', () => {
    expect(cameraCondition({ ...live, status: statusOf('front', 'disabled') }).kind).toBe('disabled')
  })

  test('behind a lost agent says that, whatever its own last state was', () => {
    const link = { state: 'broken', attempt: 1, reason: 'The connection broke off', retryAtMs: nowMs } as const
    const { kind, detail } = cameraCondition({ ...live, link, status: offline, ageMs: 7_000 })
    expect({ kind, detail }).toEqual({ kind: 'cut', detail: 'The connection broke off. This picture is 7 s old' })
  })

  test('whose picture grew old is stale, although everything counts as online', () => {
    expect(cameraCondition({ ...live, ageMs: 3001 }).kind).toBe('stale')
    expect(cameraCondition({ ...live, ageMs: 3001, staleMs: 9000 }).kind).toBe('live')
  })

  test('without a mask so far is waited for, and one that sends rubbish says so', () => {
    expect(cameraCondition({ ...live, ageMs: undefined }).kind).toBe('waiting')
    expect(cameraCondition({ ...live, fault: 'Expected a mask of 96 x 64, found 1 x 1' }).detail).toContain('found 1 x 1')
  })
})

test('delays between tries double up to a limit, and half of each is chance', () => {
  expect([1, 2, 3].map((attempt) => retryDelayMs(attempt, 1))).toEqual([500, 1000, 2000])
  expect(retryDelayMs(1, 0)).toBe(250)
  expect(retryDelayMs(1000, 1)).toBe(defaults.longestDelayMs)
})

test('a closed line is told in words: the agent’s own where it gave some', () => {
  const host = 'jetson01:8080'
  expect(closeReason({ code: 1001, reason: '' }, true, host)).toContain('shutting down')
  expect(closeReason({ code: 1008, reason: 'too many clients' }, true, host)).toBe(
    'The agent closed the connection: too many clients',
  )
  expect(closeReason({ code: 1006, reason: '' }, true, host)).toBe('The connection broke off')
  expect(closeReason({ code: 1006, reason: '' }, false, host)).toBe('No agent answers at jetson01:8080')
})
