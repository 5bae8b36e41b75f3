// AGENT verify-image: whether the wish for an image on standard input (image-wanted.json) was signed for this device. The host's
// unit asks this of the image that it trusts already, in a container of its own: the agent that wrote the wish may be broken into.
import { text } from 'node:stream/consumers'
import { parseOptions } from '../../deploy/options.ts'
import { ReleaseRefused, verifyRelease } from '../../deploy/release.ts'
import { readTrusted } from '../../deploy/ship/trust.ts'
import { readSettings, settingsPlace } from '../settings/settings-file.ts'
import { noKeys } from './verify.ts'

/** Prints when it was signed, and the image, in one line. Exit code 3, with the reason, where it is not to be taken. */
export async function verifyImage(args: string[]): Promise<void> {
  const options = { config: { type: 'string', short: 'c' }, after: { type: 'string', default: '' } } as const
  const { config: file, after } = parseOptions({ args, options }).values
  const { update } = await readSettings(settingsPlace(file, process.env, []), process.env, [])
  const wish = await text(process.stdin)
  try {
    if (!update.keys) throw new ReleaseRefused(noKeys)
    const keys = await readTrusted(update.keys)
    // A clock that a restart set back makes no key young again.
    const { release } = verifyRelease(envelopeOf(wish), keys, Math.max(Date.now(), Date.parse(after) || 0))
    if (release.kind !== 'image') throw new ReleaseRefused('Expected the release of an image, found that of a bundle')
    if (Date.parse(release.released) < Date.parse(after))
      throw new ReleaseRefused(`It was signed at ${release.released}, before the newest that this host took (${after})`)
    console.log(release.released, release.image)
  } catch (error) {
    if (!(error instanceof ReleaseRefused)) throw error
    console.error(error.message)
    process.exitCode = 3
  }
}

function envelopeOf(wish: string): unknown {
  try {
    return (JSON.parse(wish) as { release?: unknown } | null)?.release
  } catch (cause) {
    throw new ReleaseRefused('The wish for an image is not JSON', { cause })
  }
}
