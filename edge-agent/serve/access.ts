// Who may do what: users and API tokens of the config, the operator token of the first start, and sessions. A door (the page,
// the agent's own broker) that only this machine reaches is open while nobody is configured; every other one is closed.
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Log } from '../log.ts'
import type { Config } from '../settings/config.ts'
import { countAttempts } from './attempts.ts'
import { checkPassword, nobodysHash } from './passwords.ts'

export type Role = Config['access']['users'][number]['role']

export interface Person {
  name: string
  role: Role
  /** Signed in by a browser; requests that change something must prove that a page of ours sent them. */
  session?: string
}

/** What is kept from one run to the next. */
export interface Store {
  read<T>(name: string): T | undefined
  write(name: string, value: unknown): void
}

export interface Access {
  /** The operator token, when this start made it. */
  fresh: string | undefined
  /** Whether whoever comes through a door that listens on `host` must be known. */
  closed(host: string): boolean
  /** Who has an API token. */
  token(token: string): Person | undefined
  /** Whose session it is. */
  session(session: string): Person | undefined
  /** Proof that a request of a session comes from our page, which alone can have read it. */
  proof(session: string): string
  /** Checks a name with its password, or a token in the password's place. */
  signIn(name: string, password: string, address: string): Promise<SignIn>
  /** Remembers that somebody signed in. */
  open(person: Person): string
  signOut(session: string): void
  /** The settings changed: who is known from now on. */
  settings(config: Pick<Config, 'access'>): void
}

export interface SignIn {
  /** Undefined where it was not right, or was not looked at. */
  person: Person | undefined
  /** Seconds until this address may try again; 0 where it was looked at. */
  waitS: number
}

interface Session {
  /** Hash of the password hash or of the token it began with: when that changes, the session ends. */
  credential: string
  untilMs: number
}

export const sessionS = 30 * 24 * 3600
/** Then the oldest goes. */
const mostSessions = 500
const tokenPrefix = 'rmt_'

export const isLoopback = (host: string) => /^(127\.|localhost$|::1$)/.test(host)
export const hashToken = (token: string) => createHash('sha256').update(token).digest('hex')
export const makeToken = () => tokenPrefix + randomBytes(32).toString('base64url')

/** Where a door of the config needs it, the operator token is made. */
export function openAccess(config: Config, store: Store, log: Log): Access {
  const doors = [config.http.host, ...(config.mqtt.url ? [] : [config.broker.host])]
  let { users, tokens } = config.access
  const anybody = () => users.length > 0 || tokens.length > 0
  const closed = (host: string) => anybody() || !isLoopback(host)
  const { fresh, own } = !anybody() && doors.some(closed) ? operatorToken(store) : {}
  let people = everyone()
  const attempts = countAttempts()
  const sessions = new Map(Object.entries(store.read<Record<string, Session>>('sessions') ?? {}))
  /** On a full disk people sign in all the same, for this run. */
  function save() {
    try {
      store.write('sessions', Object.fromEntries(sessions))
    } catch (error) {
      log.error(`sessions are not kept over a restart: ${(error as Error).message}`)
    }
  }

  /** By a hash of what is kept of their password or token. */
  function everyone() {
    return new Map<string, Person>([
      ...users.map(({ name, role, password }) => [hashToken(password), { name, role }] as const),
      ...tokens.map(({ name, role, sha256 }) => [hashToken(sha256), { name, role }] as const),
      ...(own && !anybody() ? [[hashToken(own), { name: 'operator', role: 'operator' }] as const] : []),
    ])
  }

  const token = (text: string) => people.get(hashToken(hashToken(text)))

  async function find(name: string, password: string): Promise<Person | undefined> {
    if (password.startsWith(tokenPrefix)) return token(password)
    const user = users.find((known) => known.name === name)
    const right = await checkPassword(password, user?.password ?? nobodysHash)
    return right && user ? people.get(hashToken(user.password)) : undefined
  }

  return {
    fresh,
    closed,
    token,
    session(id) {
      const found = sessions.get(hashToken(id))
      const person = found && found.untilMs > Date.now() ? people.get(found.credential) : undefined
      return person && { ...person, session: id }
    },
    proof: (session) => createHmac('sha256', session).update('roadmask').digest('base64url'),
    async signIn(name, password, address) {
      const waitS = attempts.wait(address)
      if (waitS) return { person: undefined, waitS }
      attempts.failed(address) // until it has turned out well: many tries at once count too
      const person = await find(name, password)
      if (person) attempts.succeeded(address)
      else log.warn({ address }, 'sign-in refused')
      return { person, waitS: 0 }
    },
    open(person) {
      const [credential] = [...people].find(([, known]) => known === person) ?? []
      if (!credential) throw new Error(`Expected somebody who is known, found ${person.name}`)
      const id = randomBytes(32).toString('base64url')
      sessions.set(hashToken(id), { credential, untilMs: Date.now() + 1000 * sessionS })
      for (const [key, { untilMs }] of sessions) if (untilMs < Date.now() || sessions.size > mostSessions) sessions.delete(key)
      save()
      return id
    },
    signOut(id) {
      if (sessions.delete(hashToken(id))) save()
    },
    settings(changed) {
      ;({ users, tokens } = changed.access)
      people = everyone()
    },
  }
}

/** Made at the first start that needs it; only its hash is kept. */
function operatorToken(store: Store): { own: string; fresh: string | undefined } {
  const known = store.read<{ sha256: string }>('operator-token')?.sha256
  if (known) return { own: known, fresh: undefined }
  const fresh = makeToken()
  store.write('operator-token', { sha256: hashToken(fresh) })
  return { own: hashToken(fresh), fresh }
}

/** Compares without telling by its time how far two texts agree. */
export const same = (a: string, b: string) => timingSafeEqual(Buffer.from(hashToken(a)), Buffer.from(hashToken(b)))
