// Pictures without labels, in a folder and the folders below it: what a teacher labels in training.
import { readdir } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { licenceFile, readLicence } from './licence.ts'
import { driveOf, type Layout } from './split.ts'

/** Opens a folder of pictures, all of them to train on. Reads names only. Throws where there are none. */
export async function openPictures(name: string, dir: string): Promise<Layout> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true }).catch((cause: unknown) => {
    throw new Error(`Expected a folder of pictures for ${name}, ${dir} cannot be read`, { cause })
  })
  const files = entries.filter((entry) => !entry.isDirectory() && /^[^.].*\.(png|jpe?g)$/i.test(entry.name)) // links to pictures too
  if (files.length === 0) throw new Error(`Expected pictures (.jpg, .png) in ${dir}, found none`)
  const paths = files.map((entry) => join(entry.parentPath, entry.name)).sort()
  return {
    name,
    train: paths.map((picture) => {
      const stem = relative(dir, picture).replaceAll(sep, '/')
      return { name: stem, picture, drive: driveOf(stem.replace(/\.[^.]*$/, '')) }
    }),
    val: [],
    test: [],
    usualSplit: 'own',
    classes: [],
    road: 1,
    licence: await readLicence(dir, `not stated (the first line of ${licenceFile} states it)`),
    skipped: [],
    readLabel: (file) => Promise.reject(new Error(`${file}: ${name} has no labels`)),
  }
}
