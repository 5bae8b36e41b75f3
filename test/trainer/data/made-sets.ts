// Small data sets made for a test, in the real layouts, and the place of the real pictures.
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { afterAll } from 'vitest'
import type { Dataset } from '../../../trainer/data/dataset.ts'
import { joinDatasets, type OpenOptions, openDatasets } from '../../../trainer/data/open-dataset.ts'

/** Folder of real pictures (CamVid, KITTI), or undefined: tests on it are skipped then. */
export const realData = [
  process.env.ROADMASK_REAL_DATA,
  fileURLToPath(new URL('../../../../shared/data', import.meta.url)),
].find((dir) => dir !== undefined && existsSync(dir))

/** One data set, opened and split. */
export const openDataset = async (spec: string, options: OpenOptions): Promise<Dataset> =>
  joinDatasets(await openDatasets([spec], options))

const made: string[] = []

/** A new folder that goes away after the test file. */
export async function madeFolder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'roadmask-data-'))
  made.push(dir)
  return dir
}

afterAll(() => Promise.all(made.map((dir) => rm(dir, { recursive: true, force: true }))))

/** Writes RGB or grey pixels, the latter of 8 or 16 bits, as PNG, with the folders on the way. */
export async function writePicture(
  file: string,
  width: number,
  height: number,
  pixels: Uint8Array | Uint16Array,
): Promise<void> {
  await mkdir(dirname(file), { recursive: true })
  const channels = pixels.length === width * height ? 1 : 3
  const grey = pixels instanceof Uint16Array ? 'grey16' : 'b-w'
  await sharp(pixels, { raw: { width, height, channels } })
    .toColourspace(channels === 1 ? grey : 'srgb')
    .toFile(file)
}

/** Pixels of one colour for every pixel, by its place. */
export function paint(width: number, height: number, colour: (x: number, y: number) => number[]): Uint8Array {
  return Uint8Array.from(Array.from({ length: width * height }, (_, at) => colour(at % width, Math.floor(at / width))).flat())
}

export const magenta = [255, 0, 255]
export const red = [255, 0, 0]
export const black = [0, 0, 0]

/** A set in KITTI's layout: so many pictures of each drive, the lower half road, and two test pictures. */
export async function makeKitti(counts: Record<string, number>, width = 24, height = 8): Promise<string> {
  const dir = await madeFolder()
  for (const [drive, count] of Object.entries(counts))
    for (let index = 0; index < count; index++) {
      const number = String(index).padStart(6, '0')
      const picture = paint(width, height, (x, y) => [10 * x, 10 * y, index])
      await writePicture(join(dir, `training/image_2/${drive}_${number}.png`), width, height, picture)
      const label = paint(width, height, (_, y) => (y < height / 2 ? red : magenta))
      await writePicture(join(dir, `training/gt_image_2/${drive}_road_${number}.png`), width, height, label)
    }
  for (const index of [0, 1])
    await writePicture(
      join(dir, `testing/image_2/um_00000${index}.png`),
      width,
      height,
      paint(width, height, () => black),
    )
  return dir
}
