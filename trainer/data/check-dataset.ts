// A look at every file of a data set before any training: all faults in one error, and what the set is made of.
import { createHash } from 'node:crypto'
import { access, readFile, stat } from 'node:fs/promises'
import { mapBounded } from '../../deploy/each.ts'
import { decodePicture, type Pixels } from '../../deploy/fit-picture.ts'
import { type ClassIds, type Dataset, ignore, type Sample, type Skipped, withoutLabel } from './dataset.ts'

export interface Statistics {
  name: string
  licence: string
  /** Training pictures as the layout counts them: with labels (train and val), and without. */
  trainingPictures: number
  /** Pictures to train on, and pictures put aside for validation. */
  train: number
  val: number
  /** The drives to validate on, where none of their pictures is trained on. */
  drivesAside: string[]
  testPictures: number
  total: number
  labels: number
  /** Commonest first. */
  sizes: { width: number; height: number; count: number }[]
  /** By class id: share of all labelled pixels, 0 to 1. */
  classes: { name: string; share: number }[]
  /** Share of labelled pixels that are road, and share of pixels that carry no class, 0 to 1. */
  roadShare: number
  ignoredShare: number
  skipped: Skipped[]
  /** sha256 over names, picture sizes in bytes and label contents; the same wherever the folder lies. */
  fingerprint: string
}

const faultsShown = 20
/** Files under way at once; libvips decodes each in one thread of libuv's pool. */
const filesAtOnce = 8

interface Looked {
  line: string
  size?: string
  counts?: Float64Array
  ignored?: number
  faults: string[]
}

/** Called with every picture and its label, of whatever sizes. */
export type OnPair = (sample: Sample, picture: Pixels, label: ClassIds) => Promise<void>

/** `surveyDataset`, but throws one error that names all bad files. */
export async function checkDataset(dataset: Dataset): Promise<Statistics> {
  const { statistics, faults } = await surveyDataset(dataset)
  if (faults.length > 0) throw new Error(faultReport(dataset.name, faults))
  return statistics
}

/** Throws where there is nothing to train or to validate on, or no labels to train on and no teacher that would know them. */
export function expectTrainable(data: Dataset, taught: boolean): void {
  for (const [split, purpose] of [
    ['train', 'train'],
    ['val', 'validate'],
  ] as const)
    if (data[split].length === 0)
      throw new Error(
        `Expected labelled pictures to ${purpose} on in ${data.name}, found none. A share of the pictures (--val-fraction) is put aside to validate on, so it takes two at least.`,
      )
  if (!taught && data.train.some(({ label }) => label === undefined))
    throw new Error('--data pictures:DIR has no labels: name a run that tells what is road in them by --teacher RUN')
}

/**
 * Decodes every label and every picture. A fault is a sentence: a label without a picture, sizes that differ, a file that
 * cannot be read, a code that is no class, two samples of one name, nothing to train on.
 */
export async function surveyDataset(dataset: Dataset, onPair?: OnPair): Promise<{ statistics: Statistics; faults: string[] }> {
  const { train, val, test, skipped, classes } = dataset
  const samples = [...train, ...val, ...test]
  const looked = await mapBounded(samples, filesAtOnce, (sample) => look(dataset, sample, onPair))
  const faults = looked.flatMap((one) => one.faults)
  const names = new Set<string>()
  for (const { name, picture } of samples)
    if (names.has(name)) faults.push(`${picture}: another sample is called ${name} too; give every picture its own name`)
    else names.add(name)
  if (train.length + val.length === 0) faults.push(`no labelled picture to train on${reasons(skipped)}`)

  const counts = new Float64Array(classes.length)
  let ignored = 0
  const sizes = new Map<string, number>()
  for (const one of looked) {
    if (one.size !== undefined) sizes.set(one.size, (sizes.get(one.size) ?? 0) + 1)
    one.counts?.forEach((count, id) => {
      counts[id]! += count
    })
    ignored += one.ignored ?? 0
  }
  const labelled = counts.reduce((sum, count) => sum + count, 0)
  const share = (count: number, whole: number) => (whole > 0 ? count / whole : 0)
  const unlabelled = skipped.filter(({ reason }) => reason === withoutLabel).length
  const trainingPictures = train.length + val.length + unlabelled
  const statistics = {
    name: dataset.name,
    licence: dataset.licence,
    trainingPictures,
    train: train.length,
    val: val.length,
    drivesAside: drivesAside(dataset),
    testPictures: test.length,
    total: trainingPictures + test.length,
    labels: samples.filter(({ label }) => label !== undefined).length,
    sizes: [...sizes]
      .map(([size, count]) => {
        const [width, height] = size.split('x').map(Number)
        return { width: width!, height: height!, count }
      })
      .sort((a, b) => b.count - a.count || b.width - a.width),
    classes: classes.map(({ name }, id) => ({ name, share: share(counts[id]!, labelled) })),
    roadShare: share(counts[dataset.road]!, labelled),
    ignoredShare: share(ignored, labelled + ignored),
    skipped,
    fingerprint: createHash('sha256')
      .update(
        looked
          .map(({ line }) => line)
          .sort()
          .join('\n'),
      )
      .digest('hex'),
  }
  return { statistics, faults }
}

