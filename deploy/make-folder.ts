// Folders that people name. Node's mkdir with `recursive` never comes back where a file system says of every new name that
// there is no such folder, as /proc does; so each is made on its own, and what cannot be is said.
import { mkdir, mkdtemp, readFile, rmdir, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'

/** Makes a folder and those above it that are not there; gives those that were made. Throws where that cannot be. */
export async function makeFolder(dir: string): Promise<string[]> {
  const missing: string[] = []
  const there = (path: string) => stat(path).catch(() => undefined)
  let at = resolve(dir)
  for (; !(await there(at)) && at !== dirname(at); at = dirname(at)) missing.push(at)
  if (!(await there(at))?.isDirectory())
    throw new Error(`Expected a folder at ${dir}, found the file ${at}; name another folder`)
  const made: string[] = []
  for (const folder of missing.reverse())
    try {
      await mkdir(folder)
      made.push(folder)
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException
      // Made by another process meanwhile.
      if (code === 'EEXIST' && (await there(folder))?.isDirectory()) continue
      throw new Error(`The folder ${dir} cannot be made, since ${dirname(folder)} takes none (${code}); name another`, {
        cause,
      })
    }
  return made
}

/**
 * Throws, before hours of work, where `dir` could not be written into, or is a bundle or within one: what is in a bundle's folder
 * goes onto devices with it. Leaves nothing behind.
 */
export async function expectOutputFolder(dir: string): Promise<void> {
  for (let at = resolve(dir); at !== dirname(at); at = dirname(at))
    if ((await readFile(join(at, 'manifest.json'), 'utf8').catch(() => '')).includes('"roadmask-bundle"'))
      throw new Error(`${dir} is in the bundle ${at}, which holds the model and nothing else; name another folder`)
  const made = await makeFolder(dir)
  const probe = await mkdtemp(join(dir, '.roadmask-')).catch((cause: NodeJS.ErrnoException) => {
    throw new Error(`The folder ${dir} cannot be written into (${cause.code}); name another`, { cause })
  })
  for (const folder of [probe, ...made.reverse()]) await rmdir(folder).catch(() => {})
}
