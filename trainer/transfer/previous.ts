// An earlier run, or a bundle, as what a new run starts from: its network and its weights.
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Manifest, modelFile, openBundle } from '../../deploy/bundle.ts'
import { averageOf } from '../graph/average.ts'
import type { Values } from '../graph/graph.ts'
import { fromBfloat16s, fromHalves } from '../graph/half.ts'
import { readSavedModel } from '../graph/read-graph.ts'
import { readCheckpoint } from '../run/checkpoint.ts'
import { readRun, runPaths } from '../run/run.ts'
import type { Settings } from '../run/settings.ts'
import type { Source } from './adopt.ts'
import type { StoredWeight } from './weight-file.ts'

export interface Previous {
  source: Source
  /** What it was trained on, and what it was started from before that: its licences hold for what is learnt on it. */
  data: Manifest['data']
  /** What a new run takes over where the command line says nothing else. */
  network: Pick<Settings, 'net' | 'width' | 'fc' | 'batchNorm'> & { preset?: Settings['preset'] }
  input: { width: number; height: number }
}

/**
 * Opens the best checkpoint of a run folder, or a bundle. Throws, naming the `option` that asked for it, where `dir` is neither or
 * cannot be learnt on.
 */
export async function openPrevious(dir: string, option = '--from'): Promise<Previous> {
  const has = (file: string) => stat(join(dir, file)).catch(() => undefined)
  if (await has('manifest.json')) return fromBundle(dir, option)
  if (await has('settings.json')) return fromRun(dir)
  throw new Error(`${option}: expected a run folder (settings.json) or a bundle (manifest.json) in ${dir}, found neither`)
}

async function fromRun(dir: string): Promise<Previous> {
  const { name, settings, input, data, start } = await readRun(dir)
  const paths = runPaths(dir)
  const { state } = await readCheckpoint(paths.best)
  const { net, width, fc, batchNorm, preset } = settings
  const weights: Source['weights'] = new Map()
  for (const [variable, stored] of state) {
    const { shape, values } = state.get(averageOf(variable)) ?? stored // as validation and the bundle have them
    weights.set(variable, { shape, read: () => values })
  }
  // Only a finished run knows the names of its classes; without them the shapes decide.
  const bundle = await openBundle(paths.bundle).catch(() => undefined)
  const classes = bundle && { classes: bundle.manifest.classes.map(({ name }) => name) }
  return {
    source: { name, weights, ...classes, close: () => {} },
    data: [...data, ...(start?.data ?? [])],
    network: { net, width, fc, batchNorm, preset },
    input,
  }
}

async function fromBundle(dir: string, option: string): Promise<Previous> {
  const { manifest } = await openBundle(dir)
  const { net, width, fc } = manifest.architecture
  if (manifest.precision?.storage === 'int8')
    throw new Error(
      `${option}: ${dir} is an int8 bundle, whose weights are too coarse to learn on. Name its run folder, or write it anew: npm run export -- --run RUN --compute float32 --bundle DIR`,
    )
  const weights = constantsOf(await readFile(join(dir, modelFile)))
  if (!weights.has('conv1_1/kernel'))
    throw new Error(`Expected the constants conv1_1/kernel … of this trainer in ${join(dir, modelFile)}, found none of them`)
  const classes = manifest.classes.map(({ name }) => name)
  return {
    source: { name: manifest.name, weights, classes, close: () => {} },
    data: manifest.data,
    network: { net, width, fc, batchNorm: false, ...presetOf(manifest) },
    input: manifest.input,
  }
}

const presetOf = ({ settings }: Manifest): { preset?: Settings['preset'] } =>
  settings.preset === 'jetson' || settings.preset === 'paper' ? { preset: settings.preset } : {}

const decoded: Record<string, (values: Values) => Float32Array> = {
  float32: (values) => new Float32Array(Uint8Array.from(values as Uint8Array).buffer),
  float16: (values) => fromHalves(new Uint16Array(Uint8Array.from(values as Uint8Array).buffer)),
  bfloat16: (values) => fromBfloat16s(new Uint16Array(Uint8Array.from(values as Uint8Array).buffer)),
}

/** The kernels and biases among a graph's constants, by our names: `conv1_1/kernel_1` is that of conv1_1. */
function constantsOf(savedModel: Uint8Array): Map<string, StoredWeight> {
  const weights = new Map<string, StoredWeight>()
  for (const { op, name, attrs } of readSavedModel(savedModel).nodes) {
    const ours = /^(\w+\/(?:kernel|bias))(?:_\d+)*$/.exec(name)?.[1]
    const value = attrs.value
    if (op !== 'Const' || !ours || !value || !('tensor' in value)) continue
    const { values, shape, dtype } = value.tensor
    const decode = decoded[dtype]
    if (decode) weights.set(ours, { shape: [...shape], read: () => decode(values) })
  }
  return weights
}
