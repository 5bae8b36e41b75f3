// Models over the air, over HTTP: a release is pushed with its manifest, then the files that are missing, in pieces that go on
// where the last one ended. What is offered by MQTT takes the same way from there: update/updates.ts.
import { createRoute, z } from '@hono/zod-openapi'
import { Envelope, ReleaseRefused } from '../../deploy/release.ts'
import { Refused } from '../settings/refused.ts'
import { longestManifest } from '../update/download.ts'
import type { Updates } from '../update/updates.ts'
import type { UpdateState } from '../wire.ts'
import { json, refusal, refusals, type Site } from './api.ts'
import { message } from './openapi.ts'
import { problem } from './problem.ts'

const Part = z
  .object({
    sha256: z.string(),
    bytes: z.int(),
    have: z.int().openapi({ description: 'So many of them are here; the next piece begins there.' }),
  })
  .openapi('UpdatePart')
const State = message<UpdateState>('UpdateState')
const params = z.object({
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'expected the sha256 of a file in hex')
    .openapi({ param: { name: 'sha256', in: 'path' } }),
})
const headers = z.object({
  'content-range': z
    .string()
    .regex(/^bytes \d{1,12}-\d{1,12}\/\d{1,12}$/, 'expected "bytes FIRST-LAST/WHOLE"')
    .openapi({ example: 'bytes 0-1048575/5245640' }),
})
const answers = { ...refusals, 409: refusal('It is not the time for it, or the disk is full; the reason says which.') }

function refuse(error: unknown): never {
  if (error instanceof ReleaseRefused) throw problem(422, error.message)
  if (error instanceof Refused) throw problem(error.status, error.message)
  throw error
}

export function serveUpdate(site: Site, updates: Updates): void {
  site.openapi(
    createRoute({
      method: 'get',
      path: '/api/update',
      summary: 'What runs, and what becomes of a new model',
      responses: { ...refusals, 200: json(State, 'As on MQTT.') },
    }),
    (context) => context.json(updates.state(), 200),
  )

  site.openapi(
    createRoute({
      method: 'post',
      path: '/api/update',
      summary: 'Pushes a release; the answer says which of its files are missing',
      request: {
        body: {
          required: true,
          content: {
            'application/json': {
              schema: z.strictObject({
                release: Envelope,
                manifest: z.string().max(longestManifest).openapi({ description: 'The text of manifest.json, byte for byte.' }),
              }),
            },
          },
        },
      },
      responses: {
        ...answers,
        200: json(z.object({ id: z.string(), wanted: z.array(Part) }), 'Verified. Nothing is wanted where all of it is here.'),
        400: refusal('The body is another one.'),
        415: refusal('The body is not JSON by its type.'),
        422: refusal('The release is refused; nothing changed.'),
      },
    }),
    async (context) => {
      const { release, manifest } = context.req.valid('json')
      return context.json(await updates.offer(release, Buffer.from(manifest)).catch(refuse), 200)
    },
  )

  site.openapi(
    createRoute({
      method: 'put',
      path: '/api/update/files/{sha256}',
      summary: 'A piece of a file of the release that is being pushed, of at most 1 MiB',
      request: {
        params,
        headers,
        body: {
          required: true,
          content: {
            'application/octet-stream': { schema: z.custom<Uint8Array>().openapi({ type: 'string', format: 'binary' }) },
          },
        },
      },
      responses: {
        ...answers,
        200: json(Part, 'Written. After the last piece of the last file the release goes on by itself.'),
        400: refusal('The piece is not what Content-Range says.'),
        404: refusal('The release has no such file.'),
        422: refusal('The file is not the signed one and is forgotten.'),
      },
    }),
    async (context) => {
      const { sha256 } = context.req.valid('param')
      const [from, to] = context.req.valid('header')['content-range'].match(/\d+/g)!.map(Number)
      const bytes = new Uint8Array(await context.req.arrayBuffer())
      if (bytes.length !== to! - from! + 1)
        throw problem(400, `Expected ${to! - from! + 1} bytes, as Content-Range says, found ${bytes.length}`)
      return context.json(await updates.piece(sha256, from!, bytes).catch(refuse), 200)
    },
  )

  const acts = {
    switch: { summary: 'Switches to the model that runs beside the old one, without waiting', act: () => updates.switchNow() },
    rollback: { summary: 'Goes back to the model before', act: () => updates.rollBack('asked for over HTTP') },
  }
  for (const [name, { summary, act }] of Object.entries(acts))
    site.openapi(
      createRoute({
        method: 'post',
        path: `/api/update/${name}`,
        summary,
        responses: { ...answers, 200: json(State, 'As it is now.') },
      }),
      async (context) => {
        await Promise.resolve().then(act).catch(refuse)
        return context.json(updates.state(), 200)
      },
    )

  site.openapi(
    createRoute({
      method: 'delete',
      path: '/api/update',
      summary: 'Forgets a release that was offered and is not switched to',
      responses: { ...refusals, 200: json(State, 'As it is now.') },
    }),
    async (context) => {
      await updates.drop()
      return context.json(updates.state(), 200)
    },
  )
}
