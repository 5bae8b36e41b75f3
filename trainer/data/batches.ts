// Pictures and labels as the training step takes them: decoded once where memory allows, in seeded random order, changed
// by the augmentation and made ready ahead of time, so that a step finds its batch waiting.
import type { ModelInput } from '../../deploy/bundle.ts'
import { decodePicture, fitPicture, fitPixels, type Pixels, pictureSize } from '../../deploy/fit-picture.ts'
import { type Augment, changesField, drawChange, noAugment } from './augment.ts'
import type { ClassIds, Dataset, Sample } from './dataset.ts'
import { mapBounded } from './each.ts'
import { fitLabel } from './fit-label.ts'
import { random, shuffled } from './random.ts'

/** Pictures decoded at once while loading: a little more than libuv's four threads. */
const decodedAtOnce = 6
/** 2 GiB: CamVid whole takes 0.25, KITTI's road pictures 0.54. */
const defaultBudgetBytes = 2 * 2 ** 30
/** Batches under way while the training step works on another. */
const defaultAhead = 3

type Input = Pick<ModelInput, 'width' | 'height' | 'fit'>

/** Labelled pictures, ready to be cut into batches. */
export interface Pictures {
  samples: Sample[]
  input: Input
  augment: Augment
  /** `fitted`: kept at the model's size. `whole`: kept as decoded, since the part taken changes. `none`: read anew each time. */
  kept: 'fitted' | 'whole' | 'none'
  /** Memory they take. */
  bytes: number
  get(index: number): Promise<Source>
}

/** A picture and its label, both whole or both fitted. */
interface Source {
  fitted: boolean
  picture: Pixels
  label: ClassIds
}

/**
 * Decodes the samples' pictures and labels into memory, or, where they would take more than `budgetBytes`, prepares to
 * read them when they are needed. Throws where a sample has no label or a file cannot be read.
 */
export async function loadPictures(
  dataset: Pick<Dataset, 'readLabel'>,
  samples: Sample[],
  {
    input,
    augment = noAugment,
    budgetBytes = defaultBudgetBytes,
    onProgress,
  }: {
    input: Input
    augment?: Augment
    budgetBytes?: number
    onProgress?: (done: number, total: number) => void
  },
): Promise<Pictures> {
  const whole = changesField(augment)
  const read = (sample: Sample) => readSource(dataset, sample, input, whole)
  const bytesEach = whole
    ? await mapBounded(samples, decodedAtOnce, async ({ picture }) => {
        const { width, height } = await pictureSize(picture)
        return 4 * width * height
      })
    : samples.map(() => 4 * input.width * input.height)
  const bytes = bytesEach.reduce((sum, one) => sum + one, 0)
  if (bytes > budgetBytes) return { samples, input, augment, kept: 'none', bytes: 0, get: (index) => read(samples[index]!) }
  let done = 0
  const sources = await mapBounded(samples, decodedAtOnce, async (sample) => {
    const source = await read(sample)
    onProgress?.(++done, samples.length)
    return source
  })
  return { samples, input, augment, kept: whole ? 'whole' : 'fitted', bytes, get: async (index) => sources[index]! }
}

async function readSource(
  { readLabel }: Pick<Dataset, 'readLabel'>,
  { name, picture, label }: Sample,
  input: Input,
  whole: boolean,
): Promise<Source> {
  if (label === undefined) throw new Error(`Expected a label for ${name} (${picture}), found none`)
  const ids = await readLabel(label)
  if (whole) return { fitted: false, picture: await decodePicture(picture), label: ids }
  const { width, height } = input
  return {
    fitted: true,
    picture: { pixels: await fitPicture(picture, input), width, height },
    label: { ids: fitLabel(ids, input), width, height },
  }
}

