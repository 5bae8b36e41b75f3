// Measures a bundle on labelled pictures:  npm run evaluate -- --bundle DIR --data camvid:DIR   (--help for more)
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { parseOptions } from '../deploy/options.ts'
import { loadBundle } from '../deploy/run-bundle.ts'
import { loadPictures } from './data/batches.ts'
import { checkDataset } from './data/check-dataset.ts'
import { readClassMap } from './data/class-map.ts'
import { joinDatasets, openDatasets } from './data/open-dataset.ts'
import { readLeaveOut } from './data/split.ts'
import { timePicture } from './finish/time-calls.ts'
import { roadMeasures } from './metrics/categories.ts'
import { measurePredictions } from './metrics/confidence-pictures.ts'
import { withFlip } from './metrics/flip.ts'
import { flatMeasures, type Measures } from './metrics/measure.ts'
import { readRoadPlanes, startBirdsEye } from './metrics/model-birds-eye.ts'
import { printCategories, printMeasures } from './metrics/print-measures.ts'
import { validate } from './metrics/validate.ts'
import { epochsOf, readCompared } from './report/measured.ts'
import { writeOverlays } from './report/overlays.ts'
import { reportRun } from './report/report-run.ts'
import { headingOf, showCases } from './report/show-cases.ts'
import { readTestPictures, writeUpload } from './report/upload.ts'
import { described } from './run/run.ts'

const help = `npm run evaluate -- --bundle DIR --data LAYOUT:PATH [options]
npm run evaluate -- --predictions DIR --ground-truth DIR [--json]

Measures a bundle on labelled pictures, at the labels' own resolution.

  --bundle DIR            the bundle folder of a training run
  --data LAYOUT:PATH      kitti:DIR, camvid:DIR, pairs:DIR or groundtruth:FILE; repeat it for several
  --class-map MAP|FILE    what the labels of pairs:DIR mean (as in the bundle's training)
  --split train|val|test  which pictures (val)
  --leave-out DRIVE[,…]   val is these drives, or pictures that a FILE.txt lists, of the training pictures, train all others (as in the bundle's training)
  --val-fraction SHARE    share put aside for validation where the layout has none of its own (as in the bundle's training)
  --flip                  takes the mean of what the model says of a picture and of its mirror image, and says what it gains
  --seed N                of that split (as in the bundle's training)
  --overlays DIR          also writes the best, middling, worst and most uncertain pictures with the road tinted
  --upload FILE.zip       also writes what KITTI's leaderboard takes: confidence pictures of testing/image_2 in bird's-eye view
  --report FILE.html      also writes one page with curves, calibration, confusion matrix and such pictures
  --compare RUN           a run folder to lay beside it in that page; repeat it for several
  --json                  prints one JSON object as the last line

  --predictions DIR       confidence that a pixel is road, of any model: greyscale PNGs of 8 or 16 bits, um_road_000000.png or um_000000.png
  --ground-truth DIR      KITTI's um_road_000000.png and so on (training/gt_image_2); measured by category and all together
  --calib DIR             KITTI's calibration files, um_000000.txt and so on, for measures in bird's-eye view too; left out: the
                          folder calib beside the ground truth or the pictures

road_iou, mean_iou, pixel_accuracy, class_accuracy: from the more probable class of each pixel (Long et al. 2015).
covered: share of the labelled pixels that the model sees; the others, outside its crop, count in no measure.
weighted_iou: IoU of the classes weighted by their pixels.
max_f, ap, precision, recall, fpr, fnr, threshold: KITTI's road measures in perspective (Fritsch et al. 2013).
MaxF, AP, PRE, REC, FPR, FNR: the same by category at 256 thresholds, as KITTI's development kit has them; in bird's-eye view
10 m to both sides and 6 m to 46 m ahead, as on its leaderboard. A model's crop hides the rest there: it counts as not road.
`

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

