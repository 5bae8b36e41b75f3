// Semantic segmentation as Amazon SageMaker Ground Truth puts it out: a manifest of JSON lines, each with a picture, a label
// picture and the colours of its classes. Labels are decoded by colour; the indices of some jobs are wrong.
import { readFile, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { background, type GroundTruthLine, readLine } from '../../deploy/groundtruth-line.ts'
import { type Sample, type Skipped, withoutLabel } from './dataset.ts'
import { chooseClasses, readCodes } from './label-classes.ts'
import type { OpenOptions } from './open-dataset.ts'
import { driveOf, type Layout } from './split.ts'

/** Keys that are looked for where a copy of a bucket may be. */
const keysTried = 100

/**
 * Opens an output manifest. Paths are relative to its folder; those of `s3://BUCKET/KEY` are looked for in copies of the
 * bucket beside it: BUCKET/KEY or KEY in its folder or one above. Of adjusted labels the last adjustment counts. Throws,
 * with the line, where the manifest is none, and where a bucket has no copy.
 */
export async function openGroundTruth(name: string, file: string, { classes = 'road' }: OpenOptions): Promise<Layout> {
  const skipped: Skipped[] = []
  const labelled = await readManifest(file, skipped)
  const named = new Set(labelled.flatMap(({ label }) => label.colours.map(({ name }) => name)))
  named.delete(background.name)
  const { idOf, ...chosen } = chooseClasses([background.name, ...[...named].sort()], classes, file)
  const names = sampleNames(labelled.map(({ ref }) => ref))
  const coloursOf = new Map(labelled.map(({ label }) => [label.path, label.colours]))
  return {
    name,
    train: labelled.map(({ picture, label }, i): Sample => {
      const name = names[i]!
      return { name, picture, label: label.path, drive: driveOf(name) }
    }),
    val: [],
    test: [],
    usualSplit: 'drive',
    ...chosen,
    licence: 'not stated',
    skipped,
    readLabel: (label) => {
      const codes = coloursOf.get(label)
      if (codes === undefined) throw new Error(`${label} is no label of ${file}`)
      return readCodes(label, { kind: 'colours', codes }, idOf)
    },
  }
}

/** A labelled line of a manifest, with its files on this machine. */
interface Row {
  /** The picture's place as the manifest has it. */
  ref: string
  picture: string
  label: NonNullable<GroundTruthLine['label']> & { path: string }
}

/** Reads a manifest's labelled lines; the others' pictures go into `skipped`. Throws as `openGroundTruth`. */
export async function readManifest(file: string, skipped: Skipped[] = []): Promise<Row[]> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new Error(`Expected an output manifest of Ground Truth, ${file} cannot be read`, { cause })
  })
  const rows = text.split('\n').flatMap((line, at) => (line.trim() === '' ? [] : [readLine(line, `${file}:${at + 1}`)]))
  skipped.push(...rows.flatMap(({ picture, label }) => (label ? [] : [{ file: picture, reason: withoutLabel }])))
  const labelled = rows.flatMap(({ picture, label }) => (label ? [{ picture, label }] : []))
  if (labelled.length === 0)
    throw new Error(
      `${file}: expected lines with a label, an attribute that ends in -ref and its -metadata; none of ${rows.length} has one`,
    )
  const jobs = [...new Set(labelled.map(({ label }) => label.attribute.replace(/^(adjusted-)+/, '')))]
  if (jobs.length > 1)
    throw new Error(
      `${file}: expected the labels of one job and its adjustments, found ${jobs.join(', ')}; keep the lines' attributes of one`,
    )
  const pathOf = await localPaths(
    file,
    labelled.flatMap(({ picture, label }) => [picture, label.ref]),
  )
  return labelled.map(({ picture, label }) => ({
    ref: picture,
    picture: pathOf(picture),
    label: { ...label, path: pathOf(label.ref) },
  }))
}

/** Where the files of references are. */
async function localPaths(manifest: string, references: string[]): Promise<(reference: string) => string> {
  const folder = dirname(resolve(manifest))
  const keys = new Map<string, string[]>()
  for (const reference of references) {
    const { scheme, bucket, key } = parts(reference)
    if (scheme !== undefined && (scheme !== 's3' || !bucket || !key))
      throw new Error(`${manifest}: expected local paths or s3://BUCKET/KEY, found ${reference}`)
    const some = keys.get(bucket ?? '') ?? []
    if (bucket && key && some.length < keysTried) keys.set(bucket, [...some, key])
  }
  const copies = new Map<string, string>()
  for (const [bucket, some] of keys) {
    const copy = await findCopy(folder, bucket, some)
    if (copy === undefined)
      throw new Error(
        `${manifest}: expected a local copy of s3://${bucket} in its folder or one above, found none of ${some[0]}, …. Make one: aws s3 sync s3://${bucket} ${join(folder, bucket)}`,
      )
    copies.set(bucket, copy)
  }
  return (reference) => {
    const { bucket, key } = parts(reference)
    return bucket && key ? join(copies.get(bucket)!, key) : resolve(folder, reference)
  }
}

const parts = (reference: string): { scheme?: string; bucket?: string; key?: string } =>
  /^(?<scheme>[a-z0-9]+):\/\/(?<bucket>[^/]*)\/?(?<key>.*)$/is.exec(reference)?.groups ?? {}

/** The nearest folder under which one of the keys lies. */
async function findCopy(folder: string, bucket: string, keys: string[]): Promise<string | undefined> {
  for (let above = folder; ; above = dirname(above)) {
    for (const root of [join(above, bucket), above])
      for (const key of keys) if (await stat(join(root, key)).catch(() => undefined)) return root
    if (above === dirname(above)) return undefined
  }
}

/** The pictures' paths without the folders that all of them share, and without ending. */
function sampleNames(pictures: string[]): string[] {
  const paths = pictures.map((picture) => picture.split('/'))
  let shared = 0
  const [first] = paths
  while (paths.every((path) => shared < path.length - 1 && path[shared] === first![shared])) shared++
  return paths.map((path) =>
    path
      .slice(shared)
      .join('/')
      .replace(/\.[^./]*$/, ''),
  )
}
