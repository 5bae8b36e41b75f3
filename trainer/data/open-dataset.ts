// A data set by its name on the command line: `kitti:data/data_road`, `camvid:data/camvid`. Several can be joined.
import { openCamvid } from './camvid.ts'
import type { Dataset } from './dataset.ts'
import { openKitti } from './kitti.ts'

export interface OpenOptions {
  /** Chooses the validation split where the layout has none of its own. */
  seed: number
  /** Share of the labelled pictures put aside for validation there, 0 to below 1. */
  valFraction: number
  /** `road` (the default): other and road. `all`: every class of the layout. */
  classes?: 'road' | 'all'
}

const layouts: Record<string, (name: string, dir: string, options: OpenOptions) => Promise<Dataset>> = {
  kitti: openKitti,
  camvid: openCamvid,
}

/** Opens a data set by names only; `checkDataset` looks into the files. Throws where the folder has not the layout. */
export async function openDataset(spec: string, options: OpenOptions): Promise<Dataset> {
  const colon = spec.indexOf(':')
  const open = layouts[spec.slice(0, Math.max(0, colon))]
  const dir = spec.slice(colon + 1)
  if (open === undefined || dir === '')
    throw new Error(
      `Expected a data set as LAYOUT:FOLDER with a layout of ${Object.keys(layouts).join(', ')}, found "${spec}"; for example kitti:data/data_road`,
    )
  return open(spec, dir, options)
}

/**
 * Several data sets as one: samples carry their set's place in front of their name, and drives stay apart. Throws where
 * the classes differ.
 */
export function joinDatasets(datasets: Dataset[]): Dataset {
  const [first, ...others] = datasets
  if (first === undefined) throw new Error('Expected at least one data set, found none')
  if (others.length === 0) return first
  const names = (dataset: Dataset) => dataset.classes.map(({ name }) => name).join(', ')
  for (const other of others)
    if (names(other) !== names(first))
      throw new Error(
        `Expected data sets of the same classes, found ${names(first)} in ${first.name} and ${names(other)} in ${other.name}`,
      )
  const reader = new Map<string, Dataset['readLabel']>()
  for (const { train, val, test, readLabel } of datasets)
    for (const { label } of [...train, ...val, ...test]) if (label !== undefined) reader.set(label, readLabel)
  const all = (split: 'train' | 'val' | 'test') =>
    datasets.flatMap((dataset, index) =>
      dataset[split].map((sample) => ({
        ...sample,
        name: `${index + 1}_${sample.name}`,
        drive: `${index + 1}_${sample.drive}`,
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
