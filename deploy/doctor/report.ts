// The report on a terminal: aligned, wrapped, in colour where a person looks at it.
import type { Finding } from './finding.ts'

const colours = { ok: 32, note: 33, problem: 31, dim: 2, bold: 1 } as const

export interface Paper {
  colour: boolean
  /** Characters a line. */
  columns: number
}

/** The whole report as text. */
export function render(findings: readonly Finding[], { colour, columns }: Paper): string {
  const paint = (name: keyof typeof colours, text: string) => (colour ? `\x1b[${colours[name]}m${text}\x1b[0m` : text)
  const nameWidth = Math.max(...findings.map(({ name }) => name.length))
  const indent = ' '.repeat(2 + 9 + nameWidth + 2)
  const room = Math.max(30, Math.min(columns, 130) - indent.length)
  const lines: string[] = []
  let section = ''
  for (const finding of findings) {
    if (finding.section !== section) lines.push(...(section ? [''] : []), paint('bold', finding.section))
    section = finding.section
    const [first = '', ...rest] = wrap(finding.text, room)
    lines.push(`  ${paint(finding.state, finding.state.padEnd(9))}${finding.name.padEnd(nameWidth)}  ${first}`)
    lines.push(...rest.map((text) => indent + text))
    if (finding.advice) lines.push(...wrap(finding.advice, room).map((text) => indent + paint(finding.state, text)))
  }
  const problems = findings.filter(({ state }) => state === 'problem').length
  const summary = problems
    ? paint('problem', `${problems === 1 ? 'One problem keeps' : `${problems} problems keep`} the agent from working here.`)
    : paint('ok', 'The agent can work here.')
  return [...lines, '', summary, ''].join('\n')
}

function wrap(text: string, room: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(/\s+/)) {
    if (line && line.length + 1 + word.length > room) {
      lines.push(line)
      line = ''
    }
    line += line ? ` ${word}` : word
  }
  return [...lines, line]
}
