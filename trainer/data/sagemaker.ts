// The channels of SageMaker's built-in semantic segmentation algorithm, as folders beside each other: train/,
// train_annotation/, validation/, validation_annotation/, optionally label_map.json. Labels are class ids, 255 is ignored.
// https://docs.aws.amazon.com/sagemaker/latest/dg/semantic-segmentation.html
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { parseClassMap } from './class-map.ts'
import { type ClassIds, ignore, type Skipped } from './dataset.ts'
import { openFolderPair } from './folder-pair.ts'
import { chooseClasses } from './label-classes.ts'
import { pixelPlace, readLabelPicture } from './label-picture.ts'
import type { OpenOptions } from './open-dataset.ts'
import type { Layout } from './split.ts'

/** What labels mean where no class map says so: two classes. */
const usualClasses = '0=other,1=road'

const LabelMap = z.looseObject({
  map: z.record(z.string().regex(/^\d+$/, 'expected a label value'), z.coerce.number().pipe(z.int().min(0).max(255))),
})

/** Label value in a file -> value that it stands for. */
type LabelValues = Map<number, number>

/**
 * Opens folders in the layout of the built-in algorithm's channels. Reads names and the label maps only. A label map is
 * looked for in DIR/label_map.json and, of one split, in DIR/label_map/train_label_map.json and so on. Throws where there is
 * nothing to train on, or a label map is none.
 */
export async function openSagemaker(name: string, dir: string, { classes = 'road', classMap }: OpenOptions): Promise<Layout> {
  const skipped: Skipped[] = []
  const [train, val] = await Promise.all(
    (['train', 'validation'] as const).map((split) => openFolderPair(dir, [split, `${split}_annotation`], skipped)),
  )
  if (train === undefined)
    throw new Error(
      `Expected SageMaker's channels in ${dir}: pictures in train/ and labels of the same names in train_annotation/ (and validation/, validation_annotation/), found neither`,
    )
  // The built-in algorithm allows one name in both; here a name is one sample.
  const trained = new Set(train.map(({ name }) => name))
  const validated = (val ?? []).map((sample) =>
    trained.has(sample.name) ? { ...sample, name: `validation_${sample.name}` } : sample,
  )
  const maps = { train: await readLabelMap(dir, 'train'), validation: await readLabelMap(dir, 'validation') }
  const { kind, codes, rest } = parseClassMap(classMap ?? usualClasses)
  if (kind !== 'ids') throw new Error(`--class-map: expected VALUE=CLASS for ${name}, whose labels are values, found colours`)
  const { idOf, ...chosen } = chooseClasses(
    [...codes.map((code) => code.name), ...(rest ? [rest] : [])],
    classes,
    classMap ? '--class-map' : name,
  )
  const named = new Map(codes.map(({ code, name }) => [code, idOf(name)]))
  const restId = rest === undefined ? undefined : idOf(rest)
  const idOfValue = (value: number) => named.get(value) ?? (value === ignore ? ignore : restId)
  const validation = new Set(validated.map(({ label }) => label))
  return {
    name,
    train,
    val: validated,
    test: [],
    usualSplit: validated.length > 0 ? 'own' : 'drive',
    ...chosen,
    licence: 'not stated',
    skipped,
    readLabel: (file) => readLabel(file, validation.has(file) ? maps.validation : maps.train, idOfValue),
  }
}

async function readLabelMap(dir: string, split: string): Promise<LabelValues | undefined> {
  for (const file of [
    join(dir, 'label_map', `${split}_label_map.json`),
    join(dir, 'label_map', 'label_map.json'),
    join(dir, 'label_map.json'),
  ]) {
    const text = await readFile(file, 'utf8').catch(() => undefined)
    if (text === undefined) continue
    try {
      return new Map(Object.entries(LabelMap.parse(JSON.parse(text)).map).map(([from, to]) => [Number(from), to]))
    } catch (cause) {
      const said = cause instanceof z.ZodError ? z.prettifyError(cause) : (cause as Error).message
      throw new Error(`${file}: expected {"map":{"0":5,"1":0}}, label values and what they stand for: ${said}`, { cause })
    }
  }
  return undefined
}

async function readLabel(
  file: string,
  values: LabelValues | undefined,
  idOfValue: (value: number) => number | undefined,
): Promise<ClassIds> {
  const { width, height, bytes } = await readLabelPicture(file, 'indices')
  const ids = new Uint8Array(bytes.length)
  const table = Array.from({ length: 256 }, (_, value) => idOfValue(values?.get(value) ?? value))
  for (let pixel = 0; pixel < ids.length; pixel++) {
    const id = table[bytes[pixel]!]
    if (id === undefined)
      throw new Error(
        `${file}: expected label values with a class, found ${bytes[pixel]} at ${pixelPlace(pixel, width)}. Name what the values mean: --class-map 0=other,1=road,…, *=other for all others`,
      )
    ids[pixel] = id
  }
  return { width, height, ids }
}
