// What TensorFlow computes on, proved in a process of its own.
import { realpath } from 'node:fs/promises'
import { basename, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type NativePrecision, nativePrecision } from '../native-precision.ts'
import type { ComputeProof } from './compute-proof.ts'
import type { Finding, Part } from './finding.ts'
import { lastLines, run } from './run.ts'

export interface ComputeFacts {
  /** Folder of the library that set-up chose. */
  library: string
  /** Nothing where TensorFlow could not compute. */
  proof: ComputeProof | undefined
  /** Which types of 16 and 8 bits the device computes in itself; nothing where nobody says. */
  halves: NativePrecision | undefined
}

/** Rounding of any device stays far below; a wrong result is off by whole numbers. */
const tolerance = 0.01

/** Runs compute-proof and judges it. */
export async function examineCompute(repository: string): Promise<Part<ComputeFacts>> {
  const library = await realpath(join(repository, 'node_modules/@tensorflow/tfjs-node-gpu/deps')).catch(() => '')
  const answer = await run(process.execPath, [fileURLToPath(new URL('./compute-proof.js', import.meta.url))], {
    timeoutMs: 120_000, // a Jetson's first convolution loads all of cuDNN
    env: { TF_CPP_MIN_LOG_LEVEL: '0' }, // TensorFlow tells only here why it leaves a GPU alone
  })
  if (!answer.ok)
    return {
      facts: { library, proof: undefined, halves: undefined },
      findings: [
        line(
          'TensorFlow',
          'problem',
          [`cannot compute (${answer.reason})`, reasonOf(answer.error)].filter(Boolean).join(': '),
          adviceFor(answer.reason),
        ),
      ],
    }
  const proof = JSON.parse(answer.out) as ComputeProof
  const wantsGpu = /^(cuda|jetson)-/.test(basename(library))
  const where = proof.device === 'gpu' ? 'the GPU' : 'the CPU'
  const findings = [
    line(
      'TensorFlow',
      'ok',
      `${proof.tensorflow} in ${library.startsWith(repository) ? relative(repository, library) : library}`,
    ),
  ]
  if (!(proof.difference <= tolerance))
    findings.push(
      line(
        'result',
        'problem',
        `a matrix product or convolution on ${where} is off by ${proof.difference}`,
        'Choose another library: ROADMASK_TENSORFLOW=cpu npm run setup',
      ),
    )
  else if (wantsGpu && proof.device === 'cpu')
    findings.push(
      line(
        'device',
        'problem',
        `the CPU, although the library is for a GPU: ${gpuTrouble(answer.error)}`,
        'See to the driver (nvidia-smi must list the GPU), or take the CPU: ROADMASK_TENSORFLOW=cpu npm run setup',
      ),
    )
  else findings.push(line('device', 'ok', `${where}; a matrix product and a convolution came out right`))
  findings.push(
    line(
      'convolution',
      'ok',
      `${proof.convolutionMs.toFixed(1)} ms for 3 x 3, 128 channels, 80 x 144: ${proof.gflops.toFixed(0)} GFLOP/s`,
    ),
  )
  const halves = await nativePrecision(proof.device)
  if (halves) {
    const say = (own: boolean) => (own ? 'yes' : 'no')
    const text = (['bfloat16', 'float16', 'int8'] as const).map((type) => `${type} ${say(halves[type])}`).join(', ')
    findings.push(line('precision', 'ok', `computed by the ${proof.device.toUpperCase()} itself: ${text}`))
  }
  return { facts: { library, proof, halves }, findings }
}

function line(name: string, state: Finding['state'], text: string, advice?: string): Finding {
  return { section: 'Compute', name, state, text, ...(advice ? { advice } : {}) }
}

const reasonOf = (error: string) => {
  const told = error.split('\n').find((text) => /^F0000|^Error|^\w*Error:/.test(text))
  return told ?? lastLines(error)
}

const gpuTrouble = (error: string) =>
  /(Cannot dlopen[^.]*|failed call to cuInit[^\n]*|Could not find cuda drivers[^.]*)/.exec(error)?.[1] ??
  'TensorFlow gives no reason'

const adviceFor = (reason: string) =>
  reason === 'SIGILL' || reason === 'SIGABRT'
    ? 'TensorFlow may be built for another processor (it needs AVX on x86-64). Build one and name its folder in ROADMASK_TENSORFLOW.'
    : 'Build everything again: rm node_modules/.set-up && npm run setup. ROADMASK_TENSORFLOW chooses another library.'
