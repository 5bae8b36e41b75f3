// A bundle that was signed, as it lies in a folder: whole, and the one that its release is of.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Bundle, manifestFile, openBundle } from '../bundle.ts'
import { type BundleRelease, type Envelope, manifestOf, readEnvelope, releaseFile } from '../release.ts'

export interface SignedBundle extends Bundle {
  id: string
  release: BundleRelease
  envelope: Envelope
  manifestBytes: Buffer
}

/** Opens it and checks all of it but the signature, which devices do. Throws what is wrong. */
export async function openSigned(dir: string): Promise<SignedBundle> {
  const bundle = await openBundle(dir)
  const { envelope, release, id } = await readRelease(join(dir, releaseFile))
  if (release.kind !== 'bundle') throw new Error(`${join(dir, releaseFile)} is the release of an image, not of this bundle`)
  const manifestBytes = await readFile(join(dir, manifestFile))
  try {
    manifestOf(release, manifestBytes)
  } catch (cause) {
    throw new Error(`The bundle ${dir} was changed after it was signed; sign it again: ${(cause as Error).message}`, { cause })
  }
  return { ...bundle, id, release, envelope, manifestBytes }
}

/** The release in a file. */
export async function readRelease(path: string) {
  const text = await readFile(path, 'utf8').catch((cause: Error) => {
    throw new Error(`Expected a release at ${path}, found none (${cause.message}); npm run deploy -- sign makes one`, { cause })
  })
  try {
    return readEnvelope(JSON.parse(text))
  } catch (cause) {
    throw new Error(`${path}: ${(cause as Error).message}; sign it again`, { cause })
  }
}
