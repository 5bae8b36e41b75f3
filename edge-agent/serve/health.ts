// How the agent is, for those who watch over it: systemd and container runtimes, load balancers, Prometheus.
import { createRoute, z } from '@hono/zod-openapi'
import type { Known } from '../known.ts'
import { refusals, type Site } from './api.ts'
import type { Metrics } from './metrics.ts'

const Ready = z
  .object({
    ready: z.boolean(),
    model: z.enum(['ready', 'loading']),
    cameras: z
      .record(z.string(), z.object({ state: z.enum(['online', 'offline', 'disabled']), reason: z.string() }))
      .optional()
      .openapi({ description: 'Only for those who may see them.' }),
  })
  .openapi('Ready')
const ready = (description: string) => ({ content: { 'application/json': { schema: Ready } }, description })

/** Adds /healthz, /readyz and /metrics. */
export function serveHealth(site: Site, known: Known, metrics: Metrics): void {
  site.openapi(
    createRoute({
      method: 'get',
      path: '/healthz',
      summary: 'Whether the agent lives; asks nothing of anybody',
      security: [],
      responses: {
        200: { content: { 'application/json': { schema: z.object({ ok: z.literal(true) }) } }, description: 'It does.' },
      },
    }),
    (context) => context.json({ ok: true as const }, 200),
  )

  site.openapi(
    createRoute({
      method: 'get',
      path: '/readyz',
      summary: 'Whether masks can come: the model is loaded, and not every camera is offline',
      security: [],
      responses: { 200: ready('They can.'), 503: ready('They cannot yet, or no longer.') },
    }),
    (context) => {
      const statuses = known.statuses()
      const model = known.modelReady()
      const cameras = Object.fromEntries(statuses.map(({ camera, state, reason }) => [camera, { state, reason }]))
      const told = context.get('person') ? { cameras } : {}
      const well = model && statuses.some(({ state }) => state !== 'offline')
      return context.json({ ready: well, model: model ? ('ready' as const) : ('loading' as const), ...told }, well ? 200 : 503)
    },
  )

  site.openapi(
    createRoute({
      method: 'get',
      path: '/metrics',
      summary: "Everything that can be counted, in Prometheus' text format",
      responses: { ...refusals, 200: { content: { 'text/plain': { schema: z.string() } }, description: 'Of now.' } },
    }),
    async (context) => context.body(await metrics.text(), 200, { 'content-type': metrics.type }) as never,
  )
}
