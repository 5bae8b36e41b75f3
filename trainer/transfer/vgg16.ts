// The weights of VGG16 (Simonyan and Zisserman 2014) from a file that Keras or tfjs wrote, as our network takes them. Fully
// connected layers become convolutions, as in the FCN paper: fc1 of 7 x 7 x 512 values is fc6, fc2 is fc7.
import { basename } from 'node:path'
import { scale } from '../model/fcn.ts'
import type { Source } from './adopt.ts'
import { openWeightFile, type StoredWeight } from './weight-file.ts'

const convolutions = [2, 2, 3, 3, 3].flatMap((count, block) =>
  Array.from({ length: count }, (_, i) => `conv${block + 1}_${i + 1}`),
)

/**
 * Our layer of a weight's name in a file; nothing for what VGG16 for segmentation has no use for. Keras 2 and tfjs name layers
 * (`block1_conv2`, `fc1`); Keras 3 counts them, in all of a model (`layers/conv2d_1/vars/0`) or in each block.
 */
function layerOf(name: string): string | undefined {
  const named = /(?:^|\/)block([1-5])_conv([1-3])(?:\/|_[Wb]|$)/.exec(name)
  if (named) return `conv${named[1]}_${named[2]}`
  const full = /(?:^|\/)fc([12])(?:\/|_[Wb]|$)/.exec(name)
  if (full) return full[1] === '1' ? 'fc6' : 'fc7'
  const inBlock = /(?:^|\/)block([1-5])\/layers\/conv2d(?:_(\d))?\/vars\//.exec(name)
  if (inBlock) return `conv${inBlock[1]}_${Number(inBlock[2] ?? 0) + 1}`
  const counted = /(?:^|\/)layers\/(conv2d|dense)(?:_(\d+))?\/vars\//.exec(name)
  if (!counted) return undefined
  return (counted[1] === 'dense' ? ['fc6', 'fc7'] : convolutions)[Number(counted[2] ?? 0)]
}

/**
 * Opens a file with VGG16's weights, with or without its fully connected layers. Keras's VGG16 takes BGR less the mean, our
 * network RGB less the mean and divided by `scale`, so conv1_1 is flipped and multiplied; both are exact.
 * @throws where the file lacks one of the 13 convolutions or has a weight twice
 */
export async function openVgg16(path: string, name = basename(path)): Promise<Source> {
  const file = await openWeightFile(path)
  const weights: Source['weights'] = new Map()
  try {
    for (const [stored, weight] of file.weights) {
      const layer = layerOf(stored)
      if (!layer) continue
      const ours = `${layer}/${weight.shape.length === 1 ? 'bias' : 'kernel'}`
      if (weights.has(ours))
        throw new Error(`Expected one ${ours} in ${path}, found a second under ${stored}; it holds more than VGG16`)
      weights.set(ours, asOurs(ours, weight))
    }
    const missing = convolutions.flatMap((layer) => [`${layer}/kernel`, `${layer}/bias`]).filter((one) => !weights.has(one))
    if (missing.length > 0)
      throw new Error(
        `Expected VGG16's 13 convolutions in ${path}, but ${missing.slice(0, 3).join(', ')}${missing.length > 3 ? ` and ${missing.length - 3} more` : ''} ${missing.length > 1 ? 'are' : 'is'} not there. ` +
          `It holds ${[...file.weights].slice(0, 3).map(shown).join(', ') || 'no float32 weights'}${file.weights.size > 3 ? ' …' : ''}`,
      )
  } catch (error) {
    file.close()
    throw error
  }
  return { name, weights, close: file.close }
}

const shown = ([name, { shape }]: [string, StoredWeight]) => `${name} [${shape}]`

function asOurs(name: string, weight: StoredWeight): StoredWeight {
  const { shape } = weight
  if (name === 'conv1_1/kernel' && shape[2] === 3) return { shape, read: () => flipped(weight.read(), shape[3]!) }
  if (name === 'fc6/kernel' && shape.length === 2 && shape[0] === 7 * 7 * 512)
    return { ...weight, shape: [7, 7, 512, shape[1]!] }
  if (name === 'fc7/kernel' && shape.length === 2) return { ...weight, shape: [1, 1, ...shape] }
  return weight
}

/** A kernel [h, w, 3, channels] for BGR as one for RGB of `scale` times smaller values. */
const flipped = (kernel: Float32Array, channels: number) =>
  kernel.map((_, i) => {
    const colour = Math.floor(i / channels) % 3
    return scale * kernel[i + (2 - 2 * colour) * channels]!
  })
