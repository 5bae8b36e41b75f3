// The OpenAPI document (3.1), made of the routes that serve and of the schemas of wire.ts.
import { z } from '@hono/zod-openapi'
import { readMessagesSchema } from '../describe/asyncapi.ts'
import { version } from '../version.ts'
import type { Site } from './api.ts'

const { definitions } = readMessagesSchema()
const named = new Set<string>()

/** Where a message of wire.ts is described, by the name of its type. */
export function described(name: string): { $ref: string } {
  named.add(name)
  return { $ref: `#/components/schemas/${name}` }
}

/** An answer that is such a message. */
export const message = <Message extends object>(name: string) =>
  z.custom<Message>().openapi({ type: 'object', allOf: [described(name)] })

/** Adds /api/openapi.json; all other routes must be there already. */
export function serveDocument(site: Site): void {
  const { openAPIRegistry: registry } = site
  registry.registerComponent('securitySchemes', 'token', { type: 'http', scheme: 'bearer' })
  registry.registerComponent('securitySchemes', 'session', { type: 'apiKey', in: 'cookie', name: 'roadmask_session' })
  for (const name of reached()) registry.registerComponent('schemas', name, modern(definitions[name]) as object)
  const document = site.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Roadmask edge agent',
      version,
      description:
        'Reading takes a viewer, changing an operator; an error is a problem of RFC 9457. While only this machine reaches the ' +
        'agent and no user is configured, everyone may do everything. Over TLS the cookie is __Host-roadmask_session.',
    },
    security: [{ token: [] }, { session: [] }],
  })
  site.get('/api/openapi.json', (context) => context.json(document))
}

/** What is named, and all that it is made of. */
function reached(): Set<string> {
  const found = new Set(named)
  for (const name of found) // also those that are added on the way
    for (const [, other = ''] of JSON.stringify(definitions[name]).matchAll(/"#\/definitions\/([^"]+)"/g)) found.add(other)
  return found
}

/** Draft 7 as 2020-12 has it, which OpenAPI 3.1 reads: other places, and tuples under a name of their own. */
function modern(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(modern)
  if (typeof schema === 'string') return schema.replace('#/definitions/', '#/components/schemas/')
  if (typeof schema !== 'object' || schema === null) return schema
  return Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [
      key === 'items' && Array.isArray(value) ? 'prefixItems' : key,
      modern(value),
    ]),
  )
}
