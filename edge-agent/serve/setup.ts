// Setting cameras up over HTTP: what stands in the config file, its cameras and zones changed there, a camera tried before it
// is saved, and the devices found. All of it takes an operator, and what it may do settings/camera-changes.ts decides.
import { createRoute, z } from '@hono/zod-openapi'
import { findDevices } from '../capture/devices.ts'
import {
  addCamera,
  CameraPatch,
  type CameraSettings,
  CameraTrial,
  NewCamera,
  patchCamera,
  removeCamera,
  setZones,
  shownCamera,
  tryCamera,
  Zones,
} from '../settings/camera-changes.ts'
import type { Config } from '../settings/config.ts'
import { Refused } from '../settings/refused.ts'
import type { CameraChange, SettingsFile } from '../settings/settings-file.ts'
import { Busy, NoPicture, type Tried } from '../supervise/try-camera.ts'
import { json, Reload, refusal, refusals, type Site } from './api.ts'
import { problem } from './problem.ts'

export interface Setup {
  file: SettingsFile
  /** Plays a camera. Throws `NoPicture` or `Busy`. */
  play(camera: Config['cameras'][number], signal: AbortSignal): Promise<Tried>
}

const SetupState = z
  .object({
    file: z.string(),
    fault: z.string().optional().openapi({ description: 'Why the file cannot be changed from here, and what to do.' }),
    pipelines: z.boolean().openapi({ description: 'Whether new sources may be "gst:PIPELINE TEXT".' }),
    cameras: z.array(
      z.custom<CameraSettings>().openapi({
        type: 'object',
        properties: { name: { type: 'string' }, source: { type: 'string' } },
        required: ['name', 'source'],
        additionalProperties: true,
      }),
    ),
  })
  .openapi('Setup')
const Seen = z
  .object({
    width: z.int(),
    height: z.int(),
    format: z.string().openapi({ description: "GStreamer's name, such as I420." }),
    fps: z.number().openapi({ description: 'As measured.' }),
    decoder: z.string().optional().openapi({ description: "GStreamer's element; absent where nothing is to be decoded." }),
    jpeg: z.string().openapi({ description: 'The upright picture, in base64.' }),
  })
  .openapi('CameraTested')
const Device = z.object({ path: z.string().openapi({ description: 'As in v4l2:PATH.' }), name: z.string() }).openapi('Device')

const params = z.object({ camera: z.string().openapi({ param: { name: 'camera', in: 'path' }, example: 'front' }) })
const headers = z.object({ 'if-match': z.string().max(100).optional() })
const body = <Schema extends z.ZodType>(schema: Schema) => ({
  required: true,
  content: { 'application/json': { schema } },
})
const etag = {
  ETag: { schema: { type: 'string' }, description: 'To be sent back as If-Match, so that nothing of others is lost.' },
} as const
const changed = { ...json(Reload, 'Written; what of it holds now, and what after a restart.'), headers: etag }
const changeRefusals = {
  ...refusals,
  400: refusal('The body is another one.'),
  409: refusal('The config file cannot be changed from here, or what is wanted contradicts what is there.'),
  412: refusal('The config file is not the one of If-Match.'),
  415: refusal('The body is not JSON by its type.'),
  422: refusal('The settings have a mistake, named by its path; nothing changed.'),
}
const gone = refusal('The config file has no such camera.')

