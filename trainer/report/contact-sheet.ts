// The contact sheet: the overlays of a run on one picture, small, with a legend.
import sharp, { type OverlayOptions } from 'sharp'
import { ignore } from '../data/dataset.ts'
import { caption, strip, svg, text, type Words } from './caption.ts'
import { type OverlayCase, type RawPicture, rawPicture, tints } from './overlay.ts'

const paper = '#16191d'
const sheet = { columns: 3, tileWidth: 480, gap: 14, margin: 28, head: 122, heading: 46, captionSize: 15 }
const sheetWidth = 2 * sheet.margin + sheet.columns * sheet.tileWidth + (sheet.columns - 1) * sheet.gap

/** As many of a group as a sheet takes: a JPEG ends at 65 535 pixels, and a person before that. */
export const tilesPerGroup = 48

export interface Tile {
  image: Buffer
  height: number
}

/** A picture small, with its caption below. */
export async function makeTile(picture: RawPicture, words: Words): Promise<Tile> {
  const { tileWidth, captionSize } = sheet
  // Of a picture that is hardly more than a line too, a tile that a person can see.
  const height = Math.min(4 * tileWidth, Math.max(1, Math.round((picture.height * tileWidth) / picture.width)))
  const small = await rawPicture(picture).resize(tileWidth, height, { fit: 'fill' }).png({ compressionLevel: 1 }).toBuffer()
  const below = caption(words, tileWidth, captionSize)
  const image = await sharp(small)
    .extend({ bottom: below.height, background: strip })
    .composite([{ input: below.image, left: 0, top: height }])
    .png({ compressionLevel: 1 })
    .toBuffer()
  return { image, height: height + below.height }
}

/** An entry of the legend: an SVG mark in a field of 20 x 14, and its words. */
export type Mark = [mark: string, words: string]

export const swatch = (tint: keyof typeof tints) =>
  `<rect width="20" height="14" rx="2" fill="rgb(${tints[tint].colour.join()})"/>`
export const darkSwatch = '<rect width="20" height="14" rx="2" fill="#000000" stroke="#70767e"/>'

/** The legend of overlays: only what these pictures can show. */
export function legendOf(cases: readonly OverlayCase[]): Mark[] {
  const compared: Mark[] = [
    [swatch('right'), 'road, found'],
    [swatch('missed'), 'road, missed'],
    [swatch('wrong'), 'taken for road'],
    [swatch('uncounted'), 'taken for road, not labelled'],
    ['<path d="M0 7h20" stroke="#ffffff" stroke-width="2"/>', 'edge of the labelled road'],
  ]
  return [
    ...(cases.some(({ truth }) => truth) ? compared : []),
    ...(cases.some(({ truth }) => !truth) ? [[swatch('plain'), 'road, no label to compare'] as Mark] : []),
    ...(cases.some(({ prediction }) => prediction.ids.includes(ignore)) ? [[darkSwatch, 'dark: not seen'] as Mark] : []),
  ]
}

function head(title: string, subtitle: string, legend: readonly Mark[]): string {
  const { margin } = sheet
  let x = margin
  const entries = legend.map(([mark, words]) => {
    const at = x
    x += 29 + 7.3 * words.length + 26
    return `<g transform="translate(${at} 88)">${mark}${text(words, 29, 12, 14)}</g>`
  })
  return `${text(title, margin, 42, 22, 'font-weight="bold"')}${text(subtitle, margin, 68, 14, 'opacity="0.75"')}${entries.join('')}`
}

export interface SheetGroup {
  title: string
  tiles: Tile[]
}

/** Puts the tiles of all groups under their headings, three in a row. Gives a JPEG. */
export async function contactSheet(
  groups: SheetGroup[],
  legend: readonly Mark[],
  { title, subtitle }: { title: string; subtitle: string },
): Promise<Buffer> {
  const { columns, tileWidth, gap, margin, heading } = sheet
  const placed: OverlayOptions[] = []
  let words = head(title, subtitle, legend)
  let y = sheet.head
  for (const group of groups.filter(({ tiles }) => tiles.length > 0)) {
    words += text(group.title, margin, y + 28, 17, 'font-weight="bold"')
    y += heading
    for (let first = 0; first < group.tiles.length; first += columns) {
      const row = group.tiles.slice(first, first + columns)
      row.forEach(({ image }, i) => {
        placed.push({ input: image, left: margin + i * (tileWidth + gap), top: y })
      })
      y += Math.max(...row.map(({ height }) => height)) + gap
    }
  }
  const height = y + margin - gap
  return sharp({ create: { width: sheetWidth, height, channels: 3, background: paper } })
    .composite([{ input: svg(sheetWidth, height, words), left: 0, top: 0 }, ...placed])
    .jpeg({ quality: 90, chromaSubsampling: '4:4:4' })
    .toBuffer()
}
