// Synthetic road scenes to train with:  npm run trainer -- synthetic DIR   (--help for more)
import { availableParallelism } from 'node:os'
import { parseOptions } from '../../../deploy/options.ts'
import { makeSyntheticSet } from './make-set.ts'

const help = `npm run trainer -- synthetic DIR [options]

Renders labelled road scenes in KITTI's layout: bends, kerbs, pavements, cars, trees, shadows, rain, dusk. Trained on beside real
pictures they carry a model over to roads it has not seen:

  npm run trainer -- synthetic data/roads --pictures 1000 --size 480x360
  npm run trainer -- --data camvid:data/camvid --data kitti:data/roads

  --pictures N   (500) labelled pictures
  --size WxH     (640x360) best of the shape that your cameras have
  --seed N       (1) of the scenes: the same seed gives the same bytes
  --threads N    (one for each core, 8 at most)
`

const text = { type: 'string' } as const

/** Reads the command line and makes the set. Throws one sentence for what it cannot read; nothing is made then. */
export async function synthesise(args: string[]): Promise<void> {
  const options = { pictures: text, size: text, seed: text, threads: text, help: { type: 'boolean', short: 'h' } } as const
  const { values, positionals } = parseOptions({ args, options, allowPositionals: true })
  const [dir, ...others] = positionals
  if (values.help || (!dir && args.length === 0)) return console.log(help)
  if (!dir || others.length > 0) throw new Error(`Expected one folder to make, found ${positionals.join(' ') || 'none'}`)
  const [width, height] =
    /^([1-9]\d{1,3})x([1-9]\d{1,3})$/
      .exec(values.size ?? '640x360')
      ?.slice(1)
      .map(Number) ?? []
  if (!width || !height) throw new Error(`--size: expected WIDTHxHEIGHT, for example 640x360, found ${values.size}`)
  const whole = (name: 'pictures' | 'seed' | 'threads', usual: number, least: number) => {
    const value = Number(values[name] ?? usual)
    if (!Number.isInteger(value) || value < least)
      throw new Error(`--${name}: expected a whole number from ${least} on, found ${values[name]}`)
    return value
  }
  await makeSyntheticSet(dir, {
    pictures: whole('pictures', 500, 1),
    testPictures: 0,
    width,
    height,
    seed: whole('seed', 1, 0),
    workers: whole('threads', Math.min(8, availableParallelism()), 0),
  })
  console.log(`Train with it: npm run trainer -- --data kitti:${dir}`)
}
