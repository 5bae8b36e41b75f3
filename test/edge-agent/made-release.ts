// Signed bundles, and a web server that offers them: as a person makes them, with keys of the test's own.
import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, normalize } from 'node:path'
import type { Manifest } from '../../deploy/bundle.ts'
import { type BundleRelease, type Envelope, keyId, signRelease, type TrustedKeys } from '../../deploy/release.ts'

export const makeKey = () => generateKeyPairSync('ed25519')

/** What a device trusts. */
export const trusting = (key: KeyObject, more: Partial<TrustedKeys['keys'][number]> = {}): TrustedKeys => ({
  keys: [
    {
      id: keyId(key),
      public_key: String(key.export({ type: 'spki', format: 'pem' })),
      expires: '2126-01-01T00:00:00Z',
      ...more,
    },
  ],
})

let last = Date.now()
/** Each call is later than the one before. */
export const later = () => new Date(++last).toISOString()

/** Signs a bundle, and puts the release beside its manifest. */
export async function signBundle(dir: string, key: KeyObject, more: Partial<BundleRelease> = {}): Promise<Envelope> {
  const bytes = await readFile(join(dir, 'manifest.json'))
  const manifest = JSON.parse(bytes.toString()) as Manifest
  const envelope = signRelease(
    {
      version: 1,
      kind: 'bundle',
      name: manifest.name,
      released: later(),
      manifest_sha256: createHash('sha256').update(bytes).digest('hex'),
      bytes: Object.values(manifest.files).reduce((sum, file) => sum + file.bytes, 0),
      needs: {},
      ...more,
    },
    key,
  )
  await writeFile(join(dir, 'release.json'), JSON.stringify(envelope))
  return envelope
}

export interface FileServer {
  url: string
  /** Path and first byte of what was asked for. */
  asked: { path: string; from: number }[]
  /** Answers in the place of a file; undefined: as ever. */
  instead: ((path: string, response: ServerResponse, from: number) => boolean) | undefined
  close(): Promise<void>
}

/** Serves a folder with ranges, as web servers do. */
export async function serveFiles(dir: string): Promise<FileServer> {
  const server = createServer(async ({ url = '', headers }, response) => {
    const path = decodeURIComponent(url.split('?')[0]!)
    const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0)
    files.asked.push({ path, from })
    if (files.instead?.(path, response, from)) return
    const file = join(dir, normalize(path))
    const found = await stat(file).catch(() => undefined)
    if (!found?.isFile()) return void response.writeHead(404).end()
    const range = headers.range ? { 'content-range': `bytes ${from}-${found.size - 1}/${found.size}` } : {}
    response.writeHead(headers.range ? 206 : 200, { 'content-length': found.size - from, ...range })
    createReadStream(file, { start: from }).pipe(response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const files: FileServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    asked: [],
    instead: undefined,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return files
}
