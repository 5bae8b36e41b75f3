// Writes a run's bundle again in other precisions:  npm run export -- --run DIR --compute bfloat16   (--help for more)
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { expectReplaceable, openBundle, writeBundle } from '../deploy/bundle.ts'
import { expectOutputFolder } from '../deploy/make-folder.ts'
import { optionFaults, parseOptions } from '../deploy/options.ts'
import { loadPictures } from './data/batches.ts'
import { checkDataset } from './data/check-dataset.ts'
import { joinDatasets, openDatasets } from './data/open-dataset.ts'
import { finishRun, summary } from './finish/finish-run.ts'
import { trainingLooks } from './finish/training-looks.ts'
import { buildNetwork } from './learn/learner.ts'
import { readCheckpoint } from './run/checkpoint.ts'
import { Precision } from './run/command-line.ts'
import { expectSameData, readRun, runPaths } from './run/run.ts'

const help = `npm run export -- --run DIR [options]
npm run export -- --looks DIR --data LAYOUT:PATH

Writes the bundle of a training run again, from its best epoch. The masks are compared with those of float32 on the run's
validation pictures, and what changes is printed and written into the manifest.

  --run DIR               the run folder; its data must be where it was
  --compute TYPE          what convolutions compute in: auto, float32, bfloat16, float16 or int8 (as in the run)
  --storage TYPE          what weights are stored in: float32, bfloat16 or float16 (as in the run; int8 where computed so)
  --threshold P|max-f     from which probability on a pixel is road, in mask and shares: a number between 0 and 1, or that of the
                          largest F1 on the validation pictures (left out: where road is the more probable class). Higher misses
                          more road, lower takes more for road; the run's report shows how much
  --bundle DIR            where to write it (DIR of the run/bundle, whose bundle is replaced)

  --looks DIR             a bundle, which is told what its training pictures look like, for the agent's drift alarm; bundles
                          that are written know it already
  --data LAYOUT:PATH      what it was trained on, as for the trainer; repeat it for several

auto is float32, and bfloat16 beside it for devices that compute that themselves, where this machine does and so can measure
it. bfloat16 is for CPUs with AVX512_BF16 or AMX and GPUs from Ampere on (Orin), float16 for GPUs. int8 is for x86-64 CPUs, best
with VNNI: activations are bytes whose range is measured on training pictures, weights bytes scaled for each channel.
npm run doctor says what a machine computes in itself.
`

const Asked = z.object({
  compute: z.enum(['auto', ...Precision.options, 'int8']),
  storage: Precision,
  threshold: z
    .string()
    .refine((text) => text === 'max-f' || (Number(text) > 0 && Number(text) < 1), {
      error: ({ input }) => `expected a number between 0 and 1, or max-f, found ${input}`,
    })
    .transform((text) => (text === 'max-f' ? (text as 'max-f') : Number(text)))
    .optional(),
})

const calibrationPictures = 32

/** Some of the items, evenly spread. */
const spread = <T>(items: readonly T[], count: number): T[] =>
  items.filter((_, i) => Math.floor((i * count) / items.length) !== Math.floor(((i - 1) * count) / items.length))

async function exportRun(args: string[]): Promise<void> {
  const text = { type: 'string' } as const
  const { values } = parseOptions({
    args,
    options: {
      run: text,
      compute: text,
      storage: text,
      threshold: text,
      bundle: text,
      looks: text,
      data: { type: 'string', multiple: true },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help) return void console.log(help)
  if (values.looks && values.data) return addLooks(values.looks, values.data, values.run)
  if (values.looks || values.data) throw new Error('Expected --looks DIR and --data LAYOUT:PATH together')
  if (!values.run) throw new Error(`Expected --run DIR\n\n${help}`)
  const record = await readRun(values.run)
  const { settings, input } = record
  const asked = Asked.safeParse({ ...settings, ...values })
  if (!asked.success) throw new Error(optionFaults(asked.error, values))
  const { compute, storage, threshold } = asked.data
  const int8 = compute === 'int8'
  if (int8 && values.storage) throw new Error('--storage: an int8 network stores its weights in int8; leave --storage out')
  const paths = runPaths(values.run)
  const bundle = values.bundle ?? paths.bundle
  await expectReplaceable(bundle)
  await expectOutputFolder(dirname(bundle))
  const { state } = await readCheckpoint(paths.best)

  const opened = await openDatasets(settings.data, settings)
  expectSameData(values.run, record, await Promise.all(opened.map(checkDataset)))
  const data = joinDatasets(opened)
  const valPictures = await loadPictures(data, data.val, input)
  const network = buildNetwork(settings, input, data.classes.length)
  network.load(state)
  const calibration = int8 && { calibration: await loadPictures(data, spread(data.train, calibrationPictures), input) }
  const options = { compute, storage, threshold, ...calibration, batch: settings.batch, input, data, valPictures }
  const finished = await finishRun(network, record, options, { bundle })
  const { milliseconds, machine } = finished.latency
  console.log(`${summary(finished)}.\nA picture takes ${milliseconds.toFixed(1)} ms (${machine}).\nBundle ${bundle}`)
  network.close()
}

const Opened = z.object({
  seed: z.number(),
  valFraction: z.number(),
  classes: z.enum(['road', 'all']),
  classMap: z.string().optional(),
})

/** Writes a bundle again with the looks of its training pictures, everything else as it was. */
async function addLooks(dir: string, specs: readonly string[], run: string | undefined): Promise<void> {
  if (run !== undefined) throw new Error('--looks is for a bundle without its run; leave --run out')
  const { manifest } = await openBundle(dir)
  const opened = Opened.safeParse(manifest.settings)
  if (!opened.success) throw new Error(`The settings in ${dir} do not say how to open data:\n${z.prettifyError(opened.error)}`)
  const data = joinDatasets(await openDatasets(specs, opened.data))
  const looks = await trainingLooks(data.train, manifest.input)
  if (!looks) throw new Error(`Expected at least two training pictures in ${specs.join(', ')}, found ${data.train.length}`)
  const { files, format: _, version: __, ...told } = manifest
  const contents = await Promise.all(Object.keys(files).map(async (path) => [path, await readFile(join(dir, path))] as const))
  await writeBundle(dir, { ...told, looks }, Object.fromEntries(contents))
  console.log(`${dir} knows the looks of ${looks.pictures} of its ${data.train.length} training pictures.`)
}

exportRun(process.argv.slice(2)).catch((error: Error) => {
  console.error(error.message)
  process.exitCode = 1
})
