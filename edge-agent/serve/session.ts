// Signing in, who is signed in, and signing out: how a browser gets in where the page is closed.
import { createRoute, z } from '@hono/zod-openapi'
import { deleteCookie, setCookie } from 'hono/cookie'
import { type Access, type Person, sessionS } from './access.ts'
import { refusal, refusals, type Site } from './api.ts'
import { cookieOf, isEncrypted, proofHeader } from './door.ts'
import { TooBusy } from './passwords.ts'
import { problem } from './problem.ts'

const Session = z
  .object({
    name: z.string(),
    role: z.enum(['viewer', 'operator']),
    proof: z
      .string()
      .optional()
      .openapi({ description: `To be sent as ${proofHeader} with whatever changes something.` }),
  })
  .openapi('Session')

/** Adds /api/session. */
export function serveSession(site: Site, access: Access): void {
  const told = ({ name, role, session }: Person) => ({ name, role, ...(session && { proof: access.proof(session) }) })
  const answer = { content: { 'application/json': { schema: Session } } }

  site.openapi(
    createRoute({
      method: 'get',
      path: '/api/session',
      summary: 'Who is signed in',
      responses: { ...refusals, 200: { ...answer, description: 'Name and role.' } },
    }),
    (context) => context.json(told(context.get('person')!), 200),
  )

  site.openapi(
    createRoute({
      method: 'post',
      path: '/api/session',
      summary: 'Signs a browser in: a name with its password, or an API token in the place of the password',
      request: {
        body: {
          required: true,
          content: {
            'application/json': {
              schema: z.strictObject({ name: z.string().max(64).default(''), password: z.string().min(1).max(1024) }),
            },
          },
        },
      },
      security: [],
      responses: {
        ...refusals,
        200: { ...answer, description: 'Signed in; the answer sets a cookie.' },
        400: refusal('The body is another one.'),
        415: refusal('The body is not JSON by its type.'),
        401: refusal('Name or password is wrong.'),
        429: refusal('Too many wrong ones came from this address.'),
      },
    }),
    async (context) => {
      const { name, password } = context.req.valid('json')
      const { incoming } = context.env
      const address = incoming.socket.remoteAddress ?? ''
      const { person, waitS } = await access.signIn(name, password, address).catch((error: Error) => {
        if (error instanceof TooBusy) return { person: undefined, waitS: 1 }
        throw error
      })
      if (waitS) throw problem(429, `Too many tries; wait ${waitS} s`, { 'retry-after': String(waitS) })
      if (!person) throw problem(401, 'Name or password is wrong')
      const session = access.open(person)
      setCookie(context, cookieOf(incoming), session, {
        path: '/',
        httpOnly: true,
        sameSite: 'Strict',
        secure: isEncrypted(incoming),
        maxAge: sessionS,
      })
      return context.json(told({ ...person, session }), 200)
    },
  )

  site.openapi(
    createRoute({
      method: 'delete',
      path: '/api/session',
      summary: 'Signs the browser out',
      responses: { ...refusals, 204: { description: 'Signed out.' } },
    }),
    (context) => {
      const session = context.get('person')?.session
      if (session) access.signOut(session)
      const { incoming } = context.env
      deleteCookie(context, cookieOf(incoming), { path: '/', secure: isEncrypted(incoming) })
      return context.body(null, 204)
    },
  )
}
