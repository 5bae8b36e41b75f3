// The run folder's record, also of runs that earlier versions of the trainer began.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readRun, runPaths } from '../../trainer/run.ts'

test('a run from before precisions could be chosen goes on in float32', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'roadmask-run-'))
  const read = async (settings: Record<string, unknown>) => {
    await writeFile(
      runPaths(dir).record,
      JSON.stringify({ settings: { data: ['kitti:set'], ...settings }, input: { width: 48 } }),
    )
    return (await readRun(dir)).settings
  }
  expect(await read({ storage: 'float16' })).toMatchObject({ storage: 'float16', compute: 'float32' })
  expect(await read({ storage: 'float16', compute: 'bfloat16' })).toMatchObject({ storage: 'float16', compute: 'bfloat16' })
  await rm(dir, { recursive: true })
})
