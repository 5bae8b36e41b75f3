// A bundle measured on labelled pictures, at the labels' own resolution. Reads top to bottom: options, data, measures, what is
// written of them.
import { dirname } from 'node:path'
import { z } from 'zod'
import type { Manifest } from '../../deploy/bundle.ts'
import { expectOutputFolder } from '../../deploy/make-folder.ts'
import { loadBundle } from '../../deploy/run-bundle.ts'
import { loadPictures } from '../data/batches.ts'
import { checkDataset } from '../data/check-dataset.ts'
import { readClassMap } from '../data/class-map.ts'
import { joinDatasets, openDatasets } from '../data/open-dataset.ts'
import { readLeaveOut } from '../data/split.ts'
import { timePicture } from '../finish/time-calls.ts'
import { roadMeasures } from '../metrics/categories.ts'
import { withFlip } from '../metrics/flip.ts'
import { flatMeasures, type Measures } from '../metrics/measure.ts'
import { readRoadPlanes, startBirdsEye } from '../metrics/model-birds-eye.ts'
import { printCategories, printMeasures } from '../metrics/print-measures.ts'
import { validate } from '../metrics/validate.ts'
import { epochsOf, readCompared } from '../report/measured.ts'
import { writeOverlays } from '../report/overlays.ts'
import { reportRun } from '../report/report-run.ts'
import { headingOf, showCases } from '../report/show-cases.ts'
import { readTestPictures, writeUpload } from '../report/upload.ts'
import { described } from '../run/run.ts'

export interface BundleOptions {
  bundle: string
  data: string[]
  split?: string | undefined
  'val-fraction'?: string | undefined
  seed?: string | undefined
  'class-map'?: string | undefined
  'leave-out'?: string | undefined
  calib?: string | undefined
  flip?: boolean | undefined
  overlays?: string | undefined
  report?: string | undefined
  upload?: string | undefined
  compare?: string[] | undefined
  json?: boolean | undefined
}

/** What the data was opened with in training. */
const Opened = z.object({
  seed: z.coerce.number().int().min(0).default(1),
  valFraction: z.coerce.number().min(0.01).max(0.9).default(0.2),
  classes: z.enum(['road', 'all']),
  classMap: z.string().optional(),
  split: z.enum(['fraction', 'drive']).optional(),
  leaveOut: z.array(z.string()).optional(),
})

const splits = ['train', 'val', 'test'] as const
/** Pictures a call; larger ones bring nothing on a CPU. */
const batch = 4

