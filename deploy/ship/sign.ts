// npm run deploy -- sign: makes a bundle, or an image of the agent, a release.
import { createHash } from 'node:crypto'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { manifestFile, openBundle } from '../bundle.ts'
import { parseOptions } from '../options.ts'
import { Release, releaseFile, releaseId, signRelease } from '../release.ts'
import { readSigningKey } from './keys.ts'

const help = `npm run deploy -- sign BUNDLE --key FILE [needs]
npm run deploy -- sign --image REGISTRY/REPOSITORY@sha256:DIGEST --key FILE --out FILE [--agent RANGE]

Checks a bundle whole and puts ${releaseFile} beside its manifest: who may change a device, what it needs, and when it was signed.
A device takes only what was signed later than all it took before. To go back to an old bundle, sign it again.

--key FILE          the secret key of "npm run deploy -- keys"
--agent RANGE       versions of the agent it runs on, such as '>=0.1.0'; default: any
--tensorflow RANGE  versions of TensorFlow, such as '>=2.12'; default: any
--memory MIB        what the machine must have at least, in all; default: any
--name NAME         what an image is called; default: its repository and the start of its digest
--image NAME@DIGEST an image of the agent in the place of a bundle
--out FILE          where an image's release goes`

export async function sign(args: string[]): Promise<void> {
  const { values, positionals } = parseOptions({
    args,
    allowPositionals: true,
    options: {
      key: { type: 'string' },
      agent: { type: 'string' },
      tensorflow: { type: 'string' },
      memory: { type: 'string' },
      name: { type: 'string' },
      image: { type: 'string' },
      out: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help) return console.log(help)
  const [dir, more] = positionals
  if (more || (dir === undefined) === (values.image === undefined))
    throw new Error(`Expected one bundle or --image, found ${positionals.join(', ') || 'neither'}\n\n${help}`)
  if (!values.key) throw new Error('--key: expected the secret key; npm run deploy -- keys makes one')
  if (values.image && !values.out) throw new Error("--out: expected a file for the image's release")
  const key = await readSigningKey(values.key)
  const common = { version: 1 as const, released: new Date().toISOString() }
  const agent = values.agent ? { agent: values.agent } : {}
  const wanted = values.image
    ? {
        ...common,
        kind: 'image' as const,
        image: values.image,
        name: values.name ?? values.image.replace(/@sha256:(.{8}).*/, ' $1'),
        needs: agent,
      }
    : {
        ...common,
        ...(await bundleOf(dir!)),
        needs: {
          ...agent,
          ...(values.tensorflow && { tensorflow: values.tensorflow }),
          ...(values.memory && { memory_mib: Number(values.memory) }),
        },
      }
  const checked = Release.safeParse(wanted)
  if (!checked.success) throw new Error(`It cannot be signed:\n${z.prettifyError(checked.error)}`)
  const envelope = signRelease(checked.data, key)
  const path = values.out ?? join(dir!, releaseFile)
  await writeFile(`${path}.new`, `${JSON.stringify(envelope, null, 2)}\n`)
  await rename(`${path}.new`, path)
  console.log(`${path}: release ${releaseId(envelope)} of ${checked.data.name}, signed by key ${envelope.signatures[0]!.keyid}`)
}

/** What a release says of a bundle, which is whole. */
async function bundleOf(dir: string) {
  const { manifest } = await openBundle(dir)
  const bytes = await readFile(join(dir, manifestFile))
  return {
    kind: 'bundle' as const,
    name: manifest.name,
    manifest_sha256: createHash('sha256').update(bytes).digest('hex'),
    bytes: Object.values(manifest.files).reduce((sum, { bytes }) => sum + bytes, 0),
  }
}
