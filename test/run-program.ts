// A compiled program of this repository, run as a person runs it.
import { spawn } from 'node:child_process'
import { join } from 'node:path'

const build = join(import.meta.dirname, '../build')

export interface Ran {
  code: number | null
  out: string
  err: string
}

/** Gets all that the program has said so far, each time that it says more, and may stop it. */
export type OnOutput = (out: string, kill: (signal: NodeJS.Signals) => void) => void

interface Options {
  cwd?: string
  env?: NodeJS.ProcessEnv
  onOutput?: OnOutput | undefined
}

/** Runs `program`, a path below build/, to its end. */
export function runProgram(program: string, args: string[], { cwd, env = process.env, onOutput }: Options = {}): Promise<Ran> {
  const child = spawn(process.execPath, [join(build, program), ...args], { cwd, env: { ...env, TF_CPP_MIN_LOG_LEVEL: '3' } })
  return new Promise((resolve, reject) => {
    let [out, err] = ['', '']
    child.stdout.on('data', (data) => {
      out += data
      onOutput?.(out, (signal) => child.kill(signal))
    })
    child.stderr.on('data', (data) => {
      err += data
    })
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, out, err }))
  })
}
