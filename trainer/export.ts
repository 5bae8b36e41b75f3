// Writes a run's bundle again in other precisions:  npm run export -- --run DIR --compute bfloat16   (--help for more)
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { readCheckpoint } from './checkpoint.ts'
import { loadPictures } from './data/batches.ts'
import { joinDatasets, openDataset } from './data/open-dataset.ts'
import { finishRun, summary } from './finish-run.ts'
import { buildNetwork } from './learner.ts'
import { readRun, runPaths } from './run.ts'
import { Precision } from './settings.ts'

const help = `npm run export -- --run DIR [options]

Writes the bundle of a training run again, from its best epoch. The masks are compared with those of float32 on the run's
validation pictures, and what changes is printed and written into the manifest.

  --run DIR               the run folder; its data must be where it was
  --compute TYPE          what convolutions compute in: float32, bfloat16 or float16 (as in the run)
  --storage TYPE          what weights are stored in: float32, bfloat16 or float16 (as in the run)
  --bundle DIR            where to write it (DIR of the run/bundle, whose bundle is replaced)

bfloat16 is for CPUs with AVX512_BF16 or AMX and GPUs from Ampere on (Orin), float16 for GPUs; npm run doctor says what a
machine computes in itself.
`

async function exportRun(args: string[]): Promise<void> {
  const text = { type: 'string' } as const
  const { values } = parseArgs({
    args,
    options: { run: text, compute: text, storage: text, bundle: text, help: { type: 'boolean', short: 'h' } },
  })
  if (values.help) return void console.log(help)
  if (!values.run) throw new Error(`Expected --run DIR\n\n${help}`)
  const record = await readRun(values.run)
  const { settings, input } = record
  const asked = z
    .object({ compute: Precision.default('float32'), storage: Precision.default('float32') })
    .safeParse({ ...settings, ...values })
  if (!asked.success) throw new Error(z.prettifyError(asked.error))
  const paths = runPaths(values.run)
  const { state } = await readCheckpoint(paths.best)

  const data = joinDatasets(await Promise.all(settings.data.map((spec) => openDataset(spec, settings))))
  const valPictures = await loadPictures(data, data.val, input)
  const network = buildNetwork(settings, input, data.classes.length)
  network.load(state)
  const bundle = values.bundle ?? paths.bundle
  const options = { ...asked.data, batch: settings.batch, input, data, valPictures }
  console.log(`${summary(await finishRun(network, record, options, { bundle }))}.\nBundle ${bundle}`)
  network.close()
}

exportRun(process.argv.slice(2)).catch((error: Error) => {
  console.error(error.message)
  process.exitCode = 1
})
