// Lines of a time, in files that are only appended to, within so many bytes: the oldest file goes. Written away from the main
// thread; SIGKILL takes what was not handed over yet, a power cut what the system had not written (it is not asked to hurry,
// for flash wears out). A line that was torn or rotted is passed over. Times may go back, where a clock was set.
import { appendFile, mkdir, readdir, readFile, rm, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { entryIn, lineOf } from '../publish/segments.ts'

/** Begins with its time in seconds since 1970, so that lines of other times need not be read through. */
export interface Timed {
  t: number
}

export interface Ring<Entry extends Timed> {
  /** Resolves when the system has them. Rejects where the disk does not take them; they are lost then. */
  append(entries: Entry[]): Promise<void>
  /** All from one time to another, some at a time and in the order they were written, with those that are on their way. */
  read(from: number, to: number): AsyncGenerator<Entry[]>
  /** Time of the oldest line. */
  oldest(): Promise<number | undefined>
  /** Time of the newest line. */
  newest(): Promise<number | undefined>
  /** Removes the files of which all is older. */
  forget(before: number): Promise<void>
}

/** So many files share the room, and the time that lines are kept: the oldest goes as a whole. */
const filesAtMost = 16
/** Lines that are read without a pause, which takes a millisecond or two. */
const atOnce = 64
/** `<crc32> {"t":` stands before the time. */
const timeAt = 14

interface File {
  number: number
  bytes: number
  /** Earliest and latest time in it; undefined until it was read. */
  times: [earliest: number, latest: number] | undefined
}

export interface Bounds {
  bytes: number
  /** How long lines are kept; who calls `forget` decides when it is over. */
  seconds: number
}

/** Opens the files `<name>-00000001.log` and so on of a folder, which need not be there. `bounds`: as they are now. */
export async function openRing<Entry extends Timed>(folder: string, name: string, bounds: () => Bounds): Promise<Ring<Entry>> {
  const pattern = new RegExp(`^${name}-(\\d{8})\\.log$`)
  const pathOf = ({ number }: Pick<File, 'number'>) => join(folder, `${name}-${String(number).padStart(8, '0')}.log`)
  const names = await readdir(folder).catch((): string[] => [])
  const numbers = names.flatMap((entry) => pattern.exec(entry)?.[1] ?? []).map(Number)
  let files: File[] = []
  for (const number of numbers.sort((a, b) => a - b)) {
    const bytes = await readFile(pathOf({ number }))
    const whole = bytes.lastIndexOf('\n') + 1
    if (whole < bytes.length) await truncate(pathOf({ number }), whole)
    files.push({ number, bytes: whole, times: timesOf(bytes.subarray(0, whole)) })
  }
  let onTheirWay: Entry[] = []
  let last: Promise<unknown> = Promise.resolve()

  async function write(entries: Entry[]) {
    const lines = Buffer.concat(entries.map(lineOf))
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const { bytes, seconds } = bounds()
    let file = files.at(-1)
    const times = timesOf(lines)
    const [earliest, latest] = widen(file?.times, times) ?? [0, 0]
    if (!file || file.bytes + lines.length > bytes / filesAtMost || latest - earliest > seconds / filesAtMost) {
      file = { number: (file?.number ?? 0) + 1, bytes: 0, times: undefined }
      files.push(file)
    }
    const path = pathOf(file)
    try {
      await appendFile(path, lines, { mode: 0o600 })
    } catch (error) {
      await truncate(path, file.bytes).catch(() => {}) // a full disk takes half of them
      throw error
    }
    file.bytes += lines.length
    file.times = widen(file.times, times)
    const all = () => files.reduce((sum, { bytes }) => sum + bytes, 0)
    while (files.length > 1 && all() > bytes) await remove(files[0]!)
  }

  async function remove(file: File) {
    files = files.filter((other) => other !== file)
    await rm(pathOf(file), { force: true })
  }

  const inTurn = <Result>(act: () => Promise<Result>): Promise<Result> => {
    const mine = last.then(act)
    last = mine.catch(() => {})
    return mine
  }

  return {
    append(entries) {
      onTheirWay = [...onTheirWay, ...entries]
      return inTurn(async () => {
        try {
          if (entries.length) await write(entries)
        } finally {
          onTheirWay = onTheirWay.slice(entries.length)
        }
      })
    },
    async *read(from, to) {
      // What is on its way now may be in a file when that is read, which is therefore read as far as it goes now.
      const now = files.map((file) => ({ ...file }))
      const late = onTheirWay.filter(({ t }) => t >= from && t < to)
      for (const file of now) {
        if (!file.times || file.times[1] < from || file.times[0] >= to) continue
        const bytes = await readFile(pathOf(file)).catch(() => Buffer.alloc(0))
        for (const entries of entriesOf<Entry>(bytes.subarray(0, file.bytes), from, to)) {
          yield entries
          await setImmediate() // masks go first
        }
      }
      yield late
    },
    oldest: async () => files[0]?.times?.[0],
    newest: async () => files.at(-1)?.times?.[1],
    forget: (before) =>
      inTurn(async () => {
        for (const file of files) if (!file.times || file.times[1] < before) await remove(file)
      }),
  }
}

function* linesOf(bytes: Buffer): Generator<Buffer> {
  for (let start = 0, end = bytes.indexOf('\n'); end >= 0; start = end + 1, end = bytes.indexOf('\n', start))
    yield bytes.subarray(start, end)
}

const timeOf = (line: Buffer) => Number.parseInt(line.toString('latin1', timeAt, timeAt + 12), 10)

function timesOf(lines: Buffer): File['times'] {
  let times: File['times']
  for (const line of linesOf(lines)) {
    const t = timeOf(line)
    if (Number.isFinite(t)) times = widen(times, [t, t])
  }
  return times
}

const widen = (times: File['times'], more: File['times']): File['times'] =>
  times && more ? [Math.min(times[0], more[0]), Math.max(times[1], more[1])] : (times ?? more)

/** Few at a time, since reading them takes a while. */
function* entriesOf<Entry extends Timed>(bytes: Buffer, from: number, to: number): Generator<Entry[]> {
  let entries: Entry[] = []
  for (const line of linesOf(bytes)) {
    const t = timeOf(line)
    if (!(t >= from && t < to)) continue
    const entry = entryIn(line)
    if (entry) entries.push(entry as unknown as Entry)
    if (entries.length < atOnce) continue
    yield entries
    entries = []
  }
  yield entries
}
