// The command line of the benchmarks.
import { availableParallelism } from 'node:os'
import { z } from 'zod'
import { optionFaults, parseOptions } from '../../deploy/options.ts'
import { type Measurement, measurements, ours, peers } from './pairs.ts'

export const help = `npm run bench -- inference|training [options]

Measures this project beside others on the same network (FCN-8s on VGG16), weights and pictures, in one run.

  inference   uint8 pictures in, class ids out: our exported model in each precision, Keras (tf.function), tfjs eager, OpenVINO with our model
              converted, ONNX Runtime with the same network written as ONNX
  training    one step of AdamW, from pictures and labels to new weights: our trainer, Keras
              (tf.function), tfjs eager, PyTorch; and the largest memory of each

Each contestant is a process of its own. They take turns in short bursts, several rounds long, so that what disturbs the
machine disturbs all alike. The table has the median over the rounds; a ratio is ours divided by the peer's (smaller is
better), with the quartiles of the rounds' own ratios. Before the first burst every answer is compared with ours in float32.
Each runs as its users start it: our training as npm run trainer does, whose memory glibc takes in huge pages.

  --widths X,…     times VGG16's channels; fc6 and fc7 get 4096 times that (0.25,1)
  --batches N,…    pictures a call (inference 1, training 2)
  --peers NAME,…   inference: ${Object.keys(peers.inference).join(', ')}
                   training: ${Object.keys(peers.training).join(', ')}
                   A name's beginning takes all that begin so; none measures ours alone (all of them)
  --rounds N       turns of each contestant (inference 7, training 3)
  --burst SECONDS  how long a turn is (inference 0.5, training 5, since the steps after a rest are slow)
  --threads N      that each may use (${availableParallelism()} here)
  --batch-norm on|off  training: left out, as the preset of that width has it (jetson, 0.25: on; paper, 1: off)
  --run DIR        inference: the best weights of a training run and its width, instead of random ones
  --data LAYOUT:FOLDER  takes pictures from there (kitti:DIR or camvid:DIR); left out, rendered ones
  --json           one JSON object instead of the tables

Training at width 1 takes up to 16 GB of memory. The peers in Python live in .setup/bench, which is made (some 3 GB to fetch)
when the first of them is asked for.
`

/** Pictures at hand, which is also what int8 is calibrated on. */
export const examples = 16
const numbers = (each: z.ZodType<number, number>) =>
  z
    .string()
    .transform((text) => text.split(',').map(Number))
    .pipe(z.array(each))
const number = (each: z.ZodType<number, number>) => z.string().transform(Number).pipe(each)

const Options = z.object({
  widths: numbers(z.number().min(0.03).max(4)).prefault('0.25,1'),
  batches: numbers(z.int().min(1).max(examples)).optional(),
  peers: z.string().optional(),
  rounds: number(z.int().min(1)).optional(),
  burst: number(z.number().min(0)).optional(),
  threads: number(z.int().min(1)).prefault(String(availableParallelism())),
  'batch-norm': z.enum(['on', 'off'], 'expected on or off').optional(),
  run: z.string().optional(),
  data: z.string().optional(),
  json: z.boolean().default(false),
})

/** A training run steps without a rest, and the first steps after one are slow: their turns are longer, and fewer. */
const turns: Record<Measurement, { rounds: number; burst: number }> = {
  inference: { rounds: 7, burst: 0.5 },
  training: { rounds: 3, burst: 5 },
}

export interface Plan extends z.infer<typeof Options> {
  rounds: number
  /** Seconds. */
  burst: number
  /** In training; undefined for what the preset of the width has. */
  batchNorm: boolean | undefined
  measurement: Measurement
  contestants: string[]
}

/** Reads the command line; undefined where help was asked for. Throws a sentence for what is wrong. */
export function readPlan(args: string[]): Plan | undefined {
  const text = { type: 'string' } as const
  const names = ['widths', 'batches', 'peers', 'rounds', 'burst', 'threads', 'batch-norm', 'run', 'data'] as const
  const { values, positionals } = parseOptions({
    args,
    allowPositionals: true,
    options: {
      ...Object.fromEntries(names.map((name) => [name, text])),
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help) return undefined
  const measurement = measurements.find((one) => one === positionals[0])
  if (!measurement || positionals.length > 1)
    throw new Error(`Expected inference or training, found ${positionals.join(' ') || 'nothing'}\n\n${help}`)
  const parsed = Options.safeParse(values)
  if (!parsed.success) throw new Error(optionFaults(parsed.error, values))
  const options = parsed.data
  if (options.run !== undefined && measurement === 'training') throw new Error('--run: expected with inference only')
  if (options['batch-norm'] !== undefined && measurement === 'inference')
    throw new Error('--batch-norm: expected with training only; for inference it is folded into the convolutions')
  return {
    ...options,
    rounds: options.rounds ?? turns[measurement].rounds,
    burst: options.burst ?? turns[measurement].burst,
    measurement,
    batchNorm: options['batch-norm'] && options['batch-norm'] === 'on',
    contestants: [...ours[measurement], ...chosen(Object.keys(peers[measurement]), options.peers)],
  }
}

function chosen(known: string[], asked = ''): string[] {
  if (asked === 'none') return []
  const begins = asked.split(',')
  const unknown = begins.find((begin) => !known.some((name) => name.startsWith(begin)))
  if (unknown !== undefined) throw new Error(`--peers: expected some of ${known.join(', ')} or none, found ${unknown}`)
  return known.filter((name) => begins.some((begin) => name.startsWith(begin)))
}
