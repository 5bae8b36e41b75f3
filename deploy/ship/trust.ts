// npm run deploy -- trust: the file of public keys that devices trust.
import { existsSync } from 'node:fs'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { z } from 'zod'
import { parseOptions } from '../options.ts'
import { keyId, TrustedKeys } from '../release.ts'
import { readPublicKey } from './keys.ts'

const help = `npm run deploy -- trust FILE [--add KEY.pub | --revoke ID | --remove ID] [options]

Lists the keys in FILE, which a device's "update.keys" names, or changes them. Bring the file onto the devices by the way
that brings their config: what tells a device whom to trust is not sent over the air.

--add KEY.pub     adds a key; FILE is made where it is missing
--days N          the key that is added expires in so many days; default: 730
--comment TEXT    whose key it is
--revoke ID       nothing that this key signed is taken from now on, whenever it was signed
--remove ID       forgets a key; revoking also says why in a device's log`

const dayMs = 24 * 3600 * 1000

export async function trust(args: string[]): Promise<void> {
  const { values, positionals } = parseOptions({
    args,
    allowPositionals: true,
    options: {
      add: { type: 'string' },
      days: { type: 'string', default: '730' },
      comment: { type: 'string' },
      revoke: { type: 'string' },
      remove: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help) return console.log(help)
  const [file] = positionals
  if (!file || positionals.length > 1) throw new Error(`Expected one file of keys, found ${positionals.length}\n\n${help}`)
  const days = Number(values.days)
  if (!(days > 0 && days < 36_525)) throw new Error(`--days: expected 1 to 36525, found ${values.days}`)
  const trusted = existsSync(file) || !values.add ? await readTrusted(file) : { keys: [] }
  const known = (id: string) => {
    const key = trusted.keys.find((key) => key.id === id)
    if (!key) throw new Error(`${file} has no key ${id}; it has ${trusted.keys.map(({ id }) => id).join(', ') || 'none'}`)
    return key
  }
  if (values.add) {
    const key = await readPublicKey(values.add)
    const id = keyId(key)
    if (trusted.keys.some((known) => known.id === id)) throw new Error(`${file} has key ${id} already`)
    trusted.keys.push({
      id,
      public_key: String(key.export({ type: 'spki', format: 'pem' })),
      expires: new Date(Date.now() + days * dayMs).toISOString(),
      ...(values.comment && { comment: values.comment }),
    })
  }
  if (values.revoke) known(values.revoke).revoked = new Date().toISOString()
  if (values.remove) {
    known(values.remove)
    trusted.keys = trusted.keys.filter(({ id }) => id !== values.remove)
  }
  if (values.add || values.revoke || values.remove) {
    await writeFile(`${file}.new`, `${JSON.stringify(trusted, null, 2)}\n`)
    await rename(`${file}.new`, file)
  }
  for (const { id, expires, revoked, comment = '' } of trusted.keys) {
    const state = revoked
      ? `revoked ${revoked.slice(0, 10)}`
      : `${isPast(expires) ? 'EXPIRED' : 'until'} ${expires.slice(0, 10)}`
    console.log(`${id}  ${state.padEnd(18)}  ${comment}`.trimEnd())
  }
}

const isPast = (time: string) => Date.parse(time) <= Date.now()

/** The trusted keys. Throws what is wrong with the file. */
export async function readTrusted(file: string): Promise<TrustedKeys> {
  const text = await readFile(file, 'utf8').catch((cause: Error) => {
    throw new Error(`The trusted keys ${file} cannot be read: ${cause.message}`, { cause })
  })
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw new Error(`The trusted keys ${file} are not JSON; npm run deploy -- trust makes such a file`, { cause })
  }
  const parsed = TrustedKeys.safeParse(json)
  if (!parsed.success) throw new Error(`The trusted keys ${file} are none:\n${z.prettifyError(parsed.error)}`)
  return parsed.data
}
