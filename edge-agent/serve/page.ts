// The page's files: markup and style as they are written, scripts as they are compiled. Addresses mirror the repository, so
// that the scripts' own imports find each other. Nothing else of the disk can be reached.
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { Context } from 'hono'
import { build, repository } from '../paths.ts'
import type { Site } from './api.ts'

const compress = promisify(gzip)

const types = new Map([
  ['html', 'text/html; charset=utf-8'],
  ['css', 'text/css; charset=utf-8'],
  ['svg', 'image/svg+xml'],
  ['js', 'text/javascript; charset=utf-8'],
])
/** All of the repository that is served. */
const allowed =
  /^\/(dashboard\/([\w-]+\/)?[\w-]+\.(html|css|svg|js)|edge-agent\/(wire|facts\/(zones|zone-states|hold|view))\.js)$/

/** Files of npm packages, under addresses beside the views that use them. */
const packages = new Map([
  ['/dashboard/history/uplot.js', 'uplot/dist/uPlot.esm.js'],
  ['/dashboard/history/uplot.css', 'uplot/dist/uPlot.min.css'],
])

/** Where a file of the page lies; undefined where it is none. */
export function pageFile(path: string): string | undefined {
  const inPackage = packages.get(path)
  if (inPackage) return join(repository, 'node_modules', inPackage)
  if (allowed.test(path)) return join(path.endsWith('.js') ? build : repository, path)
}

/** Adds `/` and the files it needs. Browsers ask each time whether a file changed, and mostly hear that it did not. */
export function servePage(site: Site): void {
  site.get('/', (context) => file(context, '/dashboard/index.html'))
  site.get('/favicon.ico', (context) => context.body(null, 204))
  site.get('*', (context, next) => (pageFile(context.req.path) ? file(context, context.req.path) : next()))
}

async function file(context: Context, path: string): Promise<Response> {
  const extension = path.split('.').at(-1) ?? ''
  const bytes = await readFile(pageFile(path)!).catch(() => undefined)
  if (!bytes) return context.notFound()
  const hash = createHash('sha256').update(bytes).digest('base64url').slice(0, 20)
  const zip = /\bgzip\b/.test(context.req.header('accept-encoding') ?? '')
  const tag = zip ? `"${hash}-gzip"` : `"${hash}"` // by RFC 9110 what has other bytes has another tag
  const headers = {
    'content-type': types.get(extension) ?? 'application/octet-stream',
    'cache-control': 'no-cache',
    vary: 'accept-encoding',
    etag: tag,
  }
  if (context.req.header('if-none-match') === tag) return context.body(null, 304, headers)
  if (!zip) return context.body(new Uint8Array(bytes), 200, headers)
  return context.body(new Uint8Array(await zipped(path, hash, bytes)), 200, { ...headers, 'content-encoding': 'gzip' })
}

const zips = new Map<string, { hash: string; bytes: Promise<Buffer> }>()

/** A file is compressed once, until it changes; there are as many as the page has. */
function zipped(path: string, hash: string, bytes: Buffer): Promise<Buffer> {
  const known = zips.get(path)
  if (known?.hash === hash) return known.bytes
  const made = { hash, bytes: compress(bytes, { level: 9 }) }
  zips.set(path, made)
  return made.bytes
}
