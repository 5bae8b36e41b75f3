// Lines that survive a crash. Files of `<crc32> <JSON>`, one appended to at a time: a line is in the system's hands when
// `append` returns (so SIGKILL takes none), and on the medium after `sync`. A file begins whole (written aside, synced,
// renamed); a tail that was torn is cut off when the files are opened, and a line that rotted is left out and counted.
import {
  closeSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { syncFolder } from '../state.ts'

export interface Segments {
  /** Numbers of the files, the newest last, which is appended to; none before the first `begin`. */
  numbers(): number[]
  /** Size of all files, and of the newest. */
  bytes(): { all: number; newest: number }
  /** Appends to the newest file. Throws where the disk takes it no more, and leaves no half a line then. */
  append(entry: object): void
  /** Puts the newest file onto the medium, away from the main thread. */
  sync(): Promise<void>
  /** Begins the next file with this entry. */
  begin(entry: object): void
  remove(segment: number): void
  close(): void
}

export interface Found {
  segments: Segments
  /** What the files hold, oldest first. */
  entries: { segment: number; entry: Record<string, unknown> }[]
  /** Lines that could not be read. */
  damaged: number
}

export const lineOf = (entry: object) => {
  const json = JSON.stringify(entry)
  return Buffer.from(`${crc32(json).toString(16).padStart(8, '0')} ${json}\n`)
}

/** The entry in a line; undefined where the checksum does not fit. */
export function entryIn(line: Buffer): Record<string, unknown> | undefined {
  const json = line.subarray(9)
  return line.toString('latin1', 0, 9) === `${crc32(json).toString(16).padStart(8, '0')} `
    ? JSON.parse(json.toString())
    : undefined
}

/** Opens the files `<name>-00000001.log` and so on of a folder that nobody else writes to. */
export function openSegments(folder: string, name: string): Found {
  const pattern = new RegExp(`^${name}-(\\d{8})\\.log$`)
  const pathOf = (segment: number) => join(folder, `${name}-${String(segment).padStart(8, '0')}.log`)
  const sizes = new Map<number, number>()
  const entries: Found['entries'] = []
  let damaged = 0
  let file: number | undefined

  const numbers = readdirSync(folder)
    .flatMap((entry) => pattern.exec(entry)?.[1] ?? [])
    .map(Number)
  for (const segment of numbers.sort((a, b) => a - b)) {
    const bytes = readFileSync(pathOf(segment))
    let good = 0
    let bad = 0
    for (let start = 0, end = bytes.indexOf('\n'); end >= 0; start = end + 1, end = bytes.indexOf('\n', start)) {
      const entry = entryIn(bytes.subarray(start, end))
      if (!entry) bad++
      else {
        entries.push({ segment, entry })
        damaged += bad
        bad = 0
        good = end + 1
      }
    }
    sizes.set(segment, bytes.length)
    if (segment !== numbers.at(-1)) damaged += bad
    else if (good < bytes.length) cutOff(segment, good)
  }
  const newest = () => Math.max(0, ...sizes.keys())
  if (sizes.size) file = openSync(pathOf(newest()), 'a')

  function cutOff(segment: number, length: number) {
    const torn = openSync(pathOf(segment), 'r+')
    ftruncateSync(torn, length)
    fsyncSync(torn)
    closeSync(torn)
    sizes.set(segment, length)
  }

  const segments: Segments = {
    numbers: () => [...sizes.keys()].sort((a, b) => a - b),
    bytes: () => ({ all: [...sizes.values()].reduce((sum, size) => sum + size, 0), newest: sizes.get(newest()) ?? 0 }),
    append(entry) {
      const line = lineOf(entry)
      const segment = newest()
      const before = sizes.get(segment) ?? 0
      let written = 0
      try {
        while (written < line.length) written += writeSync(file!, line, written)
      } catch (error) {
        if (written) ftruncateSync(file!, before)
        throw error
      }
      sizes.set(segment, before + line.length)
    },
    async sync() {
      // By its path, since the file may be closed meanwhile; one that was removed had nothing left to keep.
      const handle = await open(pathOf(newest())).catch(() => undefined)
      await handle?.datasync().finally(() => handle.close())
    },
    begin(entry) {
      const segment = newest() + 1
      const line = lineOf(entry)
      const aside = join(folder, `${name}.tmp`)
      rmSync(aside, { force: true })
      const next = openSync(aside, 'a', 0o600)
      try {
        writeSync(next, line)
        fsyncSync(next)
        if (file !== undefined) fsyncSync(file)
        renameSync(aside, pathOf(segment))
        syncFolder(folder)
      } catch (error) {
        closeSync(next)
        throw error
      }
      if (file !== undefined) closeSync(file)
      file = next
      sizes.set(segment, line.length)
    },
    remove(segment) {
      rmSync(pathOf(segment), { force: true })
      sizes.delete(segment)
    },
    close() {
      if (file !== undefined) closeSync(file)
      file = undefined
    },
  }
  return { segments, entries, damaged }
}
