import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { checkDataset } from '../../../trainer/data/check-dataset.ts'
import { openDatasets } from '../../../trainer/data/open-dataset.ts'
import { formatStatistics } from '../../../trainer/data/print-statistics.ts'
import { driveOf, readLeaveOut } from '../../../trainer/data/split.ts'
import { readCommandLine } from '../../../trainer/run/command-line.ts'
import { settle } from '../../../trainer/run/settings.ts'
import { madeFolder, makeKitti, openDataset, realData } from './made-sets.ts'

const options = { seed: 7, valFraction: 0.25 }
const drives = (samples: { drive: string }[]) => [...new Set(samples.map(({ drive }) => drive))].sort()

/** CamVid's folders with empty files: a set is opened by names alone. */
async function makeCamvid(frames: { train: Record<string, number>; val?: Record<string, number> }): Promise<string> {
  const dir = await madeFolder()
  for (const [split, counts] of Object.entries(frames))
    for (const [drive, count] of Object.entries(counts))
      for (let i = 0; i < count; i++)
        for (const folder of [split, `${split}annot`]) {
          await mkdir(join(dir, folder), { recursive: true })
          await writeFile(join(dir, folder, `${drive}_${String(i).padStart(5, '0')}.png`), '')
        }
  return dir
}

for (const [name, drive] of [
  ['0016E5_01770', '0016E5'],
  ['0001TP_006690', '0001TP'],
  ['Seq05VD_f05100', 'Seq05VD'],
  ['frame00012', 'frames'],
  ['000123', 'frames'],
  ['yard-2 0042', 'yard-2'],
  ['IMG_20240131_120301', 'IMG_20240131'],
  ['north/loop_2/0001', 'north/loop_2'],
  ['crossing', 'crossing'],
] as const)
  test(`${name} is a frame of ${drive}`, () => expect(driveOf(name)).toBe(drive))

test("a layout's own split stays unless another is asked for", async () => {
  const dir = await makeCamvid({ train: { A: 4, B: 6 }, val: { B: 3 } })
  const own = await openDataset(`camvid:${dir}`, options)
  expect([own.train.length, own.val.length, own.skipped]).toEqual([10, 3, []])
  const byDrive = await openDataset(`camvid:${dir}`, { ...options, split: 'drive' })
  expect([drives(byDrive.train), drives(byDrive.val)]).toEqual([['B'], ['A']])
  expect(byDrive.skipped.map(({ reason }) => reason)).toEqual(Array(3).fill('of the own validation split, which is not used'))
  const fraction = await openDataset(`camvid:${dir}`, { ...options, split: 'fraction' })
  expect([fraction.train.length, fraction.val.length, drives(fraction.val)]).toEqual([7, 3, ['A', 'B']])
})

test('without a split of its own a set is split by drive: no drive lies on both sides, and the share is near', async () => {
  const dir = await makeCamvid({ train: { A: 5, B: 5, C: 5, D: 5, E: 5, F: 5, G: 5, H: 5 } })
  const splits = await Promise.all([1, 2, 3, 4].map((seed) => openDataset(`camvid:${dir}`, { ...options, seed })))
  for (const { train, val } of splits) {
    expect([train.length, val.length]).toEqual([30, 10])
    expect(drives(train).filter((drive) => drives(val).includes(drive))).toEqual([])
  }
  expect(new Set(splits.map(({ val }) => drives(val).join())).size).toBeGreaterThan(1)
  const again = await openDataset(`camvid:${dir}`, { ...options, seed: 1 })
  expect(again.val).toEqual(splits[0]!.val)
})

test('of drives that are all too large the smallest is put aside', async () => {
  const { val } = await openDataset(`camvid:${await makeCamvid({ train: { A: 20, B: 16, C: 20 } })}`, {
    ...options,
    valFraction: 0.1,
  })
  expect([drives(val), val.length]).toEqual([['B'], 16])
})

test('a single drive gives its last frames', async () => {
  const { train, val } = await openDataset(`camvid:${await makeCamvid({ train: { A: 8 } })}`, options)
  expect(val.map(({ name }) => name)).toEqual(['A_00006', 'A_00007'])
  expect(train).toHaveLength(6)
})

test("somebody's own drives in KITTI's layout are split whole, its categories by fraction unless one is left out", async () => {
  const own = await openDataset(`kitti:${await makeKitti({ yard: 3, town: 1 })}`, options)
  expect([drives(own.train), drives(own.val)]).toEqual([['yard'], ['town']])
  const dir = await makeKitti({ um: 4, umm: 4, uu: 4 })
  expect(drives((await openDataset(`kitti:${dir}`, options)).val)).toEqual(['um', 'umm', 'uu'])
  const { train, val } = await openDataset(`kitti:${dir}`, { ...options, leaveOut: ['uu'] })
  expect([drives(train), drives(val), val.length]).toEqual([['um', 'umm'], ['uu'], 4])
})

