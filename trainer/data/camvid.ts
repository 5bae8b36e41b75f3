// CamVid (Brostow, Fauqueur, Cipolla, "Semantic object classes in video", 2009) in SegNet's layout: train/, val/, test/
// with pictures as PNG or JPEG, and trainannot/ and so on with one byte a pixel, a class id of 0 to 10; 11 is unlabelled.
import { type ClassIds, ignore, type Skipped } from './dataset.ts'
import { openFolderPair } from './folder-pair.ts'
import { pixelPlace, readLabelPicture } from './label-picture.ts'
import type { OpenOptions } from './open-dataset.ts'
import type { Layout } from './split.ts'

/** The 11 classes in the order of their ids, with CamVid's own colours. */
export const camvidClasses = [
  { name: 'sky', colour: '#808080' },
  { name: 'building', colour: '#800000' },
  { name: 'pole', colour: '#c0c080' },
  { name: 'road', colour: '#804080' },
  { name: 'pavement', colour: '#3c28de' },
  { name: 'tree', colour: '#808000' },
  { name: 'sign', colour: '#c08080' },
  { name: 'fence', colour: '#404080' },
  { name: 'car', colour: '#400080' },
  { name: 'pedestrian', colour: '#404000' },
  { name: 'bicyclist', colour: '#0080c0' },
]
const roadId = 3
const unlabelledId = 11

/** Opens a folder in SegNet's layout of CamVid. Reads names only. The split is the folder's own, by drive where it has none. */
export async function openCamvid(name: string, dir: string, { classes = 'road' }: OpenOptions): Promise<Layout> {
  const skipped: Skipped[] = []
  const [train, val, test] = await Promise.all(
    (['train', 'val', 'test'] as const).map((split) =>
      openFolderPair(dir, [split, `${split}annot`], skipped, { unlabelled: split === 'test' }),
    ),
  )
  if (train === undefined && val === undefined && test === undefined)
    throw new Error(
      `Expected CamVid in SegNet's layout in ${dir}, found none of train/, val/, test/. Name the folder that holds train/ and trainannot/.`,
    )
  return {
    name,
    train: train ?? [],
    val: val ?? [],
    test: test ?? [],
    usualSplit: val === undefined ? 'drive' : 'own',
    classes:
      classes === 'all'
        ? camvidClasses
        : [
            { name: 'other', colour: '#000000' },
            { name: 'road', colour: '#804080' },
          ],
    road: classes === 'all' ? roadId : 1,
    licence: 'CamVid, for research use',
    skipped,
    readLabel: (file) => readLabel(file, classes),
  }
}

async function readLabel(file: string, classes: 'road' | 'all'): Promise<ClassIds> {
  const { width, height, bytes } = await readLabelPicture(file, 'ids')
  const ids = new Uint8Array(width * height)
  for (let pixel = 0; pixel < ids.length; pixel++) {
    const id = bytes[pixel]!
    if (id > unlabelledId)
      throw new Error(
        `${file}: expected class ids of 0 to 10, or 11 for unlabelled, found ${id} at ${pixelPlace(pixel, width)}`,
      )
    ids[pixel] = id === unlabelledId ? ignore : classes === 'all' ? id : id === roadId ? 1 : 0
  }
  return { width, height, ids }
}
