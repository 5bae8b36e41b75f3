// Who may talk to the HTTP server. Loopback alone is no protection from a browser on the same machine: a page of elsewhere
// may open a WebSocket here, or let its own name point here (DNS rebinding). So the name that a browser used must be one of
// this machine, and a page that connects must be our own. Programs without a browser send no Origin and are let in.
import type { IncomingHttpHeaders } from 'node:http'
import { isIP } from 'node:net'
import { hostname } from 'node:os'

export interface Refusal {
  status: 403 | 421
  reason: string
}

/** Why a request is refused; undefined where it is not. `names`: names of this machine beside those it knows itself. */
export function refuse({ host, origin }: IncomingHttpHeaders, names: readonly string[]): Refusal | undefined {
  const name = nameOf(host ?? '')
  if (host === undefined || name === undefined)
    return { status: 421, reason: `Expected a Host header, found ${host ?? 'none'}` }
  const own = ['localhost', hostname(), `${hostname()}.local`, ...names].map((known) => known.toLowerCase())
  // A name can be made to point here by anyone, a plain address cannot.
  if (!isIP(name) && !own.includes(name) && !name.endsWith('.localhost'))
    return { status: 421, reason: `This machine is not known as ${name}; add it to http.names in the agent's config` }
  if (origin !== undefined && !sameOrigin(origin, host))
    return { status: 403, reason: `A page of ${origin} may not use this agent; open the agent's own page` }
  return undefined
}

/** The name or address in a Host header, without port and brackets, in lower case. */
function nameOf(host: string): string | undefined {
  if (!URL.canParse(`http://${host}/`)) return undefined
  return new URL(`http://${host}/`).hostname.replace(/^\[|\]$/g, '')
}

/** Whether an Origin is the host that was asked. A proxy may speak TLS in front of us, so the scheme is not compared. */
const sameOrigin = (origin: string, host: string) => URL.canParse(origin) && new URL(origin).host === host.toLowerCase()
