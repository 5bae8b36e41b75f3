// The agent's HTTP API from a page: whatever changes something carries the session's proof, and what the agent refuses comes as
// an error whose message is a sentence for a person.

/** The agent answered that it does not do this; `message` says why. Status 0: it did not answer. */
export class Refused extends Error {
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

export interface Api {
  /** The answer as it is, for its headers or bytes. Throws `Refused`. `path` has no slash in front. */
  ask(path: string, init?: RequestInit): Promise<Response>
  /** The answer's JSON. */
  get<Answer>(path: string): Promise<Answer>
  /** The answer's JSON, where it has one; `body` goes as JSON. */
  send<Answer = void>(
    method: 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    body?: unknown,
    headers?: HeadersInit,
  ): Promise<Answer>
}

/** Relative, so that it also works behind a proxy that serves the agent under a path of its own. */
export const addressOf = (path: string): URL => new URL(path, document.baseURI)

/** `proof`: of the session, where there is one; `unknown`: the agent no longer knows who asks. */
export function openApi({ proof, unknown }: { proof(): string | undefined; unknown(): void }): Api {
  async function ask(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers)
    headers.set('x-roadmask-proof', proof() ?? '')
    const response = await fetch(addressOf(path), { ...init, headers }).catch(() => {
      throw new Refused(0, 'The agent does not answer')
    })
    if (response.ok) return response
    if (response.status === 401) unknown()
    throw new Refused(response.status, await reason(response))
  }

  return {
    ask,
    get: async (path) => (await ask(path)).json(),
    async send(method, path, body, headers) {
      const sent = new Headers(headers)
      if (body !== undefined) sent.set('content-type', 'application/json')
      const response = await ask(path, { method, headers: sent, ...(body !== undefined && { body: JSON.stringify(body) }) })
      return isJson(response) ? response.json() : undefined
    },
  }
}

const isJson = ({ headers }: Response) => headers.get('content-type')?.includes('json') ?? false

/** What a problem (RFC 9457) says for people. */
async function reason(response: Response): Promise<string> {
  const { detail, title } = isJson(response) ? await response.json().catch(() => ({})) : {}
  return detail ?? title ?? `The agent answered ${response.status}`
}
