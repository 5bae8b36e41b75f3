// The statistics of a data set for a person, in the words of KITTI's road recipe: training pictures, test pictures,
// total, labels.
import { basename } from 'node:path'
import { groupSkipped, type Statistics } from './check-dataset.ts'

const sizesShown = 4
const drivesShown = 6

/** What there is to tell of a data set, each with its title. */
export function factsOf(statistics: Statistics): [title: string, text: string][] {
  const { licence, trainingPictures, train, val, drivesAside, testPictures, total, labels, sizes, classes } = statistics
  const counts = [trainingPictures, testPictures, total, labels]
  const wide = Math.max(...counts.map((count) => String(count).length))
  const number = (count: number) => String(count).padStart(wide)
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`
  const unlabelled = statistics.ignoredShare > 0 ? ` (and ${percent(statistics.ignoredShare)} of all pixels unlabelled)` : ''
  const drives =
    drivesAside.length > drivesShown
      ? ` (${drivesAside.length} drives)`
      : drivesAside.length > 0
        ? ` (${drivesAside.length > 1 ? 'drives' : 'drive'} ${drivesAside.join(', ')})`
        : ''
  return [
    ['training pictures', `${number(trainingPictures)}   ${train} to train on, ${val} to validate on${drives}`],
    ['test pictures', number(testPictures)],
    ['total', number(total)],
    ['labels', number(labels)],
    [
      'sizes',
      sizes
        .slice(0, sizesShown)
        .map(({ width, height, count }) => `${width} x ${height}${sizes.length > 1 ? ` (${count})` : ''}`)
        .join(', ') + (sizes.length > sizesShown ? `, ${sizes.length - sizesShown} more` : ''),
    ],
    ['classes', classes.map((one) => `${one.name} ${percent(one.share)}`).join(', ') + unlabelled],
    ['licence', licence],
    ...groupSkipped(statistics.skipped).map(({ reason, files }): [string, string] => [
      'skipped',
      `${number(files.length)}   ${reason}: ${basename(files[0]!)}${files.length > 1 ? ', …' : ''}`,
    ]),
  ]
}

/** A few aligned lines, without a line end at the end. */
export function formatStatistics(statistics: Statistics): string {
  const rows = factsOf(statistics)
  const width = Math.max(...rows.map(([title]) => title.length))
  return [statistics.name, ...rows.map(([title, text]) => `  ${title.padEnd(width)}  ${text}`)].join('\n')
}

/** Prints the statistics on standard output. */
export function printStatistics(statistics: Statistics): void {
  console.log(formatStatistics(statistics))
}
