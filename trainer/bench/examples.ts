// The networks and the pictures that are measured.
import { writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { loadPictures } from '../data/batches.ts'
import { joinDatasets, openDatasets } from '../data/open-dataset.ts'
import { makeSyntheticSet } from '../data/synthetic/make-set.ts'
import { readRun, runPaths } from '../run/run.ts'
import { presets } from '../run/settings.ts'
import type { Task } from './contestant.ts'
import { examples, type Plan } from './plan.ts'

export type Network = Pick<Task, 'height' | 'width' | 'multiplier' | 'fc' | 'classes' | 'batchNorm' | 'checkpoint'>

/** As the preset of that width is trained: the paper's network, at width 1, has no batch normalisation. */
const normalisedAs = (multiplier: number) =>
  (Object.values(presets).find(({ width }) => width === multiplier) ?? presets.jetson).batchNorm

/** The networks of a plan: VGG16 at each of its widths, or the one of its run. Throws where peers could not build that. */
export async function networksOf({ run, widths, measurement, batchNorm }: Plan): Promise<Network[]> {
  if (run === undefined)
    return widths.map((multiplier) => ({
      // KITTI's road pictures as they are usually trained with.
      width: 576,
      height: 160,
      multiplier,
      fc: Math.round(4096 * multiplier),
      classes: 2,
      // A trained one is folded into the convolutions, so that inference is the same without.
      batchNorm: measurement === 'training' && (batchNorm ?? normalisedAs(multiplier)),
    }))
  const { settings, input } = await readRun(run)
  if (settings.net !== 'fcn8s' || settings.classes !== 'road')
    throw new Error(`--run: expected an fcn8s for road, found ${settings.net} for ${settings.classes}`)
  const { width: multiplier, fc } = settings
  const { width, height } = input
  return [{ width, height, multiplier, fc, batchNorm: settings.batchNorm, classes: 2, checkpoint: resolve(runPaths(run).best) }]
}

/** Writes pictures.raw, uint8 [examples, h, w, 3], and labels.raw, uint8 [examples, h, w]. Rendered ones where `spec` names no others. */
export async function writeExamples(folder: string, { width, height }: Network, spec?: string): Promise<void> {
  const set = join(folder, 'set')
  if (spec === undefined)
    await makeSyntheticSet(set, { pictures: examples, testPictures: 0, width, height, onProgress: () => {} })
  const data = joinDatasets(await openDatasets([spec ?? `kitti:${set}`], { seed: 1, valFraction: 0.2 }))
  const some = [...data.val, ...data.train].slice(0, examples)
  if (some.length < examples) throw new Error(`--data: expected ${examples} labelled pictures, found ${some.length}`)
  const pictures = await loadPictures(data, some, { width, height, fit: 'crop' })
  const sources = await Promise.all(some.map((_, index) => pictures.get(index)))
  await writeFile(join(folder, 'pictures.raw'), Buffer.concat(sources.map(({ picture }) => picture)))
  await writeFile(join(folder, 'labels.raw'), Buffer.concat(sources.map(({ label }) => label)))
}
