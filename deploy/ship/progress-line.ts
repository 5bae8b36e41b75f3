// One line that is rewritten on a terminal; elsewhere plain lines, when there is something new, and not too often.
const plainEveryMs = 10_000

export interface ProgressLine {
  /** How it goes now. */
  show(text: string): void
  /** Leaves a line for good. */
  done(text: string): void
}

export function progressLine(out: NodeJS.WriteStream): ProgressLine {
  let shown = ''
  let shownMs = performance.now() // the first plain line may wait as well
  return {
    show(text) {
      if (text === shown) return
      if (out.isTTY) out.write(`\r\x1b[K${text.slice(0, out.columns - 1)}`)
      else if (performance.now() - shownMs < plainEveryMs) return
      else out.write(`${text}\n`)
      shown = text
      shownMs = performance.now()
    },
    done(text) {
      if (out.isTTY) out.write('\r\x1b[K')
      out.write(`${text}\n`)
      shown = ''
      shownMs = performance.now()
    },
  }
}

/** 42 s, 6 min, 3 h. */
export function lengthOf(ms: number): string {
  const s = Math.round(ms / 1000)
  return s < 120 ? `${s} s` : s < 7200 ? `${Math.round(s / 60)} min` : `${Math.round(s / 3600)} h`
}
