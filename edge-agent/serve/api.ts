// The API: what is known, and the little that can be changed. Each route states what it takes and gives; the same schemas
// check requests and make the OpenAPI document at /api/openapi.json.
import type { HttpBindings } from '@hono/node-server'
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import { bodyLimit } from 'hono/body-limit'
import { asyncApi } from '../describe/asyncapi.ts'
import type { Known } from '../known.ts'
import { mostStreams, type StreamOutput, streamType, type View } from '../publish/mjpeg.ts'
import type { Config } from '../settings/config.ts'
import type { Reloaded } from '../settings/reload.ts'
import { publicConfig } from '../settings/secrets.ts'
import { longestOffer, longestPiece } from '../update/push.ts'
import type { CameraStatus, Result, Stats } from '../wire.ts'
import type { Access, Person } from './access.ts'
import type { Door } from './door.ts'
import { described, message } from './openapi.ts'
import { Problem, problem, problemType } from './problem.ts'
import { serveSession } from './session.ts'

export interface ApiSurroundings {
  /** The settings as they are now. */
  config(): Config
  known: Known
  access: Access
  streams: StreamOutput
  /** Address of the broker in use. */
  broker: string
  setEnabled(camera: string, enabled: boolean): void
  /** Takes care of a connection without an end. */
  hold: Door['hold']
  /** Reads the settings again. */
  reload(): Promise<Reloaded>
}

export type SiteEnv = { Bindings: HttpBindings; Variables: { person: Person | undefined } }
export type Site = OpenAPIHono<SiteEnv>

/** What a client may send with a request: as many zones as a camera can have, with all their corners, fit. */
const longestBody = 64 * 1024

export const json = <Schema extends z.ZodType>(schema: Schema, description: string) => ({
  content: { 'application/json': { schema } },
  description,
})
export const refusal = (description: string) => ({ content: { [problemType]: { schema: Problem } }, description })
/** What the door answers in the place of a route. */
export const refusals = {
  401: refusal('Nobody that is known asks.'),
  403: refusal('It takes an operator, a proof of the session, or a page of the agent itself.'),
  413: refusal('The body is too long.'),
  421: refusal('This machine is not known under the name that was asked.'),
}
export const bytes = (type: string, description: string) => ({
  content: { [type]: { schema: z.custom<Uint8Array>().openapi({ type: 'string', format: 'binary' }) } },
  description,
})
const Camera = z.custom<CameraStatus & { result: Result | null }>().openapi('Camera', {
  type: 'object',
  allOf: [described('CameraStatus')],
  properties: { result: { oneOf: [described('Result'), { type: 'null' }] } },
  required: ['result'],
})
export const Reload = z
  .object({ applied: z.array(z.string()), needs_restart: z.array(z.string()), error: z.string().optional() })
  .openapi('Reload')
const params = z.object({ camera: z.string().openapi({ param: { name: 'camera', in: 'path' }, example: 'front' }) })
const noCamera = refusal('There is no such camera, or it has given nothing yet.')

