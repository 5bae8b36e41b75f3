// A data set on this machine as the files that a job's channel gets.
import { stat } from 'node:fs/promises'
import { basename, join, relative, resolve, sep } from 'node:path'
import { mapBounded } from '../data/each.ts'
import { readManifest } from '../data/groundtruth.ts'
import { filesBelow, type LocalFile } from './s3.ts'

/**
 * Every file of LAYOUT:FOLDER. Of a Ground Truth manifest the pictures and labels that it names, wherever copies of their
 * buckets lie, and the manifest with their places in the channel.
 */
export async function filesOfData(spec: string): Promise<{ name: string; files: LocalFile[] }> {
  const path = resolve(spec.slice(spec.indexOf(':') + 1))
  if (!spec.startsWith('groundtruth:')) return { name: basename(path), files: await filesBelow(path) }
  const lines = await readManifest(path)
  const paths = [...new Set(lines.flatMap(({ picture, label }) => [picture, label.path]))]
  const root = sharedFolder(paths)
  const keyOf = (file: string) => relative(root, file).split(sep).join('/')
  const files = await mapBounded(paths, 8, async (file) => ({ path: file, key: keyOf(file), bytes: (await stat(file)).size }))
  const content = lines
    .map(({ picture, label }) =>
      JSON.stringify({
        'source-ref': keyOf(picture),
        [label.attribute]: keyOf(label.path),
        [`${label.attribute}-metadata`]: label.metadata,
      }),
    )
    .join('\n')
  const manifest = { path, key: 'output.manifest', bytes: Buffer.byteLength(content), content }
  return { name: basename(root), files: [...files, manifest] }
}

/** The folder that holds all of the files. */
function sharedFolder(files: readonly string[]): string {
  const [first = [], ...others] = files.map((file) => file.split(sep).slice(0, -1))
  let shared = first.length
  for (const other of others) while (first.slice(0, shared).join(sep) !== other.slice(0, shared).join(sep)) shared--
  return join(sep, ...first.slice(0, shared))
}
