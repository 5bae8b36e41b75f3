// log.csv of a run: a header and one row an epoch, for spreadsheets, pandas and our own plots.
import { open, readFile } from 'node:fs/promises'
import { writeAtomically } from './write-atomically.ts'

/** The columns, in their order. A number that is not known is an empty field, NaN here. */
export const columns = [
  /** From 1. */
  'epoch',
  /** Duration of the epoch, validation included. */
  'seconds',
  /** Mean over the epoch's steps, as is the next. */
  'learning_rate',
  'train_loss',
  'val_loss',
  /** On the validation pictures, 0 to 1; see metrics/measure.ts. */
  'pixel_accuracy',
  'road_iou',
  'mean_iou',
  'max_f',
  /** Share of the training time in which the model waited for data, 0 to 1. */
  'waiting_share',
  /** Training pictures a second, validation left out. */
  'pictures_per_second',
] as const

export type EpochRow = Record<(typeof columns)[number], number>

export interface Log {
  /** The rows of the file with its digits, as a resumed run will read them, oldest first; grows with `append`. */
  rows: readonly EpochRow[]
  /** Adds the row of an epoch and flushes it to the disk. Throws where the epoch is not later than the last one. */
  append(row: EpochRow): Promise<void>
  /** May be called twice. */
  close(): Promise<void>
}

const header = columns.join(',')

/** Seven digits are more than float32 losses hold. */
const field = (value: number) => (Number.isFinite(value) ? String(Number(value.toPrecision(7))) : '')

const line = (row: EpochRow) => `${columns.map((column) => field(row[column])).join(',')}\n`

function parse(text: string, path: string): EpochRow[] {
  const lines = text.split('\n')
  // A last line without its end was cut off by a power cut or a full disk.
  lines.pop()
  const found = lines.shift()
  if (found === undefined) return []
  if (found !== header) throw new Error(`${path}, line 1: expected the columns\n  ${header}\nfound\n  ${found}`)
  return lines.map((one, index) => {
    const fields = one.split(',')
    const values = fields.map((value) => (value === '' ? Number.NaN : Number(value)))
    const wrong = values.findIndex((value, i) => Number.isNaN(value) && fields[i] !== '')
    if (fields.length !== columns.length || wrong >= 0)
      throw new Error(`${path}, line ${index + 2}: expected ${columns.length} numbers with commas between, found "${one}"`)
    return Object.fromEntries(columns.map((column, i) => [column, values[i]!])) as EpochRow
  })
}

/** Reads a log. A last line that was cut off is left out. Throws, naming file and line, where it is no log of ours. */
export async function readLog(path: string): Promise<EpochRow[]> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new Error(`Expected the log of a run, but ${path} cannot be read`, { cause })
  })
  return parse(text, path)
}

const missing = (error: unknown) => error instanceof Error && 'code' in error && error.code === 'ENOENT'

/**
 * Opens `path` for a run of which `epochsDone` epochs are done: 0 for a new run, else what its checkpoint says. Rows of later
 * epochs, which the resumed run will do again, are dropped. Throws, and changes nothing, where the file is no log of ours.
 */
export async function openLog(path: string, epochsDone = 0): Promise<Log> {
  const before = await readFile(path, 'utf8').catch((error: unknown) => {
    if (missing(error)) return ''
    throw error
  })
  const rows = parse(before, path).filter((row) => row.epoch <= epochsDone)
  const kept = `${header}\n${rows.map(line).join('')}`
  if (kept !== before) await writeAtomically(path, kept)
  const file = await open(path, 'a')
  let closed = false

  async function append(row: EpochRow) {
    const last = rows.at(-1)?.epoch ?? 0
    if (!(row.epoch > last)) throw new Error(`${path}: expected an epoch after ${last}, found ${row.epoch}`)
    const written = line(row)
    await file.appendFile(written)
    await file.datasync()
    rows.push(...parse(`${header}\n${written}`, path))
  }

  async function close() {
    if (closed) return
    closed = true
    await file.close()
  }

  return { rows, append, close }
}