export function serveSetup(site: Site, { file, play }: Setup, config: () => Config): void {
  const allowed = () => ({ pipelines: config().access.pipelines })
  const refuse = (error: unknown) => {
    throw error instanceof Refused ? problem(error.status, error.message) : error
  }
  async function write(change: CameraChange, tag: string | undefined) {
    const { applied, needsRestart, error, tag: now } = await file.change(change, tag).catch(refuse)
    if (error !== undefined) throw problem(409, `The config file is written, but the agent does not take it: ${error}`)
    return [{ applied, needs_restart: needsRestart }, { etag: now }] as const
  }

  site.openapi(
    createRoute({
      method: 'get',
      path: '/api/setup',
      summary: 'The cameras as they stand in the config file, without passwords',
      responses: {
        ...refusals,
        200: { ...json(SetupState, 'What the routes that change it go by.'), headers: etag },
        409: refusal('The config file cannot be read.'),
      },
    }),
    async (context) => {
      const { cameras, tag } = await file.read().catch(refuse)
      const fault = await file.fault()
      const told = { file: file.path, ...(fault && { fault }), ...allowed(), cameras: cameras.map(shownCamera) }
      return context.json(told, 200, { etag: tag, 'cache-control': 'no-store' })
    },
  )

  site.openapi(
    createRoute({
      method: 'post',
      path: '/api/cameras',
      summary: 'Adds a camera to the config file and starts it',
      request: { headers, body: body(NewCamera) },
      responses: { ...changeRefusals, 201: changed },
    }),
    async (context) => {
      const camera = context.req.valid('json')
      const [told, tag] = await write(addCamera(camera, allowed()), context.req.valid('header')['if-match'])
      return context.json(told, 201, { ...tag, location: `/api/cameras/${encodeURIComponent(camera.name)}` })
    },
  )

  site.openapi(
    createRoute({
      method: 'patch',
      path: '/api/cameras/{camera}',
      summary: 'Changes settings of a camera in the config file; null puts one back to its default (RFC 7396)',
      request: { params, headers, body: body(CameraPatch) },
      responses: { ...changeRefusals, 200: changed, 404: gone },
    }),
    async (context) => {
      const { camera } = context.req.valid('param')
      const change = patchCamera(camera, context.req.valid('json'), allowed())
      return context.json(...answer(await write(change, context.req.valid('header')['if-match'])))
    },
  )

  site.openapi(
    createRoute({
      method: 'delete',
      path: '/api/cameras/{camera}',
      summary: 'Removes a camera from the config file and ends it',
      request: { params, headers },
      responses: { ...changeRefusals, 200: changed, 404: gone },
    }),
    async (context) => {
      const change = removeCamera(context.req.valid('param').camera)
      return context.json(...answer(await write(change, context.req.valid('header')['if-match'])))
    },
  )

  site.openapi(
    createRoute({
      method: 'put',
      path: '/api/cameras/{camera}/zones',
      summary: 'Puts other zones in the place of those of a camera in the config file',
      request: { params, headers, body: body(Zones) },
      responses: { ...changeRefusals, 200: changed, 404: gone },
    }),
    async (context) => {
      const zones = (await context.req.json()) as z.input<typeof Zones> // as they were sent, without every default
      const change = setZones(context.req.valid('param').camera, zones)
      return context.json(...answer(await write(change, context.req.valid('header')['if-match'])))
    },
  )

  site.openapi(
    createRoute({
      method: 'post',
      path: '/api/cameras/test',
      summary: 'Plays a camera as it would run, without saving it: a new one, or one of the config file with changes',
      request: { body: body(CameraTrial) },
      responses: {
        ...changeRefusals,
        200: json(Seen, 'It gives pictures.'),
        404: gone,
        422: refusal('It gives none, or the settings have a mistake.'),
        503: refusal('Another camera is being tested.'),
      },
    }),
    async (context) => {
      const trial = context.req.valid('json')
      const settings = await file.would(tryCamera(trial, allowed())).catch(refuse)
      const camera = settings.cameras.find(({ name }) => name === trial.name)!
      const { jpeg, fps, decoder, ...seen } = await play(camera, context.req.raw.signal).catch((error: unknown) => {
        if (error instanceof NoPicture) throw problem(422, error.message)
        if (error instanceof Busy) throw problem(503, error.message, { 'retry-after': '5' })
        throw error
      })
      const told = {
        ...seen,
        fps: Math.round(10 * fps) / 10,
        ...(decoder && { decoder }),
        jpeg: Buffer.from(jpeg).toString('base64'),
      }
      return context.json(told, 200, { 'cache-control': 'no-store' })
    },
  )

  site.openapi(
    createRoute({
      method: 'get',
      path: '/api/devices',
      summary: 'The V4L2 cameras that this machine knows',
      responses: { ...refusals, 200: json(z.array(Device), 'Empty where there are none.') },
    }),
    async (context) => context.json(await findDevices(), 200),
  )
}

const answer = <Told>([told, tag]: readonly [Told, { etag: string }]) => [told, 200, tag] as const
