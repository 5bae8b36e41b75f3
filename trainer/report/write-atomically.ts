// Files that people and programs watch while training runs: they see the old one or the new one, never half of one.
import { randomUUID } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'

/** Writes the bytes beside `path`, flushes them to the disk and renames them into place. On an error the old file stays. */
export async function writeAtomically(path: string, content: string | Uint8Array): Promise<void> {
  const made = `${path}.${randomUUID()}.tmp`
  try {
    const file = await open(made, 'wx')
    try {
      await file.writeFile(content)
      await file.datasync()
    } finally {
      await file.close()
    }
    await rename(made, path)
  } catch (cause) {
    await rm(made, { force: true })
    throw new Error(`Cannot write ${path}; is there space on the disk, and may this user write there?`, { cause })
  }
}
