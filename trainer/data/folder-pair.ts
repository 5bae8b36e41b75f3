// A folder of pictures and a folder of labels with the same names, side by side: `train` and `trainannot` of CamVid, `train`
// and `train_annotation` of SageMaker's built-in algorithm.
import { readdir } from 'node:fs/promises'
import { join, parse } from 'node:path'
import { type Sample, type Skipped, withoutLabel } from './dataset.ts'
import { driveOf } from './split.ts'

/** Notes the picture of a name. Throws where it has another already: only one of them can be the label's. */
export function setOnce(pictures: Map<string, string>, name: string, picture: string): void {
  const twin = pictures.get(name)
  if (twin) throw new Error(`${picture}: expected one picture of its name, found ${twin} too`)
  pictures.set(name, picture)
}

/**
 * The samples of two folders, by name; `undefined` where neither is there. Files that are left out go into `skipped`:
 * pictures without a label too, unless `unlabelled` says that they belong to the set.
 */
export async function openFolderPair(
  dir: string,
  [pictureFolder, labelFolder]: readonly [string, string],
  skipped: Skipped[],
  { unlabelled = false } = {},
): Promise<Sample[] | undefined> {
  const list = (folder: string) => readdir(join(dir, folder)).catch(() => undefined)
  const [pictures, labels] = await Promise.all([list(pictureFolder), list(labelFolder)])
  if (pictures === undefined && labels === undefined) return undefined
  const byName = new Map<string, string>()
  for (const file of (pictures ?? []).sort())
    if (/^[^.].*\.(png|jpe?g)$/i.test(file)) setOnce(byName, parse(file).name, join(dir, pictureFolder, file))
    else skipped.push({ file: join(dir, pictureFolder, file), reason: 'not a picture of the set by its name' })
  const samples: Sample[] = []
  const used = new Set<string>()
  for (const file of (labels ?? []).sort()) {
    const label = join(dir, labelFolder, file)
    const name = parse(file).name
    if (!/^[^.].*\.png$/i.test(file)) skipped.push({ file: label, reason: 'not a label by its name' })
    else {
      used.add(name)
      // A label without a picture stays in: checkDataset reports it with all other faults.
      samples.push({ name, picture: byName.get(name) ?? join(dir, pictureFolder, `${name}.png`), label, drive: driveOf(name) })
    }
  }
  for (const [name, picture] of byName)
    if (used.has(name)) continue
    else if (unlabelled) samples.push({ name, picture, drive: driveOf(name) })
    else skipped.push({ file: picture, reason: withoutLabel })
  return samples
}
