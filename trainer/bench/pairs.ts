// Who is measured, beside whom, and what is aimed at: time (or memory) of ours divided by the peer's.

export const measurements = ['inference', 'training'] as const
export type Measurement = (typeof measurements)[number]

/** Peers by measurement, each with the program that runs it. */
export const peers: Record<Measurement, Record<string, 'node' | 'python'>> = {
  inference: {
    keras: 'python',
    tfjs: 'node',
    onnxruntime: 'python',
    'onnxruntime-int8': 'python',
    openvino: 'python',
    'openvino-bfloat16': 'python',
    'openvino-int8': 'python',
  },
  training: { keras: 'python', tfjs: 'node', pytorch: 'python', 'pytorch-bfloat16': 'python' },
}

type Ours = 'ours-float32' | 'ours-bfloat16' | 'ours-int8'

export const ours: Record<Measurement, Ours[]> = {
  inference: ['ours-float32', 'ours-bfloat16', 'ours-int8'],
  training: ['ours-float32', 'ours-bfloat16'],
}

/**
 * Who runs in turn with whom. All of inference fit in memory together; of training, at VGG16's full width, only a few do, and
 * ratios are taken within a heat.
 */
export const heats: Record<Measurement, string[][]> = {
  inference: [[...ours.inference, ...Object.keys(peers.inference)]],
  training: [
    ['ours-float32', 'keras', 'pytorch'],
    ['ours-bfloat16', 'pytorch-bfloat16'],
    ['ours-float32', 'tfjs'],
  ],
}

export interface Pair {
  ours: Ours
  peer: string
  what: 'time' | 'memory'
  /** The largest ratio aimed at, by width of the network; none where there is no aim. */
  atMost: Record<number, number>
}

const time = (ours: Ours, peer: string, atMost: Pair['atMost'] = {}): Pair => ({ ours, peer, what: 'time', atMost })

export const pairs: Record<Measurement, Pair[]> = {
  inference: [
    time('ours-float32', 'keras'),
    time('ours-float32', 'tfjs'),
    time('ours-float32', 'onnxruntime', { 1: 1 }),
    time('ours-float32', 'openvino', { 1: 1 }),
    time('ours-bfloat16', 'onnxruntime', { 1: 0.55 }),
    time('ours-bfloat16', 'openvino-bfloat16', { 1: 1.05, 0.25: 1.15 }),
    time('ours-int8', 'onnxruntime-int8'),
    time('ours-int8', 'openvino-int8'),
  ],
  training: [
    time('ours-float32', 'keras', { 1: 0.9, 0.25: 0.9 }),
    time('ours-float32', 'pytorch', { 1: 0.65, 0.25: 0.8 }),
    time('ours-bfloat16', 'pytorch-bfloat16', { 1: 0.85, 0.25: 1.1 }),
    time('ours-float32', 'tfjs', { 1: 0.45, 0.25: 0.45 }),
    { ours: 'ours-float32', peer: 'tfjs', what: 'memory', atMost: { 1: 0.4 } },
  ],
}
