// A contestant: a process of its own that holds a network and runs it when asked, a JSON line for a JSON line.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

/** What all contestants of a measurement work on; `task.json` in the folder that they are given. */
export interface Task {
  /** Of the pictures. */
  height: number
  width: number
  /** Times VGG16's channels. */
  multiplier: number
  fc: number
  classes: number
  batchNorm: boolean
  /** Weights of a trained run; left out, they are drawn from a seed. */
  checkpoint?: string
  threads: number
  learningRate: number
  weightDecay: number
  /** Label of pixels that do not count. */
  ignore: number
}

/** Runs once: gives a mask, or the loss before a step. */
export type Call = () => ArrayLike<number> | number
/** Gets ready for a batch of so many pictures. */
export type Make = (batch: number) => Call | Promise<Call>
/** So many of the pictures, uint8 [...shape, 3], and their labels, uint8 shape, which is [batch, height, width]. */
export type Examples = (batch: number) => { pictures: Uint8Array; labels: Uint8Array; shape: [number, number, number] }

export type Request =
  /** Runs that many times; answers the results: masks (base64 of uint8) or losses. */
  | { batch: number; calls: number }
  /** Runs once untimed, then for that long. */
  | { batch: number; seconds: number }

export interface Reply {
  results?: (string | number)[]
  /** Time of each call. */
  ms?: number[]
  /** Largest resident size of the process so far (VmHWM). */
  peakBytes: number
}

export interface Contestant {
  name: string
  ask(request: Request): Promise<Reply>
  close(): void
}

/** Lines of standard error that are told where the process ends before its time; not those of a JavaScript stack. */
const toldLines = 8
const stackLine = /^ +at /

/** Starts the process. A request that it cannot answer throws with the last of its standard error. */
export function startContestant(name: string, program: string, args: string[], env: NodeJS.ProcessEnv): Contestant {
  const child = spawn(program, args, { env, stdio: ['pipe', 'pipe', 'pipe'] })
  const told: string[] = []
  createInterface({ input: child.stderr }).on('line', (line) => {
    if (line.trim() !== '' && !stackLine.test(line)) told.push(line)
    if (told.length > toldLines) told.shift()
  })
  let waiting: { resolve(reply: Reply): void; reject(error: Error): void } | undefined
  let ended: Error | undefined
  createInterface({ input: child.stdout }).on('line', (line) => waiting?.resolve(JSON.parse(line) as Reply))
  const end = (how: string) => {
    ended ??= new Error([`${name} ended (${how})`, ...told].join('\n  '))
    waiting?.reject(ended)
  }
  child.on('error', (error) => end(error.message))
  // `close` comes after the last of its output.
  child.on('close', (code, signal) => end(signal ?? `exit code ${code}`))
  child.stdin.on('error', () => {}) // it has ended, which is told above
  return {
    name,
    ask: (request) =>
      new Promise((resolve, reject) => {
        if (ended) return reject(ended)
        waiting = { resolve, reject }
        child.stdin.write(`${JSON.stringify(request)}\n`)
      }),
    close: () => child.kill(),
  }
}
