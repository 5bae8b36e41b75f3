import { expect, test } from 'vitest'
import { lookOf, summariseLooks } from '../../../deploy/picture-look.ts'
import { samplePictures, watchDrift } from '../../../edge-agent/facts/drift.ts'
import { DriftSettings } from '../../../edge-agent/facts/settings.ts'
import type { Region } from '../../../edge-agent/wire.ts'

const settings = DriftSettings.parse({})

/** Scores second by second; `!` where the alarm is on. */
function through(values: number[], more: Partial<DriftSettings> = {}): string[] {
  const judge = watchDrift({ ...settings, ...more })
  return values.map((value, s) => {
    const drift = judge(value, 1000 * s)
    return drift ? `${drift.score}${drift.active ? '!' : ''}` : '-'
  })
}

test('nothing is said for half a minute, then the mean of the last minute', () => {
  const said = through([...Array(60).fill(0.5), ...Array(60).fill(1)])
  expect(said.slice(0, 30)).toEqual(Array(30).fill('-'))
  expect([said[30], said[59], said[89], said[119]]).toEqual(['0.5', '0.5', '0.75', '1'])
})

test('a strange minute is an alarm, which ends only well below', () => {
  const said = through([...Array(60).fill(0.5), ...Array(90).fill(2), ...Array(60).fill(1.2), ...Array(60).fill(0.6)])
  const on = said.map((one) => one.endsWith('!'))
  expect(on.indexOf(true)).toBe(92) // (27 x 0.5 + 33 x 2) / 60 = 1.325
  expect(said[92]).toBe('1.33!')
  expect(on.lastIndexOf(true)).toBeGreaterThan(209) // 1.2 is in between
  expect(on.lastIndexOf(true)).toBeLessThan(225)
})

test('a short moment is none: a tunnel of ten seconds', () => {
  expect(through([...Array(60).fill(0.5), ...Array(10).fill(4), ...Array(60).fill(0.5)]).some((one) => one.endsWith('!'))).toBe(
    false,
  )
})

test('masks between two looks keep the state, and one look after a pause is not enough for a judgement', () => {
  const judge = watchDrift({ ...settings, over_s: 10 })
  for (let s = 0; s < 10; s++) judge(2, 1000 * s)
  expect(judge(undefined, 9500)).toEqual({ score: 2, active: true })
  expect(judge(0.5, 600_000)).toBeUndefined()
})

test('pictures are looked at once a second, and only where the bundle knows its own', () => {
  const grey = new Uint8Array(3 * 8 * 4).fill(90)
  const whole: Region = [0, 0, 80, 40]
  const view = { width: 8, height: 4, cameraWidth: 80, cameraHeight: 40, region: whole, seen: whole }
  const looks = summariseLooks([0, 1].map(() => lookOf(grey, 8, { left: 0, right: 8, top: 0, bottom: 4 })))
  const sample = samplePictures(looks)
  const looked = [0, 400, 999, 1000, 1999, 2000].map((ms) => sample(grey, view, ms))
  expect(looked.map((strange) => strange !== undefined)).toEqual([true, false, false, true, false, true])
  expect(looked[0]).toBeLessThan(0.1)
  expect(sample(new Uint8Array(96).fill(200), view, 9000)).toBeGreaterThan(5)
  expect(samplePictures(undefined)(grey, view, 0)).toBeUndefined()
})
