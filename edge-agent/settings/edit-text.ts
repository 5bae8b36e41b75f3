// Changes a YAML text where its settings change and nowhere else: comments, order and form of all the rest stay byte for byte.
// The `yaml` library's document says where everything stands; the library itself would write all of it anew. What comes out is
// read again and must say what was wanted.
import { isDeepStrictEqual } from 'node:util'
import {
  isAlias,
  isCollection,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  type Pair,
  parse,
  parseDocument,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml'

type Value = unknown
type Group = Record<string, Value>

interface Splice {
  from: number
  to: number
  text: string
}

/** The text after `change` has changed what it says. Throws where the text is written in a way that cannot be changed so. */
export function editText(text: string, change: (settings: Group) => void): string {
  const document = parseDocument(text, { keepSourceTokens: true })
  const before = (document.toJS() as Group | null) ?? {}
  const wanted = plain(before)
  change(wanted)
  const after = plain(wanted)
  if (isDeepStrictEqual(before, after)) return text
  const edit = editor(text)
  const { contents } = document
  if (isMap(contents)) edit.map(contents, before, after)
  else edit.end(after)
  const changed = edit.done()
  const read = parseDocument(changed)
  if (read.errors.length || !isDeepStrictEqual(read.toJS(), after))
    throw new Error('It is written in a way that cannot be changed without touching the rest, such as with anchors')
  return changed
}

/** Without what is undefined, and shared with nobody. */
const plain = (settings: Group): Group => JSON.parse(JSON.stringify(settings))

const isGroup = (value: Value): value is Group => typeof value === 'object' && value !== null && !Array.isArray(value)
const isNamedList = (value: Value): value is (Group & { name: string })[] =>
  Array.isArray(value) && value.every((entry) => isGroup(entry) && typeof entry.name === 'string')

function editor(text: string) {
  const isJson = /^\s*\{\s*"/.test(text) // which is YAML too, and stays JSON
  const inline = (value: Value) => (isJson ? JSON.stringify(value) : flow(value))
  const word = (key: string) => (isJson ? JSON.stringify(key) : scalar(key))
  const eol = text.includes('\r\n') ? '\r\n' : '\n'
  const splices: Splice[] = []
  const put = (from: number, to: number, added: string) => splices.push({ from, to, text: added })
  const lineStart = (at: number) => text.lastIndexOf('\n', at - 1) + 1
  const columnOf = (at: number) => at - lineStart(at)
  /** Before the end of the line, so that a comment behind what stands there keeps its place. */
  const lineEnd = (at: number) => /\r?\n|$/.exec(text.slice(at))!.index + at
  const lines = (texts: string[], column: number) => texts.map((line) => eol + ' '.repeat(column) + line).join('')

  function trimmed(at: number) {
    while (/\s/.test(text[at - 1] ?? '')) at--
    return at
  }
  const startOf = (pair: Pair) => (isNode(pair.key) ? pair.key.range![0] : 0)
  const colonOf = (pair: Pair) => text.indexOf(':', isNode(pair.key) ? pair.key.range![1] : 0) + 1

  /** Behind the last letter of what stands there, comments aside. */
  function endOf(node: unknown): number {
    if (isPair(node)) return isNode(node.value) && !isEmpty(node.value) ? endOf(node.value) : colonOf(node)
    if (isCollection(node) && !node.flow) return endOf(node.items.at(-1))
    return isNode(node) ? trimmed(node.range![1]) : 0
  }
  const isEmpty = (node: unknown) => isScalar(node) && node.range![0] === node.range![1]

  /** Where a following entry goes: behind the line, and behind comments that are set in as deep as what is in the entry. */
  function behind(node: unknown, column: number): number {
    let at = lineEnd(endOf(node))
    for (let [deeper] = [comments(at, column)]; deeper > at; deeper = comments(at, column)) at = deeper
    return at
  }
  function comments(at: number, column: number) {
    const found = /^(?:\r?\n[ \t]*(?=\r?\n))*\r?\n([ \t]*)#[^\n]*?(?=\r?\n|$)/.exec(text.slice(at))
    return found && found[1]!.length > column ? at + found[0].length : at
  }
  /** From the start of its line to that of the next one. */
  function dropLines(from: number, to: number) {
    const next = /^\r?\n/.exec(text.slice(to))?.[0].length ?? 0
    put(next ? lineStart(from) : trimmed(lineStart(from)), to + next, '')
  }
  /** Out of what stands between brackets, with the comma before it, or behind it where nothing before it `stays`. */
  function dropBetween(items: readonly unknown[], i: number, stays: boolean, startOf: (item: unknown) => number) {
    if (stays) put(endOf(items[i - 1]), endOf(items[i]), '')
    else put(startOf(items[i]), items[i + 1] ? startOf(items[i + 1]) : endOf(items[i]), '')
  }

  function map(node: YAMLMap, before: Group, after: Group) {
    const pairs = node.items as Pair[]
    const keyOf = ({ key }: Pair) => (isScalar(key) ? String(key.value) : '')
    const goes = (pair: Pair) => keyOf(pair) in before && after[keyOf(pair)] === undefined
    pairs.forEach((pair, i) => {
      const key = keyOf(pair)
      if (goes(pair)) dropPair(node, i, !pairs.slice(0, i).every(goes))
      else if (!isDeepStrictEqual(before[key], after[key])) value(pair, key, before[key], after[key], Boolean(node.flow))
    })
    const added = Object.entries(after).filter(([key]) => !pairs.some((pair) => keyOf(pair) === key))
    const last = pairs.findLast((pair) => !goes(pair))
    const changed = added.filter(([key, value]) => !isDeepStrictEqual(value, before[key])) // the others came by a merge
    if (!changed.length) return
    if (node.flow) {
      const text = changed.map(([key, value]) => `${word(key)}: ${inline(value)}`).join(', ')
      if (last) put(endOf(last), endOf(last), `, ${text}`)
      else put(node.range![0] + 1, node.range![0] + 1, ` ${text} `)
      return
    }
    const at = lineEnd(endOf(last))
    put(
      at,
      at,
      lines(
        changed.flatMap(([key, value]) => entry(key, value)),
        columnOf(startOf(pairs[0]!)),
      ),
    )
  }

  function dropPair(node: YAMLMap, i: number, stays: boolean) {
    const pairs = node.items as Pair[]
    const start = startOf(pairs[i]!)
    if (node.flow) return dropBetween(pairs, i, stays, (pair) => startOf(pair as Pair))
    if (text.slice(lineStart(start), start).trim() && pairs[i + 1]) return put(start, startOf(pairs[i + 1]!), '')
    dropLines(start, lineEnd(endOf(pairs[i])))
  }

  function value(pair: Pair, key: string, before: Value, after: Value, inFlow: boolean) {
    const node = pair.value
    if (isMap(node) && isGroup(before) && isGroup(after) && node.items.length) return map(node, before, after)
    if (isSeq(node) && isNamedList(before) && isNamedList(after) && list(node, before, after)) return
    const end = endOf(pair)
    const from = isNode(node) && !isEmpty(node) && !isAlias(node) ? node.range![0] : colonOf(pair)
    const isBlock = isCollection(node) && !node.flow
    const [, ...below] = inFlow ? [] : entry(key, after)
    const space = from === colonOf(pair) ? ' ' : ''
    if (!below.length) return isBlock ? put(colonOf(pair), end, ` ${inline(after)}`) : put(from, end, space + inline(after))
    const column = columnOf(startOf(pair))
    // What is said behind a value in its line stays behind the key.
    if (isBlock || text.slice(from, end).includes('\n')) return put(colonOf(pair), end, lines(below, column))
    put(trimmed(from), end, '')
    put(lineEnd(end), lineEnd(end), lines(below, column))
  }

  /** Entry by entry, where those that stay are in the same order. */
  function list(node: YAMLSeq, before: Group[], after: Group[]): boolean {
    const names = (entries: Group[]) => entries.map(({ name }) => name)
    const [old, now] = [names(before), names(after)]
    const renamed = (i: number) => old[i] !== now[i] && !now.includes(old[i]) && !old.includes(now[i])
    const sameLength = old.length === now.length && old.every((name, i) => name === now[i] || renamed(i))
    const kept = sameLength ? before : before.filter(({ name }) => now.includes(name))
    const stay = sameLength ? after : after.slice(0, kept.length)
    if (!kept.length || (!sameLength && !isDeepStrictEqual(names(stay), names(kept)))) return false
    const items = node.items
    if (!items.every(isMap)) return false
    const tokens = node.srcToken && 'items' in node.srcToken ? node.srcToken.items : []
    const dashOf = (i: number) => tokens[i]?.start.find(({ type }) => type === 'seq-item-ind')?.offset ?? 0
    before.forEach((old, i) => {
      const at = kept.indexOf(old)
      if (at >= 0) map(items[i]!, old, stay[at]!)
      else if (node.flow)
        dropBetween(
          items,
          i,
          kept.some((entry) => before.indexOf(entry) < i),
          (item) => (item as YAMLMap).range![0],
        )
      else dropLines(dashOf(i), behind(items[i], columnOf(dashOf(i))))
    })
    const added = after.slice(kept.length)
    if (!added.length) return true
    const last = items[before.indexOf(kept.at(-1)!)]
    if (node.flow) put(endOf(last), endOf(last), added.map((entry) => `, ${inline(entry)}`).join(''))
    else
      put(behind(last, columnOf(dashOf(0))), behind(last, columnOf(dashOf(0))), lines(added.flatMap(item), columnOf(dashOf(0))))
    return true
  }

  return {
    map,
    /** Behind all that is there. */
    end: (settings: Group) => {
      const start = text === '' || text.endsWith('\n') ? '' : eol
      put(
        text.length,
        text.length,
        start +
          Object.entries(settings)
            .flatMap(([key, value]) => entry(key, value))
            .join(eol) +
          eol,
      )
    },
    done: () =>
      splices
        .reverse() // what was put first at a place stands first
        .sort((a, b) => b.from - a.from || b.to - a.to)
        .reduce((text, { from, to, text: added }) => text.slice(0, from) + added + text.slice(to), text),
  }
}

/** A key with its value, as people write it: lists of groups over several lines, all else in one. */
function entry(key: string, value: Value): string[] {
  if (!isNamedList(value) || !value.length) return [`${scalar(key)}: ${flow(value)}`]
  return [`${scalar(key)}:`, ...value.flatMap(item).map((line) => `  ${line}`)]
}

const item = (group: Group): string[] =>
  Object.entries(group)
    .flatMap(([key, value]) => entry(key, value))
    .map((line, i) => (i ? `  ${line}` : `- ${line}`))

function flow(value: Value): string {
  if (Array.isArray(value)) return `[${value.map(flow).join(', ')}]`
  if (!isGroup(value)) return scalar(value)
  const pairs = Object.entries(value).map(([key, inside]) => `${scalar(key)}: ${flow(inside)}`)
  return pairs.length ? `{ ${pairs.join(', ')} }` : '{}'
}

/** Text in quotes, JSON's, where it would be read as something else without. */
function scalar(value: Value): string {
  if (typeof value !== 'string') return String(value)
  return /^[\w./~][\w./:@?&=%+~ -]*$/.test(value) && readsAs(value) ? value : JSON.stringify(value)
}

function readsAs(text: string): boolean {
  try {
    return parse(text) === text
  } catch {
    return false
  }
}
