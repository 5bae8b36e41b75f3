// A network that starts from weights which were learnt before: what fits is loaded, the rest is new, and every layer is told.
import * as tf from '@tensorflow/tfjs-node-gpu'
import type { Manifest } from '../../deploy/bundle.ts'
import { variables } from '../model/fcn.ts'
import { BatchNorm, foldBatchNorm } from '../model/layers.ts'
import type { Settings } from '../run/settings.ts'
import { keepActivations } from './keep-activations.ts'
import type { StoredWeight } from './weight-file.ts'

/** Weights to start from, by our names of variables. */
export interface Source {
  /** In a few words; without a path of the machine, since it goes into the record and the manifest. */
  name: string
  weights: Map<string, StoredWeight>
  /** What classes its last layers score, where they do. */
  classes?: string[]
  close(): void
}

/** What became of a layer; kept in the record of the run. */
export interface LayerStart {
  layer: string
  start: 'loaded' | 'new'
  kernel: number[]
  /** Why it is new, or how its batch normalisation began. */
  note?: string
}

/** What a run was started from. */
export interface Start {
  name: string
  layers: LayerStart[]
  /** What that had been trained on, where it was a run or a bundle. */
  data?: Manifest['data']
}

const ofClasses = /^(up)?score/

/**
 * Puts a source's weights into the model, layer by layer, and closes the source. Where the source has batch normalisation and
 * the model has none, it is folded; where the model alone has it, its statistics come from `pictures` so that each layer
 * computes what it did in the source.
 * @param pictures some training pictures, float32 or uint8 as a tensor [1, h, w, 3] each; disposed by the caller
 * @throws where a convolution of VGG16 has another shape than the model's
 */
export function adoptWeights(
  model: tf.LayersModel,
  source: Source,
  { classes, pictures }: { classes: readonly string[]; pictures: readonly tf.Tensor[] },
): Start {
  const named = variables(model)
  const biases = new Map<string, tf.Tensor1D>()
  const layers: LayerStart[] = []
  const sameClasses = !source.classes || source.classes.join() === classes.join()
  try {
    for (const layer of model.layers) {
      const kernel = named.get(`${layer.name}/kernel`)
      if (!kernel || !layer.trainable) continue // the last upsampling stays bilinear
      const told = { layer: layer.name, kernel: kernel.shape }
      const stored = source.weights.get(`${layer.name}/kernel`)
      const otherShape = stored !== undefined && stored.shape.join() !== kernel.shape.join()
      if (stored && otherShape && layer.name.startsWith('conv'))
        throw new Error(
          `Expected ${layer.name} of shape [${kernel.shape}], as --width has it, but ${source.name} has [${stored.shape}]. Leave --width out, or set it to that of the weights.`,
        )
      const otherClasses = !sameClasses && ofClasses.test(layer.name)
      if (!stored) layers.push({ ...told, start: 'new' })
      else if (otherClasses) layers.push({ ...told, start: 'new', note: `other classes: ${source.classes}` })
      else if (otherShape) layers.push({ ...told, start: 'new', note: `${source.name} has [${stored.shape}]` })
      else layers.push({ ...told, start: 'loaded', ...load(layer.name, named, source, biases) })
    }
    keepActivations(model, biases, pictures)
  } finally {
    tf.dispose([...biases.values()])
    source.close()
  }
  return { name: source.name, layers }
}

/** Loads one layer. A bias that the model has no place for, since it has batch normalisation, is put aside into `biases`. */
function load(
  layer: string,
  named: Map<string, tf.Variable>,
  { name: source, weights }: Source,
  biases: Map<string, tf.Tensor1D>,
): { note?: string } {
  const bn = `${layer}_bn`
  const read = (name: string) => {
    const stored = weights.get(name)
    if (!stored) throw new Error(`Expected ${name} beside ${layer}/kernel in ${source}, found none`)
    return tf.tensor(stored.read(), stored.shape)
  }
  const [has, wants] = [weights.has(`${bn}/gamma`), named.has(`${bn}/gamma`)]
  return tf.tidy(() => {
    const put = (name: string, value: tf.Tensor) => {
      const variable = named.get(name)!
      if (value.shape.join() !== variable.shape.join())
        throw new Error(`Expected ${name} of shape [${variable.shape}], found [${value.shape}] in ${source}`)
      variable.assign(value)
    }
    const kernel = read(`${layer}/kernel`)
    if (has && !wants) {
      const [gamma, beta, mean, variance] = BatchNorm.kinds.map((kind) => read(`${bn}/${kind}`))
      const folded = foldBatchNorm(kernel, { gamma: gamma!, beta: beta!, mean: mean!, variance: variance! })
      put(`${layer}/kernel`, folded.kernel)
      put(`${layer}/bias`, folded.bias)
      return { note: 'batch normalisation folded' }
    }
    put(`${layer}/kernel`, kernel)
    if (has) for (const kind of BatchNorm.kinds) put(`${bn}/${kind}`, read(`${bn}/${kind}`))
    else if (wants) {
      biases.set(layer, tf.keep(read(`${layer}/bias`) as tf.Tensor1D))
      return { note: 'batch normalisation from training pictures' }
    } else if (named.has(`${layer}/bias`)) put(`${layer}/bias`, read(`${layer}/bias`))
    return {}
  })
}

/** Which layers learn otherwise than the rest, and for how many steps not at all; nothing where all learn the same. */
export function slowLayers(
  { name, layers }: Start,
  { headEpochs, encoderRate }: Pick<Settings, 'headEpochs' | 'encoderRate'>,
  stepsOfEpoch: number,
): { layers: ReadonlySet<string>; headSteps: number } | undefined {
  if (headEpochs === 0 && encoderRate === 1) return undefined
  const loaded = layers.filter(({ start }) => start === 'loaded').map(({ layer }) => layer)
  if (loaded.length === layers.length)
    throw new Error(
      `Every layer is loaded from ${name} and none is new: leave --head-epochs and --encoder-rate out, and set --learning-rate for all`,
    )
  return { layers: new Set(loaded), headSteps: headEpochs * stepsOfEpoch }
}

/** The table of a start, for people: a line for each layer. */
export function startTable({ name, layers }: Start): string {
  const rows = layers.map(({ layer, start, kernel, note = '' }) => [layer, `[${kernel.join(', ')}]`, start, note])
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]!.length)))
  const lines = rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  )
  const loaded = layers.filter(({ start }) => start === 'loaded').length
  return `Starts from ${name}: ${loaded} layers loaded, ${layers.length - loaded} new\n${lines.map((line) => `  ${line}`).join('\n')}`
}
