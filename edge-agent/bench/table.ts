// What was found beside what is to be reached.
import { quantile } from './quantile.ts'

export interface Row {
  what: string
  /** To be reached: at least so much, or at most. */
  atLeast?: number
  atMost?: number
  unit: string
  found: number
  /** What stands behind the number. */
  note?: string
}

export const isMet = ({ found, atLeast = Number.NEGATIVE_INFINITY, atMost = Number.POSITIVE_INFINITY }: Row) =>
  found >= atLeast && found <= atMost

/** Found divided by what is to be reached; none where that is nothing at all. */
export const ratioOf = ({ found, atLeast, atMost }: Row) => found / (atLeast ?? atMost ?? Number.NaN)

const digits = (value: number) => value.toFixed(Math.abs(value) < 10 ? 2 : Math.abs(value) < 100 ? 1 : 0)

/** Columns under their headings, the first to the left, numbers to the right. */
export function layOut(heading: string[], rows: string[][]): string {
  const widths = heading.map((_, column) => Math.max(...[heading, ...rows].map((row) => row[column]!.length)))
  const line = (row: string[]) =>
    row.map((cell, i) => (i === 0 || i === row.length - 1 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('   ')
  return [heading, ...rows].map((row) => line(row).trimEnd()).join('\n')
}

export function renderRows(rows: readonly Row[]): string {
  const cells = rows.map((row) => {
    const { what, atLeast, atMost, unit, found, note = '' } = row
    const target = atLeast !== undefined ? `>= ${atLeast}` : `<= ${atMost}`
    const ratio = atMost === 0 ? '' : ratioOf(row).toFixed(2)
    return [what, `${target}${unit}`, `${digits(found)}${unit}`, ratio, isMet(row) ? 'met' : 'NOT MET', note]
  })
  return layOut(['', 'to reach', 'found', 'ratio', '', ''], cells)
}

/** Median and 99th percentile by stage, in milliseconds. */
export function renderStages(stages: Record<string, number[]>): string {
  const rows = Object.entries(stages).map(([stage, ms]) => [stage, ...[0.5, 0.99].map((at) => quantile(ms, at).toFixed(2))])
  return layOut(['ms', 'median', '99th percentile', ''].slice(0, 3), rows)
}

export const renderCores = (cores: Record<string, number>) =>
  Object.entries(cores)
    .map(([process, share]) => `${process} ${share.toFixed(2)}`)
    .join(', ')
