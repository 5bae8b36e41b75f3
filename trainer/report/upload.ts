// What KITTI's road leaderboard takes: an archive of confidence pictures in bird's-eye view, um_road_000000.png and so on, one
// for every test picture (readme.txt of its development kit, "Data format for result submission").
import { basename, extname } from 'node:path'
import { zipSync } from 'fflate'
import sharp from 'sharp'
import type { ModelInput } from '../../deploy/bundle.ts'
import { fitPicture, pictureSize } from '../../deploy/fit-picture.ts'
import type { Dataset, Sample } from '../data/dataset.ts'
import { birdsEyeSize, birdsEyeView, type RoadPlane, toBirdsEye } from '../metrics/birds-eye.ts'
import { readRoadPlanes } from '../metrics/model-birds-eye.ts'
import { roadOfWhole, startPredicting } from '../metrics/predict.ts'
import { writeAtomically } from './write-atomically.ts'

/** The first moment that the format knows, here: the same pictures make the same archive. */
const mtime = new Date(1980, 0, 1)

const testPicture = /^(um|umm|uu)_(\d{6})$/

/** The benchmark's test pictures with their planes of the road. Throws where one has no calibration, or is none by its name. */
export async function readTestPictures({ name, test }: Dataset): Promise<Map<Sample, RoadPlane>> {
  if (test.length === 0) throw new Error(`--upload: expected test pictures in ${name} (testing/image_2), found none`)
  const other = test.find(({ picture }) => !testPicture.test(stem(picture)))
  if (other) throw new Error(`--upload: expected test pictures named as um_000000.png, found ${other.picture}`)
  const planes = await readRoadPlanes(test)
  const without = test.find((sample) => !planes.has(sample))
  if (without) throw new Error(`--upload: expected calibration files beside ${without.picture} (testing/calib), found none`)
  return planes
}

const stem = (picture: string) => basename(picture, extname(picture))

/** Asks the model for each picture and writes the archive. Where the model does not see the road, it is not road. */
export async function writeUpload(
  file: string,
  planes: ReadonlyMap<Sample, RoadPlane>,
  classes: Pick<Dataset, 'classes' | 'road'>,
  { input, score }: { input: ModelInput; score(pictures: Uint8Array, n: number): Float32Array },
): Promise<void> {
  const predict = startPredicting(classes)
  const files: Record<string, Uint8Array> = {}
  for (const [{ picture }, plane] of planes) {
    const size = await pictureSize(picture)
    const road = roadOfWhole(predict(size, score(await fitPicture(picture, input), 1), input), size)
    const levels = Uint8Array.from(road, (probability) => 255 * Math.min(1, probability))
    const seen = toBirdsEye(levels, birdsEyeView(plane, size), 0)
    files[`${stem(picture).replace('_', '_road_')}.png`] = await sharp(seen, { raw: { ...birdsEyeSize, channels: 1 } })
      .toColourspace('b-w')
      .png()
      .toBuffer()
  }
  await writeAtomically(file, zipSync(files, { level: 0, mtime }))
}
