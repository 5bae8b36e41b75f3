// The command that runs a bundle in other versions of TensorFlow: how it judges answers and what it refuses. Making the
// environments takes hundreds of megabytes, so that is left to the command itself.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { compare, isSame } from '../../deploy/compat/compare.ts'
import { writeBrightBundle } from '../bright-bundle.ts'
import { repository } from './checkout.ts'

const answers = (probability: number[]) => ({
  tensorflow: '2.21.0',
  masks: Int32Array.from(probability, (value) => (value > 0.5 ? 1 : 0)),
  probability: Float32Array.from(probability),
})
const expected = answers(Array.from({ length: 1000 }, (_, i) => i / 1000))

it('finds the largest difference and counts the pixels of another class', () => {
  const found = answers(Array.from(expected.probability, (value, i) => (i === 501 ? 0.25 : value)))
  const difference = compare(expected, found)
  expect(difference.probability).toBeCloseTo(0.251, 6)
  expect(difference).toMatchObject({ pixels: 1, of: 1000 })
})

it('takes rounding at the border for the same answer, and no more', () => {
  const shifted = (by: number) => compare(expected, answers(Array.from(expected.probability, (value) => value + by)))
  expect(isSame(compare(expected, expected))).toBe(true)
  expect(shifted(0.002)).toMatchObject({ pixels: 2 })
  expect(isSame(shifted(0.002))).toBe(true)
  expect(isSame(shifted(0.005))).toBe(false)
})

it('never takes an answer that is no number, or of another size, for the same', () => {
  const nan = answers(Array.from(expected.probability, (value, i) => (i === 10 ? Number.NaN : value)))
  expect(isSame(compare(expected, nan))).toBe(false)
  expect(() => compare(expected, answers([0.5]))).toThrow('Expected 1000 values of masks, found 1')
})

it('refuses what is no bundle, and versions that are none', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'roadmask-compat-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  await writeBrightBundle(join(dir, 'bundle'))
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [join(repository, 'build/deploy/compat.js'), ...args], { cwd: dir, encoding: 'utf8' })
  expect(run()).toMatchObject({ status: 1, stderr: expect.stringContaining('Expected --bundle DIR') })
  expect(run('--bundle', dir)).toMatchObject({ status: 1, stderr: expect.stringContaining('Expected a bundle in') })
  expect(run('--bundle', join(dir, 'bundle'), '--tensorflow', '2.x')).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('--tensorflow: expected versions like 2.16.2, or newest, with commas between, found 2.x'),
  })
})
