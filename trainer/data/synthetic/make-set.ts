// A synthetic set of road pictures in KITTI's layout, so that training works where no data is at hand. The same seed
// gives the same bytes. Several worker threads render worlds; each world gives a few pictures.
import { existsSync } from 'node:fs'
import { readdir, rename, rm, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { makeFolder } from '../../../deploy/make-folder.ts'
import { licenceFile } from '../licence.ts'
import { renderWorld, type WorldJob } from './render-world.ts'
import type { Category } from './scenes.ts'
import { runInThreads } from './threads.ts'

export interface SetOptions {
  /** Labelled pictures for training, and pictures without labels for testing. */
  pictures?: number
  testPictures?: number
  /** Size of a picture; the default is half of KITTI's. */
  width?: number
  height?: number
  seed?: number
  /** Threads; 0 renders in the caller's own. */
  workers?: number
  onProgress?: (done: number, total: number) => void
}

const picturesOfWorld = 4
/** Shares of the categories in KITTI's 289 training pictures: 95 um, 96 umm, 98 uu. */
const categories: Category[] = ['um', 'umm', 'uu']

/**
 * Writes `training/image_2`, `training/gt_image_2` and `testing/image_2` under `dir`, which appears whole or not at all.
 * Throws where `dir` exists already.
 */
export async function makeSyntheticSet(
  dir: string,
  {
    pictures = 200,
    testPictures = 40,
    width = 621,
    height = 188,
    seed = 1,
    workers = Math.min(8, availableParallelism()),
    onProgress = showProgress,
  }: SetOptions = {},
): Promise<void> {
  if (existsSync(dir)) throw new Error(`Expected no folder ${dir} yet, but there is one; remove it to make the set anew`)
  const made = `${dir}.${process.pid}.tmp`
  await sweepUnfinished(dir)
  for (const folder of ['training/image_2', 'training/gt_image_2', 'testing/image_2']) await makeFolder(join(made, folder))
  try {
    const jobs = [
      ...planJobs(made, pictures, true, { width, height, seed }),
      ...planJobs(made, testPictures, false, { width, height, seed }),
    ]
    const total = pictures + testPictures
    let done = 0
    const progress = (count: number) => {
      done += count
      onProgress(done, total)
    }
    if (workers === 0) for (const job of jobs) progress(await renderWorld(job))
    else await runInThreads<WorldJob, number>(new URL('./render-world-thread.js', import.meta.url), jobs, workers, progress)
    await writeFile(join(made, licenceFile), `Synthetic road scenes made by roadmask with seed ${seed}, free to use\n`)
    await rename(made, dir)
  } finally {
    await rm(made, { recursive: true, force: true })
  }
}

/** Removes what a run that was killed left beside `dir`. */
async function sweepUnfinished(dir: string): Promise<void> {
  for (const name of await readdir(dirname(dir)).catch(() => [])) {
    const pid = name.startsWith(`${basename(dir)}.`) ? /\.(\d+)\.tmp$/.exec(name)?.[1] : undefined
    if (pid === undefined) continue
    try {
      process.kill(Number(pid), 0)
    } catch {
      await rm(join(dirname(dir), name), { recursive: true, force: true })
    }
  }
}

/** Pictures of a category share worlds, a few each; training and testing never see the same world. */
function planJobs(
  dir: string,
  count: number,
  labelled: boolean,
  { width, height, seed }: { width: number; height: number; seed: number },
): WorldJob[] {
  const jobs: WorldJob[] = []
  for (const [index, category] of categories.entries()) {
    const own = Math.floor((count + categories.length - 1 - index) / categories.length)
    for (let first = 0; first < own; first += picturesOfWorld) {
      const numbers = Array.from({ length: Math.min(picturesOfWorld, own - first) }, (_, at) => first + at)
      jobs.push({ dir, labelled, category, numbers, width, height, seed: [seed, labelled ? 1 : 2, index, first] })
    }
  }
  return jobs
}

/** A line that counts up on a terminal, a line at every quarter elsewhere. */
function showProgress(done: number, total: number): void {
  if (process.stdout.isTTY)
    process.stdout.write(`\rrendering synthetic road scenes: ${done} of ${total}${done === total ? '\n' : ''}`)
  else if (done === total || Math.floor((4 * done) / total) > Math.floor((4 * (done - picturesOfWorld)) / total))
    console.log(`rendering synthetic road scenes: ${done} of ${total}`)
}
