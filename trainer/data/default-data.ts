// What is trained on where no data set was named.
import { stat } from 'node:fs/promises'

/** Made when there is no data set: enough to see the whole chain work. */
const syntheticSet = 'data/synthetic'

/** KITTI road where a person would have unpacked it, else a synthetic set of the same layout, as LAYOUT:PATH. */
export async function defaultData(seed: number): Promise<string> {
  if (await stat('data/data_road').catch(() => undefined)) return 'kitti:data/data_road'
  if (!(await stat(syntheticSet).catch(() => undefined))) {
    console.log(`No data set given and no ./data/data_road here: making a synthetic one in KITTI's layout in ${syntheticSet}`)
    const { makeSyntheticSet } = await import('./synthetic/make-set.ts')
    await makeSyntheticSet(syntheticSet, { seed })
  }
  return `kitti:${syntheticSet}`
}
