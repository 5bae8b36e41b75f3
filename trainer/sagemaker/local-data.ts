// What lies on this machine as the files that a job's channels get: data sets, and what options name.
import { stat } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { mapBounded } from '../../deploy/each.ts'
import { filesBelow, type LocalFile } from '../../deploy/s3.ts'
import { readManifest } from '../data/groundtruth.ts'
import { shardsOf } from '../transfer/weight-file.ts'

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

/** All files of a run folder or a bundle, or a file of weights with its shards; and the name of the file among them. */
export async function filesOfOption(path: string): Promise<{ file?: string; files: LocalFile[] }> {
  if ((await stat(path)).isDirectory()) return { files: await filesBelow(path) }
  const file = basename(path)
  const parts = [file, ...(await shardsOf(path))].map((key) => ({ key, path: join(dirname(path), key) }))
  return { file, files: await mapBounded(parts, 8, async (part) => ({ ...part, bytes: (await stat(part.path)).size })) }
}

/** The folder that holds all of the files. */
function sharedFolder(files: readonly string[]): string {
  const [first = [], ...others] = files.map((file) => file.split(sep).slice(0, -1))
  let shared = first.length
  for (const other of others) while (first.slice(0, shared).join(sep) !== other.slice(0, shared).join(sep)) shared--
  return join(sep, ...first.slice(0, shared))
}
