// CONTRACT: the release, a bundle (or an image of the agent) that was signed for devices: `release.json` beside the bundle's
// manifest.json. A DSSE envelope (github.com/secure-systems-lab/dsse, protocol.md), signed with Ed25519. Its payload holds the
// hash of the manifest, which holds those of all files, so the signature covers every byte. No TensorFlow in here.
import { createHash, createPublicKey, type KeyObject, sign as signBytes, verify as verifyBytes } from 'node:crypto'
import { satisfies, validRange } from 'semver'
import { z } from 'zod'
import { isInside, Manifest } from './bundle.ts'

export const payloadType = 'application/vnd.roadmask.release+json'
/** Within a bundle's folder; not among the manifest's files. */
export const releaseFile = 'release.json'

/** Why a release is not taken, in words for a person: what the device would say of it at any other time too. */
export class ReleaseRefused extends Error {}

const range = z.string().refine((text) => validRange(text) !== null, 'a range of versions such as ">=1.2.0"')
const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/)
const common = {
  version: z.literal(1),
  name: z.string().min(1).max(200),
  /** When it was signed: a clock that a device lets only go up, so that an old release cannot be played to it again. */
  released: z.iso.datetime(),
}

export const Release = z.discriminatedUnion('kind', [
  z.strictObject({
    ...common,
    kind: z.literal('bundle'),
    manifest_sha256: sha256Hex,
    /** Of all files that the manifest lists. */
    bytes: z.int().positive(),
    needs: z.strictObject({
      agent: range.optional(),
      tensorflow: range.optional(),
      /** Of the machine, in MiB. */
      memory_mib: z.int().positive().optional(),
    }),
  }),
  z.strictObject({
    ...common,
    kind: z.literal('image'),
    /** Named by its digest: a tag may be another image tomorrow. */
    image: z.string().regex(/^[\w.:/-]{1,400}@sha256:[0-9a-f]{64}$/, 'REGISTRY/REPOSITORY@sha256:DIGEST'),
    needs: z.strictObject({ agent: range.optional() }),
  }),
])
export type Release = z.infer<typeof Release>
export type BundleRelease = Extract<Release, { kind: 'bundle' }>

export const Envelope = z.object({
  payloadType: z.string().max(200),
  payload: z.base64().max(64 * 1024),
  signatures: z
    .array(z.object({ keyid: z.string().max(200), sig: z.base64().max(1000) }))
    .min(1)
    .max(16),
})
export type Envelope = z.infer<typeof Envelope>

export const TrustedKeys = z.object({
  keys: z
    .array(
      z.object({
        id: z.string().regex(/^[0-9a-f]{16}$/),
        /** PEM, SPKI. */
        public_key: z.string(),
        expires: z.iso.datetime(),
        /** When it was taken back. From then on nothing that it signed is taken, whenever that was: a thief can date back. */
        revoked: z.iso.datetime().optional(),
        comment: z.string().optional(),
      }),
    )
    .max(100),
})
export type TrustedKeys = z.infer<typeof TrustedKeys>

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** Names a key pair, by the public one. */
export function keyId(key: KeyObject): string {
  const open = key.type === 'public' ? key : createPublicKey(key)
  return sha256(open.export({ type: 'spki', format: 'der' })).slice(0, 16)
}

/** Names a release, by its payload. */
export const releaseId = ({ payload }: Envelope) => sha256(Buffer.from(payload, 'base64')).slice(0, 12)

/** What is signed: DSSE's pre-authentication encoding. */
function encoded(type: string, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`DSSEv1 ${Buffer.byteLength(type)} ${type} ${payload.length} `), payload])
}

/** Signs with a private key of Ed25519. */
export function signRelease(release: Release, key: KeyObject): Envelope {
  if (key.asymmetricKeyType !== 'ed25519')
    throw new Error(`Expected an Ed25519 key, found ${key.asymmetricKeyType}; npm run deploy -- keys makes one`)
  const payload = Buffer.from(JSON.stringify(Release.parse(release)))
  const sig = signBytes(null, encoded(payloadType, payload), key).toString('base64')
  return { payloadType, payload: payload.toString('base64'), signatures: [{ keyid: keyId(key), sig }] }
}

