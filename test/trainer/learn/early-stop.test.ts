// When a run ends before its last epoch, from the rows of its log.
import { describe, expect, it } from 'vitest'
import { earlyStop } from '../../../trainer/learn/early-stop.ts'

const patient = { patience: 3, minEpochs: 0, tolerance: 0 }
/** The epoch after which a run of these road IoUs stops, undefined where it goes to its end. */
function stopsAfter(ious: number[], settings: Partial<typeof patient> = {}) {
  const rows = ious.map((road_iou, i) => ({ epoch: i + 1, road_iou }))
  const at = rows.findIndex((_, i) => earlyStop(rows.slice(0, i + 1), { ...patient, ...settings }))
  return at < 0 ? undefined : at + 1
}

describe('a run stops early', () => {
  it('after as many epochs without progress as it has patience', () => {
    expect(stopsAfter([0.5, 0.6, 0.6, 0.55, 0.6, 0.7])).toBe(5)
    expect(stopsAfter([0.5, 0.6, 0.6, 0.55, 0.61, 0.6, 0.6])).toBeUndefined()
    expect(stopsAfter([0.9, 0.1], { patience: 1 })).toBe(2)
  })

  it('never with a patience of 0, nor before the epochs it is to do at least', () => {
    const falling = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2]
    expect(stopsAfter(falling, { patience: 0 })).toBeUndefined()
    expect(stopsAfter(falling, { minEpochs: 7 })).toBe(7)
  })

  it('where it creeps by no more than the tolerance, but not where it creeps beyond it over some epochs', () => {
    const creeping = [0.5, 0.503, 0.506, 0.509, 0.512, 0.515]
    expect(stopsAfter(creeping)).toBeUndefined()
    expect(stopsAfter(creeping, { tolerance: 0.02 })).toBe(4)
    expect(stopsAfter(creeping, { tolerance: 0.005 })).toBeUndefined()
  })

  it('not where road IoU is not known', () => {
    expect(stopsAfter(Array.from({ length: 9 }, () => Number.NaN))).toBeUndefined()
  })

  it('with a sentence that says why, and nothing to say before the first epoch', () => {
    const rows = [0.5, 0.9341, 0.9, 0.91].map((road_iou, i) => ({ epoch: i + 1, road_iou }))
    expect(earlyStop(rows, { patience: 2, minEpochs: 0, tolerance: 0.001 })).toBe(
      'Stopped early after epoch 4: road IoU has not risen by more than 0.001 for 2 epochs, from 0.9341 in epoch 2.',
    )
    expect(earlyStop([], patient)).toBeUndefined()
  })
})
