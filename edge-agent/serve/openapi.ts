// The OpenAPI document, made of the routes that serve.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { repository } from '../paths.ts'
import type { Site } from './api.ts'

const { version } = JSON.parse(readFileSync(join(repository, 'edge-agent/package.json'), 'utf8')) as { version: string }

/** Adds /api/openapi.json; all routes must be there already. */
export function serveDocument(site: Site): void {
  site.openAPIRegistry.registerComponent('securitySchemes', 'token', { type: 'http', scheme: 'bearer' })
  site.openAPIRegistry.registerComponent('securitySchemes', 'session', {
    type: 'apiKey',
    in: 'cookie',
    name: 'roadmask_session',
  })
  const document = site.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Roadmask edge agent',
      version,
      description:
        'Reading takes a viewer, changing an operator. Where only this machine reaches the agent and no user is configured, everyone may do everything.',
    },
    security: [{ token: [] }, { session: [] }],
  })
  site.get('/api/openapi.json', (context) => context.json(document))
}
