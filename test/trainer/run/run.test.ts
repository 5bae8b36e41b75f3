// The run folder's record, also of runs that earlier versions of the trainer began.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Statistics } from '../../../trainer/data/check-dataset.ts'
import { readCommandLine } from '../../../trainer/run/command-line.ts'
import { expectSameData, lockRun, type RunRecord, readRun, runPaths } from '../../../trainer/run/run.ts'
import { goOn, settle } from '../../../trainer/run/settings.ts'

test('a run from before precisions and averages of weights could be chosen goes on in float32 and without', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'roadmask-run-'))
  const read = async (settings: Record<string, unknown>) => {
    await writeFile(
      runPaths(dir).record,
      JSON.stringify({ settings: { data: ['kitti:set'], ...settings }, input: { width: 48 } }),
    )
    return (await readRun(dir)).settings
  }
  expect(await read({ storage: 'float16' })).toMatchObject({ storage: 'float16', compute: 'float32', ema: 0 })
  expect(await read({ storage: 'float16', compute: 'bfloat16' })).toMatchObject({ storage: 'float16', compute: 'bfloat16' })
  expect(await read({ ema: 0.9 })).toMatchObject({ ema: 0.9 })
  await rm(dir, { recursive: true })
})

test('a run that is resumed keeps its settings, but for how long it goes on', () => {
  const settings = settle(readCommandLine(['--patience', '4', '--width', '0.5'])!, false)
  const resumed = (...args: string[]) => goOn(settings, readCommandLine(['--resume', 'x', ...args])!)
  expect(resumed()).toEqual(settings)
  expect(resumed('--epochs', '50', '--patience', '0')).toEqual({ ...settings, epochs: 50, patience: 0 })
})

test('neither resuming nor exporting takes other data than the run was begun with', () => {
  const record = { data: [{ fingerprint: 'a' }, { fingerprint: 'b' }] } as RunRecord
  const found = (...fingerprints: string[]) =>
    fingerprints.map((fingerprint, i) => ({ name: `set ${i}`, fingerprint }) as Statistics)
  expect(() => expectSameData('runs/x', record, found('a', 'b'))).not.toThrow()
  expect(() => expectSameData('runs/x', record, found('a', 'c'))).toThrow('set 1 is not what runs/x was begun with')
})

test('a run folder is one process’s until that ends; what a killed one left is taken over', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'roadmask-run-'))
  const lock = join(dir, 'run.lock')
  const { pid } = process
  await lockRun(dir)
  await expect(lockRun(dir)).rejects.toThrow(`is being trained by process ${pid}`)
  const own = await readFile(lock, 'utf8')
  for (const left of [`${pid} 1`, `4194305 ${own.split(' ')[1]}`, '']) {
    await writeFile(lock, left)
    await lockRun(dir)
    expect(await readFile(lock, 'utf8')).toBe(own)
  }
  await rm(dir, { recursive: true })
})

test.each([
  [['--run', ''], '--run: expected a folder, found nothing'],
  [['--input', '100000x100000'], '--input: expected 8294400 pixels at most'],
  [['--teacher-share', '1'], 'add --teacher, or leave it out'],
])('%j is refused before anything is read', (args, message) => {
  expect(() => readCommandLine(args)).toThrow(message)
})
