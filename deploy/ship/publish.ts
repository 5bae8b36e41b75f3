// npm run deploy -- publish: a signed bundle to where devices fetch it, a folder of a web server or S3.
import { copyFile, mkdir, open, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { manifestFile } from '../bundle.ts'
import { makeFolder } from '../make-folder.ts'
import { parseOptions } from '../options.ts'
import { releaseFile } from '../release.ts'
import { below, openS3, parseS3, put, upload, uriOf } from '../s3.ts'
import { openSigned, type SignedBundle } from './signed-bundle.ts'

const help = `npm run deploy -- publish BUNDLE --to FOLDER|s3://BUCKET/PREFIX [--region REGION]

Copies a signed bundle into a folder of its own, named after the release, below FOLDER or PREFIX: what devices fetch from at
this moment stays as it is. ${releaseFile} comes last, so a folder that has one is whole.

--to PLACE        what a web server shows, or S3
--region REGION   of AWS; default: AWS_REGION

Then: npm run deploy -- offer BUNDLE --url https://…/ID/ --fleet`

export async function publish(args: string[]): Promise<void> {
  const { values, positionals } = parseOptions({
    args,
    allowPositionals: true,
    options: { to: { type: 'string' }, region: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
  })
  if (values.help) return console.log(help)
  const [dir, more] = positionals
  if (!dir || more) throw new Error(`Expected one bundle, found ${positionals.length}\n\n${help}`)
  if (!values.to) throw new Error('--to: expected a folder or s3://BUCKET/PREFIX')
  const bundle = await openSigned(dir)
  const place = values.to.startsWith('s3:') ? await toS3(bundle, values.to, values.region) : await toFolder(bundle, values.to)
  console.log(`${bundle.release.name}, release ${bundle.id}: ${place}`)
}

/** The files, then what names them. */
const inOrder = ({ manifest }: SignedBundle) => [...Object.keys(manifest.files), manifestFile, releaseFile]

async function toFolder(bundle: SignedBundle, to: string): Promise<string> {
  const folder = join(to, bundle.id)
  await makeFolder(folder)
  for (const file of inOrder(bundle)) {
    const path = join(folder, file)
    await mkdir(dirname(path), { recursive: true })
    await copyFile(join(bundle.dir, file), `${path}.new`)
    const written = await open(`${path}.new`, 'r')
    await written.sync().finally(() => written.close())
    await rename(`${path}.new`, path)
  }
  return `${folder}/`
}

async function toS3(bundle: SignedBundle, to: string, region: string | undefined): Promise<string> {
  const place = below(parseS3(to, '--to'), bundle.id)
  const s3 = await openS3(region)
  const files = Object.entries(bundle.manifest.files).map(([key, { bytes }]) => ({ path: join(bundle.dir, key), key, bytes }))
  await upload(s3, files, place, console.log)
  await put(s3, below(place, manifestFile), bundle.manifestBytes)
  await put(s3, below(place, releaseFile), JSON.stringify(bundle.envelope))
  return `${uriOf(place)}/`
}