export interface Batch {
  /** uint8 RGB [n, height, width, 3]. */
  pictures: Uint8Array
  /** Class ids [n, height, width]. */
  labels: Uint8Array
  /** The n samples' names. */
  names: string[]
  /** How long the consumer waited for this batch: near 0 while the training step is the slower part. */
  waitedMs: number
}

export interface BatchOptions {
  /** Pictures in a batch. */
  batch: number
  seed: number
  /** Counts from 0; with the seed it decides order and changes. */
  epoch: number
  /** Off for validation: the samples' own order. */
  shuffle?: boolean
  /** What becomes of the last, smaller batch: `keep` it, or `fill` it with pictures from the epoch's beginning. */
  tail?: 'keep' | 'fill'
  /** Batches made ready in advance. */
  ahead?: number
}

/**
 * One epoch of batches. The change of a picture depends on seed, epoch and its index alone, so neither batch size nor a
 * restart between epochs alters it. Scaling runs in libuv's threads, also while the training step holds this one.
 */
export async function* batches(
  pictures: Pictures,
  { batch, seed, epoch, shuffle = true, tail = 'keep', ahead = defaultAhead }: BatchOptions,
): AsyncGenerator<Batch, void, undefined> {
  if (!(Number.isInteger(batch) && batch > 0)) throw new Error(`Expected a batch of 1 or more pictures, found ${batch}`)
  const indices = pictures.samples.map((_, index) => index)
  const order = shuffle ? shuffled(indices, random(seed, epoch)) : indices
  const groups: number[][] = []
  for (let at = 0; at < order.length; at += batch) groups.push(order.slice(at, at + batch))
  const last = groups.at(-1)
  if (tail === 'fill' && last !== undefined) for (let at = 0; last.length < batch; at++) last.push(order[at % order.length]!)

  const underWay: Promise<Omit<Batch, 'waitedMs'>>[] = []
  let next = 0
  while (next < groups.length || underWay.length > 0) {
    while (next < groups.length && underWay.length <= ahead) {
      const made = makeBatch(pictures, groups[next++]!, seed, epoch)
      // It is thrown where it is awaited; until then it is no unhandled rejection.
      made.catch(() => {})
      underWay.push(made)
    }
    const askedAt = performance.now()
    const made = await underWay.shift()!
    yield { ...made, waitedMs: performance.now() - askedAt }
  }
}

async function makeBatch(pictures: Pictures, group: number[], seed: number, epoch: number): Promise<Omit<Batch, 'waitedMs'>> {
  const { input, augment, samples } = pictures
  const area = input.width * input.height
  const made = {
    pictures: new Uint8Array(group.length * area * 3),
    labels: new Uint8Array(group.length * area),
    names: group.map((index) => samples[index]!.name),
  }
  await Promise.all(
    group.map(async (index, place) => {
      const { fitted, picture, label } = await pictures.get(index)
      const { region, mirrored, levels } = drawChange(augment, picture, input, random(seed, epoch, index))
      const pixels = fitted ? picture.pixels : await fitPixels(picture, input, region)
      const ids = fitted ? label.ids : fitLabel(label, input, region)
      copyRows(pixels, made.pictures.subarray(3 * area * place), input, 3, mirrored, levels)
      copyRows(ids, made.labels.subarray(area * place), input, 1, mirrored)
    }),
  )
  return made
}

/** Copies a picture of `channels` bytes a pixel, mirrored where asked for, with new levels where given. */
function copyRows(
  from: Uint8Array,
  to: Uint8Array,
  { width, height }: Input,
  channels: 1 | 3,
  mirrored: boolean,
  levels?: Uint8Array,
): void {
  if (!mirrored) to.set(from)
  else
    for (let y = 0, at = 0; y < height; y++)
      for (let x = width - 1; x >= 0; x--) {
        const source = (y * width + x) * channels
        for (let channel = 0; channel < channels; channel++) to[at++] = from[source + channel]!
      }
  if (levels !== undefined) for (let at = 0, end = from.length; at < end; at++) to[at] = levels[to[at]!]!
}
