// What the values or colours of label pictures mean, as a person writes it: `0=other,1=road,255=ignore`.
import { readFile } from 'node:fs/promises'
import { codeText, type LabelCodes } from './label-classes.ts'

export const classMapHelp =
  'VALUE=CLASS, #rrggbb=CLASS or *=CLASS for all others, separated by commas or, in a file, by lines; "128 64 128 CLASS", as in CamVid\'s label_colors.txt, is a colour too'

/**
 * A class map from the command line as text: itself where it holds a `=`, otherwise the lines of the file it names. Throws
 * where it is none.
 */
export async function readClassMap(textOrFile: string): Promise<string> {
  if (textOrFile.includes('=')) {
    parseClassMap(textOrFile)
    return textOrFile
  }
  const lines = await readFile(textOrFile, 'utf8').catch((cause: unknown) => {
    throw new Error(`--class-map: expected ${classMapHelp}, or a file of that; ${textOrFile} cannot be read`, { cause })
  })
  const text = entries(lines).join(',')
  try {
    parseClassMap(text)
  } catch (cause) {
    throw new Error(`${textOrFile}: ${(cause as Error).message}`, { cause })
  }
  return text
}

const entries = (text: string) =>
  text
    .split(/[,\r\n]+/)
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')

/** Throws, naming the entry, where it is no map: an entry that cannot be read, one code twice, values among colours. */
export function parseClassMap(text: string): LabelCodes {
  const codes = new Map<number, string>()
  const kinds = new Set<LabelCodes['kind']>()
  let rest: string | undefined
  for (const entry of entries(text)) {
    const { value, hex, r, g, b, all, name } =
      /^(?:(?<hex>#[0-9a-f]{6})\s*=|(?<r>\d+)\s+(?<g>\d+)\s+(?<b>\d+)(?:\s*=|\s)|(?<value>\d+)\s*=|(?<all>\*)\s*=)\s*(?<name>[^=]+)$/i.exec(
        entry,
      )?.groups ?? {}
    const parts = r === undefined ? [value ?? 0] : [r, g, b]
    if (name === undefined || parts.some((part) => Number(part) > 255))
      throw new Error(`--class-map: expected ${classMapHelp}; found "${entry}"`)
    if (all) {
      rest = name
      continue
    }
    const kind = value === undefined ? 'colours' : 'ids'
    const code = hex ? Number.parseInt(hex.slice(1), 16) : parts.reduce<number>((sum, part) => 256 * sum + Number(part), 0)
    if (codes.has(code))
      throw new Error(`--class-map: expected one class for ${codeText(kind, code)}, found another in "${entry}"`)
    codes.set(code, name)
    kinds.add(kind)
  }
  const [kind = 'ids', other] = kinds
  if (codes.size === 0 || other)
    throw new Error(`--class-map: expected ${other ? 'values or colours, found both' : `${classMapHelp}; found "${text}"`}`)
  return { kind, codes: [...codes].map(([code, name]) => ({ code, name })), rest }
}
