// The bundle that runs, over HTTP: what its manifest says of it, and its model card.
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createRoute, z } from '@hono/zod-openapi'
import MarkdownIt from 'markdown-it'
import { type Bundle, Manifest } from '../../deploy/bundle.ts'
import { json, refusals, type Site } from './api.ts'

const card = 'README.md'
/** A card is a page or two. */
const longestCard = 256 * 1024

const { name, created, architecture, input, classes, road, threshold, measures, precision, data, commit } = Manifest.shape
/** How it was trained in detail, which names folders of another machine, and lists that only the agent reads stay in the bundle. */
const told = { name, created, architecture, input, classes, road, threshold, measures, precision, data, commit }
const Model = z
  .object({
    ...told,
    bytes: z.int().openapi({ description: 'Of all its files.' }),
    card: z.string().nullable().openapi({ description: 'Its README.md, in Markdown; null where the bundle has none.' }),
    card_html: z.string().nullable().openapi({ description: 'The same as HTML, which holds no more than Markdown can say.' }),
  })
  .openapi('Model')

// HTML in a card is shown as the text that it is, and addresses that run something are no links: both are the library's own
// defaults. Pictures are left out, since a page asks no other host for anything.
const markdown = new MarkdownIt({ html: false, linkify: false }).disable('image')

export function serveModel(site: Site, running: () => Bundle): void {
  site.openapi(
    createRoute({
      method: 'get',
      path: '/api/model',
      summary: 'The bundle that runs: measures, data, precision, and its model card',
      responses: { ...refusals, 200: json(Model, 'As its manifest says.') },
    }),
    async (context) => {
      const bundle = running()
      const { manifest } = bundle
      const bytes = Object.values(manifest.files).reduce((sum, file) => sum + file.bytes, 0)
      const text = await readCard(bundle)
      const card_html = text === null ? null : markdown.render(text)
      const known = z.object(told).parse(manifest)
      return context.json({ ...known, bytes, card: text, card_html }, 200)
    },
  )
}

/** The card that belongs to the manifest: another one may lie there where a new bundle came while the agent runs. */
async function readCard({ dir, manifest }: Bundle): Promise<string | null> {
  const listed = manifest.files[card]
  if (!listed || listed.bytes > longestCard) return null
  const bytes = await readFile(join(dir, card)).catch(() => undefined)
  if (!bytes || createHash('sha256').update(bytes).digest('hex') !== listed.sha256) return null
  return bytes.toString('utf8')
}
