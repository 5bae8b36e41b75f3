// Pictures for people: the model's road on single pictures, and all of them on one contact sheet.
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolder } from '../../deploy/make-folder.ts'
import { caption, strip, wordsOf } from './caption.ts'
import { contactSheet, legendOf, makeTile, type SheetGroup, tilesPerGroup } from './contact-sheet.ts'
import { drawOverlay, type OverlayCase, type RawPicture, rawPicture } from './overlay.ts'
import { writeAtomically } from './write-atomically.ts'

export interface OverlayGroup {
  /** First part of the file names: lower-case letters and digits. */
  name: string
  /** Heading on the contact sheet. */
  title: string
  cases: readonly OverlayCase[]
}

/** Best, middling and worst of a list by road IoU, `each` of every kind or fewer, none twice. Pictures without road are left out. */
export function pickCases<T extends { road_iou: number }>(
  pictures: readonly T[],
  each = 3,
): { best: T[]; middling: T[]; worst: T[] } {
  const sorted = pictures.filter(({ road_iou }) => !Number.isNaN(road_iou)).sort((a, b) => b.road_iou - a.road_iou)
  const count = Math.min(each, Math.ceil(sorted.length / 3))
  const best = sorted.slice(0, count)
  const worst = sorted.slice(Math.max(count, sorted.length - count))
  const between = sorted.slice(count, sorted.length - worst.length)
  const start = Math.max(0, Math.floor((between.length - count) / 2))
  return { best, middling: between.slice(start, start + count), worst: worst.reverse() }
}

/**
 * Those of which the model is least certain, the least certain first, without those that are `shown` already. Pictures are in
 * the order of their drives: of neighbouring frames, which look alike, one is enough.
 */
export function pickUncertain<T extends { uncertainty: number }>(pictures: readonly T[], shown: readonly T[], each = 3): T[] {
  const apart = Math.floor(pictures.length / (4 * each))
  const places = pictures
    .map((_, place) => place)
    .filter((place) => !shown.includes(pictures[place]!))
    .sort((a, b) => pictures[b]!.uncertainty - pictures[a]!.uncertainty)
  const picked: number[] = []
  for (const place of places)
    if (picked.length < each && picked.every((other) => Math.abs(other - place) > apart)) picked.push(place)
  return picked.map((place) => pictures[place]!)
}

/** The picture at its own size with its caption below. */
async function captioned(picture: RawPicture, shown: OverlayCase): Promise<Buffer> {
  const { width, height } = picture
  const below = caption(wordsOf(shown), width, Math.round(Math.min(24, Math.max(11, 8 + width / 90))))
  return rawPicture(picture)
    .extend({ bottom: below.height, background: strip })
    .composite([{ input: below.image, left: 0, top: height }])
    .jpeg({ quality: 90, chromaSubsampling: '4:4:4' })
    .toBuffer()
}

/** A name that is good in any file system: letters, digits, dot, dash, underscore. */
const fileName = (group: string, index: number, name: string) =>
  `${group}-${index + 1}-${name.replace(/[^A-Za-z0-9._-]+/g, '_').slice(-80)}.jpg`

/**
 * Writes `<group>-<number>-<picture>.jpg` at the pictures' own size with a caption strip below, and `contact-sheet.jpg` with all
 * of them, at most 48 of a group. For tens or hundreds of pictures: all are kept in memory until the last is drawn. Overlays of the same groups from before are removed, nothing else. Returns the paths, the contact sheet last.
 * Throws, naming the picture, where one cannot be read or sizes do not fit; then nothing has changed in `dir`.
 */
export async function writeOverlays(
  dir: string,
  groups: readonly OverlayGroup[],
  heading: { title: string; subtitle: string },
): Promise<string[]> {
  const files: { name: string; bytes: Buffer }[] = []
  const tiled: SheetGroup[] = []
  for (const { name, title, cases } of groups) {
    const tiles: SheetGroup['tiles'] = []
    // One after the other: a picture in full size is large, and sharp uses all cores for each.
    for (const [index, shown] of cases.entries()) {
      const picture = await drawOverlay(shown)
      files.push({ name: fileName(name, index, shown.name), bytes: await captioned(picture, shown) })
      if (index < tilesPerGroup) tiles.push(await makeTile(picture, wordsOf(shown)))
    }
    tiled.push({ title, tiles })
  }
  const all = groups.flatMap(({ cases }) => cases)
  files.push({ name: 'contact-sheet.jpg', bytes: await contactSheet(tiled, legendOf(all), heading) })

  await makeFolder(dir)
  const stale = (file: string) =>
    groups.some(({ name }) => file.startsWith(`${name}-`) && /^\d+-.*\.jpg$/.test(file.slice(name.length + 1)))
  for (const file of await readdir(dir)) if (stale(file)) await rm(join(dir, file))
  const paths: string[] = []
  for (const { name, bytes } of files) {
    const path = join(dir, name)
    await writeAtomically(path, bytes)
    paths.push(path)
  }
  return paths
}
