// A data set by its name on the command line: `kitti:data/data_road`, `pairs:data/own`. Several can be joined.
import { realpath } from 'node:fs/promises'
import { basename } from 'node:path'
import { openCamvid } from './camvid.ts'
import type { Dataset } from './dataset.ts'
import { openGroundTruth } from './groundtruth.ts'
import { openKitti } from './kitti.ts'
import { openPairs } from './pairs.ts'
import { openPictures } from './pictures.ts'
import { openSagemaker } from './sagemaker.ts'
import { type Layout, type SplitOptions, splitDatasets } from './split.ts'

export interface OpenOptions extends SplitOptions {
  /** `road` (the default): other and road. `all`: every class of the layout. */
  classes?: 'road' | 'all'
  /** What the codes of a layout's labels mean that does not say so itself: the text of a class map. */
  classMap?: string | undefined
}

const layouts: Record<string, (name: string, dir: string, options: OpenOptions) => Promise<Layout>> = {
  kitti: openKitti,
  camvid: openCamvid,
  pairs: openPairs,
  groundtruth: openGroundTruth,
  pictures: openPictures,
  sagemaker: openSagemaker,
}

/**
 * Opens data sets by names only and splits them; `checkDataset` looks into the files. Throws where a folder has not the
 * layout, a drive to leave out is in none of them, or one is named twice: its pictures would count twice, in measures too.
 */
export async function openDatasets(specs: readonly string[], options: OpenOptions): Promise<Dataset[]> {
  await expectEachOnce(specs)
  return splitDatasets(await Promise.all(specs.map((spec) => openLayout(spec, options))), options)
}

async function expectEachOnce(specs: readonly string[]): Promise<void> {
  const places = new Map<string, string>()
  for (const spec of specs) {
    const path = spec.slice(spec.indexOf(':') + 1)
    const place = await realpath(path).catch(() => path)
    const twin = places.get(place)
    if (twin) throw new Error(`--data: ${twin} and ${spec} are the same data; leave one of them out`)
    places.set(place, spec)
  }
}

async function openLayout(spec: string, options: OpenOptions): Promise<Layout> {
  const colon = spec.indexOf(':')
  const open = layouts[spec.slice(0, Math.max(0, colon))]
  const dir = spec.slice(colon + 1)
  if (open === undefined || dir === '')
    throw new Error(
      `Expected a data set as LAYOUT:PATH with a layout of ${Object.keys(layouts).join(', ')}, found "${spec}"; for example kitti:data/data_road`,
    )
  return open(spec, dir, options)
}

/**
 * Several data sets as one: samples carry their set's place in front of their name, and drives stay apart. Throws where
 * the classes differ.
 */
export function joinDatasets(datasets: Dataset[]): Dataset {
  // Pictures without labels know no classes.
  const [first = datasets[0], ...others] = datasets.filter(({ classes }) => classes.length > 0)
  if (first === undefined) throw new Error('Expected at least one data set, found none')
  if (datasets.length === 1) return first
  const names = (dataset: Dataset) => dataset.classes.map(({ name }) => name).join(', ')
  for (const other of others)
    if (names(other) !== names(first))
      throw new Error(
        `Expected data sets of the same classes, found ${names(first)} in ${first.name} and ${names(other)} in ${other.name}`,
      )
  const reader = new Map<string, Dataset['readLabel']>()
  for (const { train, val, test, readLabel } of datasets)
    for (const { label } of [...train, ...val, ...test]) if (label !== undefined) reader.set(label, readLabel)
  const titles = titlesOf(datasets)
  const all = (split: 'train' | 'val' | 'test') =>
    datasets.flatMap((dataset, index) =>
      dataset[split].map((sample) => ({
        ...sample,
        name: `${index + 1}_${sample.name}`,
        drive: `${titles[index]} ${sample.drive}`,
      })),
    )
  return {
    ...first,
    name: datasets.map(({ name }) => name).join(' + '),
    train: all('train'),
    val: all('val'),
    test: all('test'),
    licence: [...new Set(datasets.map(({ licence }) => licence))].join('; '),
    skipped: datasets.flatMap(({ skipped }) => skipped),
    readLabel: (file) => {
      const read = reader.get(file)
      if (read === undefined) throw new Error(`${file} is a label of none of the joined data sets`)
      return read(file)
    },
  }
}

/** The last part of each name, or its place where two have the same. */
function titlesOf(datasets: Dataset[]): string[] {
  const titles = datasets.map(({ name }) => basename(name.slice(name.indexOf(':') + 1)))
  return new Set(titles).size === titles.length ? titles : titles.map((title, place) => `${place + 1} ${title}`)
}
