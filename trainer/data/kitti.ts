// KITTI's road benchmark (Fritsch, Kuehnl, Geiger, ITSC 2013), layout of data_road.zip, and any set made like it:
// training/image_2/um_000000.png, training/gt_image_2/um_road_000000.png, testing/image_2/um_000000.png.
import { readdir, stat } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { type ClassIds, ignore, type Sample, type Skipped, withoutLabel } from './dataset.ts'
import { setOnce } from './folder-pair.ts'
import { pixelPlace, readLabelPicture } from './label-picture.ts'
import { licenceFile, readLicence } from './licence.ts'
import type { Layout } from './split.ts'

/** Labelled pictures of the benchmark's own download, which has no licence file. */
const benchmarkPictures = 289
const unstated = `not stated (the first line of ${licenceFile} beside training/ states it)`
const benchmarkLicence = 'KITTI road benchmark, CC BY-NC-SA 3.0'
const pictureFile = /^(?<drive>[a-z]+)_(?<number>\d+)\.(png|jpe?g)$/i
const labelFile = /^(?<drive>[a-z]+)_(?<kind>[a-z]+)_(?<number>\d+)\.png$/i

/** Opens a folder in the layout of data_road, or one that holds it as `data_road`. Reads names only. */
export async function openKitti(name: string, folder: string): Promise<Layout> {
  const nested = join(folder, 'data_road')
  const dir = !(await isFolder(join(folder, 'training'))) && (await isFolder(nested)) ? nested : folder
  const pictureDir = join(dir, 'training/image_2')
  const labelDir = join(dir, 'training/gt_image_2')
  for (const needed of [pictureDir, labelDir])
    if (!(await isFolder(needed)))
      throw new Error(
        `Expected KITTI's road data in ${folder}, but there is no folder ${relative(folder, needed)}. Unzip data_road.zip and name the folder that holds training/ and testing/.`,
      )
  const skipped: Skipped[] = []
  const pictures = await pictureNames(pictureDir, skipped)
  const labelled: Sample[] = []
  const used = new Set<string>()
  for (const file of (await readdir(labelDir)).sort()) {
    const { drive, kind, number } = labelFile.exec(file)?.groups ?? {}
    const label = join(labelDir, file)
    if (drive === undefined || number === undefined) skipped.push({ file: label, reason: 'not a label by its name' })
    else if (kind === 'lane') skipped.push({ file: label, reason: 'labels the ego lane, not the road' })
    else if (kind !== 'road') skipped.push({ file: label, reason: 'not a road label' })
    else {
      const sample = `${drive}_${number}`
      used.add(sample)
      // A label without a picture stays in: checkDataset reports it with all other faults.
      labelled.push({ name: sample, picture: pictures.get(sample) ?? join(pictureDir, `${sample}.png`), label, drive })
    }
  }
  for (const [sample, picture] of pictures) if (!used.has(sample)) skipped.push({ file: picture, reason: withoutLabel })
  const testDir = join(dir, 'testing/image_2')
  const testPictures = (await isFolder(testDir)) ? await pictureNames(testDir, skipped) : new Map<string, string>()
  const test = [...testPictures].map(([sample, picture]) => ({
    name: `test_${sample}`,
    picture,
    drive: sample.slice(0, sample.indexOf('_')),
  }))
  const categories = labelled.every(({ drive }) => /^(um|umm|uu)$/.test(drive))
  // Other pictures in this layout are somebody's own.
  const itself = labelled.length === benchmarkPictures && categories
  return {
    name,
    train: labelled,
    val: [],
    // A category is many drives, which the names do not tell apart.
    usualSplit: categories ? 'fraction' : 'drive',
    test,
    classes: [
      { name: 'other', colour: '#000000' },
      { name: 'road', colour: '#804080' },
    ],
    road: 1,
    licence: await readLicence(dir, itself ? benchmarkLicence : unstated),
    skipped,
    readLabel: readRoadLabel,
  }
}

/** Sample name to file, by name. */
async function pictureNames(dir: string, skipped: Skipped[]): Promise<Map<string, string>> {
  const pictures = new Map<string, string>()
  for (const file of (await readdir(dir)).sort()) {
    const { drive, number } = pictureFile.exec(file)?.groups ?? {}
    if (drive === undefined) skipped.push({ file: join(dir, file), reason: 'not a picture of the set by its name' })
    else setOnce(pictures, `${drive}_${number}`, join(dir, file))
  }
  return pictures
}

/** Magenta is road, red is valid and not road, black and blue lie outside the valid area. */
export async function readRoadLabel(file: string): Promise<ClassIds> {
  const { width, height, bytes } = await readLabelPicture(file, 'colours')
  const ids = new Uint8Array(width * height)
  for (let pixel = 0, at = 0; pixel < ids.length; pixel++, at += 3) {
    const red = bytes[at]!
    const green = bytes[at + 1]!
    const blue = bytes[at + 2]!
    if ((red !== 0 && red !== 255) || green !== 0 || (blue !== 0 && blue !== 255))
      throw new Error(
        `${file}: expected the colours (255,0,255) road, (255,0,0) not road, (0,0,0) ignored, found (${red},${green},${blue}) at ${pixelPlace(pixel, width)}`,
      )
    ids[pixel] = red === 0 ? ignore : blue === 0 ? 0 : 1
  }
  return { width, height, ids }
}

const isFolder = async (path: string) => (await stat(path).catch(() => undefined))?.isDirectory() ?? false
