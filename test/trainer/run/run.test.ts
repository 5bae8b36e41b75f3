// The run folder's record, also of runs that earlier versions of the trainer began.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Statistics } from '../../../trainer/data/check-dataset.ts'
import { readCommandLine } from '../../../trainer/run/command-line.ts'
import { expectSameData, type RunRecord, readRun, runPaths } from '../../../trainer/run/run.ts'
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
