// npm run trainer -- inspect: a data set looked through before it is trained on.
import { join } from 'node:path'
import { expectOutputFolder, makeFolder } from '../../deploy/make-folder.ts'
import { parseOptions } from '../../deploy/options.ts'
import { classMapHelp, readClassMap } from '../data/class-map.ts'
import { joinDatasets, openDatasets } from '../data/open-dataset.ts'
import { printStatistics } from '../data/print-statistics.ts'
import { readLeaveOut } from '../data/split.ts'
import { writeAtomically } from '../report/write-atomically.ts'
import { readCommandLine } from '../run/command-line.ts'
import { type Inspected, inspectDataset } from './find-suspects.ts'
import { inspectPage } from './inspect-page.ts'

const help = `npm run trainer -- inspect --data LAYOUT:PATH [options]

Reads every picture and label and says what is in them and what deserves a second look: labels without road or of nothing else,
labels that lie beside their picture, validation pictures that are nearly trained on, files that training would refuse.

  --data LAYOUT:PATH   as in training; repeat it for several
  --classes road|all   which classes (all); more of them have more borders, so that shifted labels are found more surely
  --class-map MAP|FILE what the labels of pairs:DIR mean: ${classMapHelp}
  --split, --leave-out, --val-fraction, --seed   which pictures are put aside, as in training
  --out DIR            where report.html is written (inspect)
  --json               prints one JSON object as the last line

Suspicions are no errors: the exit code is 0 unless the data cannot be opened.
`

const named = 6

/** Runs the command with what follows `inspect`. */
export async function inspect(args: string[]): Promise<void> {
  const { values } = parseOptions({
    args,
    options: {
      data: { type: 'string', multiple: true },
      classes: { type: 'string', default: 'all' },
      'class-map': { type: 'string' },
      split: { type: 'string' },
      'leave-out': { type: 'string' },
      'val-fraction': { type: 'string' },
      seed: { type: 'string' },
      out: { type: 'string', default: 'inspect' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  const { out, json, help: wanted, ...asTraining } = values
  if (wanted) return void console.log(help)
  if (!asTraining.data) throw new Error(`Expected --data LAYOUT:PATH\n\n${help}`)
  const given = Object.entries(asTraining).flatMap(([name, value]) => [value].flat().flatMap((one) => [`--${name}`, one]))
  const line = readCommandLine(given)!
  await expectOutputFolder(out)
  const dataset = joinDatasets(
    await openDatasets(line.data, {
      classes: line.classes,
      split: line.split,
      valFraction: line['val-fraction'],
      seed: line.seed,
      ...(line['class-map'] && { classMap: await readClassMap(line['class-map']) }),
      ...(line['leave-out'] && { leaveOut: await readLeaveOut(line['leave-out']) }),
    }),
  )
  const found = await inspectDataset(dataset)
  printStatistics(found.statistics)
  console.log(`\n${summary(found)}`)
  const page = join(out, 'report.html')
  const html = await inspectPage(dataset, found)
  await makeFolder(out)
  await writeAtomically(page, html)
  console.log(`\nPictures: ${page}`)
  if (json) console.log(JSON.stringify(forJson(found)))
}

/** Findings as lines. */
function summary({ faults, suspects, ofKnownDrives }: Inspected): string {
  const kinds = [...new Set(suspects.map(({ kind }) => kind))].map((kind) => {
    const those = suspects.filter((suspect) => suspect.kind === kind)
    const some = those.slice(0, named).map(({ split, sample, about }) => `  ${split} ${sample.name}: ${about}`)
    return [`${kind}: ${those.length}`, ...some, ...(those.length > named ? [`  and ${those.length - named} more`] : [])].join(
      '\n',
    )
  })
  const lines = [
    ...faults.map((fault) => `training refuses: ${fault}`),
    ...kinds,
    ...(ofKnownDrives > 0 ? [`validation pictures of drives that are also trained on: ${ofKnownDrives}`] : []),
  ]
  return lines.join('\n') || 'Nothing that deserves a second look.'
}

const forJson = ({ statistics, suspects, ...rest }: Inspected) => ({
  statistics: { ...statistics, skipped: statistics.skipped.length },
  ...rest,
  suspects: suspects.map(({ sample, twin, ...suspect }) => ({
    ...suspect,
    name: sample.name,
    picture: sample.picture,
    label: sample.label,
    ...(twin ? { twin: twin.picture } : {}),
  })),
})
