// The settings of a training run: presets, and what the command line changes of them.
import { basename } from 'node:path'
import type { Size } from '../../deploy/fit-geometry.ts'
import type { Precision } from '../graph/graph.ts'
import type { schedules } from '../learn/schedule.ts'
import type { augmentations } from '../model/augment.ts'
import type { Architecture } from '../model/fcn.ts'
import type { losses } from '../model/loss.ts'
import type { Previous } from '../transfer/previous.ts'
import type { CommandLine } from './command-line.ts'

type Preset = Omit<Architecture, 'classes'> & {
  learningRate: number
  weightDecay: number
  ema: number
  batch: number
  augment: keyof typeof augmentations
}

/** `paper`: the network of the paper, for a GPU. `jetson`: 2.6 M parameters, trained from nothing in minutes on a CPU. */
export const presets = {
  paper: {
    net: 'fcn8s',
    width: 1,
    fc: 4096,
    batchNorm: false,
    dropout: 0.5,
    learningRate: 1e-4,
    weightDecay: 5e-4,
    ema: 0,
    batch: 2,
    augment: 'plain',
  },
  jetson: {
    net: 'fcn8s',
    width: 0.25,
    fc: 256,
    batchNorm: true,
    dropout: 0.2,
    learningRate: 2e-3,
    weightDecay: 0.01,
    ema: 0.998,
    batch: 4,
    augment: 'plain',
  },
} as const satisfies Record<string, Preset>

/** What a run is made with; kept in its folder as settings.json. */
export interface Settings extends Preset {
  preset: keyof typeof presets
  /** Where VGG16's weights were from: a name, no path. */
  vgg16?: string
  /** Name of the run or bundle it was started from. */
  from?: string
  /** Epochs in which loaded layers stay as they are, and by what their learning rate is multiplied afterwards. */
  headEpochs: number
  encoderRate: number
  data: string[]
  classes: 'road' | 'all'
  classMap?: string
  epochs: number
  input?: { width: number; height: number }
  fit: 'crop' | 'letterbox'
  schedule: keyof typeof schedules
  /** Epochs. */
  warmUp: number
  optimizer: 'adamw' | 'sgd'
  momentum: number
  loss: (typeof losses)[number]
  classWeights: 'none' | 'balanced' | number[]
  /** A finished run to learn from, and its part in the loss, 0 to 1. */
  teacher?: string
  teacherShare: number
  patience: number
  minEpochs: number
  tolerance: number
  clipNorm: number
  /** `auto`: trained in float32; the bundle has bfloat16 beside it. */
  compute: Precision | 'auto'
  storage: Precision
  split?: 'fraction' | 'drive'
  leaveOut?: string[]
  valFraction: number
  seed: number
}

/** The presets' rates are AdamW's. With batch normalisation, 0.05 learnt CamVid in two epochs as well as they do. */
const sgdRate = { batchNorm: 0.05, none: 0.01 }

/** Of the preset's rate, for a network that has learnt its task already. */
const fineTuning = 0.15

/** The settings of a new run: the preset's, those of the network it starts from, changed by the command line. */
export function settle(line: CommandLine, gpu: boolean, previous?: Previous): Settings {
  const preset = line.preset ?? previous?.network.preset ?? (gpu ? 'paper' : 'jetson')
  const base = { ...presets[preset], ...previous?.network }
  const batchNorm = line['batch-norm'] === undefined ? base.batchNorm : line['batch-norm'] === 'on'
  const rate = line.optimizer === 'sgd' ? sgdRate[batchNorm ? 'batchNorm' : 'none'] : base.learningRate
  const width = line.width ?? base.width
  if (line.vgg16 && width !== 1)
    throw new Error(
      `--vgg16: VGG16's weights are of a network of width 1, found ${width}${line.width === undefined ? ` (preset ${preset})` : ''}. Add --width 1, and on a CPU --fc 512.`,
    )
  return {
    preset,
    ...(line.vgg16 ? { vgg16: basename(line.vgg16) } : {}),
    ...(previous ? { from: previous.source.name } : {}),
    headEpochs: line['head-epochs'] ?? 0,
    encoderRate: line['encoder-rate'] ?? (line.vgg16 ? 0.1 : 1),
    data: line.data,
    classes: line.classes,
    ...(line['class-map'] ? { classMap: line['class-map'] } : {}),
    epochs: line.epochs ?? 30,
    net: line.net ?? base.net,
    width,
    fc: line.fc ?? base.fc,
    batchNorm,
    dropout: line.dropout ?? base.dropout,
    ...(line.input ? { input: line.input } : {}),
    fit: line.fit,
    batch: line.batch ?? base.batch,
    learningRate: line['learning-rate'] ?? (previous ? fineTuning * rate : rate),
    weightDecay: line['weight-decay'] ?? base.weightDecay,
    schedule: line.schedule,
    warmUp: line['warm-up'],
    optimizer: line.optimizer,
    momentum: line.momentum,
    loss: line.loss,
    classWeights: line['class-weights'],
    ...(line.teacher ? { teacher: line.teacher } : {}),
    teacherShare: line['teacher-share'],
    patience: line.patience ?? 0,
    minEpochs: line['min-epochs'],
    tolerance: line.tolerance,
    ema: line.ema ?? base.ema,
    clipNorm: line['clip-norm'],
    augment: line.augment ?? base.augment,
    compute: line.compute,
    storage: line.storage,
    ...(line.split ? { split: line.split } : {}),
    ...(line['leave-out'] ? { leaveOut: line['leave-out'] } : {}),
    valFraction: line['val-fraction'],
    seed: line.seed,
  }
}

/** The settings of a run that is resumed: its own, but for how long it goes on. */
export const goOn = (
  settings: Settings,
  { epochs = settings.epochs, patience = settings.patience }: CommandLine,
): Settings => ({
  ...settings,
  epochs,
  patience,
})

/** The size that KITTI road models are usually trained with. */
const usualInput = { width: 576, height: 160 }

/**
 * The model's input where none was asked for: the shape of the pictures as nearly as multiples of 8 allow, at about as many
 * pixels as `like` has.
 */
export function inputFor(pictures: Size, like: Size = usualInput): Size {
  const shape = pictures.width / pictures.height
  const sizes = Array.from({ length: 200 }, (_, i) => {
    const height = 8 * (i + 1)
    return { width: Math.max(8, 8 * Math.round((height * shape) / 8)), height }
  })
  const off = (value: number, wanted: number) => Math.abs(Math.log(value / wanted))
  // What a wrong shape cuts off is lost; a few pixels more or less hardly matter.
  const cost = ({ width, height }: { width: number; height: number }) =>
    off(width / height, shape) + 0.05 * off(width * height, like.width * like.height)
  return sizes.reduce((best, one) => (cost(one) < cost(best) ? one : best))
}
