// Other programs, asked by doctor: what they say, and never longer than a while.
import { execFile } from 'node:child_process'

export interface Answer {
  /** Whether it ran to its end and said that all went well. */
  ok: boolean
  out: string
  error: string
  /** Why it ended otherwise: an exit code, a signal, no such program, or out of time. */
  reason: string
}

/** Runs a program and gives all it wrote. Never throws. */
export function run(
  program: string,
  args: readonly string[],
  { timeoutMs = 10_000, env = {} }: { timeoutMs?: number; env?: Record<string, string> } = {},
): Promise<Answer> {
  return new Promise((done) => {
    const options = { timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: 2 ** 24, env: { ...process.env, ...env } } as const
    execFile(program, args, options, (error, out, stderr) => {
      const reason = !error
        ? ''
        : error.killed
          ? `no answer within ${timeoutMs / 1000} s`
          : (error.signal ?? (error.code === 'ENOENT' ? 'there is no such program' : `exit code ${error.code}`))
      done({ ok: !error, out, error: stderr, reason })
    })
  })
}

/** The last lines in which a program tells what went wrong. */
export const lastLines = (text: string, count = 2) =>
  text
    .split('\n')
    .filter((line) => line.trim())
    .slice(-count)
    .join(' ')
    .trim()
