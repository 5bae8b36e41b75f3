// Tables as CSV: RFC 4180, in UTF-8. A text that a spreadsheet would take for a formula gets an apostrophe before it, as OWASP
// advises ("CSV injection"); numbers are left as they are.

export type Cell = string | number | null | undefined

const formula = /^[=+\-@\t\r]/
const special = /[",\r\n]/

function cellText(cell: Cell): string {
  if (cell === null || cell === undefined) return ''
  if (typeof cell === 'number') return String(cell)
  const text = formula.test(cell) ? `'${cell}` : cell
  return special.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** Rows, each with its line end; the first may be the header. */
export const csv = (rows: Iterable<readonly Cell[]>) => Array.from(rows, (row) => `${row.map(cellText).join(',')}\r\n`).join('')

/** Microseconds since 1970 as ISO 8601, UTC. */
export const isoTime = (micros: number) => new Date(micros / 1000).toISOString()
