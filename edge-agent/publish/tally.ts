// A number that is on the disk even when that is full: it is written over in the place it has.
import { closeSync, constants, fdatasync, openSync, readFileSync, writeSync } from 'node:fs'

export interface Tally {
  /** As it was found; 0 where there was none. */
  found: number
  raise(to: number): void
  close(): void
}

const lineOf = (number: number) => Buffer.from(`${String(number).padStart(16, '0')}\n`)

export function openTally(path: string): Tally {
  let file: number | undefined = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600)
  const found = Number(/^(\d{16})\n/.exec(readFileSync(path, 'latin1'))?.[1] ?? 0)
  /** Where the disk does not even take this, the number is as before. */
  function write(number: number) {
    if (file === undefined) return
    try {
      writeSync(file, lineOf(number), 0, undefined, 0)
      fdatasync(file, () => {})
    } catch {}
  }
  write(found) // so that it has its place
  return {
    found,
    raise: write,
    close() {
      if (file !== undefined) closeSync(file)
      file = undefined
    },
  }
}
