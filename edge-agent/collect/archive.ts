// Kept frames as one file for whoever asks over HTTP: a process exports them into a folder, which takes the place of the one before,
// and tar packs that. One export at a time.
import { execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { build } from '../paths.ts'
import type { Config } from '../settings/config.ts'
import { hardFramesFolder } from './frame-store.ts'

export interface Archive {
  /** Exports all kept frames; undefined while another export runs. Rejects where it fails. */
  make(): Promise<Made | undefined>
  /** The last export as a tar; undefined where there is none. */
  open(): Promise<ReadableStream<Uint8Array> | undefined>
  settings(config: Config): void
  close(): void
}

export interface Made {
  frames: number
  /** Where they are on the device. */
  folder: string
}

const program = join(build, 'edge-agent/collect/export-process.js')
const longestMs = 10 * 60_000
const run = promisify(execFile)

export function makeArchive(config: Config, state: string): Archive {
  const folder = join(state, 'hard-frames-export')
  let { blur } = config.collect
  let running = false
  const ending = new AbortController()

  async function exported(): Promise<Made> {
    const made = `${folder}.new`
    await rm(made, { recursive: true, force: true })
    await mkdir(made, { mode: 0o700 })
    try {
      const args = [program, hardFramesFolder(state), made, config.device, blur ? 'blur' : 'clear']
      const { stdout } = await run(process.execPath, args, { timeout: longestMs, signal: ending.signal })
      const { frames } = JSON.parse(stdout.trim().split('\n').at(-1)!) as { frames: number }
      await rm(folder, { recursive: true, force: true })
      await rename(made, folder)
      return { frames, folder: join(folder, config.device) }
    } catch (error) {
      await rm(made, { recursive: true, force: true })
      const { stderr = '', message } = error as Error & { stderr?: string }
      throw new Error(stderr.trim().split('\n').at(-1) || message, { cause: error })
    }
  }

  return {
    async make() {
      if (running) return undefined
      running = true
      return exported().finally(() => {
        running = false
      })
    },
    async open() {
      if (!existsSync(folder)) return undefined
      const tar = spawn('tar', ['-c', '-C', folder, '--', config.device], { stdio: ['ignore', 'pipe', 'ignore'] })
      tar.stdout.on('close', () => tar.kill()) // whoever downloads it has gone
      tar.on('error', (error) => tar.stdout.destroy(error))
      return Readable.toWeb(tar.stdout) as ReadableStream<Uint8Array>
    },
    settings(changed) {
      blur = changed.collect.blur
    },
    close: () => ending.abort(),
  }
}
