// KITTI's road measures of confidence pictures from any model, beside its ground truth, as its development kit has them
// (devkit_road, evaluateRoad.py and helper.py), in the camera's perspective and, from calibration files, in bird's-eye view.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { mapBounded } from '../../deploy/each.ts'
import { ignore } from '../data/dataset.ts'
import { readRoadLabel } from '../data/kitti.ts'
import { birdsEyeView, readRoadPlane, toBirdsEye } from './birds-eye.ts'
import { type CategoryMeasures, startCategories } from './categories.ts'

export interface PredictionMeasures {
  perspective: Map<string, CategoryMeasures>
  birdsEye?: Map<string, CategoryMeasures>
}

const truthFile = /^(?<category>[a-z]+)_road_(?<number>\d+)\.png$/
const filesAtOnce = 4
const faultsShown = 20

/**
 * The level of each value of a confidence picture, `largest` 255 or 65535: the largest k whose threshold k/255 the confidence
 * reaches. As in the development kit the confidence is value/largest in single precision and the threshold in double, so
 * that some levels of 8-bit pictures fall just short of their own threshold and count one lower.
 */
function levelsOf(largest: number): Uint8Array {
  const levels = new Uint8Array(largest + 1)
  for (let value = 0, level = 0; value <= largest; value++) {
    while (level < 255 && (level + 1) / 255 <= Math.fround(value / largest)) level++
    levels[value] = level
  }
  return levels
}

const levels8 = levelsOf(255)
const levels16 = levelsOf(65_535)

/** Reads a confidence picture as levels 0 to 255. Throws with the file where it is no greyscale PNG of 8 or 16 bits. */
async function readConfidence(file: string): Promise<{ width: number; height: number; levels: Uint8Array }> {
  const picture = sharp(await readFile(file), { ignoreIcc: true })
  const found = await picture.metadata().catch((cause: unknown) => {
    throw new Error(`${file}: expected a confidence picture, found something that cannot be decoded`, { cause })
  })
  const bits = found.bitsPerSample ?? 0
  if (found.format !== 'png' || found.channels !== 1 || found.isPalette || (bits !== 8 && bits !== 16))
    throw new Error(
      `${file}: expected a greyscale PNG of 8 or 16 bits, found ${found.format}, ${found.isPalette ? 'a palette' : `${found.channels} channels`} of ${bits} bits`,
    )
  const wide = bits === 16
  const { data, info } = await picture
    .toColourspace(wide ? 'grey16' : 'b-w')
    .raw({ depth: wide ? 'ushort' : 'uchar' })
    .toBuffer({ resolveWithObject: true })
    .catch((cause: unknown) => {
      throw new Error(`${file}: cannot be decoded (${(cause as Error).message.trim()}); copy it again`, { cause })
    })
  const values = wide ? new Uint16Array(data.buffer, data.byteOffset, data.length / 2) : data
  const table = wide ? levels16 : levels8
  return { width: info.width, height: info.height, levels: Uint8Array.from(values, (value) => table[value]!) }
}

interface Pair {
  category: string
  truth: string
  confidence: string
  /** The calibration file, where bird's-eye measures are wanted. */
  calibration?: string
}

/** Ground truth `um_road_000000.png` beside a prediction of that name, or `um_000000.png`. Throws one error that names all that are missing. */
async function findPairs(predictions: string, groundTruth: string, calib?: string): Promise<Pair[]> {
  const list = (dir: string) =>
    readdir(dir).catch((cause: unknown) => {
      throw new Error(`Expected a folder of pictures, but ${dir} cannot be read`, { cause })
    })
  const [made, truths, calibrations] = await Promise.all([list(predictions), list(groundTruth), calib ? list(calib) : []])
  const there = new Set(made)
  const calibrated = new Set(calibrations)
  const missing: string[] = []
  const pairs: Pair[] = []
  for (const file of truths.sort()) {
    const { category, number } = truthFile.exec(file)?.groups ?? {}
    if (category === undefined) continue
    const confidence = [file, `${category}_${number}.png`].find((name) => there.has(name))
    if (confidence === undefined) missing.push(join(predictions, file))
    else pairs.push({ category, truth: join(groundTruth, file), confidence: join(predictions, confidence) })
    if (!calib || confidence === undefined) continue
    const calibration = [`${category}_road_${number}.txt`, `${category}_${number}.txt`].find((name) => calibrated.has(name))
    if (calibration === undefined) missing.push(join(calib, `${category}_${number}.txt`))
    else pairs.at(-1)!.calibration = join(calib, calibration)
  }
  if (pairs.length + missing.length === 0)
    throw new Error(`Expected KITTI's ground truth in ${groundTruth}, found no file named as um_road_000000.png`)
  if (missing.length > 0) throw faults(missing.map((file) => `${file} is missing`))
  return pairs
}

const faults = (list: readonly string[]) =>
  new Error(
    [...list.slice(0, faultsShown), ...(list.length > faultsShown ? [`and ${list.length - faultsShown} more`] : [])].join('\n'),
  )

/**
 * Measures every picture of `groundTruth` (a folder of `<category>_road_<number>.png`, the lanes' left aside), by category (um,
 * umm, uu) and all together (`urban`); in bird's-eye view too where `calib`, a folder of `<category>_<number>.txt`, is given.
 * Throws, naming all files at fault, where a prediction or a calibration is missing, cannot be read or has another size.
 */
export async function measurePredictions(
  predictions: string,
  groundTruth: string,
  calib?: string,
): Promise<PredictionMeasures> {
  const pairs = await findPairs(predictions, groundTruth, calib)
  const [perspective, birdsEye] = [startCategories(), startCategories()]
  const wrong = await mapBounded(pairs, filesAtOnce, async ({ category, truth, confidence, calibration }) => {
    try {
      const [label, said] = await Promise.all([readRoadLabel(truth), readConfidence(confidence)])
      if (said.width !== label.width || said.height !== label.height)
        throw new Error(
          `${confidence}: expected ${label.width} x ${label.height} like ${truth}, found ${said.width} x ${said.height}`,
        )
      perspective.add(category, label.ids, 1, said.levels)
      if (calibration) {
        const view = birdsEyeView(await readRoadPlane(calibration), label)
        birdsEye.add(category, toBirdsEye(label.ids, view, ignore), 1, toBirdsEye(said.levels, view, 0))
      }
      return []
    } catch (error) {
      return [(error as Error).message]
    }
  })
  if (wrong.flat().length > 0) throw faults(wrong.flat())
  return { perspective: perspective.compute(), ...(calib ? { birdsEye: birdsEye.compute() } : {}) }
}