/** Adds the API to the site. Who may use it is checked before. */
export function serveApi(site: Site, around: ApiSurroundings): void {
  const { config, known, streams, broker, setEnabled, hold, reload } = around
  const atMost = (maxSize: number) =>
    bodyLimit({ maxSize, onError: () => problem(413, `Expected at most ${maxSize} bytes`).getResponse() })
  const [usual, piece, offer] = [longestBody, longestPiece, longestOffer].map(atMost)
  site.use('/api/*', (context, next) => {
    const { path } = context.req
    if (path.startsWith('/api/update/files/')) return piece!(context, next)
    return path === '/api/update' ? offer!(context, next) : usual!(context, next)
  })

  function statusOf(camera: string): CameraStatus {
    const status = known.statuses().find((known) => known.camera === camera)
    if (!status) throw problem(404, `There is no camera ${camera}`)
    return status
  }
  const cameraOf = (status: CameraStatus) => ({ ...status, result: known.latest(status.camera)?.result ?? null })
  const fresh = (type: string) => ({ 'content-type': type, 'cache-control': 'no-store' })

  site.openapi(
    createRoute({
      method: 'get',
      path: '/api/cameras',
      summary: 'All cameras, each with its state and its last facts',
      responses: { ...refusals, 200: json(z.array(Camera), 'In the order of the config.') },
    }),
    (context) => context.json(known.statuses().map(cameraOf), 200),
  )

  site.openapi(
    createRoute({
      method: 'get',
      path: '/api/cameras/{camera}',
      summary: 'A camera with its state and its last facts',
      request: { params },
      responses: { ...refusals, 200: json(Camera, 'As it is now.'), 404: noCamera },
    }),
    (context) => context.json(cameraOf(statusOf(context.req.valid('param').camera)), 200),
  )

  site.openapi(
    createRoute({
      method: 'post',
      path: '/api/cameras/{camera}/enabled',
      summary: 'Switches a camera on or off',
      request: {
        params,
        body: { required: true, content: { 'application/json': { schema: z.strictObject({ enabled: z.boolean() }) } } },
      },
      responses: {
        ...refusals,
        200: json(Camera, 'As it is now; it may still be starting.'),
        400: refusal('The body is another one.'),
        415: refusal('The body is not JSON by its type.'),
        404: noCamera,
      },
    }),
    (context) => {
      const { camera } = context.req.valid('param')
      statusOf(camera)
      setEnabled(camera, context.req.valid('json').enabled)
      return context.json(cameraOf(statusOf(camera)), 200)
    },
  )

  site.openapi(
    createRoute({
      method: 'get',
      path: '/api/cameras/{camera}/mask.png',
      summary: 'The newest mask: 1 bit a pixel, white is road; with more than two classes a palette of class ids',
      request: { params },
      responses: {
        ...refusals,
        200: bytes('image/png', 'Frame, capture time, model and region stand in its text chunks.'),
        404: noCamera,
      },
    }),
    (context) => {
      const { camera } = statusOf(context.req.valid('param').camera)
      const mask = known.latest(camera)?.mask
      if (!mask) throw problem(404, `Camera ${camera} has given no mask yet`)
      return context.body(new Uint8Array(mask), 200, fresh('image/png')) as never
    },
  )

  const titles = {
    picture: 'picture that the model was given, as JPEG',
    overlay: 'picture with its road tinted and outlined, as JPEG',
  } satisfies Record<View, string>
  for (const view of ['picture', 'overlay'] as const) {
    site.openapi(
      createRoute({
        method: 'get',
        path: `/api/cameras/{camera}/${view}.jpg`,
        summary: `The newest ${titles[view]}`,
        request: { params },
        responses: { ...refusals, 200: bytes('image/jpeg', 'The whole picture.'), 404: noCamera },
      }),
      async (context) => {
        const { camera } = statusOf(context.req.valid('param').camera)
        const jpeg = await streams.newest(camera, view)
        if (!jpeg) throw problem(404, `Camera ${camera} has given no picture yet`)
        return context.body(new Uint8Array(jpeg), 200, fresh('image/jpeg')) as never
      },
    )
    site.openapi(
      createRoute({
        method: 'get',
        path: `/api/cameras/{camera}/${view}.mjpg`,
        summary: `Every new ${titles[view]}; a slow client gets the newest when it is back`,
        request: { params },
        responses: {
          ...refusals,
          200: bytes('multipart/x-mixed-replace', 'Without an end.'),
          404: noCamera,
          503: refusal('Too many watch already.'),
        },
      }),
      (context) => {
        const { camera } = statusOf(context.req.valid('param').camera)
        if (context.req.method === 'HEAD') return context.body(null, 200, fresh(streamType)) as never // nobody would read it
        const body = streams.open(camera, view, () => context.env.incoming.destroy())
        if (!body) throw problem(503, `${mostStreams} streams are watched already`, { 'retry-after': '10' })
        hold(context.env.incoming, context.req.path)
        return context.body(body, 200, fresh(streamType)) as never
      },
    )
  }

  site.openapi(
    createRoute({
      method: 'get',
      path: '/api/stats',
      summary: 'What the last minute was like, as on the stats topic',
      responses: { ...refusals, 200: json(message<Stats>('Stats'), 'Of now.') },
    }),
    async (context) => context.json(await known.stats(), 200),
  )

  site.openapi(
    createRoute({
      method: 'get',
      path: '/api/config',
      summary: 'The settings that the agent runs with, without passwords',
      responses: {
        ...refusals,
        200: json(z.custom<Config>().openapi('Config', { type: 'object' }), 'As in the config file, with every default.'),
      },
    }),
    (context) => context.json(publicConfig(config()), 200),
  )

  site.openapi(
    createRoute({
      method: 'get',
      path: '/api/asyncapi.json',
      summary: 'The AsyncAPI document of the topics and the WebSocket of this agent',
      responses: { ...refusals, 200: json(z.record(z.string(), z.unknown()), 'AsyncAPI 3.0.') },
    }),
    (context) => context.json(asyncApi({ config: config(), broker, page: context.req.url }) as Record<string, never>, 200),
  )

  site.openapi(
    createRoute({
      method: 'post',
      path: '/api/reload',
      summary: 'Reads the settings again; what can change while the agent runs does',
      responses: {
        ...refusals,
        200: json(Reload, 'What changed.'),
        422: refusal('The settings have a mistake; nothing changed.'),
      },
    }),
    async (context) => {
      const { applied, needsRestart, error } = await reload()
      if (error !== undefined) throw problem(422, error)
      return context.json({ applied, needs_restart: needsRestart }, 200)
    },
  )

  serveSession(site, around.access)
}
