// Whether a camera looks like what the model was trained on: the strangeness of a picture a second, as the mean of some time.

import type { Manifest } from '../../deploy/bundle.ts'
import { lookOf, strangeness } from '../../deploy/picture-look.ts'
import type { Result } from '../wire.ts'
import type { DriftSettings } from './settings.ts'
import { seenOf, type View } from './view.ts'

const everyMs = 1000
const leastPictures = 3

/** Makes the function that says how strange one of the pictures of a camera is, once a second; else undefined. */
export function samplePictures(looks: Manifest['looks']) {
  let dueMs = Number.NEGATIVE_INFINITY
  return (pixels: Uint8Array, view: View, nowMs: number): number | undefined => {
    if (!looks || nowMs < dueMs) return undefined
    dueMs = nowMs + everyMs
    return strangeness(looks, lookOf(pixels, view.width, seenOf(view)))
  }
}

/** Makes the function that judges the camera's drift with each mask; undefined until half of the time is seen. */
export function watchDrift({ start, end, over_s }: DriftSettings) {
  let samples: { atMs: number; strange: number }[] = []
  let began: number | undefined
  let active = false
  return (strange: number | undefined, nowMs: number): Result['drift'] => {
    if (strange !== undefined) {
      began ??= nowMs
      samples.push({ atMs: nowMs, strange })
      samples = samples.filter(({ atMs }) => nowMs - atMs < 1000 * over_s)
    }
    if (began === undefined || nowMs - began < 500 * over_s || samples.length < leastPictures) return undefined
    const score = samples.reduce((sum, one) => sum + one.strange, 0) / samples.length
    active = score > start || (active && score >= end)
    return { score: Math.round(100 * score) / 100, active }
  }
}
