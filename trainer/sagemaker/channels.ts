// The channels of a SageMaker job, folders under input/data, as data sets of the trainer. What a channel holds is recognised
// by its content, so that a data set can be put into S3 as it is.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { labelFolders, pictureFolders } from '../data/pairs.ts'

/** What of a layout has to be in a folder. */
const marks: [layout: string, inside: string[][]][] = [
  ['kitti', [['training']]],
  ['camvid', [['trainannot'], ['valannot']]],
  ['sagemaker', [['train', 'train_annotation']]],
  ['pairs', pictureFolders.flatMap((pictures) => labelFolders.map((labels) => [pictures, labels]))],
]

/** Channels that are parts of the one data set that the built-in algorithm takes. */
const builtIn = ['train', 'train_annotation', 'validation', 'validation_annotation', 'label_map']

/**
 * The `--data` values of the job's channels, in the order of their names. `taken`: paths that options name, whose channels
 * are no data sets. Throws, naming channel and content, where one is not recognised or would be streamed.
 */
export async function dataOfChannels(inputData: string, config: string, taken: readonly string[] = []): Promise<string[]> {
  const channels = await listChannels(inputData, config)
  const within = (path: string, dir: string) => path === dir || path.startsWith(`${dir}/`)
  const sets = channels.filter((name) => !taken.some((path) => within(path, join(inputData, name))))
  const together = ['train', 'train_annotation'].every((name) => sets.includes(name))
  const specs = together ? [`sagemaker:${inputData}`] : []
  for (const name of sets) if (!together || !builtIn.includes(name)) specs.push(await recognise(name, join(inputData, name)))
  if (specs.length === 0)
    throw new Error(
      `Expected a channel with pictures and labels in ${inputData}, found none: give the job an input channel, for example training with a data set in KITTI's layout`,
    )
  return specs
}

/** Names of the channels: as the job says, else the folders that are there. */
async function listChannels(inputData: string, config: string): Promise<string[]> {
  const text = await readFile(config, 'utf8').catch(() => undefined)
  if (text === undefined) return folders(inputData).catch(() => [])
  let channels: Record<string, { TrainingInputMode?: string }>
  try {
    channels = JSON.parse(text)
  } catch (cause) {
    throw new Error(`${config}: expected JSON, found ${text.slice(0, 60)}`, { cause })
  }
  for (const [name, { TrainingInputMode: mode = 'File' }] of Object.entries(channels))
    if (mode !== 'File' && mode !== 'FastFile')
      throw new Error(`Channel ${name}: expected input mode File or FastFile, found ${mode}; pictures are read more than once`)
  return Object.keys(channels).sort()
}

async function folders(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true })
  return entries
    .filter((entry) => entry.isDirectory() || entry.isSymbolicLink())
    .map(({ name }) => name)
    .sort()
}

/** LAYOUT:PATH of a channel's folder, or of the only folder in it. */
async function recognise(channel: string, dir: string): Promise<string> {
  const found = await readdir(dir).catch(() => [] as string[])
  const only = found.length === 1 ? join(dir, found[0]!) : dir
  const spec = layoutOf(channel, dir, found) ?? layoutOf(channel, only, await readdir(only).catch(() => []))
  if (spec !== undefined) return spec
  const shown = found.slice(0, 6).join(', ')
  throw new Error(
    `Channel ${channel}: expected a data set: training/ (KITTI), train/ and trainannot/ (CamVid), images/ and masks/ (pairs), train/ and train_annotation/ (the built-in algorithm's channels), an output.manifest, or pictures alone; found ${shown || 'nothing'}${found[6] ? ', …' : ''} in ${dir}`,
  )
}

function layoutOf(channel: string, dir: string, found: readonly string[]): string | undefined {
  const manifests = found.filter((name) => name.endsWith('.manifest'))
  if (manifests.length > 1)
    throw new Error(`Channel ${channel}: expected one manifest, found ${manifests.join(', ')}; give each a channel of its own`)
  if (manifests[0]) return `groundtruth:${join(dir, manifests[0])}`
  const layout = marks.find(([, sets]) => sets.some((inside) => inside.every((name) => found.includes(name))))?.[0]
  if (layout) return `${layout}:${dir}`
  return found.length > 0 && found.every((name) => /\.(png|jpe?g)$/i.test(name)) ? `pictures:${dir}` : undefined
}
