// Pictures and labels as the training step takes them: bytes of the model's size, decoded once where memory allows, in
// seeded random order and made ready ahead of time, so that a step finds its batch waiting.
import type { ModelInput } from '../../deploy/bundle.ts'
import { mapBounded } from '../../deploy/each.ts'
import { fitPicture } from '../../deploy/fit-picture.ts'
import { type Dataset, ignore, type Sample } from './dataset.ts'
import { fitLabel } from './fit-label.ts'
import { random, shuffled } from './random.ts'

/** Pictures decoded at once while loading: a little more than libuv's four threads. */
const decodedAtOnce = 6
/** 2 GiB: some 5 800 pictures of 352 x 264; CamVid has 701. */
const defaultBudgetBytes = 2 * 2 ** 30
/** Batches under way while the training step works on another. */
const ahead = 3

type Input = Pick<ModelInput, 'width' | 'height' | 'fit'>

/** A picture and its label at the model's size. */
export interface Labelled {
  /** RGB [height, width, 3]. */
  picture: Uint8Array
  /** Class ids [height, width], all `ignore` for a picture without a label. */
  label: Uint8Array
}

/** Labelled pictures, ready to be cut into batches. */
export interface Pictures {
  samples: Sample[]
  input: Input
  get(index: number): Promise<Labelled>
}

/**
 * Decodes the samples' pictures and labels into memory, or, where they would take more than `budgetBytes`, prepares to
 * read them when they are needed. Of a sample without a label every pixel is `ignore`. Throws where a file cannot be read.
 */
export async function loadPictures(
  dataset: Pick<Dataset, 'readLabel'>,
  samples: Sample[],
  input: Input,
  budgetBytes = defaultBudgetBytes,
): Promise<Pictures> {
  const read = (sample: Sample) => readSample(dataset, sample, input)
  if (4 * input.width * input.height * samples.length > budgetBytes)
    return { samples, input, get: (index) => read(samples[index]!) }
  const kept = await mapBounded(samples, decodedAtOnce, read)
  return { samples, input, get: async (index) => kept[index]! }
}

async function readSample(
  { readLabel }: Pick<Dataset, 'readLabel'>,
  { picture, label }: Sample,
  input: Input,
): Promise<Labelled> {
  if (label === undefined)
    return { picture: await fitPicture(picture, input), label: new Uint8Array(input.width * input.height).fill(ignore) }
  const [pixels, ids] = await Promise.all([fitPicture(picture, input), readLabel(label)])
  return { picture: pixels, label: fitLabel(ids, input) }
}

export interface Batch {
  /** uint8 RGB [n, height, width, 3]. */
  pictures: Uint8Array
  /** Class ids [n, height, width]. */
  labels: Uint8Array
  /** How long the consumer waited for this batch: near 0 while the training step is the slower part. */
  waitedMs: number
}

/**
 * All pictures once, `batch` at a time, in an order that seed and epoch decide, or in their own where no order is given.
 * The first `done` batches are left out, the last is filled up with pictures from the beginning. Decoding runs in libuv's
 * threads, also while a training step holds this one.
 */
export async function* batches(
  pictures: Pictures,
  batch: number,
  order?: { seed: number; epoch: number; done?: number },
): AsyncGenerator<Batch, void, undefined> {
  const own = pictures.samples.map((_, index) => index)
  const indices = order ? shuffled(own, random(order.seed, order.epoch)) : own
  const underWay: Promise<Omit<Batch, 'waitedMs'>>[] = []
  for (let next = batch * (order?.done ?? 0); next < indices.length || underWay.length > 0; ) {
    while (next < indices.length && underWay.length <= ahead) {
      const group = Array.from({ length: batch }, (_, i) => indices[(next + i) % indices.length]!)
      next += batch
      const made = makeBatch(pictures, group)
      // It is thrown where it is awaited; until then it is no unhandled rejection.
      made.catch(() => {})
      underWay.push(made)
    }
    const askedAt = performance.now()
    const made = await underWay.shift()!
    yield { ...made, waitedMs: performance.now() - askedAt }
  }
}

async function makeBatch({ input, get }: Pictures, group: number[]): Promise<Omit<Batch, 'waitedMs'>> {
  const area = input.width * input.height
  const made = { pictures: new Uint8Array(group.length * area * 3), labels: new Uint8Array(group.length * area) }
  await Promise.all(
    group.map(async (index, place) => {
      const { picture, label } = await get(index)
      made.pictures.set(picture, 3 * area * place)
      made.labels.set(label, area * place)
    }),
  )
  return made
}
