import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { checkDataset } from '../../../trainer/data/check-dataset.ts'
import { readClassMap } from '../../../trainer/data/class-map.ts'
import { ignore } from '../../../trainer/data/dataset.ts'
import { joinDatasets, openDatasets } from '../../../trainer/data/open-dataset.ts'
import { readCommandLine } from '../../../trainer/run/command-line.ts'
import { black, madeFolder, makeKitti, openDataset, paint, red, writePicture } from './made-sets.ts'

const options = { seed: 7, valFraction: 0.25 }
const grey = '0=other,1=road,255=ignore'
const names = (samples: { name: string }[]) => samples.map(({ name }) => name)

/** Pairs of 4 x 1 pixels; labels as they are given, for every name. */
async function makePairs(stems: string[], label: Uint8Array, [pictures, labels] = ['images', 'masks']): Promise<string> {
  const dir = await madeFolder()
  for (const stem of stems) {
    await writePicture(
      join(dir, pictures!, `${stem}.jpg`),
      4,
      1,
      paint(4, 1, () => [9, 9, 9]),
    )
    await writePicture(join(dir, labels!, `${stem}.png`), 4, 1, label)
  }
  return dir
}

test('values of greyscale labels become class ids by the map', async () => {
  const dir = await makePairs(['a'], Uint8Array.from([0, 1, 255, 1]))
  const data = await openDataset(`pairs:${dir}`, { ...options, classMap: grey })
  expect(data.train).toEqual([{ name: 'a', picture: join(dir, 'images/a.jpg'), label: join(dir, 'masks/a.png'), drive: 'a' }])
  expect(data.classes.map(({ name }) => name)).toEqual(['other', 'road'])
  expect([...(await data.readLabel(join(dir, 'masks/a.png'))).ids]).toEqual([0, 1, ignore, 1])
})

test('colours become class ids, several of them the same one, and * takes all others', async () => {
  const pixels = Uint8Array.from([...red, 128, 64, 128, 1, 2, 3, ...black])
  const dir = await makePairs(['a'], pixels, ['pictures', 'labels'])
  const classMap = '#804080=Road,#FF0000=road,#000000=void,*=grass'
  const label = join(dir, 'labels/a.png')
  const road = await openDataset(`pairs:${dir}`, { ...options, classMap })
  expect([...(await road.readLabel(label)).ids]).toEqual([1, 1, 0, ignore])
  const all = await openDataset(`pairs:${dir}`, { ...options, classMap: `#00ff00=kerb,${classMap}`, classes: 'all' })
  expect([all.classes.map(({ name }) => name), all.road]).toEqual([['kerb', 'road', 'grass'], 1])
  expect([...(await all.readLabel(label)).ids]).toEqual([1, 1, 2, ignore])
})

test('of two classes road is the second, as bundles have it', async () => {
  const dir = await makePairs(['a'], Uint8Array.from([0, 1, 1, 1]))
  const data = await openDataset(`pairs:${dir}`, { ...options, classMap: '0=road,1=field', classes: 'all' })
  expect([data.classes.map(({ name }) => name), data.road]).toEqual([['field', 'road'], 1])
  expect([...(await data.readLabel(join(dir, 'masks/a.png'))).ids]).toEqual([1, 0, 0, 0])
})

test('folders train, val and test are the split, other folders are drives', async () => {
  const label = Uint8Array.from([0, 1, 0, 1])
  const own = await makePairs(['train/a_1', 'train/b_1', 'val/a_2', 'test/c_1'], label)
  await rm(join(own, 'masks/test/c_1.png'))
  const data = await openDataset(`pairs:${own}`, { ...options, classMap: grey })
  expect([names(data.train), names(data.val), names(data.test)]).toEqual([
    ['train/a_1', 'train/b_1'],
    ['val/a_2'],
    ['test/c_1'],
  ])
  expect(data.train.map(({ drive }) => drive)).toEqual(['a', 'b'])
  const drives = await makePairs(['north/1', 'north/2', 'north/3', 'south/1'], label)
  const byDrive = await openDataset(`pairs:${drives}`, { ...options, classMap: grey })
  expect([names(byDrive.train), names(byDrive.val)]).toEqual([['north/1', 'north/2', 'north/3'], ['south/1']])
  expect(await checkDataset(byDrive)).toMatchObject({ train: 3, val: 1, roadShare: 0.5, drivesAside: ['south'] })
})

