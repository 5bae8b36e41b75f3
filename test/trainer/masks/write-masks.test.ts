// Masks of a folder of pictures by the whole command, by a bundle that calls bright road.
import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { beforeAll, expect, it, vi } from 'vitest'
import { writeMasks } from '../../../trainer/masks/write-masks.ts'
import { writeBrightBundle } from '../../bright-bundle.ts'
import { madeFolder, openDataset, paint, writePicture } from '../data/made-sets.ts'

let dir: string
const folder = (name: string) => join(dir, name)
const masks = async (...args: string[]) => {
  const said: string[] = []
  const print = vi.spyOn(console, 'log').mockImplementation((line: string) => void said.push(line))
  await writeMasks(['--bundle', folder('bundle'), '--pictures', folder('pictures'), ...args]).finally(() => print.mockRestore())
  return said.join('\n')
}
const levels = async (file: string) => {
  const { data, info } = await sharp(folder(file)).raw().toBuffer({ resolveWithObject: true })
  return { ...info, at: (x: number, y: number) => data[info.channels * (y * info.width + x)] }
}

beforeAll(async () => {
  dir = await madeFolder()
  await writeBrightBundle(folder('bundle'), { width: 48, height: 48 })
  // The left half is bright.
  const half = (width: number, height: number) => paint(width, height, (x) => Array(3).fill(x < width / 2 ? 240 : 10))
  await writePicture(folder('pictures/one.png'), 96, 96, half(96, 96))
  await writePicture(folder('pictures/drive/wide.png'), 200, 60, half(200, 60))
  // Stored lying on its side, as phones do: upright, the upper half is bright.
  await mkdir(folder('pictures/drive'), { recursive: true })
  const raw = { width: 80, height: 80, channels: 3 } as const
  await sharp(half(80, 80), { raw })
    .withMetadata({ orientation: 6 })
    .jpeg({ quality: 95 })
    .toFile(folder('pictures/turned.jpg'))
})

it('have the names and sizes of the pictures, upright, and are labels by the words that it prints', async () => {
  const said = await masks('--out', folder('out'))
  expect((await readdir(folder('out'), { recursive: true })).sort()).toEqual([
    'drive',
    'drive/wide.png',
    'one.png',
    'turned.png',
  ])
  const one = await levels('out/one.png')
  expect([one.width, one.height, one.at(4, 50), one.at(90, 50)]).toEqual([96, 96, 255, 0])
  const turned = await levels('out/turned.png')
  expect([turned.width, turned.height, turned.at(40, 4), turned.at(40, 76)]).toEqual([80, 80, 255, 0])
  const wide = await levels('out/drive/wide.png')
  expect([wide.width, wide.height, wide.at(2, 30), wide.at(75, 30), wide.at(125, 30)]).toEqual([200, 60, 128, 255, 0])
  expect(said).toContain('3 masks in')
  expect(said).toContain('50.0 % is road')

  const classMap = /--class-map '(.*)'/.exec(said)?.[1]
  await mkdir(folder('own'))
  await symlink(folder('pictures'), folder('own/images'))
  await symlink(folder('out'), folder('own/masks'))
  const data = await openDataset(`pairs:${folder('own')}`, { classMap, valFraction: 0.5, seed: 1 })
  const { ids } = await data.readLabel(folder('own/masks/drive/wide.png'))
  expect([2, 75, 125].map((x) => ids[30 * 200 + x])).toEqual([255, 1, 0])
})

it('name what cannot be read and are written of the others; never among the pictures or into a bundle', async () => {
  await expect(masks('--out', folder('pictures/masks'))).rejects.toThrow(/is within .*pictures, where its masks/)
  await expect(masks('--out', folder('bundle/masks'))).rejects.toThrow('is in the bundle')
  await writeFile(folder('pictures/broken.jpg'), 'no picture')
  await expect(masks('--out', folder('again'))).rejects.toThrow(/^[^\n]*broken\.jpg cannot be read as a picture[^\n]*$/)
  expect(await readdir(folder('again'))).toEqual(['drive', 'one.png', 'turned.png'])
  await writePicture(
    folder('pictures/turned.png'),
    8,
    8,
    paint(8, 8, () => [1, 1, 1]),
  )
  await expect(masks('--out', folder('again'))).rejects.toThrow(
    /turned\.png: expected one picture of its name, found .*turned\.jpg too/,
  )
})