async function look(dataset: Dataset, sample: Sample, onPair?: OnPair): Promise<Looked> {
  const { name, picture, label } = sample
  const faults: string[] = []
  let size: string | undefined
  let pixels: Pixels | undefined
  let bytes = 0
  if (await exists(picture)) {
    try {
      bytes = (await stat(picture)).size
      pixels = await decodePicture(picture)
      size = `${pixels.width}x${pixels.height}`
    } catch (error) {
      faults.push(`${picture}: expected a picture. ${(error as Error).message.trim()}`)
    }
  } else if (label !== undefined) faults.push(`${label}: a label without a picture, expected ${picture}`)
  else faults.push(`${picture}: cannot be read`)
  if (label === undefined) return { line: `${name} ${bytes}`, ...(size === undefined ? {} : { size }), faults }
  try {
    const { width, height, ids } = await dataset.readLabel(label)
    if (pixels) await onPair?.(sample, pixels, { width, height, ids })
    if (size !== undefined && size !== `${width}x${height}`)
      faults.push(`${label}: expected ${size} like its picture ${picture}, found ${width}x${height}`)
    const all = new Float64Array(256)
    for (const id of ids) all[id]!++
    const hash = createHash('sha256')
      .update(await readFile(label))
      .digest('hex')
    return {
      line: `${name} ${bytes} ${hash}`,
      ...(size === undefined ? {} : { size }),
      counts: all.subarray(0, dataset.classes.length),
      ignored: all[ignore]!,
      faults,
    }
  } catch (error) {
    return { line: name, faults: [...faults, (error as Error).message] }
  }
}

function drivesAside({ train, val }: Dataset): string[] {
  const aside = new Set(val.map(({ drive }) => drive))
  return train.some(({ drive }) => aside.has(drive)) ? [] : [...aside]
}

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  )

function faultReport(name: string, faults: string[]): string {
  const rest = faults.length - faultsShown
  return [
    `${name} has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}; nothing was trained. Mend or remove:`,
    ...faults.slice(0, faultsShown).map((fault) => `  ${fault}`),
    ...(rest > 0 ? [`  and ${rest} more`] : []),
  ].join('\n')
}

/** ` (skipped: 11 of the ego lane, 9 without a label)`, or nothing. */
const reasons = (skipped: Skipped[]) =>
  skipped.length === 0
    ? ''
    : ` (skipped: ${groupSkipped(skipped)
        .map(({ reason, files }) => `${files.length} ${files.length === 1 ? 'file' : 'files'}, ${reason}`)
        .join('; ')})`

/** The skipped files by reason, commonest first. */
export function groupSkipped(skipped: Skipped[]): { reason: string; files: string[] }[] {
  const groups = new Map<string, string[]>()
  for (const { file, reason } of skipped) groups.set(reason, [...(groups.get(reason) ?? []), file])
  return [...groups].map(([reason, files]) => ({ reason, files })).sort((a, b) => b.files.length - a.files.length)
}
