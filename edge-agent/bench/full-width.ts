// A bundle like another one, in full width and of random weights: what it computes is nothing, how long it takes is right.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { openBundle } from '../../deploy/bundle.ts'
import { build } from '../paths.ts'
import { made } from './videos.ts'

const maker = join(build, 'trainer/bench/random-bundle.js')

/** Whether this installation can make one: an image of the agent alone has no trainer. */
export const hasTrainer = existsSync(maker)

/** Its folder; made where it is missing. */
export async function fullWidth(bundle: string): Promise<string> {
  const { width, height } = (await openBundle(bundle)).manifest.input
  const folder = join(made(), `full-width-${width}x${height}`)
  if (existsSync(folder)) return folder
  process.stderr.write('making a bundle of full width\n')
  const { status } = spawnSync(process.execPath, [maker, '1', bundle, folder], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '3' },
  })
  if (status !== 0) throw new Error('A bundle of full width could not be made (see above)')
  return folder
}
