// From the codes of label pictures, which are values or colours with a class each, to class ids.
import { type ClassIds, type Dataset, ignore } from './dataset.ts'
import { pixelPlace, readLabelPicture } from './label-picture.ts'

/** `0xrrggbb` for a colour, the value itself for a greyscale label; what it means. */
export interface Code {
  code: number
  name: string
}

/** What the pixels of a label picture mean. */
export interface LabelCodes {
  kind: 'ids' | 'colours'
  codes: readonly Code[]
  /** What every other code means; absent where another is a fault. */
  rest?: string | undefined
}

const roadColour = '#804080'
const uncounted = /^(ignore|ignored|void|unlabell?ed)$/i

/** `#2ca02c`, or the value. */
export const codeText = (kind: LabelCodes['kind'], code: number): string =>
  kind === 'ids' ? String(code) : `#${code.toString(16).padStart(6, '0')}`

/**
 * The classes to learn: other and road, or every one of `named` in its order. Names are compared regardless of case;
 * `ignore`, `void` and `unlabelled` are no classes. Throws where none is road or road is the only one.
 *
 * @param where what names them, for the error
 */
export function chooseClasses(
  named: readonly string[],
  choice: 'road' | 'all',
  where: string,
): Pick<Dataset, 'classes' | 'road'> & { idOf: (name: string) => number } {
  const names = [...new Set(named.map((name) => name.toLowerCase()))].filter((name) => !uncounted.test(name))
  if (!names.includes('road') || names.length < 2)
    throw new Error(`${where}: expected a class called road and another one at least, found ${names.join(', ') || 'none'}`)
  // A bundle of two classes has road as its second.
  const all = choice === 'road' || names.length === 2 ? ['other', 'road'] : names
  if (choice === 'all' && names.length === 2) all[0] = names.find((name) => name !== 'road')!
  const road = all.indexOf('road')
  return {
    classes: all.map((name, id) => ({ name, colour: name === 'road' ? roadColour : all.length === 2 ? '#000000' : hue(id) })),
    road,
    idOf: (name) => {
      const lower = name.toLowerCase()
      if (uncounted.test(lower)) return ignore
      return choice === 'all' ? all.indexOf(lower) : lower === 'road' ? road : 0
    },
  }
}

/** Colours far apart for neighbouring ids: turns of the golden angle. */
function hue(id: number): string {
  const channel = (shift: number) => Math.round(150 + 100 * Math.cos(((id * 137.508 + shift) * Math.PI) / 180))
  return `#${[0, 240, 120].map((shift) => channel(shift).toString(16).padStart(2, '0')).join('')}`
}

/** Reads a label picture by its codes. Throws, naming the file and the pixel, where one is none of them. */
export async function readCodes(
  file: string,
  { kind, codes, rest }: LabelCodes,
  idOf: (name: string) => number,
): Promise<ClassIds> {
  const { width, height, channels, bytes } = await readLabelPicture(file, kind)
  const known = new Map(codes.map(({ code, name }) => [code, idOf(name)]))
  const restId = rest === undefined ? undefined : idOf(rest)
  const ids = new Uint8Array(width * height)
  let [last, lastId] = [-1, 0]
  for (let pixel = 0, at = 0; pixel < ids.length; pixel++, at += channels) {
    const code = codeAt(bytes, at, channels)
    if (code !== last) {
      const id = known.get(code) ?? restId
      if (id === undefined)
        throw new Error(
          `${file}: expected ${codes.map((one) => `${codeText(kind, one.code)} ${one.name}`).join(', ')}, found ${codeText(kind, code)} at ${pixelPlace(pixel, width)}`,
        )
      ;[last, lastId] = [code, id]
    }
    ids[pixel] = lastId
  }
  return { width, height, ids }
}

/** The codes of a label picture, commonest first: values of a greyscale picture, colours of any other. */
export async function findCodes(file: string): Promise<string[]> {
  const ids = await readLabelPicture(file, 'ids').catch(() => undefined)
  const { channels, bytes } = ids ?? (await readLabelPicture(file, 'colours'))
  const counts = new Map<number, number>()
  for (let at = 0; at < bytes.length; at += channels) {
    const code = codeAt(bytes, at, channels)
    counts.set(code, (counts.get(code) ?? 0) + 1)
  }
  return [...counts].sort(([, a], [, b]) => b - a).map(([code]) => codeText(ids ? 'ids' : 'colours', code))
}

const codeAt = (bytes: Uint8Array, at: number, channels: number) =>
  channels === 1 ? bytes[at]! : (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!