/** What an envelope says, whoever signed it. Throws `ReleaseRefused` where it is none. */
export function readEnvelope(json: unknown): { envelope: Envelope; release: Release; id: string } {
  const found = Envelope.safeParse(json)
  if (!found.success) throw new ReleaseRefused(`It is no release: ${oneLine(found.error)}`)
  const envelope = found.data
  if (envelope.payloadType !== payloadType)
    throw new ReleaseRefused(`Expected a release of type ${payloadType}, found ${envelope.payloadType}`)
  const release = Release.safeParse(jsonOf(Buffer.from(envelope.payload, 'base64').toString()))
  if (!release.success) throw new ReleaseRefused(`This agent does not understand the release: ${oneLine(release.error)}`)
  return { envelope, release: release.data, id: releaseId(envelope) }
}

/**
 * The same, where one of the trusted keys signed it. Throws `ReleaseRefused` otherwise. What was signed by a clock beyond a key's
 * end is not taken either: devices would hold that for the time of now, and every key for expired, for ever.
 */
export function verifyRelease(json: unknown, { keys }: TrustedKeys, nowMs: number): { release: Release; id: string } {
  const { envelope, release, id } = readEnvelope(json)
  const reasons: string[] = []
  for (const { keyid, sig } of envelope.signatures) {
    const key = keys.find((known) => known.id === keyid)
    const signed = encoded(envelope.payloadType, Buffer.from(envelope.payload, 'base64'))
    if (!key) reasons.push(`key ${keyid} is not among the ${keys.length} trusted ones`)
    else if (key.revoked) reasons.push(`key ${keyid} was revoked on ${key.revoked.slice(0, 10)}`)
    else if (Date.parse(key.expires) <= Math.max(nowMs, Date.parse(release.released)))
      reasons.push(`key ${keyid} expired on ${key.expires.slice(0, 10)}`)
    else if (!isSignedBy(key.public_key, signed, sig)) reasons.push(`the signature of key ${keyid} does not fit the release`)
    else return { release, id }
  }
  throw new ReleaseRefused(`Its signature is not trusted: ${reasons.join('; ')}`)
}

function isSignedBy(pem: string, signed: Buffer, sig: string): boolean {
  try {
    const key = createPublicKey(pem)
    return key.asymmetricKeyType === 'ed25519' && verifyBytes(null, signed, key, Buffer.from(sig, 'base64'))
  } catch {
    return false
  }
}

/** What a device has for what releases need. */
export interface Abilities {
  agent: string
  /** Undefined where it cannot be told; what needs a version then does not fit. */
  tensorflow?: string
  memory_mib: number
}

/** Throws `ReleaseRefused` where the device lacks what the release needs. */
export function expectAble({ needs }: Release, has: Abilities): void {
  const lacks: string[] = []
  for (const what of ['agent', 'tensorflow'] as const) {
    const wanted = what in needs ? (needs as BundleRelease['needs'])[what] : undefined
    const found = has[what]
    if (wanted !== undefined && !(found && satisfies(found, wanted, { includePrerelease: true })))
      lacks.push(`${what} ${wanted}, found ${found ?? 'none'}`)
  }
  if ('memory_mib' in needs && needs.memory_mib !== undefined && needs.memory_mib > has.memory_mib)
    lacks.push(`${needs.memory_mib} MiB of memory, found ${has.memory_mib}`)
  if (lacks.length) throw new ReleaseRefused(`It does not fit this device: it needs ${lacks.join('; ')}`)
}

/** The manifest that a release is of, out of its bytes. Throws `ReleaseRefused` where it is another one, or asks for the unknown. */
export function manifestOf(release: BundleRelease, bytes: Uint8Array): Manifest {
  const found = sha256(bytes)
  if (found !== release.manifest_sha256)
    throw new ReleaseRefused(`The manifest is not the signed one: expected sha256 ${release.manifest_sha256}, found ${found}`)
  const parsed = Manifest.safeParse(jsonOf(Buffer.from(bytes).toString()))
  if (!parsed.success) throw new ReleaseRefused(`This agent does not run such a bundle: ${oneLine(parsed.error)}`)
  const files = Object.entries(parsed.data.files)
  const outside = files.find(([file]) => !isInside(file))
  if (outside) throw new ReleaseRefused(`The manifest names ${outside[0]}, which is outside the bundle`)
  const sum = files.reduce((all, [, { bytes }]) => all + bytes, 0)
  if (sum !== release.bytes)
    throw new ReleaseRefused(`The manifest's files have ${sum} bytes, the release says ${release.bytes}`)
  return parsed.data
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new ReleaseRefused(`Expected JSON, found ${JSON.stringify(text.slice(0, 40))}`, { cause })
  }
}

const oneLine = (error: z.ZodError) =>
  error.issues
    .slice(0, 3)
    .map(({ path, message }) => `${path.join('.') || 'it'}: ${message}`)
    .join('; ')
