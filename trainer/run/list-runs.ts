// npm run trainer -- runs: the runs of a folder with their measures.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openBundle } from '../../deploy/bundle.ts'
import { type EpochRow, readLog } from '../report/log.ts'
import { readRun, runPaths } from './run.ts'

type Numbers = Readonly<Record<string, number>>

const measures = { road_iou: 'road IoU', mean_iou: 'mean IoU', max_f: 'MaxF', pixel_accuracy: 'accuracy' } as const

/**
 * A table of the runs in `dir`, newest first: the measures of the bundle of a finished run, those of the best epoch so far of
 * another. Folders that are no runs are left out; of a damaged run the reason is told. Throws where there is no run.
 */
export async function listRuns(dir: string): Promise<string> {
  const names = await readdir(dir).catch((cause: unknown) => {
    throw new Error(`Expected a folder of runs, but ${dir} cannot be read. ${first}`, { cause })
  })
  const isRun = async (name: string) => readFile(runPaths(join(dir, name)).record).then(Boolean, () => false)
  const runs: { started: string; cells: string[] }[] = []
  for (const name of names) if (await isRun(name)) runs.push(await lookAt(join(dir, name), name))
  if (runs.length === 0) throw new Error(`Expected runs in ${dir}, found none. ${first}`)
  const newest = runs.sort((a, b) => (a.started < b.started ? 1 : -1)).map(({ cells }) => cells)
  const table = [['run', 'started', 'preset', 'epochs', ...Object.values(measures), 'data'], ...newest]
  const widths = table[0]!.map((_, column) => Math.max(...table.map((cells) => (cells.length > 2 ? cells[column]!.length : 0))))
  return table
    .map((cells) =>
      cells
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

const first = 'npm run trainer -- --epochs 30 trains one.'

async function lookAt(dir: string, name: string): Promise<{ started: string; cells: string[] }> {
  try {
    const { settings, started, data } = await readRun(dir)
    const paths = runPaths(dir)
    const rows = await readLog(paths.log)
    const bundle = await openBundle(paths.bundle).catch(() => undefined)
    const shown: Numbers = bundle?.manifest.measures ?? bestOf(rows) ?? {}
    const cells = [
      name,
      started.slice(0, 16).replace('T', ' '),
      settings.preset,
      `${rows.at(-1)?.epoch ?? 0}/${settings.epochs}`,
      ...Object.keys(measures).map((key) => shown[key]?.toFixed(4) ?? '-'),
      data.map((set) => set.name).join(' + '),
    ]
    return { started, cells }
  } catch (error) {
    return { started: '', cells: [name, (error as Error).message] }
  }
}

const bestOf = (rows: readonly EpochRow[]): EpochRow | undefined => rows.toSorted((a, b) => b.road_iou - a.road_iou)[0]
