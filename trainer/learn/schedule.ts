// How the learning rate changes over a run.
import type { Settings } from '../run/settings.ts'

type Shape = (done: number, of: number) => number

/** By name: the share of the largest rate after `done` steps `of` those that follow the warm-up. */
export const schedules = {
  /** Half a cosine down to 0 (Loshchilov and Hutter 2017). */
  cosine: (done, of) => (1 + Math.cos((Math.PI * done) / of)) / 2,
  /** Nearly straight down to 0, with the power of ParseNet (Liu et al. 2015) and DeepLab. */
  poly: (done, of) => (1 - done / of) ** 0.9,
  /** A tenth after half of the steps and a hundredth after three quarters (He et al. 2016, section 4.2). */
  step: (done, of) => (done < 0.5 * of ? 1 : done < 0.75 * of ? 0.1 : 0.01),
  constant: () => 1,
} as const satisfies Record<string, Shape>

/**
 * The learning rate at a step (from 1): a straight line from 0 over the epochs of warm-up, which take half the run at
 * most, then the schedule.
 */
export function learningRateAt(
  step: number,
  stepsAnEpoch: number,
  { epochs, learningRate, schedule, warmUp }: Pick<Settings, 'epochs' | 'learningRate' | 'schedule' | 'warmUp'>,
): number {
  const steps = stepsAnEpoch * epochs
  const warm = Math.min(stepsAnEpoch * warmUp, steps / 2)
  if (step <= warm) return (learningRate * step) / warm
  return learningRate * schedules[schedule](step - warm, steps - warm)
}
