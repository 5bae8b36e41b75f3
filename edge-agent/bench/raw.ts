// The bundle alone, in a process of its own, which rests while it is not asked.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { build } from '../paths.ts'
import { median } from './quantile.ts'

export interface RawSession {
  /** Pictures a second, over so many seconds. */
  rate(seconds: number): Promise<number>
  close(): void
}

/** Loads the bundle and warms it up. */
export async function openRawSession(bundle: string, batch = 1): Promise<RawSession> {
  const child = spawn(process.execPath, [`${build}/edge-agent/bench/raw-session.js`, bundle, String(batch)], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2' },
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  async function next(): Promise<string> {
    const { value, done } = await lines.next()
    if (done) throw new Error(`The session of ${bundle} alone ended before it answered`)
    return value
  }
  await next()
  return {
    async rate(seconds) {
      child.stdin.write(`${seconds}\n`)
      return (1000 * batch) / median(JSON.parse(await next()))
    },
    close: () => child.kill(),
  }
}
