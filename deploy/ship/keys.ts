// npm run deploy -- keys: the pair of keys that signs releases.
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { parseOptions } from '../options.ts'
import { keyId } from '../release.ts'

const help = `npm run deploy -- keys [--out NAME]

Makes an Ed25519 key pair: NAME.key, which signs and is a secret (mode 0600), and NAME.pub, which devices trust.
--out NAME    where to; default: signing. Files that are there are left alone.

With a passphrase in ROADMASK_SIGNING_PASSPHRASE the secret one is encrypted; "sign" then wants it there too.`

export async function keys(args: string[]): Promise<void> {
  const { values } = parseOptions({
    args,
    options: { out: { type: 'string', default: 'signing' }, help: { type: 'boolean', short: 'h' } },
  })
  if (values.help) return console.log(help)
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const passphrase = process.env.ROADMASK_SIGNING_PASSPHRASE
  const secret = privateKey.export({
    type: 'pkcs8',
    format: 'pem',
    ...(passphrase && { cipher: 'aes-256-cbc', passphrase }),
  })
  await writeNew(`${values.out}.key`, secret, 0o600)
  await writeNew(`${values.out}.pub`, publicKey.export({ type: 'spki', format: 'pem' }), 0o644)
  console.log(`Key ${keyId(publicKey)}: ${values.out}.key signs and is a secret, ${values.out}.pub is for devices:
  npm run deploy -- trust trusted-keys.json --add ${values.out}.pub`)
}

async function writeNew(path: string, text: string | Buffer, mode: number) {
  await writeFile(path, text, { mode, flag: 'wx' }).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'EEXIST') throw new Error(`${path} is there; name other files with --out`, { cause })
    throw new Error(`${path} cannot be written: ${cause.message}`, { cause })
  })
}

/** The key that signs. Throws what is wrong with the file, and never shows it. */
export async function readSigningKey(path: string): Promise<KeyObject> {
  const text = await readKeyFile(path)
  const passphrase = process.env.ROADMASK_SIGNING_PASSPHRASE
  try {
    return createPrivateKey({ key: text, ...(passphrase && { passphrase }) })
  } catch (cause) {
    const remedy = text.includes('ENCRYPTED')
      ? 'it is encrypted: give its passphrase in ROADMASK_SIGNING_PASSPHRASE'
      : 'expected the file NAME.key of "npm run deploy -- keys"'
    throw new Error(`${path} gives no key that signs; ${remedy}`, { cause })
  }
}

/** A public key, as PEM. */
export async function readPublicKey(path: string): Promise<KeyObject> {
  const text = await readKeyFile(path)
  if (/PRIVATE KEY/.test(text))
    throw new Error(`${path} is the secret key, which devices must not have; name the .pub beside it`)
  try {
    const key = createPublicKey(text)
    if (key.asymmetricKeyType === 'ed25519') return key
  } catch {}
  throw new Error(`${path} is no public key of Ed25519; expected the file NAME.pub of "npm run deploy -- keys"`)
}

const readKeyFile = (path: string) =>
  readFile(path, 'utf8').catch((cause: Error) => {
    throw new Error(`The key ${path} cannot be read: ${cause.message}`, { cause })
  })
