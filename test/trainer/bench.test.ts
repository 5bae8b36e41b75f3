// What the benchmarks make of their measurements. The measuring itself takes minutes and a quiet machine: npm run bench.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { startContestant } from '../../trainer/bench/contestant.ts'
import { heats, measurements, type Pair, pairs, peers } from '../../trainer/bench/pairs.ts'
import { readPlan } from '../../trainer/bench/plan.ts'
import { type Measured, ratiosOf, renderGrowth, renderTable, type Table } from '../../trainer/bench/table.ts'
import { quantile } from '../../trainer/report/quantile.ts'

const measured = (name: string, rounds: number[], peakBytes = 1e9): Measured => ({ name, rounds, peakBytes, answer: 1 })
const pair: Pair = { ours: 'ours-float32', peer: 'keras', what: 'time', atMost: { 1: 0.9 } }

it('quantiles lie between the values', () => {
  expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5)
  expect(quantile([10, 30, 20], 0.25)).toBe(15)
  expect(() => quantile([], 0.5)).toThrow('found none')
})

it('a ratio is of medians, of contestants that met in one heat', () => {
  const slow = [measured('ours-float32', [100, 100, 100]), measured('tfjs', [200, 200, 200])]
  const fast = [measured('ours-float32', [8, 40, 9]), measured('keras', [10, 50, 10])]
  const [ratio] = ratiosOf([pair], [slow, fast], 1)
  expect(ratio).toMatchObject({ ratio: 0.9, aim: 0.9, met: true })
  expect(ratio!.quartiles![0]).toBeCloseTo(0.8)
  expect(ratiosOf([pair], [slow], 1)).toEqual([])
})

it('an aim that is missed is told, and where there is none nothing is', () => {
  const heat = [measured('ours-float32', [95], 3e9), measured('keras', [100], 4e9)]
  expect(ratiosOf([pair], [heat], 1)[0]).toMatchObject({ ratio: 0.95, met: false })
  for (const width of [0.25, undefined]) expect(ratiosOf([pair], [heat], width)[0]).not.toHaveProperty('met')
  expect(ratiosOf([{ ...pair, what: 'memory' }], [heat], 1)[0]).toMatchObject({ ratio: 0.75, met: true })
})

it('the table has medians, shares of what matrix products reach, ratios and who was left out', () => {
  const heat = [measured('ours-float32', [95, 100, 200]), measured('keras', [100, 100, 100]), measured('openvino-int8', [10])]
  const table: Table = {
    measurement: 'inference',
    width: 1,
    fc: 4096,
    batchNorm: false,
    parameters: 134e6,
    multiplyAdds: 10e9,
    batch: 2,
    rates: [400e9, 800e9],
    heats: [heat],
    ratios: ratiosOf([pair], [heat], 1),
    failed: [{ name: 'tfjs', reason: 'tfjs ended (SIGKILL)' }],
  }
  const text = renderTable(table)
  expect(text).toMatch(/^ours-float32 +100 +97.5 – 150 +50 % +100.00 %/m) // 20 Gflop in 0.1 s, of 400 a second
  expect(text).toMatch(/^openvino-int8 +10.0 +10.0 – 10.0 +100.00 %/m)
  expect(text).toMatch(/^ours-float32 \/ keras +1.00 +0.97 – 1.50 +0.90 +NOT MET$/m)
  expect(text).toContain('tfjs ended (SIGKILL)')
  const [, first, second] = renderGrowth([table, { ...table, batch: 4, heats: [heat.slice(0, 1)] }]).split('\n')
  expect(first).toMatch(/ 50.0 +25.0$/)
  expect(second).toMatch(/^keras +50.0$/)
})

it('every pair meets in a heat, and every peer in Python has its function', async () => {
  for (const measurement of measurements) {
    for (const { ours, peer } of pairs[measurement])
      expect(heats[measurement].some((heat) => heat.includes(ours) && heat.includes(peer))).toBe(true)
    const program = await readFile(join(import.meta.dirname, `../../trainer/bench/${measurement}.py`), 'utf8')
    for (const [name, kind] of Object.entries(peers[measurement]))
      if (kind === 'python') expect(program).toContain(`"${name}": `)
  }
})

it('the command line chooses peers by the beginning of their names and refuses others', () => {
  expect(readPlan(['inference', '--peers', 'openvino,keras'])!.contestants).toEqual([
    'ours-float32',
    'ours-bfloat16',
    'ours-int8',
    'keras',
    'openvino',
    'openvino-bfloat16',
    'openvino-int8',
  ])
  expect(readPlan(['training', '--peers', 'none', '--batches', '1,4'])).toMatchObject({
    contestants: ['ours-float32', 'ours-bfloat16'],
    batches: [1, 4],
  })
  expect(() => readPlan(['training', '--peers', 'openvino'])).toThrow('--peers: expected some of keras, tfjs, pytorch')
  expect(() => readPlan([])).toThrow('Expected inference or training, found nothing')
  expect(() => readPlan(['inference', '--batches', '17'])).toThrow('--batches')
})

it('a contestant that ends before it answers says why', async () => {
  const contestant = startContestant('keras', 'sh', ['-c', 'read line; echo "No module named keras" >&2; exit 3'], process.env)
  await expect(contestant.ask({ batch: 1, calls: 1 })).rejects.toThrow(/keras ended \(exit code 3\)\n {2}No module named keras/)
  await expect(contestant.ask({ batch: 1, calls: 1 })).rejects.toThrow('No module named keras')
})
