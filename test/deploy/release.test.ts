// What makes a release, and what is refused as none: with real keys, files and the command itself.
import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  type BundleRelease,
  type Envelope,
  expectAble,
  keyId,
  manifestOf,
  payloadType,
  readEnvelope,
  signRelease,
  type TrustedKeys,
  verifyRelease,
} from '../../deploy/release.ts'
import { writeBrightBundle } from '../bright-bundle.ts'
import { runProgram } from '../run-program.ts'

const now = Date.parse('2026-06-01T00:00:00Z')
const pair = generateKeyPairSync('ed25519')
const release: BundleRelease = {
  version: 1,
  kind: 'bundle',
  name: 'run-1',
  released: '2026-05-01T00:00:00Z',
  manifest_sha256: 'a'.repeat(64),
  bytes: 10,
  needs: { agent: '>=0.1.0' },
}
const trust = (key: KeyObject, more: Partial<TrustedKeys['keys'][number]> = {}): TrustedKeys => ({
  keys: [
    {
      id: keyId(key),
      public_key: String(key.export({ type: 'spki', format: 'pem' })),
      expires: '2027-01-01T00:00:00Z',
      ...more,
    },
  ],
})
const signed = signRelease(release, pair.privateKey)
const altered = (change: Partial<BundleRelease>): Envelope => {
  const payload = { ...JSON.parse(Buffer.from(signed.payload, 'base64').toString()), ...change }
  return { ...signed, payload: Buffer.from(JSON.stringify(payload)).toString('base64') }
}

test('a release is what a trusted key signed, and DSSE as others read it', () => {
  expect(verifyRelease(structuredClone(signed), trust(pair.publicKey), now)).toEqual({
    release,
    id: createHash('sha256').update(Buffer.from(signed.payload, 'base64')).digest('hex').slice(0, 12),
  })
  expect(signed.payloadType).toBe(payloadType)
})

test.each<[string, unknown, TrustedKeys, RegExp]>([
  ['nothing', undefined, trust(pair.publicKey), /It is no release/],
  ['no signature', { ...signed, signatures: [] }, trust(pair.publicKey), /It is no release: signatures/],
  [
    'an unknown key',
    signed,
    trust(generateKeyPairSync('ed25519').publicKey),
    /key [0-9a-f]{16} is not among the 1 trusted ones/,
  ],
  [
    'a foreign key under a trusted name',
    signed,
    { keys: [{ ...trust(generateKeyPairSync('ed25519').publicKey).keys[0]!, id: keyId(pair.publicKey) }] },
    /the signature of key [0-9a-f]{16} does not fit/,
  ],
  ['a key that expired', signed, trust(pair.publicKey, { expires: '2026-05-31T00:00:00Z' }), /expired on 2026-05-31/],
  [
    'what a clock that runs ahead signed, beyond the end of its key',
    signRelease({ ...release, released: '2099-01-01T00:00:00Z' }, pair.privateKey),
    trust(pair.publicKey),
    /expired on 2027-01-01/,
  ],
  ['a key that was revoked later', signed, trust(pair.publicKey, { revoked: '2026-05-30T00:00:00Z' }), /revoked on 2026-05-30/],
  ['another payload', altered({ name: 'evil' }), trust(pair.publicKey), /does not fit the release/],
  ['another type', { ...signed, payloadType: 'text/plain' }, trust(pair.publicKey), /Expected a release of type/],
  ['a broken key file', signed, trust(pair.publicKey, { public_key: 'x' }), /does not fit the release/],
])('%s is refused', (_, envelope, keys, reason) => {
  expect(() => verifyRelease(envelope, keys, now)).toThrow(reason)
})

test('one good signature of several does, so that keys can be changed', () => {
  const other = signRelease(release, generateKeyPairSync('ed25519').privateKey).signatures[0]!
  const both = { ...signed, signatures: [other, ...signed.signatures] }
  expect(verifyRelease(both, trust(pair.publicKey), now).release).toEqual(release)
})

test('what a device lacks is said all at once', () => {
  const needs = { agent: '>=2', tensorflow: '>=2.12', memory_mib: 8000 }
  expect(() => expectAble({ ...release, needs }, { agent: '0.1.0', memory_mib: 4000 })).toThrow(
    'It does not fit this device: it needs agent >=2, found 0.1.0; tensorflow >=2.12, found none; 8000 MiB of memory, found 4000',
  )
  expectAble({ ...release, needs }, { agent: '2.1.0', tensorflow: '2.16.2', memory_mib: 8000 })
})

test('the commands make keys, trust them and sign a bundle; a bundle that is not whole is not signed', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'roadmask-'))
  const deploy = (...args: string[]) => runProgram('deploy/deploy.js', args, { cwd: dir })
  try {
    const bundle = join(dir, 'bundle')
    await writeBrightBundle(bundle)
    expect((await deploy('keys', '--out', 'k')).code).toBe(0)
    expect((await stat(join(dir, 'k.key'))).mode & 0o777).toBe(0o600)
    expect((await deploy('keys', '--out', 'k')).err).toContain('k.key is there')
    expect((await deploy('trust', 't.json', '--add', 'k.key')).err).toContain('is the secret key')
    const listed = await deploy('trust', 't.json', '--add', 'k.pub', '--comment', 'me')
    expect(listed.out).toMatch(/^[0-9a-f]{16} {2}until \d{4}-\d\d-\d\d +me/)
    expect((await deploy('sign', 'bundle', '--key', 'k.key', '--agent', 'new')).err).toContain('a range of versions')
    expect((await deploy('sign', 'bundle', '--key', 'k.key', '--agent', '>=0.1.0')).code).toBe(0)

    const keys = JSON.parse(await readFile(join(dir, 't.json'), 'utf8'))
    const envelope = JSON.parse(await readFile(join(bundle, 'release.json'), 'utf8'))
    const { release } = verifyRelease(envelope, keys, Date.now())
    const manifest = await readFile(join(bundle, 'manifest.json'))
    expect(manifestOf(release as BundleRelease, manifest).name).toBe('bright')
    expect(() => manifestOf(release as BundleRelease, manifest.subarray(1))).toThrow('The manifest is not the signed one')

    const [id = ''] = listed.out.split(' ')
    expect((await deploy('trust', 't.json', '--revoke', id)).out).toContain('revoked 20')
    const revoked = JSON.parse(await readFile(join(dir, 't.json'), 'utf8'))
    expect(() => verifyRelease(envelope, revoked, Date.now())).toThrow('was revoked')

    await writeFile(join(bundle, 'model/saved_model.pb'), 'cut')
    expect((await deploy('sign', 'bundle', '--key', 'k.key')).err).toContain('is not what the manifest says')

    const image = `registry.example.com/roadmask/agent@sha256:${'0'.repeat(64)}`
    expect((await deploy('sign', '--image', 'agent:latest', '--key', 'k.key', '--out', 'i.json')).err).toContain('DIGEST')
    expect((await deploy('sign', '--image', image, '--key', 'k.key', '--out', 'i.json')).code).toBe(0)
    expect(readEnvelope(JSON.parse(await readFile(join(dir, 'i.json'), 'utf8'))).release).toMatchObject({
      kind: 'image',
      image,
    })
  } finally {
    await rm(dir, { recursive: true })
  }
})
