// Hard frames over HTTP: what is kept, and what an operator keeps or throws away.
import { createRoute, z } from '@hono/zod-openapi'
import type { Made } from '../collect/archive.ts'
import { frameFiles, type KeptFrame, reasons } from '../collect/frame-store.ts'
import type { HardFrames } from '../collect/hard-frames.ts'
import { bytes, json, refusal, refusals, type Site } from './api.ts'
import { problem } from './problem.ts'

const Frame = z
  .object({
    id: z.string().openapi({ description: 'Its time, camera, number and reason, with dots between.' }),
    camera: z.string(),
    reason: z.enum(reasons),
    captured_us: z.int(),
    bytes: z.int(),
    keep: z.boolean().openapi({ description: 'Marked to stay when older frames make room.' }),
  })
  .openapi('HardFrame') satisfies z.ZodType<KeptFrame>
const Export = z
  .object({ frames: z.int(), folder: z.string().openapi({ description: 'Where it is on the device.' }) })
  .openapi('HardFrameExport') satisfies z.ZodType<Made>
const params = z.object({ id: z.string().openapi({ param: { name: 'id', in: 'path' } }) })
const noFrame = refusal('There is no such frame, or it has made room for another one.')
const types = { picture: 'image/jpeg', mask: 'image/png', facts: 'application/json' } as const

export function serveHardFrames(site: Site, frames: HardFrames, isCamera: (name: string) => boolean): void {
  const gone = (id: string) => problem(404, `There is no hard frame ${id}`)

  site.openapi(
    createRoute({
      method: 'get',
      path: '/api/hard-frames',
      summary: 'Frames kept for labelling, the newest first',
      responses: { ...refusals, 200: json(z.array(Frame), 'Empty where none are kept.') },
    }),
    async (context) => context.json((await frames.store).list(), 200),
  )

  for (const file of ['picture', 'mask', 'facts'] as const)
    site.openapi(
      createRoute({
        method: 'get',
        path: `/api/hard-frames/{id}/${frameFiles[file]}`,
        summary: `The ${file} of a kept frame`,
        request: { params },
        responses: { ...refusals, 200: bytes(types[file], 'As it was at that moment.'), 404: noFrame },
      }),
      async (context) => {
        const { id } = context.req.valid('param')
        const found = await (await frames.store).read(id, file)
        if (!found) throw gone(id)
        return context.body(new Uint8Array(found), 200, { 'content-type': types[file], 'cache-control': 'no-store' }) as never
      },
    )

  site.openapi(
    createRoute({
      method: 'post',
      path: '/api/hard-frames/export',
      summary:
        'Makes a labelling job for SageMaker Ground Truth of all kept frames, in a folder of the device, in place of the last one',
      responses: {
        ...refusals,
        200: json(Export, 'It is made; /api/hard-frames/export.tar downloads it.'),
        409: refusal('There are no frames, or another export is under way.'),
        503: refusal('It could not be made.'),
      },
    }),
    async (context) => {
      if ((await frames.store).list().length === 0) throw problem(409, 'No hard frames are kept yet')
      const made = await frames.archive.make().catch((error: Error) => {
        throw problem(503, `The export could not be made: ${error.message}`)
      })
      if (!made) throw problem(409, 'An export is under way already; it takes a moment')
      return context.json(made, 200)
    },
  )

  site.openapi(
    createRoute({
      method: 'get',
      path: '/api/hard-frames/export.tar',
      summary: 'The last export: pictures, first labels, label categories and the manifest, which is also data to train on',
      responses: { ...refusals, 200: bytes('application/x-tar', 'A folder.'), 404: refusal('Nothing was exported yet.') },
    }),
    async (context) => {
      const headers = {
        'content-type': 'application/x-tar',
        'content-disposition': 'attachment; filename="hard-frames.tar"',
        'cache-control': 'no-store',
      }
      const body = await frames.archive.open()
      if (!body) throw problem(404, 'Nothing was exported yet; POST /api/hard-frames/export does')
      if (context.req.method !== 'HEAD') return context.body(body, 200, headers) as never
      await body.cancel()
      return context.body(null, 200, headers) as never
    },
  )

  site.openapi(
    createRoute({
      method: 'post',
      path: '/api/hard-frames/{id}/keep',
      summary: 'Marks a frame to stay when older ones make room',
      request: { params },
      responses: { ...refusals, 200: json(Frame, 'As it is now.'), 404: noFrame },
    }),
    async (context) => {
      const { id } = context.req.valid('param')
      const store = await frames.store
      await store.keep(id)
      const frame = store.list().find((kept) => kept.id === id)
      if (!frame) throw gone(id)
      return context.json(frame, 200)
    },
  )

  site.openapi(
    createRoute({
      method: 'delete',
      path: '/api/hard-frames/{id}',
      summary: 'Throws a kept frame away',
      request: { params },
      responses: { ...refusals, 204: { description: 'It is gone.' }, 404: noFrame },
    }),
    async (context) => {
      const { id } = context.req.valid('param')
      if (!(await (await frames.store).discard(id))) throw gone(id)
      return context.body(null, 204)
    },
  )

  site.openapi(
    createRoute({
      method: 'post',
      path: '/api/cameras/{camera}/keep',
      summary: 'Keeps what a camera sees now: its next picture with its mask',
      request: { params: z.object({ camera: z.string().openapi({ param: { name: 'camera', in: 'path' } }) }) },
      responses: {
        ...refusals,
        200: json(Frame, 'What was kept.'),
        404: refusal('There is no such camera.'),
        409: refusal('Hard frames are not kept: "collect.enabled" is off.'),
        503: refusal('The camera gave no picture in time, or there is no room.'),
      },
    }),
    async (context) => {
      const { camera } = context.req.valid('param')
      if (!isCamera(camera)) throw problem(404, `There is no camera ${camera}`)
      if (!frames.enabled())
        throw problem(409, 'Hard frames are not kept here; "collect: { enabled: true }" in the settings keeps them')
      const kept = await frames.keepNow(camera)
      if (!kept) throw problem(503, `Camera ${camera} gave no picture in time, or there is no room for it; the log says more`)
      return context.json(kept, 200)
    },
  )
}
