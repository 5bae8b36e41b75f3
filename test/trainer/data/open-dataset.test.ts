import { copyFile, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { checkDataset } from '../../../trainer/data/check-dataset.ts'
import { ignore } from '../../../trainer/data/dataset.ts'
import { joinDatasets, openDatasets } from '../../../trainer/data/open-dataset.ts'
import { formatStatistics } from '../../../trainer/data/print-statistics.ts'
import { black, madeFolder, magenta, makeKitti, openDataset, paint, realData, red, writePicture } from './made-sets.ts'

const options = { seed: 7, valFraction: 0.25 }
const names = (samples: { name: string }[]) => samples.map(({ name }) => name)

test('a KITTI folder is split by seed and drive, and every label belongs to one part', async () => {
  const dir = await makeKitti({ um: 8, umm: 4, uu: 4 })
  const { train, val, test } = await openDataset(`kitti:${dir}`, options)
  expect([train.length, val.length, test.length]).toEqual([12, 4, 2])
  expect(['um', 'umm', 'uu'].map((drive) => val.filter((sample) => sample.drive === drive).length)).toEqual([2, 1, 1])
  expect(new Set([...names(train), ...names(val)]).size).toBe(16)
  const again = await openDataset(`kitti:${dir}`, options)
  expect(names(again.val)).toEqual(names(val))
  const others = await Promise.all([1, 2, 3, 4].map((seed) => openDataset(`kitti:${dir}`, { ...options, seed })))
  expect(others.some((other) => names(other.val).join() !== names(val).join())).toBe(true)
})

test('labels of the ego lane, pictures without a label and strange files are skipped with the reason', async () => {
  const dir = await makeKitti({ um: 3 })
  await rename(join(dir, 'training/gt_image_2/um_road_000002.png'), join(dir, 'training/gt_image_2/um_lane_000002.png'))
  await writeFile(join(dir, 'training/gt_image_2/Thumbs.db'), '')
  const { train, val, skipped } = await openDataset(`kitti:${dir}`, options)
  expect(train.length + val.length).toBe(2)
  expect(skipped.map(({ file, reason }) => `${file.slice(dir.length + 10)}: ${reason}`)).toEqual([
    'gt_image_2/Thumbs.db: not a label by its name',
    'gt_image_2/um_lane_000002.png: labels the ego lane, not the road',
    'image_2/um_000002.png: a picture without a label',
  ])
})

test('two pictures of one name are refused, since one of them would be trained on with the label of the other', async () => {
  const kitti = await makeKitti({ um: 2 })
  const first = join(kitti, 'training/image_2/um_000000')
  await copyFile(`${first}.png`, `${first}.jpg`)
  await expect(openDataset(`kitti:${kitti}`, options)).rejects.toThrow(
    /um_000000\.png: expected one picture of its name, found .*\.jpg too/,
  )
  const camvid = await madeFolder()
  for (const name of ['train/a.png', 'train/a.jpg', 'trainannot/a.png'])
    await writePicture(join(camvid, name), 2, 1, Uint8Array.from([0, 3]))
  await expect(openDataset(`camvid:${camvid}`, options)).rejects.toThrow(/a\.png: expected one picture of its name/)
})

test.each([
  ['camvid', ['train', 'trainannot'], {}],
  ['pairs', ['images/drive', 'masks/drive'], { classMap: '0=other,3=road' }],
])('what macOS leaves beside files is no fault of a set: %s', async (layout, folders, more) => {
  const dir = await madeFolder()
  for (const folder of folders) {
    await writePicture(join(dir, folder, 'a.png'), 2, 1, Uint8Array.from([0, 3]))
    await writeFile(join(dir, folder, '._a.png'), 'resource fork')
  }
  const dataset = await openDataset(`${layout}:${dir}`, { ...options, ...more })
  expect((await checkDataset(dataset)).train).toBe(1)
  expect(dataset.skipped.filter(({ file }) => file.endsWith('._a.png'))).toHaveLength(2)
})

test('links to pictures without labels are pictures too', async () => {
  const dir = await madeFolder()
  await writePicture(join(dir, 'kept/a.png'), 2, 1, Uint8Array.from([0, 3]))
  await mkdir(join(dir, 'linked'))
  await symlink('../kept/a.png', join(dir, 'linked/b.png'))
  const { train } = await openDataset(`pictures:${dir}`, options)
  expect(names(train)).toEqual(['kept/a.png', 'linked/b.png'])
})

test('KITTI colours become class ids, and what is neither road nor valid is ignored', async () => {
  const dir = await makeKitti({ um: 2 }, 3, 1)
  const file = join(dir, 'training/gt_image_2/um_road_000000.png')
  await writePicture(file, 3, 1, Uint8Array.from([...red, ...magenta, ...black]))
  const dataset = await openDataset(`kitti:${dir}`, options)
  expect([...(await dataset.readLabel(file)).ids]).toEqual([0, 1, ignore])
})

test('CamVid ids become road and other, or all eleven classes', async () => {
  const dir = await madeFolder()
  await writePicture(
    join(dir, 'train/0001TP_1.jpg'),
    4,
    1,
    paint(4, 1, () => [9, 9, 9]),
  )
  await writePicture(join(dir, 'trainannot/0001TP_1.png'), 4, 1, Uint8Array.from([0, 3, 10, 11]))
  const road = await openDataset(`camvid:${dir}`, options)
  expect(road.train).toMatchObject([{ name: '0001TP_1', drive: '0001TP', picture: join(dir, 'train/0001TP_1.jpg') }])
  expect([...(await road.readLabel(road.train[0]!.label!)).ids]).toEqual([0, 1, 0, ignore])
  const all = await openDataset(`camvid:${dir}`, { ...options, classes: 'all' })
  expect([all.classes.length, all.road]).toEqual([11, 3])
  expect([...(await all.readLabel(all.train[0]!.label!)).ids]).toEqual([0, 3, 10, ignore])
})

test('a test picture of CamVid may lack its label', async () => {
  const dir = await madeFolder()
  await writePicture(
    join(dir, 'test/Seq05VD_f0.png'),
    2,
    1,
    paint(2, 1, () => [9, 9, 9]),
  )
  const { test } = await openDataset(`camvid:${dir}`, options)
  expect(test).toMatchObject([{ name: 'Seq05VD_f0' }])
  expect(test[0]).not.toHaveProperty('label')
})

for (const [spec, message] of [
  ['data_road', /LAYOUT:PATH with a layout of kitti, camvid, pairs, groundtruth.*found "data_road"/],
  ['voc:data', /found "voc:data"/],
  ['kitti:', /found "kitti:"/],
  ['kitti:/nowhere', /no folder training\/image_2.*Unzip data_road\.zip/],
  ['camvid:/nowhere', /found none of train\/, val\/, test\//],
] as const)
  test(`${spec} is refused with what was expected`, async () => {
    await expect(openDataset(spec, options)).rejects.toThrow(message)
  })

test('one error names every bad file with what was expected and found', async () => {
  const dir = await makeKitti({ um: 6 })
  const label = (index: number) => join(dir, `training/gt_image_2/um_road_00000${index}.png`)
  await rm(join(dir, 'training/image_2/um_000000.png'))
  await writePicture(
    label(1),
    5,
    5,
    paint(5, 5, () => red),
  )
  await writeFile(label(2), 'no picture')
  await writePicture(
    label(3),
    24,
    8,
    paint(24, 8, (x, y) => (x === 2 && y === 1 ? [0, 255, 0] : red)),
  )
  await writeFile(join(dir, 'training/image_2/um_000004.png'), 'no picture')
  const error: Error = await checkDataset(await openDataset(`kitti:${dir}`, options)).then(
    () => expect.fail('found no fault'),
    (thrown: Error) => thrown,
  )
  expect(error.message).toContain('has 5 faults')
  expect(error.message).toContain(`${label(0)}: a label without a picture, expected ${dir}/training/image_2/um_000000.png`)
  expect(error.message).toMatch(/um_road_000001\.png: expected 24x8 like its picture .*um_000001\.png, found 5x5/)
  expect(error.message).toMatch(/um_road_000002\.png: expected a label picture, found 10 bytes that are none/)
  expect(error.message).toMatch(/um_road_000003\.png: expected the colours .* found \(0,255,0\) at x 2, y 1/)
  expect(error.message).toMatch(/um_000004\.png: expected a picture/)
  expect(error.message).not.toContain('000005')
})

test('of many bad files the first twenty are named and the rest counted', async () => {
  const dir = await makeKitti({ um: 25 })
  await rm(join(dir, 'training/image_2'), { recursive: true })
  await mkdir(join(dir, 'training/image_2'))
  await expect(checkDataset(await openDataset(`kitti:${dir}`, options))).rejects.toThrow(/has 25 faults[\s\S]*and 5 more$/)
})

test('a CamVid label with a palette, a strange id or another format is refused', async () => {
  const dir = await madeFolder()
  for (const name of ['a', 'b', 'c', 'd'])
    await writePicture(
      join(dir, `train/${name}.png`),
      2,
      1,
      paint(2, 1, () => [9, 9, 9]),
    )
  await writePicture(join(dir, 'trainannot/a.png'), 2, 1, Uint8Array.from([0, 12]))
  await writePicture(join(dir, 'trainannot/b.png'), 2, 1, Uint8Array.from([...red, ...magenta]))
  await writePicture(join(dir, 'c.jpg'), 2, 1, Uint8Array.from([0, 1]))
  await rename(join(dir, 'c.jpg'), join(dir, 'trainannot/c.png'))
  await writePicture(join(dir, 'trainannot/d.png'), 2, 1, Uint8Array.from([0, 3]))
  await expect(checkDataset(await openDataset(`camvid:${dir}`, options))).rejects.toThrow(
    /has 3 faults[\s\S]*a\.png: expected class ids of 0 to 10, or 11 for unlabelled, found 12 at x 1, y 0[\s\S]*b\.png: expected class ids in an 8-bit greyscale PNG, found 3 channels[\s\S]*c\.png: expected a PNG, whose pixels are exact, found jpeg/,
  )
})

test('a set without any labelled picture is refused with what was skipped', async () => {
  const dir = await makeKitti({ um: 1 })
  await rm(join(dir, 'training/gt_image_2/um_road_000000.png'))
  await expect(checkDataset(await openDataset(`kitti:${dir}`, options))).rejects.toThrow(
    /no labelled picture to train on \(skipped: 1 file, a picture without a label\)/,
  )
})

test('the fingerprint follows the content and not the place', async () => {
  const [dir, twin] = [await makeKitti({ um: 4 }), await makeKitti({ um: 4 })]
  const fingerprint = async (folder: string) => (await checkDataset(await openDataset(`kitti:${folder}`, options))).fingerprint
  const before = await fingerprint(dir)
  expect(before).toMatch(/^[0-9a-f]{64}$/)
  expect(await fingerprint(twin)).toBe(before)
  await writePicture(
    join(dir, 'training/gt_image_2/um_road_000000.png'),
    24,
    8,
    paint(24, 8, () => red),
  )
  expect(await fingerprint(dir)).not.toBe(before)
})

test('joined data sets keep their own readers, and sets of other classes are refused', async () => {
  const kitti = await openDataset(`kitti:${await makeKitti({ um: 4 })}`, options)
  const dir = await madeFolder()
  await writePicture(
    join(dir, 'train/um_000000.png'),
    2,
    1,
    paint(2, 1, () => [9, 9, 9]),
  )
  await writePicture(join(dir, 'trainannot/um_000000.png'), 2, 1, Uint8Array.from([3, 0]))
  const joined = joinDatasets([kitti, await openDataset(`camvid:${dir}`, options)])
  const statistics = await checkDataset(joined)
  expect(statistics).toMatchObject({ train: 4, val: 1, testPictures: 2, roadShare: (4 * 96 + 1) / (4 * 192 + 2) })
  const all = await openDataset(`camvid:${dir}`, { ...options, classes: 'all' })
  expect(() => joinDatasets([kitti, all])).toThrow(/same classes, found other, road in .* and sky, building/)
})

test('statistics read as the KITTI recipe prints them', async () => {
  const dir = await makeKitti({ um: 3, uu: 1 })
  const statistics = await checkDataset(await openDataset(`kitti:${dir}`, options))
  expect(formatStatistics(statistics).replace(dir, 'DIR')).toBe(
    `kitti:DIR
  training pictures  4   3 to train on, 1 to validate on
  test pictures      2
  total              6
  labels             4
  sizes              24 x 8
  classes            other 50.0 %, road 50.0 %
  licence            not stated (the first line of licence.txt beside training/ states it)`,
  )
})

test.skipIf(realData === undefined)('the real CamVid pictures are 367 and 101, 33 % of the labelled pixels road', async () => {
  const dataset = await openDataset(`camvid:${realData}/camvid`, options)
  const statistics = await checkDataset({ ...dataset, val: [] })
  expect([dataset.train.length, dataset.val.length, dataset.test.length]).toEqual([367, 101, 0])
  expect(statistics.sizes).toEqual([{ width: 480, height: 360, count: 367 }])
  expect(statistics.roadShare).toBeCloseTo(0.3296, 4)
})

test.skipIf(realData === undefined)('the real KITTI folder has 11 pictures, 2 road labels and 11 lane labels', async () => {
  const dataset = await openDataset(`kitti:${realData}/kitti-road`, options)
  const statistics = await checkDataset(dataset)
  expect(statistics).toMatchObject({ trainingPictures: 11, train: 1, val: 1, testPictures: 11, total: 22, labels: 2 })
  expect(dataset.skipped.filter(({ reason }) => reason.includes('ego lane'))).toHaveLength(11)
  expect(statistics.roadShare).toBeGreaterThan(0.1)
})

test('the same data given twice is refused, also by another path: its pictures would count twice', async () => {
  const dir = await makeKitti({ um: 4 }, 24, 12)
  const link = join(await madeFolder(), 'link')
  await symlink(dir, link)
  for (const twin of [`kitti:${dir}`, `kitti:${dir}/`, `kitti:${link}`])
    await expect(openDatasets([`kitti:${dir}`, twin], { valFraction: 0.25, seed: 1 })).rejects.toThrow(
      `--data: kitti:${dir} and ${twin} are the same data; leave one of them out`,
    )
})