test('without a map the codes of the first label are told', async () => {
  const values = await makePairs(['a'], Uint8Array.from([0, 255, 255, 255]))
  await expect(openDataset(`pairs:${values}`, options)).rejects.toThrow(/Expected --class-map .*masks\/a\.png holds 255, 0$/)
  const colours = await makePairs(['a'], Uint8Array.from([...red, ...red, ...red, ...black]))
  await expect(openDataset(`pairs:${colours}`, options)).rejects.toThrow(/holds #ff0000, #000000$/)
})

test('one error names every bad pair with what was expected and found', async () => {
  const dir = await makePairs(['a', 'b', 'c', 'd', 'e'], Uint8Array.from([0, 1, 255, 1]))
  await rm(join(dir, 'images/a.jpg'))
  await rm(join(dir, 'masks/e.png'))
  await writePicture(join(dir, 'masks/b.png'), 4, 1, Uint8Array.from([0, 1, 7, 1]))
  await writePicture(join(dir, 'masks/c.png'), 2, 2, Uint8Array.from([0, 1, 1, 1]))
  await writePicture(
    join(dir, 'masks/d.png'),
    4,
    1,
    paint(4, 1, () => red),
  )
  await writeFile(join(dir, 'masks/notes.txt'), '')
  const data = await openDataset(`pairs:${dir}`, { ...options, classMap: grey })
  expect(data.skipped.map(({ file, reason }) => `${file.slice(dir.length + 1)}: ${reason}`)).toEqual([
    'masks/notes.txt: not a label by its name',
    'images/e.jpg: a picture without a label',
  ])
  const { message }: Error = await checkDataset(data).then(
    () => expect.fail('found no fault'),
    (thrown: Error) => thrown,
  )
  expect(message).toContain('has 4 faults')
  expect(message).toContain(`${dir}/masks/a.png: a label without a picture, expected ${dir}/images/a.png`)
  expect(message).toContain('masks/b.png: expected 0 other, 1 road, 255 ignore, found 7 at x 2, y 0')
  expect(message).toMatch(/c\.png: expected 4x1 like its picture .*c\.jpg, found 2x2/)
  expect(message).toMatch(/d\.png: expected class ids in an 8-bit greyscale PNG, found 3 channels of 8 bits/)
})

test('a colour that the map has not is named with its place', async () => {
  const dir = await makePairs(['a'], Uint8Array.from([...black, ...black, ...black, 1, 2, 3]))
  const data = await openDataset(`pairs:${dir}`, { ...options, classMap: '#000000=other,#804080=road' })
  await expect(data.readLabel(data.train[0]!.label!)).rejects.toThrow(
    /masks\/a\.png: expected #000000 other, #804080 road, found #010203 at x 3, y 0$/,
  )
})

test('two pictures of one name and missing folders are refused', async () => {
  const dir = await makePairs(['a'], Uint8Array.from([0, 1, 0, 1]))
  await writeFile(join(dir, 'images/a.png'), '')
  await expect(openDataset(`pairs:${dir}`, { ...options, classMap: grey })).rejects.toThrow(
    /images\/a\.png: expected one file of its name, found .*images\/a\.jpg too/,
  )
  const empty = await madeFolder()
  await mkdir(join(empty, 'images'))
  await expect(openDataset(`pairs:${empty}`, { ...options, classMap: grey })).rejects.toThrow(/found no masks\/, no labels\//)
})

test('a class map is read from a file too, by lines, also as CamVid writes its colours', async () => {
  const file = join(await madeFolder(), 'classes.txt')
  await writeFile(file, '0 = other\r\n1 = road\n\n255=ignore\n')
  expect(await readClassMap(file)).toBe('0 = other,1 = road,255=ignore')
  await writeFile(file, '64 128 64\tAnimal\n128 64 128\t\tRoad\n')
  const dir = await makePairs(['a'], Uint8Array.from([128, 64, 128, 64, 128, 64, 64, 128, 64, 64, 128, 64]))
  const data = await openDataset(`pairs:${dir}`, { ...options, classMap: await readClassMap(file) })
  expect([...(await data.readLabel(data.train[0]!.label!)).ids]).toEqual([1, 0, 0, 0])
})

for (const [map, message] of [
  ['nowhere.txt', /or a file of that; nowhere\.txt cannot be read/],
  ['1=', /found "1="/],
  ['300=road', /found "300=road"/],
  ['*=road', /found "\*=road"/],
  ['1=road,#000000=other', /values or colours, found both/],
  ['1=road,1=other', /one class for 1, found another in "1=other"/],
] as const)
  test(`the class map ${map} is refused`, async () => {
    await expect(readClassMap(map)).rejects.toThrow(message)
  })

test('a map without road or with nothing else is refused, and so is one that no data set needs', async () => {
  const dir = await makePairs(['a'], Uint8Array.from([0, 1, 0, 1]))
  for (const classMap of ['0=grass,1=street', '0=ignore,1=road'])
    await expect(openDataset(`pairs:${dir}`, { ...options, classMap })).rejects.toThrow(/a class called road and another one/)
  expect(() => readCommandLine(['--class-map', grey, '--data', 'kitti:x'])).toThrow('--class-map says what the labels of')
})

test('pairs are joined with a set of another layout', async () => {
  const pairs = await makePairs(['a', 'b', 'c', 'd'], Uint8Array.from([0, 1, 0, 1]))
  const opened = await openDatasets([`pairs:${pairs}`, `kitti:${await makeKitti({ um: 4 })}`], { ...options, classMap: grey })
  expect(await checkDataset(joinDatasets(opened))).toMatchObject({ train: 6, val: 2, labels: 8, roadShare: 0.5 })
})
