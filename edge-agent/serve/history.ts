// History over HTTP: lines over time and events with their pictures, as JSON for programs and as CSV for spreadsheets.
import { createRoute, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { EventQuestion } from '../history/events.ts'
import type { History } from '../history/history.ts'
import { stages } from '../history/tally.ts'
import type { CameraEvent, EventPage, History as HistoryLines, KeptEvent, Line } from '../wire.ts'
import { bytes, json, refusal, refusals, type Site } from './api.ts'
import { type Cell, csv, isoTime } from './csv.ts'
import { message } from './openapi.ts'
import { problem } from './problem.ts'

const eventTypes = Object.keys({
  camera_lost: 1,
  camera_back: 1,
  camera_enabled: 1,
  camera_disabled: 1,
  zone_blocked: 1,
  zone_clear: 1,
  drift_start: 1,
  drift_end: 1,
  clock_step: 1,
  model_shadow: 1,
  model_switched: 1,
  model_settled: 1,
  model_rolled_back: 1,
  model_refused: 1,
} satisfies Record<CameraEvent['type'], 1>) as CameraEvent['type'][]

const hour = 3_600_000
const day = 24 * hour
const longest = 3660 * day

const several = <Item extends z.ZodType>(item: Item, description: string) =>
  z
    .union([item, z.array(item).max(100)])
    .transform((value) => [value].flat() as z.output<Item>[])
    .optional()
    .openapi({ type: 'array', items: { type: 'string' }, param: { style: 'form', explode: true, description } })
const time = (description: string) =>
  z.iso
    .datetime({ offset: true, error: 'expected a time of ISO 8601 such as 2026-01-31T12:00:00Z' })
    .transform((text) => Date.parse(text))
    .optional()
    .openapi({ type: 'string', format: 'date-time', param: { description } })
const count = (most: number, usual: number, description: string) =>
  z.coerce
    .number()
    .int()
    .min(1)
    .max(most)
    .default(usual)
    .openapi({ type: 'integer', minimum: 1, maximum: most, default: usual, param: { description } })

const span = { from: time('The beginning.'), to: time('The end; left out: now.') }
const camera = several(z.string(), 'Only of this camera; may come more than once.')
const points = count(2000, 300, 'At most so many, each of the spans that begin in it.')
const ofLines = z.strictObject({ camera, ...span, points })
const ofEvents = z.strictObject({
  camera,
  type: several(z.enum(eventTypes), 'Only of this type; may come more than once.'),
  ...span,
  before: z
    .string()
    .optional()
    .openapi({ param: { description: 'Only what came before the event with this id.' } }),
  limit: count(500, 50, 'At most so many.'),
})

const table = {
  content: { 'text/csv': { schema: z.string() } },
  description: 'RFC 4180 with a header; times are ISO 8601, UTC.',
}
const wrong = refusal('A parameter is not as described, or the times do not fit together.')

export function serveHistory(site: Site, history: History): void {
  const lines = ({ camera = [], from, to = Date.now(), points }: z.output<typeof ofLines>) => {
    const since = from ?? to - hour
    if (since >= to) throw problem(400, 'Expected "from" before "to"')
    if (to - since > longest) throw problem(400, 'Expected at most ten years from "from" to "to"')
    return history.series({ from: since / 1000, to: to / 1000, points, cameras: camera })
  }
  const question = (asked: z.output<typeof ofEvents>): EventQuestion => ({
    types: asked.type ?? [],
    cameras: asked.camera ?? [],
    from: asked.from === undefined ? Number.NEGATIVE_INFINITY : 1000 * asked.from,
    to: asked.to === undefined ? Number.POSITIVE_INFINITY : 1000 * asked.to,
    before: asked.before,
    limit: asked.limit,
  })
  const asFile = (context: Context, name: string, text: string) =>
    context.body(text, 200, {
      'content-type': 'text/csv; charset=utf-8; header=present',
      'content-disposition': `attachment; filename="${name}"`,
      'cache-control': 'no-store',
    }) as never

  site.openapi(
    createRoute({
      method: 'get',
      path: '/api/history',
      summary:
        'Road, zones, durations and counts of cameras over time, and how the device was; the last hour where no time is given',
      request: { query: ofLines },
      responses: { ...refusals, 200: json(message<HistoryLines>('History'), 'Null where nothing is known.'), 400: wrong },
    }),
    async (context) => context.json(await lines(context.req.valid('query')), 200),
  )

  site.openapi(
    createRoute({
      method: 'get',
      path: '/api/history.csv',
      summary: 'The same as a table: a row for each point and camera',
      request: { query: ofLines },
      responses: { ...refusals, 200: table, 400: wrong },
    }),
    async (context) => asFile(context, 'roadmask-history.csv', csv(rowsOf(await lines(context.req.valid('query'))))),
  )

  site.openapi(
    createRoute({
      method: 'get',
      path: '/api/events',
      summary: 'Events that were told, the newest first',
      request: { query: ofEvents },
      responses: { ...refusals, 200: json(message<EventPage>('EventPage'), 'A page of them.'), 400: wrong },
    }),
    async (context) => context.json(await history.events(question(context.req.valid('query'))), 200),
  )

  site.openapi(
    createRoute({
      method: 'get',
      path: '/api/events.csv',
      summary: 'All of them as a table, the newest first',
      request: { query: ofEvents.omit({ before: true, limit: true }) },
      responses: { ...refusals, 200: table, 400: wrong },
    }),
    async (context) => {
      const asked = question({ ...context.req.valid('query'), before: undefined, limit: Number.POSITIVE_INFINITY })
      const { events } = await history.events(asked)
      return asFile(context, 'roadmask-events.csv', csv([eventHeader, ...events.map(eventRow)]))
    },
  )

  site.openapi(
    createRoute({
      method: 'get',
      path: '/api/events/{id}/picture',
      summary: 'The picture of an event, with its road tinted and outlined where that could be painted',
      request: { params: z.object({ id: z.string().openapi({ param: { name: 'id', in: 'path' } }) }) },
      responses: {
        ...refusals,
        200: bytes('image/jpeg', 'As the camera saw it.'),
        404: refusal('There is no such event, it has no picture, or that has made room for another one.'),
      },
    }),
    async (context) => {
      const { id } = context.req.valid('param')
      const jpeg = await history.picture(id)
      if (!jpeg) throw problem(404, `There is no picture of event ${id}`)
      return context.body(new Uint8Array(jpeg), 200, { 'content-type': 'image/jpeg', 'cache-control': 'no-store' }) as never
    },
  )
}

/** A row for each point and camera of which something is known. */
function* rowsOf({ from_us, step_s, points, cameras }: HistoryLines): Generator<Cell[]> {
  const zones = [...new Set(Object.values(cameras).flatMap((camera) => Object.keys(camera.zones)))].sort()
  yield [
    ...['time', 'seconds', 'camera', 'road_percent_mean', 'road_percent_least', 'road_percent_most', 'masks_per_second'],
    ...['dropped_per_second', ...stages.flatMap((stage) => [`${stage}_ms_median`, `${stage}_ms_p99`])],
    ...zones.flatMap((zone) => [`zone ${zone} road_percent`, `zone ${zone} blocked_percent`]),
  ]
  for (let i = 0; i < points; i++)
    for (const [name, camera] of Object.entries(cameras)) {
      if (camera.masks_per_second[i] === null) continue
      const { mean, least, most } = camera.road_percent
      const durations = stages.map((stage) => (stage === 'age' ? camera.age_ms : camera.stages_ms[stage]))
      const ofZones = zones.map((zone) => (Object.hasOwn(camera.zones, zone) ? camera.zones[zone] : undefined))
      const values: (Line | undefined)[] = [
        ...[mean, least, most, camera.masks_per_second, camera.dropped_per_second],
        ...durations.flatMap(({ median, p99 }) => [median, p99]),
        ...ofZones.flatMap((zone) => [zone?.road_percent, zone?.blocked_percent]),
      ]
      yield [isoTime(from_us + 1e6 * step_s * i), step_s, name, ...values.map((line) => line?.[i])]
    }
}

const eventHeader = ['time', 'camera', 'type', 'zone', 'detail', 'step_ms', 'latitude', 'longitude', 'picture_time', 'id']
const eventRow = ({ at_us, camera, type, zone, detail, step_ms, position, picture_us, id }: KeptEvent): Cell[] => [
  ...[isoTime(at_us), camera, type, zone, detail, step_ms, position?.latitude, position?.longitude],
  ...[picture_us === undefined ? undefined : isoTime(picture_us), id],
]
