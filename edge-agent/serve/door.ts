// Who gets in: every request and every WebSocket passes here. Reading takes a viewer and changing an operator, whatever the
// path, so that what is added is closed from its first day.
import type { IncomingMessage } from 'node:http'
import { parse } from 'hono/utils/cookie'
import { type Access, type Person, type Role, same } from './access.ts'
import { refuse } from './guard.ts'

export interface Door {
  /** `path`: as it is routed, for an address can be written in many ways. */
  admit(request: IncomingMessage, path: string): Admission
  /** A connection without an end: it is broken off when whoever opened it signed out, or may no longer come in. */
  hold(request: IncomingMessage, path: string): void
  close(): void
}

const lookAgainMs = 5000

export interface Admission {
  /** Undefined: nobody that is known, which does where nothing is told. */
  person: Person | undefined
  refused?: { status: 401 | 403 | 421; detail: string }
}

/** Carries the proof that a page of ours sent a request that changes something. */
export const proofHeader = 'x-roadmask-proof'
export const cookieName = 'roadmask_session'

/** Who comes through an open door may do everything, as everyone on this machine could. */
const local: Person = { name: 'local', role: 'operator' }

export const isEncrypted = ({ socket }: IncomingMessage) => 'encrypted' in socket
const isReading = (method: string) => method === 'GET' || method === 'HEAD'

/** What tells nothing of the cameras: the page, which asks to sign in, and whether the agent is well. */
const forAll = /^\/(|favicon\.ico|healthz|readyz|dashboard\/([\w-]+\/)?[\w-]+\.\w+|edge-agent\/wire\.js)$/

/** What tells of the machine and its settings. */
const ofOperators = ['/api/config', '/api/setup', '/api/devices']

/** The least that may send such a request; undefined: anybody. What is not named here is closed. */
function needed(method: string, path: string): Role | undefined {
  if (path === '/api/session') return method === 'POST' ? undefined : 'viewer' // who is in may ask and go
  if (isReading(method) && forAll.test(path)) return undefined
  return isReading(method) && !ofOperators.includes(path) ? 'viewer' : 'operator'
}

/** The check of a server that listens on `host` and is known under `names`. */
export function openDoor(access: Access, host: string, names: readonly string[], everyMs = lookAgainMs): Door {
  function admit(request: IncomingMessage, path: string): Admission {
    const { headers, method = 'GET' } = request
    const elsewhere = refuse(headers, names)
    if (elsewhere) return { person: undefined, refused: { status: elsewhere.status, detail: elsewhere.reason } }
    const person = access.closed(host) ? personOf(request, access) : local
    const role = needed(method, path)
    const refused = (status: 401 | 403, detail: string) => ({ person, refused: { status, detail } })
    if (role && !person) return refused(401, 'Sign in on the page, or send "Authorization: Bearer TOKEN"')
    if (role === 'operator' && person?.role !== role) return refused(403, `This takes an operator; ${person?.name} is a viewer`)
    if (role && person?.session && !isReading(method)) {
      const proof = headers[proofHeader]
      if (typeof proof !== 'string' || !same(proof, access.proof(person.session)))
        return refused(403, `Expected in ${proofHeader} the proof that /api/session tells`)
    }
    return { person }
  }

  const held = new Map<IncomingMessage, string>()
  const looking = setInterval(() => {
    for (const [request, path] of held) if (admit(request, path).refused) request.socket.destroy()
  }, everyMs)

  return {
    admit,
    hold(request, path) {
      held.set(request, path)
      request.socket.setTimeout(0) // of a camera that is lost nothing comes for a while
      request.socket.once('close', () => held.delete(request))
    },
    close: () => clearInterval(looking),
  }
}

/** Encrypted, the cookie's name says that it never leaves TLS and is for this host alone (RFC 6265bis, 4.1.3). */
export const cookieOf = (request: IncomingMessage) => (isEncrypted(request) ? `__Host-${cookieName}` : cookieName)

function personOf(request: IncomingMessage, access: Access): Person | undefined {
  const { authorization, cookie = '' } = request.headers
  const bearer = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1]
  if (bearer) return access.token(bearer)
  const name = cookieOf(request)
  const session = parse(cookie, name)[name]
  return session ? access.session(session) : undefined
}
