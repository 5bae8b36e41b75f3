import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { columns, type EpochRow, openLog, readLog } from '../../../trainer/report/log.ts'

let dir: string
let path: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roadmask-log-'))
  path = join(dir, 'log.csv')
})
afterEach(() => rm(dir, { recursive: true }))

const row = (epoch: number, more: Partial<EpochRow> = {}): EpochRow => ({
  epoch,
  seconds: 12.5,
  learning_rate: 0.002,
  train_loss: 0.5 / 2 ** epoch,
  val_loss: 0.75 / 2 ** epoch,
  pixel_accuracy: 0.9,
  road_iou: 0.8,
  mean_iou: 0.75,
  max_f: 0.89,
  waiting_share: 0.01,
  pictures_per_second: 54.25,
  ...more,
})

test('rows come back as they were written, and the file is what a spreadsheet expects', async () => {
  const log = await openLog(path)
  await log.append(row(1))
  await log.append(row(2, { learning_rate: 1.5e-7 }))
  expect(await readLog(path)).toEqual([row(1), row(2, { learning_rate: 1.5e-7 })])
  expect(log.rows).toHaveLength(2)
  await log.close()
  expect((await readFile(path, 'utf8')).split('\n')).toEqual([
    'epoch,seconds,learning_rate,train_loss,val_loss,pixel_accuracy,road_iou,mean_iou,max_f,waiting_share,pictures_per_second',
    '1,12.5,0.002,0.25,0.375,0.9,0.8,0.75,0.89,0.01,54.25',
    '2,12.5,1.5e-7,0.125,0.1875,0.9,0.8,0.75,0.89,0.01,54.25',
    '',
  ])
})

test('a row can be read as soon as it is appended', async () => {
  const log = await openLog(path)
  expect(await readLog(path)).toEqual([])
  await log.append(row(1))
  expect(await readLog(path)).toHaveLength(1)
  await log.close()
})

test('rows have the digits of the file, so that a resumed run sees the same', async () => {
  const log = await openLog(path)
  await log.append(row(1, { road_iou: 1 / 3, max_f: Number.NaN }))
  expect(log.rows).toEqual(await readLog(path))
  expect(log.rows[0]!.road_iou).toBe(0.3333333)
  await log.close()
})

test('a number that is not known is an empty field', async () => {
  const log = await openLog(path)
  await log.append(row(1, { max_f: Number.NaN, road_iou: 0 }))
  await log.close()
  expect((await readFile(path, 'utf8')).split('\n')[1]).toContain(',0.9,0,0.75,,0.01,')
  expect((await readLog(path))[0]).toMatchObject({ max_f: Number.NaN, road_iou: 0 })
})

test('a resumed run goes on after its checkpoint, and the epochs it will do again are dropped', async () => {
  const first = await openLog(path)
  for (const epoch of [1, 2, 3, 4]) await first.append(row(epoch))
  await first.close()
  const second = await openLog(path, 2)
  expect(second.rows).toEqual([row(1), row(2)])
  expect(await readLog(path)).toHaveLength(2)
  await second.append(row(3, { road_iou: 0.83 }))
  await second.close()
  expect(await readLog(path)).toEqual([row(1), row(2), row(3, { road_iou: 0.83 })])
})

test('a last line that a power cut has cut off is left out, and the next row starts a line of its own', async () => {
  const log = await openLog(path)
  await log.append(row(1))
  await log.append(row(2))
  await log.close()
  await writeFile(path, (await readFile(path, 'utf8')).slice(0, -20))
  expect(await readLog(path)).toEqual([row(1)])
  const again = await openLog(path, 1)
  await again.append(row(2))
  await again.close()
  expect(await readLog(path)).toEqual([row(1), row(2)])
})

test('an epoch that is not later than the last one is refused', async () => {
  const log = await openLog(path)
  await log.append(row(3))
  await expect(log.append(row(3))).rejects.toThrow('expected an epoch after 3, found 3')
  await log.close()
  await log.close()
  expect(await readLog(path)).toHaveLength(1)
})

test.each([
  ['other columns', 'epoch,loss\n1,2\n', 'line 1: expected the columns'],
  ['a word for a number', `${columns.join()}\n1,2,3,4,5,6,7,8,9,10,eleven\n`, 'line 2: expected 11 numbers'],
  ['a field too few', `${columns.join()}\n1,2,3,4,5,6,7,8,9,10,11\n1,2,3\n`, 'line 3: expected 11 numbers'],
])('a file with %s is refused by line and left as it is', async (_, content, message) => {
  await writeFile(path, content)
  await expect(readLog(path)).rejects.toThrow(message)
  await expect(openLog(path, 5)).rejects.toThrow(message)
  expect(await readFile(path, 'utf8')).toBe(content)
})

test('a log that is not there is named', async () => {
  await expect(readLog(path)).rejects.toThrow(`${path} cannot be read`)
})
