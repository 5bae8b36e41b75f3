// A candidate beside the model that runs, until enough frames went through both to say whether it keeps within the limits.
import type { Bundle, Manifest } from '../../deploy/bundle.ts'
import type { Log } from '../log.ts'
import type { Config } from '../settings/config.ts'
import type { Inference } from '../supervise/inference.ts'
import { type Shadow, startShadow } from '../supervise/shadow.ts'
import { retryDelayMs } from '../supervise/supervise.ts'
import type { ModelComparison } from '../wire.ts'
import { beyondLimits, type Limits, startComparing, tooManyErrors } from './comparison.ts'

export interface BesideRun {
  so(): ModelComparison | undefined
  /** Resolves when its process is gone. */
  stop(): Promise<void>
}

export interface BesideSurroundings {
  config: Config
  against: Bundle
  inference: Pick<Inference, 'forward'>
  limits(): Limits
  log: Log
}

export interface BesideListener {
  progress(comparison: ModelComparison, reason: string): void
  /** The last word, after its process is gone. `fault`: what crosses a limit. */
  verdict(comparison: ModelComparison | undefined, fault: string | undefined): void
}

/** Fewer say too little, however long they took. */
const leastFrames = 10

/** Why the masks of two models cannot be compared; undefined where they can. */
export function incomparable(running: Manifest, candidate: Manifest): string | undefined {
  const [road, other] = [running, candidate].map(({ classes, road }) => classes[road]!.name)
  if (road!.toLowerCase() === other!.toLowerCase()) return undefined
  return `its masks cannot be compared with those of ${running.name}: its road class is "${other}", expected "${road}". Name the bundle in the config to run it all the same`
}

export function runBeside(bundle: Bundle, around: BesideSurroundings, on: BesideListener): BesideRun {
  const { config, against, inference, limits, log } = around
  const comparing = startComparing()
  let shadow: Promise<Shadow> | undefined
  let sinceMs: number | undefined
  let errors = 0
  let timer: NodeJS.Timeout | undefined
  let stopped = false

  function start() {
    shadow = startShadow(
      config,
      { bundle, against, log },
      {
        ready: inference.forward,
        compared(one, memoryMib) {
          if (stopped) return
          sinceMs ??= performance.now()
          comparing.add(one, memoryMib)
          look(performance.now() - sinceMs, comparing.so()!)
        },
        broke(reason, refused) {
          if (stopped) return
          inference.forward(undefined)
          errors++
          const { max_errors } = limits()
          if (refused) return end(`it cannot be used: ${reason}`)
          if (errors > max_errors) return end(tooManyErrors(errors, max_errors, reason))
          log.warn(`model ${bundle.manifest.name}, which runs beside the old one: ${reason}`)
          timer = setTimeout(start, retryDelayMs(errors))
        },
      },
    )
    shadow.catch((error: Error) => !stopped && end(error.message))
  }

  function look(ms: number, comparison: ModelComparison) {
    const { shadow_seconds } = limits()
    if (ms >= 1000 * shadow_seconds && comparison.frames >= leastFrames) return end(beyondLimits(comparison, limits()))
    on.progress(comparison, `${Math.floor(ms / 1000)} of ${shadow_seconds} s beside ${against.manifest.name}`)
  }

  function end(fault: string | undefined) {
    stop().then(() => on.verdict(comparing.so(), fault))
  }

  async function stop() {
    stopped = true
    clearTimeout(timer)
    inference.forward(undefined)
    await (await shadow?.catch(() => undefined))?.stop()
  }

  start()
  return { so: comparing.so, stop }
}
