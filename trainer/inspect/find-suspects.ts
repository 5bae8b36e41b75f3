// What in a data set deserves a second look before hours of training: labels without road or of nothing else, labels that lie
// beside their picture, validation pictures that are nearly trained on.
import sharp from 'sharp'
import type { Pixels } from '../../deploy/fit-picture.ts'
import { type Statistics, surveyDataset } from '../data/check-dataset.ts'
import { type ClassIds, type Dataset, ignore, type Sample } from '../data/dataset.ts'
import { fitLabel } from '../data/fit-label.ts'
import { countKnownDrives } from '../report/by-drive.ts'
import { differenceHash, hashDistance, hashGrid } from './difference-hash.ts'
import { labelShift, type Shift, shiftWidth } from './label-shift.ts'

/** Of 64 bits: pictures stored again, smaller and brighter, differ in 6 at most; views of other CamVid drives in 7 and more. */
const nearDuplicateBits = 5

export interface Suspect {
  kind: 'unlabelled' | 'no road' | 'all road' | 'shifted' | 'near-duplicate'
  split: string
  sample: Sample
  /** What is odd, in words. */
  about: string
  shift?: Shift
  /** The picture of the training split that looks the same. */
  twin?: Sample
}

/** Pixels of the labelled pictures of one drive in one split. */
export interface DriveShares {
  split: string
  drive: string
  pictures: number
  /** By class id, shares of the labelled pixels. */
  shares: number[]
  /** Of all pixels. */
  ignored: number
}

export interface Inspected {
  statistics: Statistics
  /** What training would refuse. */
  faults: string[]
  shares: DriveShares[]
  suspects: Suspect[]
  /** Validation pictures of drives that are also trained on. */
  ofKnownDrives: number
}

/** Reads every picture and label of the set once. */
export async function inspectDataset(dataset: Dataset): Promise<Inspected> {
  const suspects: Suspect[] = []
  const hashes = new Map<Sample, Uint8Array>()
  const drives = new Map<string, { split: string; drive: string; pictures: number; counts: Float64Array }>()
  const splits = new Map((['train', 'val', 'test'] as const).flatMap((name) => dataset[name].map((sample) => [sample, name])))

  const { statistics, faults } = await surveyDataset(dataset, async (sample, picture, label) => {
    const split = splits.get(sample)!
    const counts = new Float64Array(256)
    for (const id of label.ids) counts[id]!++
    const key = `${split} ${sample.drive}`
    const drive = drives.get(key) ?? { split, drive: sample.drive, pictures: 0, counts: new Float64Array(256) }
    drives.set(key, drive)
    drive.pictures++
    for (let id = 0; id < counts.length; id++) drive.counts[id]! += counts[id]!
    const odd = await lookAt(dataset, picture, label, counts)
    suspects.push(...odd.map((one) => ({ ...one, split, sample })))
    hashes.set(sample, differenceHash(await greyOf(picture, hashGrid)))
  })
  for (const sample of dataset.val) {
    const twin = nearest(sample, dataset.train, hashes)
    if (twin) suspects.push({ kind: 'near-duplicate', split: 'val', sample, twin, about: `looks as ${twin.name} of train` })
  }
  const shares = [...drives.values()]
    .sort((a, b) => (a.drive < b.drive ? -1 : 1))
    .map(({ counts, ...of }) => {
      const all = counts.reduce((sum, count) => sum + count, 0)
      const labelled = all - counts[ignore]!
      const share = (_: unknown, id: number) => (labelled > 0 ? counts[id]! / labelled : 0)
      return { ...of, shares: dataset.classes.map(share), ignored: counts[ignore]! / all }
    })
  const order = new Map([...splits.keys()].map((sample, place) => [sample, place]))
  suspects.sort((a, b) => order.get(a.sample)! - order.get(b.sample)!)
  return { statistics, faults, shares, suspects, ofKnownDrives: countKnownDrives(dataset.train, dataset.val) }
}

async function lookAt(
  { road }: Dataset,
  picture: Pixels,
  label: ClassIds,
  counts: Float64Array,
): Promise<Pick<Suspect, 'kind' | 'about' | 'shift'>[]> {
  const labelled = label.ids.length - counts[ignore]!
  if (labelled === 0) return [{ kind: 'unlabelled', about: 'every pixel is to be ignored' }]
  if (counts[road] === 0) return [{ kind: 'no road', about: 'no pixel is road' }]
  if (counts[road] === labelled) return [{ kind: 'all road', about: 'every labelled pixel is road' }]
  // Of another size, it is a fault already.
  if (picture.width !== label.width || picture.height !== label.height) return []
  const size = { width: shiftWidth, height: Math.round((shiftWidth * label.height) / label.width) }
  const shift = labelShift(await greyOf(picture, size), fitLabel(label, { ...size, fit: 'crop' }), size)
  if (!shift) return []
  const pixels = (share: number) => Math.round(Math.abs(share) * label.width)
  const moves = [
    shift.right !== 0 && `${pixels(shift.right)} px ${shift.right > 0 ? 'right' : 'left'}`,
    shift.down !== 0 && `${pixels(shift.down)} px ${shift.down > 0 ? 'down' : 'up'}`,
  ]
  return [{ kind: 'shifted', shift, about: `fits better ${moves.filter((move) => move).join(', ')}` }]
}

/** Grey levels of a picture at this size, averaged. */
const greyOf = ({ pixels, width, height }: Pixels, size: { width: number; height: number }): Promise<Uint8Array> =>
  sharp(pixels, { raw: { width, height, channels: 3 } })
    .resize({ ...size, fit: 'fill', kernel: 'linear' })
    .toColourspace('b-w')
    .raw()
    .toBuffer()

function nearest(sample: Sample, among: readonly Sample[], hashes: ReadonlyMap<Sample, Uint8Array>): Sample | undefined {
  const own = hashes.get(sample)
  if (!own) return undefined
  let [least, twin]: [number, Sample | undefined] = [nearDuplicateBits + 1, undefined]
  for (const other of among) {
    const hash = hashes.get(other)
    const distance = hash ? hashDistance(own, hash) : Number.POSITIVE_INFINITY
    if (distance < least) [least, twin] = [distance, other]
  }
  return twin
}
