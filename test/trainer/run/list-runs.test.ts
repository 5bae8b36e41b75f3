// The list of runs, as the program prints it.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { columns } from '../../../trainer/report/log.ts'
import { listRuns } from '../../../trainer/run/list-runs.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roadmask-runs-'))
})
afterEach(() => rm(dir, { recursive: true }))

async function made(name: string, started: string, road: number[]) {
  await mkdir(join(dir, name))
  const record = {
    name,
    started,
    settings: { preset: 'jetson', data: ['kitti:set'], epochs: 30 },
    input: { width: 48 },
    data: [{ name: 'kitti:set' }],
  }
  await writeFile(join(dir, name, 'settings.json'), JSON.stringify(record))
  const rows = road.map((value, i) => columns.map((column) => (column === 'epoch' ? i + 1 : value)).join(','))
  await writeFile(join(dir, name, 'log.csv'), `${[columns.join(','), ...rows].join('\n')}\n`)
}

test('runs are listed newest first, an unfinished one with its best epoch so far, a damaged one with the reason', async () => {
  await made('older', '2026-01-30T12:00:00.000Z', [0.5, 0.75, 0.625])
  await made('newer', '2026-01-31T12:00:00.000Z', [0.25])
  await mkdir(join(dir, 'no-run'))
  await mkdir(join(dir, 'broken'))
  await writeFile(join(dir, 'broken/settings.json'), '{')
  const [head, ...lines] = (await listRuns(dir)).split('\n')
  expect(head).toMatch(/^run +started +preset +epochs +road IoU +mean IoU +MaxF +accuracy +data$/)
  expect(lines).toHaveLength(3)
  expect(lines[0]).toMatch(/^newer +2026-01-31 12:00 +jetson +1\/30 +0\.2500 .* kitti:set$/)
  expect(lines[1]).toMatch(/^older +2026-01-30 12:00 +jetson +3\/30 +0\.7500 .* kitti:set$/)
  expect(lines[2]).toMatch(/^broken +.*settings\.json is damaged/)
})

test('a folder without runs, or none at all, is an error that says how to begin', async () => {
  await expect(listRuns(dir)).rejects.toThrow(/Expected runs in .*, found none\. npm run trainer -- --epochs 30/)
  await expect(listRuns(join(dir, 'nowhere'))).rejects.toThrow(/nowhere cannot be read/)
})
