// A plain folder of pictures and labels of the same names, as most tools export it: images/0001.jpg and masks/0001.png, with
// or without folders in between. images/train and images/val are the set's own split, any other folder is a drive.
import { readdir } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { parseClassMap } from './class-map.ts'
import { type Sample, type Skipped, withoutLabel } from './dataset.ts'
import { chooseClasses, findCodes, readCodes } from './label-classes.ts'
import { licenceFile, readLicence } from './licence.ts'
import type { OpenOptions } from './open-dataset.ts'
import { driveOf, type Layout } from './split.ts'

export const pictureFolders = ['images', 'pictures']
export const labelFolders = ['masks', 'labels']
const parts: Record<string, 'train' | 'val' | 'test'> = {
  train: 'train',
  training: 'train',
  val: 'val',
  valid: 'val',
  validation: 'val',
  test: 'test',
  testing: 'test',
}
const codesNamed = 12

/** Opens a folder of pairs. Reads names only. Throws where there is no class map, with the codes of the first label. */
export async function openPairs(name: string, dir: string, { classes = 'road', classMap }: OpenOptions): Promise<Layout> {
  const [pictures, labels] = await Promise.all([listNames(dir, pictureFolders), listNames(dir, labelFolders)])
  const skipped: Skipped[] = []
  const list = (names: Names, wanted: RegExp, reason: string) => {
    const byStem = new Map<string, string>()
    for (const file of names.files) {
      const path = join(names.folder, file)
      const stem = file.replace(/\.[^./\\]*$/, '').replaceAll(sep, '/')
      const twin = byStem.get(stem)
      if (!wanted.test(file)) skipped.push({ file: path, reason })
      else if (twin) throw new Error(`${path}: expected one file of its name, found ${twin} too`)
      else byStem.set(stem, path)
    }
    return byStem
  }
  const pictureOf = list(pictures, /(^|[\\/])[^.\\/][^\\/]*\.(png|jpe?g)$/i, 'not a picture by its name')
  const labelOf = list(labels, /(^|[\\/])[^.\\/][^\\/]*\.png$/i, 'not a label by its name')
  const sets: Record<'train' | 'val' | 'test', Sample[]> = { train: [], val: [], test: [] }
  for (const stem of [...new Set([...pictureOf.keys(), ...labelOf.keys()])].sort()) {
    const label = labelOf.get(stem)
    // A label without a picture stays in: checkDataset reports it with all other faults.
    const picture = pictureOf.get(stem) ?? join(pictures.folder, `${stem}.png`)
    const [first = '', ...others] = stem.split('/')
    const part = others.length > 0 ? parts[first.toLowerCase()] : undefined
    const drive = driveOf(part ? others.join('/') : stem)
    if (label !== undefined) sets[part ?? 'train'].push({ name: stem, picture, label, drive })
    else if (part === 'test') sets.test.push({ name: stem, picture, drive })
    else skipped.push({ file: picture, reason: withoutLabel })
  }
  if (classMap === undefined) {
    const first = [...labelOf.values()][0]
    const codes = first === undefined ? [] : await findCodes(first)
    const found =
      codes.length > 0 ? `; ${first} holds ${codes.slice(0, codesNamed).join(', ')}${codes[codesNamed] ? ', …' : ''}` : ''
    throw new Error(`Expected --class-map for ${name}, for example 0=other,1=road,255=ignore or '#804080=road,*=other'${found}`)
  }
  const labelCodes = parseClassMap(classMap)
  const { idOf, ...chosen } = chooseClasses(
    [...labelCodes.codes.map((code) => code.name), ...(labelCodes.rest ? [labelCodes.rest] : [])],
    classes,
    '--class-map',
  )
  const unstated = `not stated (the first line of ${licenceFile} beside ${relative(dir, pictures.folder)}/ states it)`
  return {
    name,
    ...sets,
    usualSplit: sets.val.length > 0 ? 'own' : 'drive',
    ...chosen,
    licence: await readLicence(dir, unstated),
    skipped,
    readLabel: (file) => readCodes(file, labelCodes, idOf),
  }
}

interface Names {
  folder: string
  /** Relative to the folder, sorted. */
  files: string[]
}

/** The files of the first of the folders that is there. */
async function listNames(dir: string, folders: string[]): Promise<Names> {
  for (const one of folders) {
    const folder = join(dir, one)
    const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => undefined)
    if (entries === undefined) continue
    const files = entries
      .filter((entry) => !entry.isDirectory())
      .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    return { folder, files: files.sort() }
  }
  throw new Error(
    `Expected pairs in ${dir}: pictures in ${pictureFolders.join('/ or ')}/ and labels of the same names in ${labelFolders.join('/ or ')}/, found no ${folders.join('/, no ')}/`,
  )
}
