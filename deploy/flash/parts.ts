// What is put onto a device, made here: files with their contents, the settings folder with its hash, an image's reference.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join, relative } from 'node:path'
import type { Readable } from 'node:stream'

/** Relative paths of all files below, sorted by their bytes as `LC_ALL=C sort` does. */
async function filesBelow(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true })
  const other = entries.find((entry) => !entry.isFile() && !entry.isDirectory())
  if (other)
    throw new Error(`Expected files and folders in ${dir}, found ${join(other.parentPath, other.name)}: links are not followed`)
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => relative(dir, join(entry.parentPath, entry.name)))
  return paths.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
}

/** Hash of a folder's paths and contents; `folderHashScript` gives the same on a device. */
export async function folderHash(dir: string): Promise<string> {
  const whole = createHash('sha256')
  for (const path of await filesBelow(dir)) {
    const hash = createHash('sha256')
    for await (const piece of createReadStream(join(dir, path))) hash.update(piece)
    whole.update(`${path} ${hash.digest('hex')}\n`)
  }
  return whole.digest('hex')
}

export const folderHashScript = (dir: string) =>
  `cd ${dir} 2>/dev/null && find . -type f | sed 's|^./||' | LC_ALL=C sort | while IFS= read -r f; do printf '%s %s\\n' "$f" "$(sha256sum <"$f" | cut -c 1-64)"; done | sha256sum | cut -c 1-64`

/** A folder as tar, owned by the user of the container and readable by nobody else. */
export const folderTar = (dir: string, uid: string): Readable =>
  spawn('tar', ['-C', dir, '-c', `--owner=${uid}`, `--group=${uid}`, '--numeric-owner', '--mode=u=rwX,go=', '.'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  }).stdout

export type Image = { reference: string } | { file: string; id: string }

/** A reference by digest, or a file of `docker save`, whose image is known by its id. */
export async function readImage(given: string): Promise<Image> {
  if (/^[a-zA-Z0-9][a-zA-Z0-9._:/-]*@sha256:[0-9a-f]{64}$/.test(given)) return { reference: given }
  if (!(await stat(given).catch(() => undefined))?.isFile())
    throw new Error(`--image: expected registry/repository@sha256:… or a file of "docker save", found ${given}`)
  const child = spawn('tar', ['-xOf', given, 'manifest.json'], { stdio: ['ignore', 'pipe', 'ignore'] })
  let text = ''
  for await (const piece of child.stdout) text += piece
  const id = /"Config":\s*"(?:blobs\/sha256\/)?([0-9a-f]{64})/.exec(text)?.[1]
  if (!id) throw new Error(`--image: expected what "docker save" writes in ${given}, found no manifest.json with one image`)
  return { file: given, id: `sha256:${id}` }
}

/** Arguments of `docker run`, one a line. */
export function runArguments({ nvidia, groups, http }: { nvidia: boolean; groups: readonly string[]; http: number }): string {
  const args = [
    ...['--network', 'host', '--volume', '/etc/roadmask:/etc/roadmask:ro', '--volume', '/var/lib/roadmask:/var/lib/roadmask'],
    ...['--env', `ROADMASK_HTTP_PORT=${http}`],
    // A container's log may not fill the disk.
    ...['--log-opt', 'max-size=10m', '--log-opt', 'max-file=3'],
    ...['--read-only', '--tmpfs', '/tmp', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges'],
    // Without its GPU the agent shall say so and not run, slower, on the CPU.
    ...(nvidia ? ['--runtime', 'nvidia', '--env', 'ROADMASK_COMPUTE=gpu'] : []),
    // Who owns cameras and the GPU's devices here; a name would be looked up in the image.
    ...groups.flatMap((group) => ['--group-add', group]),
  ]
  return `${args.join('\n')}\n`
}

export const readPart = (name: string) =>
  readFile(join(import.meta.dirname.replace(/\/build\/(?=deploy\/)/, '/'), name), 'utf8')
