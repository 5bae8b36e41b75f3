// The learning rate of every step of a run.
import { describe, expect, it } from 'vitest'
import { learningRateAt } from '../../../trainer/learn/schedule.ts'
import { readCommandLine } from '../../../trainer/run/command-line.ts'
import { settle } from '../../../trainer/run/settings.ts'

const settingsOf = (...args: string[]) => settle(readCommandLine(['--preset', 'jetson', ...args])!, false)

/** Rates of all steps of a run of 8 epochs with 10 steps each, as shares of the largest. */
function shares(...args: string[]) {
  const settings = settingsOf('--epochs', '8', ...args)
  const rates = Array.from({ length: 80 }, (_, i) => learningRateAt(i + 1, 10, settings))
  return rates.map((rate) => rate / settings.learningRate)
}

describe('the learning rate', () => {
  it('by default rises over the first epoch and falls to 0 as a cosine, to the last bit as runs before had it', () => {
    const settings = settingsOf('--epochs', '7', '--learning-rate', '0.0013')
    const [steps, epochs, largest] = [33, 7, 0.0013]
    for (let step = 1; step <= steps * epochs; step++) {
      const cosine = (largest / 2) * (1 + Math.cos((Math.PI * (step - steps)) / (steps * epochs - steps)))
      expect(learningRateAt(step, steps, settings)).toBe(step <= steps ? (largest * step) / steps : cosine)
    }
    expect(learningRateAt(steps * epochs, steps, settings)).toBe(0)
  })

  it('falls to a tenth and a hundredth in steps', () => {
    const rates = shares('--schedule', 'step', '--warm-up', '0')
    expect(rates.slice(0, 39).every((rate) => rate === 1)).toBe(true)
    for (const rate of rates.slice(39, 59)) expect(rate).toBeCloseTo(0.1, 12)
    for (const rate of rates.slice(59)) expect(rate).toBeCloseTo(0.01, 12)
  })

  it('falls to 0 as a power', () => {
    const rates = shares('--schedule', 'poly', '--warm-up', '0')
    for (const [i, rate] of rates.entries()) expect(rate).toBeCloseTo((1 - (i + 1) / 80) ** 0.9, 12)
  })

  it('stays where it is constant, after a warm-up of any length up to half the run', () => {
    for (const [warmUp, steps] of [
      ['0', 0],
      ['0.5', 5],
      ['3', 30],
      ['100', 40],
    ] as const) {
      const rates = shares('--schedule', 'constant', '--warm-up', warmUp)
      for (const [i, rate] of rates.entries()) expect(rate).toBeCloseTo(Math.min(1, (i + 1) / steps), 12)
    }
  })

  it('is gradient descent’s own where that is asked for and no rate', () => {
    expect(settingsOf('--optimizer', 'sgd').learningRate).toBe(0.05)
    expect(settingsOf('--optimizer', 'sgd', '--batch-norm', 'off').learningRate).toBe(0.01)
    expect(settingsOf('--optimizer', 'sgd', '--learning-rate', '0.1').learningRate).toBe(0.1)
    expect(settingsOf().learningRate).toBe(0.002)
  })
})