test('drives left out are validated on, and sets without them are trained on whole', async () => {
  const camvid = `camvid:${await makeCamvid({ train: { A: 4, B: 6, C: 2 }, val: { B: 3 } })}`
  const kitti = `kitti:${await makeKitti({ um: 4 })}`
  const [first, second] = await openDatasets([camvid, kitti], { ...options, leaveOut: ['A', 'C'] })
  expect([drives(first!.train), drives(first!.val), first!.val.length]).toEqual([['B'], ['A', 'C'], 6])
  expect([second!.train.length, second!.val.length]).toEqual([4, 0])
})

test('an unknown drive is refused with those there are, and so is leaving all of them out', async () => {
  const spec = `camvid:${await makeCamvid({ train: { A: 4, B: 6 }, val: { C: 3 } })}`
  const opened = (leaveOut: string[], otherData = false) => openDataset(spec, { ...options, leaveOut, otherData })
  await expect(opened(['A', 'C'])).rejects.toThrow(
    /drives or pictures among the training pictures of camvid:.*, whose drives are A \(4\), B \(6\); found C$/,
  )
  await expect(opened(['B', 'A'])).rejects.toThrow(/something to train on, found all of .* left out: A \(4\), B \(6\)/)
  expect(drives((await opened(['A', 'C'], true)).val)).toEqual(['A'])
  expect(drives((await opened(['Z'], true)).val)).toEqual(['C'])
})

test('a file lists the pictures to validate on, as KittiSeg lists them', async () => {
  const dir = await makeKitti({ um: 3, uu: 2 })
  const list = join(dir, 'val.txt')
  const line = (name: string) => `/home/somebody/data_road/training/image_2/${name}.png training/gt_image_2/${name}.png\r\n`
  await writeFile(list, `${line('um_000001')}\n${line('uu_000000')}`)
  const leaveOut = await readLeaveOut([list])
  expect(leaveOut).toEqual(['training/image_2/um_000001', 'training/image_2/uu_000000'])
  const { train, val } = await openDataset(`kitti:${dir}`, { ...options, leaveOut })
  expect([val.map(({ name }) => name), train.length]).toEqual([['um_000001', 'uu_000000'], 3])
  await writeFile(list, 'um_000009.png')
  await expect(openDataset(`kitti:${dir}`, { ...options, leaveOut: await readLeaveOut([list]) })).rejects.toThrow(
    'found um_000009',
  )
  await writeFile(list, '\n')
  await expect(readLeaveOut([list])).rejects.toThrow('expected a picture a line')
  await expect(readLeaveOut(['nowhere.txt'])).rejects.toThrow('nowhere.txt cannot be read')
})

test('the statistics name the drives that are validated on', async () => {
  const dir = await makeKitti({ um: 3, uu: 1 })
  const statistics = await checkDataset(await openDataset(`kitti:${dir}`, { ...options, leaveOut: ['uu'] }))
  expect(formatStatistics(statistics)).toContain('3 to train on, 1 to validate on (drive uu)')
})

test('the command line takes drives by commas, and refuses them beside another split', async () => {
  expect(settle(readCommandLine(['--leave-out', '0001TP, 0006R0'])!, false).leaveOut).toEqual(['0001TP', '0006R0'])
  expect(settle(readCommandLine(['--split', 'drive'])!, false).split).toBe('drive')
  expect(() => readCommandLine(['--leave-out', 'A,,B'])).toThrow('--leave-out: expected names of drives')
  expect(() => readCommandLine(['--leave-out', 'A', '--split', 'drive'])).toThrow('leave out --split')
})

test.skipIf(realData === undefined)('a drive of the real CamVid can be left out, by the frames of train alone', async () => {
  const opened = (drive: string) => openDataset(`camvid:${realData}/camvid`, { ...options, leaveOut: [drive] })
  const dusk = await opened('0001TP')
  expect([dusk.train.length, dusk.val.length, drives(dusk.train)]).toEqual([305, 62, ['0006R0', '0016E5']])
  expect((await opened('0016E5')).val).toHaveLength(204)
  await expect(opened('Seq05VD')).rejects.toThrow('0001TP (62), 0006R0 (101), 0016E5 (204); found Seq05VD')
})
