// The server's certificate, which is renewed every few weeks while the agent runs for months: looked at each minute, taken
// over when certificate and key have changed and belong together.
import { readFile } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import type { Log } from '../log.ts'

export interface Pair {
  cert: Buffer
  key: Buffer
}

export interface Certificate {
  now: Pair
  /** Calls back with each new pair. */
  renewed(take: (pair: Pair) => void): void
  stop(): void
}

const lookEveryMs = 60_000

/** Reads both files, PEM. Throws where they cannot be read or do not belong together. */
async function read(files: { cert: string; key: string }): Promise<Pair> {
  const [cert, key] = await Promise.all([readFile(files.cert), readFile(files.key)])
  createSecureContext({ cert, key })
  return { cert, key }
}

export async function keepCertificate(
  files: { cert: string; key: string },
  log: Log,
  everyMs = lookEveryMs,
): Promise<Certificate> {
  let now = await read(files).catch((cause: Error) => {
    throw new Error(`"http.cert" ${files.cert} and "http.key" ${files.key} cannot be used: ${cause.message}`, { cause })
  })
  let take: ((pair: Pair) => void) | undefined
  let said = ''
  const timer = setInterval(async () => {
    try {
      const pair = await read(files)
      said = ''
      if (pair.cert.equals(now.cert) && pair.key.equals(now.key)) return
      now = pair
      take?.(pair)
      log.info({ cert: files.cert }, 'the new certificate is used from now on')
    } catch (error) {
      const { message } = error as Error // half of it is written, or it is wrong
      if (message !== said) log.warn(`the new certificate in ${files.cert} cannot be used, the old one stays: ${message}`)
      said = message
    }
  }, everyMs)
  return {
    now,
    renewed(listener) {
      take = listener
    },
    stop: () => clearInterval(timer),
  }
}
