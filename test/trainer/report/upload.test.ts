// The archive for KITTI's leaderboard, from test pictures with calibration files.
import { execFileSync } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { expect, it } from 'vitest'
import { readTestPictures, writeUpload } from '../../../trainer/report/upload.ts'
import { madeFolder, makeKitti, openDataset } from '../data/made-sets.ts'

const calibration = 'P2: 15 0 12 0 0 15 3 0 0 0 1 0\nR0_rect: 1 0 0 0 1 0 0 0 1\nTr_cam_to_road: 1 0 0 0 0 1 0 -1.6 0 0 1 0\n'
const input = { width: 24, height: 8, fit: 'crop', resizer: 'bilinear', matrix: 'bt601', range: 'video' } as const

it('writes a confidence picture in bird’s-eye view for each test picture, named as the ground truth', async () => {
  const dir = await makeKitti({ um: 4 })
  const data = await openDataset(`kitti:${dir}`, { classes: 'road', valFraction: 0.5, seed: 1 })
  await expect(readTestPictures(data)).rejects.toThrow(/testing.calib.*found none/)
  await mkdir(join(dir, 'testing/calib'))
  await writeFile(join(dir, 'testing/calib/um_000000.txt'), calibration)
  await expect(readTestPictures(data)).rejects.toThrow(/um_000001.txt cannot be read/)
  await writeFile(join(dir, 'testing/calib/um_000001.txt'), calibration)
  const file = join(await madeFolder(), 'upload.zip')
  // Sure of the road on the left half alone.
  const road = Float32Array.from({ length: 24 * 8 }, (_, at) => (at % 24 < 12 ? 1.0000001 : 0.5))
  await writeUpload(file, await readTestPictures(data), data, { input, score: () => road })

  const out = await madeFolder()
  const listed = execFileSync('python3', [
    '-c',
    'import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; assert all(i.date_time == (1980, 1, 1, 0, 0, 0) for i in z.infolist()); z.extractall(sys.argv[2]); print(*z.namelist())',
    file,
    out,
  ])
  expect(listed.toString().trim()).toBe('um_road_000000.png um_road_000001.png')
  const { data: levels, info } = await sharp(join(out, 'um_road_000001.png'))
    .toColourspace('b-w')
    .raw()
    .toBuffer({ resolveWithObject: true })
  expect(await sharp(join(out, 'um_road_000001.png')).metadata()).toMatchObject({ bitsPerSample: 8, space: 'b-w' })
  expect(info).toMatchObject({ width: 400, height: 800, channels: 1 })
  // 20 m ahead, 5 m to the left and right; 6 m ahead and 9.9 m to the left is outside the picture.
  const at = (x: number, z: number) => levels[Math.floor((46 - z) / 0.05) * 400 + Math.floor((x + 10) / 0.05)]
  expect([at(-5, 20), at(5, 20), at(-9.9, 6.1)]).toEqual([255, 127, 0])
})