/** Measures, prints, and writes what was asked for. */
export async function measureBundle(values: BundleOptions): Promise<void> {
  // Options
  const { split: wanted = 'val', compare = [] } = values
  const split = splits.find((name) => name === wanted)
  if (!split) throw new Error(`--split: expected ${splits.join(', ')}, found ${wanted}`)
  if (compare.length > 0 && !values.report) throw new Error('--compare is for the page: name it by --report FILE.html')
  if (values.overlays) await expectOutputFolder(values.overlays)
  for (const file of [values.report, values.upload]) if (file) await expectOutputFolder(dirname(file))
  const compared = await Promise.all(compare.map(readCompared))
  const bundle = await loadBundle(values.bundle)
  const { manifest } = bundle
  const asked = await openedAs(manifest, values)

  // Data
  const opened = await openDatasets(values.data, { ...asked, otherData: values['leave-out'] === undefined })
  const checked = await Promise.all(opened.map(checkDataset))
  const data = { ...joinDatasets(opened), threshold: manifest.threshold }
  const names = (list: { name: string }[]) => list.map(({ name }) => name).join(', ')
  if (names(data.classes) !== names(manifest.classes))
    throw new Error(
      `Expected data with the bundle's classes ${names(manifest.classes)}, found ${names(data.classes)} in ${data.name}`,
    )
  const samples = data[split].filter(({ label }) => label !== undefined)
  if (samples.length === 0) throw new Error(`Expected labelled pictures in the ${split} split of ${data.name}, found none`)

  const testPlanes = values.upload ? await readTestPictures(data) : undefined
  const planes = await readRoadPlanes(samples, values.calib)
  const pictures = await loadPictures(data, samples, manifest.input)

  // Measures
  const score = values.flip ? withFlip(bundle.score, manifest.input) : bundle.score
  const ask = (by: typeof score) => (bytes: Uint8Array) => ({ probability: by(bytes, batch) })
  const birdsEye = planes.size > 0 ? startBirdsEye(planes, data.road) : undefined
  const options = { input: manifest.input, batch, ...(birdsEye ? { onPicture: birdsEye.add } : {}) }
  const validation = await validate(data, pictures, options, ask(score))
  if (validation.measures.pixels === 0)
    throw new Error(`Expected labelled pixels that the model sees in the ${split} split of ${data.name}, found none to measure`)
  printMeasures(`${manifest.name} on the ${split} split of ${data.name}`, validation.measures)
  const without = values.flip ? await validate(data, pictures, { input: manifest.input, batch }, ask(bundle.score)) : undefined
  const gain = without && difference(validation.measures, without.measures)
  if (gain)
    console.log(
      `  with --flip, beside without: ${Object.entries(gain)
        .map(([name, by]) => `${name} ${by < 0 ? '' : '+'}${by.toFixed(4)}`)
        .join(', ')}`,
    )
  if (birdsEye) printCategories("In bird's-eye view", birdsEye.compute())
  const latency = timePicture(score, manifest.input)
  console.log(`  ${'a picture takes'.padEnd(16)} ${latency.milliseconds.toFixed(1)} ms (${latency.machine})`)

  // What is written of them
  if (values.overlays || values.report) {
    const groups = await showCases({ ...data, test: [] }, validation, { input: manifest.input, score })
    if (values.overlays) {
      const written = await writeOverlays(values.overlays, groups, headingOf(manifest.name, validation))
      console.log(`\nOverlays: ${written.at(-1)}`)
    }
    if (values.report) {
      const measuredOn = checked.map((statistics, i) => described(values.data![i]!, statistics))
      const rows = await epochsOf(values.bundle, manifest.name)
      const about = { data, measuredOn, split, rows, compared, ...(birdsEye ? { birdsEye: birdsEye.compute() } : {}) }
      await reportRun(values.report, { manifest, validation, latency, groups }, about)
      console.log(`\nReport: ${values.report}`)
    }
  }
  if (values.upload && testPlanes) {
    await writeUpload(values.upload, testPlanes, data, { input: manifest.input, score })
    console.log(`\nFor KITTI's leaderboard: ${values.upload}, ${testPlanes.size} pictures`)
  }
  bundle.dispose()
  if (values.json)
    console.log(
      JSON.stringify({
        bundle: manifest.name,
        data: data.name,
        split,
        ...flatMeasures(validation.measures),
        ...(birdsEye ? { birds_eye: roadMeasures(birdsEye.compute()) } : {}),
        ...(gain ? { flip_gain: gain } : {}),
        latency_ms: latency.milliseconds,
      }),
    )
}

/** By how much the measures that a person looks at first differ. */
const difference = (one: Measures, other: Measures) =>
  Object.fromEntries(
    (['road_iou', 'mean_iou', 'pixel_accuracy', 'max_f', 'ap'] as const).map((name) => [name, one[name] - other[name]]),
  )

/** What to open the data with: as in the bundle's training, unless options say otherwise. */
async function openedAs({ settings, classes }: Manifest, values: BundleOptions): Promise<z.infer<typeof Opened>> {
  const { 'class-map': classMap, 'leave-out': leaveOut } = values
  const read = Opened.safeParse({
    classes: settings.classes ?? (classes.length === 2 ? 'road' : 'all'),
    classMap: classMap === undefined ? settings.classMap : await readClassMap(classMap),
    seed: values.seed ?? settings.seed,
    valFraction: values['val-fraction'] ?? settings.valFraction,
    split: settings.split,
    leaveOut: leaveOut === undefined ? settings.leaveOut : await readLeaveOut(leaveOut.split(',')),
  })
  if (read.success) return read.data
  throw new Error(
    read.error.issues
      .map(({ path, message }) => `--${path.join().replace('valFraction', 'val-fraction')}: ${message}`)
      .join('\n'),
  )
}
