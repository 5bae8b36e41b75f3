// How the agent ends: by a signal, by what cannot go on, or by an error that nobody caught; once, and at once when asked twice.
import type { Log } from './log.ts'

/** Ends the process after `close`. The code is that of the process: 0 for a wish, 1 for an error, 2 for wrong settings. */
export type End = (code: number, why: string | Error) => Promise<never>

/** From now on signals and uncaught errors end the agent, which `close` takes apart. */
export function endings(log: Log, close: () => Promise<unknown>): End {
  let ending = false
  const end: End = async (code, why) => {
    if (ending) return process.exit(1) // asked twice: at once
    ending = true
    if (code) log.fatal(why)
    else log.info(`ending: ${why}`)
    await close()
    return process.exit(code)
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => end(0, signal))
  process.on('uncaughtException', (error) => end(1, error))
  return end
}