async function evaluate(args: string[]): Promise<void> {
  const { values } = parseOptions({
    args,
    options: {
      bundle: { type: 'string' },
      data: { type: 'string', multiple: true },
      split: { type: 'string' },
      'val-fraction': { type: 'string' },
      seed: { type: 'string' },
      'class-map': { type: 'string' },
      'leave-out': { type: 'string' },
      predictions: { type: 'string' },
      'ground-truth': { type: 'string' },
      calib: { type: 'string' },
      flip: { type: 'boolean' },
      overlays: { type: 'string' },
      report: { type: 'string' },
      upload: { type: 'string' },
      compare: { type: 'string', multiple: true },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return void console.log(help)
  const { predictions, 'ground-truth': groundTruth } = values
  if (predictions || groundTruth) {
    const taken = ['predictions', 'ground-truth', 'calib', 'json', 'help']
    const other = Object.keys(values).find((name) => !taken.includes(name))
    if (!predictions || !groundTruth) throw new Error('Expected --predictions DIR and --ground-truth DIR together')
    if (other) throw new Error(`--predictions measures pictures and no bundle: leave --${other} out`)
    return evaluatePredictions(predictions, groundTruth, values.calib, values.json)
  }
  const { split: wanted = 'val', compare = [] } = values
  const split = splits.find((name) => name === wanted)
  if (!values.bundle || !values.data) throw new Error(`Expected --bundle DIR and --data LAYOUT:PATH\n\n${help}`)
  if (!split) throw new Error(`--split: expected ${splits.join(', ')}, found ${wanted}`)
  if (compare.length > 0 && !values.report) throw new Error('--compare is for the page: name it by --report FILE.html')
  const compared = await Promise.all(compare.map(readCompared))

  const bundle = await loadBundle(values.bundle)
  const { manifest } = bundle
  const read = Opened.safeParse({
    classes: manifest.settings.classes ?? (manifest.classes.length === 2 ? 'road' : 'all'),
    classMap: values['class-map'] === undefined ? manifest.settings.classMap : await readClassMap(values['class-map']),
    seed: values.seed ?? manifest.settings.seed,
    valFraction: values['val-fraction'] ?? manifest.settings.valFraction,
    split: manifest.settings.split,
    leaveOut:
      values['leave-out'] === undefined ? manifest.settings.leaveOut : await readLeaveOut(values['leave-out'].split(',')),
  })
  if (!read.success)
    throw new Error(
      read.error.issues
        .map(({ path, message }) => `--${path.join().replace('valFraction', 'val-fraction')}: ${message}`)
        .join('\n'),
    )
  const asked = read.data
  const opened = await openDatasets(values.data, { ...asked, otherData: values['leave-out'] === undefined })
  const checked = await Promise.all(opened.map(checkDataset))
  const data = joinDatasets(opened)
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

/** Prints KITTI's measures of confidence pictures, a row for each category. */
async function evaluatePredictions(predictions: string, groundTruth: string, calib: string | undefined, json: boolean) {
  const beside = join(groundTruth, '../calib')
  const calibrations = calib ?? ((await stat(beside).catch(() => undefined)) ? beside : undefined)
  const { perspective, birdsEye } = await measurePredictions(predictions, groundTruth, calibrations)
  printCategories(`${predictions} beside ${groundTruth}, in perspective`, perspective)
  if (birdsEye) printCategories("In bird's-eye view", birdsEye)
  else console.log(`No measures in bird's-eye view: there is no folder ${beside}, and no --calib DIR`)
  if (!json) return
  const categories = { categories: roadMeasures(perspective), ...(birdsEye ? { birds_eye: roadMeasures(birdsEye) } : {}) }
  console.log(JSON.stringify({ space: 'perspective', thresholds: 256, ...categories }))
}

evaluate(process.argv.slice(2)).catch((error: Error) => {
  console.error(error.message)
  process.exitCode = 1
})
