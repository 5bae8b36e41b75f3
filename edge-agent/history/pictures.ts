// Pictures of events: files named by camera and capture time, within so many bytes. The oldest go.
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface Pictures {
  /** Keeps a JPEG and gives its name. Throws where there is no room for it or the disk does not take it. */
  add(camera: string, capturedMicros: number, jpeg: Uint8Array, mostBytes: number): Promise<string>
  has(name: string): boolean
  /** When a picture was taken. */
  taken(name: string): number
  read(name: string): Promise<Buffer | undefined>
  /** Removes those that nobody names any more. */
  keep(named: ReadonlySet<string>): Promise<void>
}

const pattern = /^(\d+)\.[^.]+\.jpg$/
const takenAt = (name: string) => Number(pattern.exec(name)?.[1] ?? 0)

/** Opens the folder, which need not be there. */
export async function openPictures(folder: string): Promise<Pictures> {
  const sizes = new Map<string, number>()
  for (const name of await readdir(folder).catch((): string[] => [])) {
    const bytes = (await stat(join(folder, name)).catch(() => undefined))?.size
    if (pattern.test(name) && bytes) sizes.set(name, bytes)
    else await rm(join(folder, name), { force: true }) // what a crash left
  }
  const remove = async (name: string) => {
    sizes.delete(name)
    await rm(join(folder, name), { force: true })
  }

  return {
    async add(camera, capturedMicros, jpeg, mostBytes) {
      const name = `${capturedMicros}.${encodeURIComponent(camera).replaceAll('.', '%2E')}.jpg`
      if (sizes.has(name)) return name
      let whole = [...sizes.values()].reduce((sum, bytes) => sum + bytes, jpeg.length)
      if (jpeg.length > mostBytes) throw new Error(`a picture of ${jpeg.length} bytes is larger than all that may be kept`)
      for (const [old, bytes] of [...sizes].sort(([a], [b]) => takenAt(a) - takenAt(b))) {
        if (whole <= mostBytes) break
        await remove(old)
        whole -= bytes
      }
      await mkdir(folder, { recursive: true, mode: 0o700 })
      const aside = join(folder, 'new')
      try {
        await writeFile(aside, jpeg, { mode: 0o600 })
        await rename(aside, join(folder, name))
      } catch (error) {
        await rm(aside, { force: true }).catch(() => {})
        throw error
      }
      sizes.set(name, jpeg.length)
      return name
    },
    has: (name) => sizes.has(name),
    taken: takenAt,
    read: async (name) => (sizes.has(name) ? readFile(join(folder, name)).catch(() => undefined) : undefined),
    async keep(named) {
      for (const name of sizes.keys()) if (!named.has(name)) await remove(name)
    },
  }
}
