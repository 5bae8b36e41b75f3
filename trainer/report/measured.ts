// measures.json of a run: what its model was measured to be, with the curves, so that other runs can be laid beside it.
import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { openBundle } from '../../deploy/bundle.ts'
import { type Breakdown, flatMeasures } from '../metrics/measure.ts'
import type { Validation } from '../metrics/validate.ts'
import { runPaths } from '../run/run.ts'
import { type EpochRow, readLog } from './log.ts'
import { writeAtomically } from './write-atomically.ts'

/** Data sets by their fingerprints; see data/check-dataset.ts. */
export type MeasuredOn = readonly { name: string; fingerprint: string }[]

export interface Measured {
  name: string
  split: string
  data: MeasuredOn
  classes: string[]
  measures: Record<string, number>
  breakdown: Breakdown
  /** In the data set's order; a picture without road in it or in the mask has no road_iou. */
  pictures: { name: string; drive: string; road_iou?: number; pixel_accuracy: number; uncertainty: number }[]
}

export function measured(
  { name, split, data, classes }: { name: string; split: string; data: MeasuredOn; classes: readonly { name: string }[] },
  { measures, breakdown, pictures }: Validation,
): Measured {
  return {
    name,
    split,
    data: data.map(({ name, fingerprint }) => ({ name, fingerprint })),
    classes: classes.map((one) => one.name),
    measures: flatMeasures(measures),
    breakdown,
    pictures: pictures.map(({ name, sample, road_iou, pixel_accuracy, uncertainty }) => ({
      name,
      drive: sample.drive,
      ...(Number.isFinite(road_iou) && { road_iou }),
      pixel_accuracy,
      uncertainty,
    })),
  }
}

export const writeMeasured = (dir: string, content: Measured) =>
  writeAtomically(
    runPaths(dir).measures,
    `${JSON.stringify(content, (_, value) => (value instanceof Float64Array ? Array.from(value) : value))}\n`,
  )

/** A run to lay beside another: its epochs and measures, and its curves where it wrote them. */
export interface Compared {
  name: string
  rows: readonly EpochRow[]
  measures: Record<string, number>
  data: MeasuredOn
  breakdown?: Breakdown
}

/** Reads a finished run; of one from before measures.json was written, what its bundle says. Throws where there is no bundle. */
export async function readCompared(dir: string): Promise<Compared> {
  const paths = runPaths(dir)
  const { manifest } = await openBundle(paths.bundle).catch((cause: unknown) => {
    throw new Error(`Expected a finished run in ${dir}: ${(cause as Error).message}`, { cause })
  })
  const rows = await readLog(paths.log)
  const text = await readFile(paths.measures, 'utf8').catch(() => undefined)
  const told = { name: manifest.name || basename(dir), rows, measures: manifest.measures, data: manifest.data }
  if (text === undefined) return told
  const { measures, data, breakdown } = JSON.parse(text) as Measured
  const { precision, recall, f } = breakdown.curve
  const curve = { precision: Float64Array.from(precision), recall: Float64Array.from(recall), f: Float64Array.from(f) }
  return { ...told, measures, data, breakdown: { ...breakdown, curve } }
}

/** The epochs of the run that a bundle lies in; none where it lies elsewhere. */
export async function epochsOf(bundle: string, name: string): Promise<EpochRow[]> {
  const dir = join(bundle, '..')
  const record = await readFile(runPaths(dir).record, 'utf8').catch(() => undefined)
  return record !== undefined && (JSON.parse(record) as { name: string }).name === name ? readLog(runPaths(dir).log) : []
}
