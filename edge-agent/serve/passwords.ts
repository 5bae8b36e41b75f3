// Passwords as scrypt (RFC 7914) hashes in PHC's string format. 32 MB and some tenths of a second a guess; one at a time, so
// that guesses from many sides take neither the memory nor the processor away.
import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto'

/** OWASP's parameters for 32 MiB. */
const cost = { ln: 15, r: 8, p: 3 }
const hashBytes = 32
/** Who comes when so many wait is sent away. */
const mostWaiting = 16

export const hashForm = /^\$scrypt\$ln=(1[0-7]),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,})\$([A-Za-z0-9+/]{22,})$/

const base64 = (bytes: Buffer) => bytes.toString('base64').replace(/=+$/, '')

/** The hash of a password, for the config. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16)
  const hash = await derive(password, salt, hashBytes, cost)
  return `$scrypt$ln=${cost.ln},r=${cost.r},p=${cost.p}$${base64(salt)}$${base64(hash)}`
}

/** Whether a password is the one of a hash. Rejects with a `TooBusy` where too many are asked at once. */
export async function checkPassword(password: string, hash: string): Promise<boolean> {
  const [, ln, r, p, salt = '', wanted = ''] = hashForm.exec(hash) ?? []
  const expected = Buffer.from(wanted, 'base64')
  const found = await derive(password, Buffer.from(salt, 'base64'), expected.length, {
    ln: Number(ln),
    r: Number(r),
    p: Number(p),
  })
  return timingSafeEqual(found, expected)
}

/** A hash that no password has, for names that nobody has: an answer takes as long as for those that somebody has. */
export const nobodysHash = `$scrypt$ln=${cost.ln},r=${cost.r},p=${cost.p}$${'A'.repeat(22)}$${'A'.repeat(43)}`

export class TooBusy extends Error {}

let waiting = 0
let last: Promise<unknown> = Promise.resolve()

function derive(password: string, salt: Buffer, bytes: number, { ln, r, p }: typeof cost): Promise<Buffer> {
  if (waiting >= mostWaiting) return Promise.reject(new TooBusy('Too many sign in at once'))
  waiting++
  const options: ScryptOptions = { N: 2 ** ln, r, p, maxmem: 256 * 2 ** ln * r }
  const mine = last.then(
    () =>
      new Promise<Buffer>((done, failed) =>
        // Composed, so that a password typed on another keyboard has the same bytes.
        scrypt(password.normalize('NFKC'), salt, bytes, options, (error, key) => (error ? failed(error) : done(key))),
      ),
  )
  last = mine.catch(() => {}).finally(() => waiting--)
  return mine
}
