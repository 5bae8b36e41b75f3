// What somebody meant who mistyped a name.

/** The known word that is fewest edits away from a mistyped one; undefined where none is near. */
export function nearest(word: string, known: readonly string[], mostEdits = Number.POSITIVE_INFINITY): string | undefined {
  const ranked = known.map((name) => ({ name, edits: editDistance(word.toLowerCase(), name.toLowerCase()) }))
  ranked.sort((a, b) => a.edits - b.edits)
  const best = ranked[0]
  const near = best && Math.max(1, Math.floor(Math.max(word.length, best.name.length) / 3))
  return best && best.edits <= Math.min(near!, mostEdits) ? best.name : undefined
}

/** Levenshtein's distance with a swap of neighbours as one edit (optimal string alignment). */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let edits = Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, rows[i - 1]![j - 1]! + (same ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) edits = Math.min(edits, rows[i - 2]![j - 2]! + 1)
      row.push(edits)
    }
    rows.push(row)
  }
  return rows[a.length]![b.length]!
}
