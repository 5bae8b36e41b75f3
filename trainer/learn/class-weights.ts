// How much pixels of each class count in the loss.
import type { Pictures } from '../data/batches.ts'
import type { Settings } from '../run/settings.ts'

/**
 * The weights by class id, undefined where all are the same. `balanced`: pixels / (classes x pixels of the class), counted
 * on the training pictures as the model sees them, so that all classes count the same together (King and Zeng 2001; as in
 * scikit-learn); 0 for a class that is nowhere. Throws where there are not as many weights as classes.
 */
export async function classWeights(
  wanted: Settings['classWeights'],
  classes: readonly { name: string }[],
  { samples, get }: Pictures,
): Promise<number[] | undefined> {
  if (wanted === 'none') return undefined
  if (wanted !== 'balanced') {
    const names = classes.map(({ name }) => name).join(', ')
    if (wanted.length !== classes.length)
      throw new Error(`--class-weights: expected ${classes.length} weights, of ${names}, found ${wanted.length}`)
    return wanted
  }
  const counts = new Float64Array(256)
  for (const index of samples.keys()) for (const id of (await get(index)).label) counts[id]!++
  const own = [...counts.subarray(0, classes.length)]
  const all = own.reduce((sum, count) => sum + count, 0)
  return own.map((count) => (count === 0 ? 0 : all / (classes.length * count)))
}
