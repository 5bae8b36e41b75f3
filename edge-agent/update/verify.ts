// What an offer has to be for this device to take it: signed by a trusted key, newer than all before, and able to run here.
import { totalmem } from 'node:os'
import { type Envelope, expectAble, type Release, ReleaseRefused, readEnvelope, verifyRelease } from '../../deploy/release.ts'
import { readTrusted } from '../../deploy/ship/trust.ts'
import { version } from '../version.ts'
import type { ReleaseName } from '../wire.ts'
import type { Kept } from './store.ts'

export const noKeys =
  'This device takes no releases: "update.keys" names no trusted keys; npm run deploy -- trust makes that file'

export interface Verified {
  id: string
  release: Release
  envelope: Envelope
}

export interface ThisDevice {
  /** File of the trusted keys. */
  keys: string | undefined
  accepted: Kept['accepted']
  /** Undefined until the model that runs has said it. */
  tensorflow: string | undefined
  /** Whether a release is here already: it may be offered again. */
  isKnown(id: string): boolean
}

/** Throws `ReleaseRefused`; another `Error` where it may be taken later. */
export async function verify(json: unknown, { keys, accepted, tensorflow, isKnown }: ThisDevice): Promise<Verified> {
  const { envelope } = readEnvelope(json)
  if (!keys) throw new ReleaseRefused(noKeys)
  const trusted = await readTrusted(keys).catch((error: Error) => {
    throw new ReleaseRefused(error.message, { cause: error })
  })
  // A clock that a restart set back makes no key young again.
  const nowMs = Math.max(Date.now(), ...Object.values(accepted).map((time) => Date.parse(time)))
  const { release, id } = verifyRelease(envelope, trusted, nowMs)
  const newest = accepted[release.kind]
  if (newest && Date.parse(release.released) <= Date.parse(newest) && !isKnown(id))
    throw new ReleaseRefused(
      `It was signed at ${release.released}, not after the newest that this device accepted (${newest}). Sign it again to go back to it`,
    )
  if (release.kind === 'bundle' && release.needs.tensorflow && !tensorflow)
    throw new Error('The model that runs has not yet said which TensorFlow it has')
  expectAble(release, {
    agent: version,
    memory_mib: Math.round(totalmem() / 2 ** 20),
    ...(tensorflow && { tensorflow }),
  })
  return { envelope, release, id }
}

/** What an offer calls itself, verified or not; undefined where it is none. */
export function nameOf(json: unknown): ReleaseName | undefined {
  try {
    const { release, id } = readEnvelope(json)
    return { id, name: release.name, kind: release.kind }
  } catch {
    return undefined
  }
}
