// Words on pictures: SVG text that sharp composites.
import type { OverlayCase } from './overlay.ts'

/** Colour of the strip that captions stand on. */
export const strip = '#23272d'

const font = "'DejaVu Sans', Verdana, Helvetica, Arial, sans-serif"
const escapeXml = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

/** A piece of text for an SVG; `y` is its baseline. */
export function text(content: string, x: number, y: number, size: number, more = ''): string {
  return `<text x="${x}" y="${y}" font-family="${font}" font-size="${size}" fill="#f2f4f6" ${more}>${escapeXml(content)}</text>`
}

/** An SVG of that size as a picture for sharp. */
export const svg = (width: number, height: number, inside: string) =>
  Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${inside}</svg>`)

/** Words on the left and on the right of a caption. */
export interface Words {
  left: string
  right: string
}

/** The picture's name, and its road IoU where there is one. */
export function wordsOf({ name, truth, roadIou }: OverlayCase): Words {
  const value = roadIou === undefined || Number.isNaN(roadIou) ? '' : `road IoU ${(100 * roadIou).toFixed(1)} %`
  return { left: name, right: truth ? value : 'no label' }
}

/** The strip below a picture. */
export function caption({ left, right }: Words, width: number, size: number): { image: Buffer; height: number } {
  const height = Math.round(size * 2)
  const baseline = Math.round(size * 1.36)
  // DejaVu Sans is 0.62 of its size wide on the average; a name that does not fit loses its beginning, which is drive and folder.
  const room = Math.max(4, Math.floor((width - 3 * size) / (0.62 * size)) - right.length)
  const name = left.length > room ? `…${left.slice(1 - room)}` : left
  const inside = `<rect width="${width}" height="${height}" fill="${strip}"/>${text(name, size, baseline, size)}${text(right, width - size, baseline, size, 'text-anchor="end" font-weight="bold"')}`
  return { image: svg(width, height, inside), height }
}
