import { copyFile, mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { encodeMask } from '../../../deploy/mask-png.ts'
import { checkDataset } from '../../../trainer/data/check-dataset.ts'
import { ignore } from '../../../trainer/data/dataset.ts'
import { madeFolder, openDataset, paint, realData, writePicture } from './made-sets.ts'

const options = { seed: 7, valFraction: 0.25 }

/** Channels of 4 x 1 pictures, one a label. */
async function makeChannels(labels: Record<string, number[]>): Promise<string> {
  const dir = await madeFolder()
  for (const [path, values] of Object.entries(labels)) {
    const [split, stem] = path.split('/')
    const picture = paint(4, 1, () => [9, 9, 9])
    await writePicture(join(dir, split!, `${stem}.jpg`), 4, 1, picture)
    await writePicture(join(dir, `${split}_annotation`, `${stem}.png`), 4, 1, Uint8Array.from(values))
  }
  return dir
}

test('labels are class ids of other and road where nothing else is said, 255 is ignored; validation is the split', async () => {
  const dir = await makeChannels({ 'train/0000': [0, 1, 255, 1], 'train/0001': [0, 0, 0, 1], 'validation/0000': [1, 1, 1, 1] })
  const data = await openDataset(`sagemaker:${dir}`, options)
  expect(data.train.map(({ name }) => name)).toEqual(['0000', '0001'])
  expect(data.val.map(({ name }) => name)).toEqual(['validation_0000'])
  expect([...(await data.readLabel(data.train[0]!.label!)).ids]).toEqual([0, 1, ignore, 1])
  expect(await checkDataset(data)).toMatchObject({ train: 2, val: 1, total: 3 })
})

test('a label map of a split goes before one of all, and a class map names what comes of it', async () => {
  const dir = await makeChannels({ 'train/a': [0, 5, 7, 255], 'validation/b': [0, 5, 7, 255] })
  await writeFile(join(dir, 'label_map.json'), '{"map":{"0":3,"5":1}}')
  await mkdir(join(dir, 'label_map'))
  await writeFile(join(dir, 'label_map/validation_label_map.json'), '{"map":{"7":"1"}}')
  const classMap = '0=grass,1=road,3=kerb,*=void'
  const data = await openDataset(`sagemaker:${dir}`, { ...options, classMap, classes: 'all' })
  expect(data.classes.map(({ name }) => name)).toEqual(['grass', 'road', 'kerb'])
  expect([...(await data.readLabel(data.train[0]!.label!)).ids]).toEqual([2, 1, ignore, ignore])
  expect([...(await data.readLabel(data.val[0]!.label!)).ids]).toEqual([0, ignore, 1, ignore])
})

test('indices of a palette PNG are class ids, whatever their colours; a colour that is there twice is refused', async () => {
  const dir = await makeChannels({ 'train/a': [0, 0, 0, 0] })
  const label = join(dir, 'train_annotation/a.png')
  const look = { width: 4, height: 1, road: 1 }
  const ids = Int32Array.from([2, 0, 1, 2])
  await writeFile(label, encodeMask(ids, { ...look, colours: ['#101010', '#ffffff', '#0000ff'] }, {}))
  const read = async () =>
    (await openDataset(`sagemaker:${dir}`, { ...options, classMap: '0=other,1=road,2=sky', classes: 'all' })).readLabel(label)
  expect([...(await read()).ids]).toEqual([2, 0, 1, 2])
  await writeFile(label, encodeMask(ids, { ...look, colours: ['#101010', '#ffffff', '#101010'] }, {}))
  await expect(read()).rejects.toThrow(/train_annotation\/a\.png: expected a palette with every colour once, found #101010/)
})

test('refuses what is not the layout, naming file and pixel', async () => {
  const dir = await makeChannels({ 'train/a': [0, 1, 2, 0] })
  const data = await openDataset(`sagemaker:${dir}`, options)
  await expect(checkDataset(data)).rejects.toThrow(/train_annotation\/a\.png: .*found 2 at x 2, y 0.*--class-map/)
  await expect(openDataset('sagemaker:nowhere', options)).rejects.toThrow(/channels in nowhere.*train_annotation/)
  await expect(openDataset(`sagemaker:${dir}`, { ...options, classMap: '#00ff00=road,#000000=a' })).rejects.toThrow(
    /whose labels are values, found colours/,
  )
  await writeFile(join(dir, 'label_map.json'), '{"0":1}')
  await expect(openDataset(`sagemaker:${dir}`, options)).rejects.toThrow(/label_map\.json: expected \{"map"/)
})

test.skipIf(!realData)('CamVid laid out as channels has the classes of CamVid', async () => {
  const [camvid, dir] = [join(realData!, 'camvid'), await madeFolder()]
  const splits = { train: 'train', val: 'validation' }
  for (const [split, channel] of Object.entries(splits)) {
    await mkdir(join(dir, 'camvid', split), { recursive: true })
    for (const [from, to] of [
      [split, channel],
      [`${split}annot`, `${channel}_annotation`],
    ] as const) {
      await mkdir(join(dir, to), { recursive: true })
      await mkdir(join(dir, 'camvid', from), { recursive: true })
      const files = (await readdir(join(camvid, from))).sort()
      for (const file of files.slice(0, 5)) {
        await copyFile(join(camvid, from, file), join(dir, to, file))
        await copyFile(join(camvid, from, file), join(dir, 'camvid', from, file))
      }
    }
  }
  const map = Object.fromEntries(Array.from({ length: 12 }, (_, id) => [id, id === 3 ? 1 : id === 11 ? 255 : 0]))
  await writeFile(join(dir, 'label_map.json'), JSON.stringify({ map }))
  const [channels, own] = await Promise.all(
    [`sagemaker:${dir}`, `camvid:${join(dir, 'camvid')}`].map(async (spec) => checkDataset(await openDataset(spec, options))),
  )
  expect(channels).toMatchObject({ train: 5, val: 5 })
  expect(channels!.roadShare).toBeGreaterThan(0.1)
  const { name: _, licence: __, ...rest } = own!
  expect(channels).toMatchObject(rest)
})
