// A bundle's masks of a folder of pictures:  npm run trainer -- masks --bundle DIR --pictures FOLDER --out DIR
import { rename } from 'node:fs/promises'
import { dirname, relative, resolve } from 'node:path'
import sharp from 'sharp'
import { mapBounded } from '../../deploy/each.ts'
import { expectOutputFolder, makeFolder } from '../../deploy/make-folder.ts'
import { parseOptions } from '../../deploy/options.ts'
import { loadBundle } from '../../deploy/run-bundle.ts'
import { setOnce } from '../data/folder-pair.ts'
import { openPictures } from '../data/pictures.ts'
import { maskPicture, type PictureMask } from './mask-picture.ts'

const help = `npm run trainer -- masks --bundle DIR --pictures FOLDER --out DIR

Writes what a bundle says of pictures of any sizes, as PNG under the pictures' own names and in their own sizes, upright as a
person sees them: the mask that the agent would send of each, enlarged to the picture.

  --bundle DIR        the bundle folder of a training run
  --pictures FOLDER   pictures (.jpg, .png), also in folders below
  --out DIR           where the masks go, a.jpg as a.png; of the same names are replaced

With two classes road is white (255), all else black (0); what the model does not look at, outside its crop, is grey (128). With
more, each class has its colour, and what the model does not look at is black. The words for --class-map, by which such masks
are labels to train on, are printed at the end.
`

/** Pictures read at once, while the model is asked for one. */
const filesAtOnce = 4
const unseenGrey = 128
const unseenColour = '#000000'

export async function writeMasks(args: string[]): Promise<void> {
  const text = { type: 'string' } as const
  const { values } = parseOptions({
    args,
    options: { bundle: text, pictures: text, out: text, help: { type: 'boolean', short: 'h' } },
  })
  if (values.help) return void console.log(help)
  const { bundle: dir, pictures: folder, out } = values
  if (!dir || !folder || !out) throw new Error(`Expected --bundle DIR, --pictures FOLDER and --out DIR\n\n${help}`)
  if (!relative(folder, out).startsWith('..'))
    throw new Error(`--out: ${out} is within ${folder}, where its masks would be pictures themselves; name a folder beside it`)
  await expectOutputFolder(out)
  const masks = await masksOf(folder, out)
  const bundle = await loadBundle(dir)
  const { classes, road } = bundle.manifest
  const codes = codesOf(classes)

  const faults: string[] = []
  let roads = 0
  await mapBounded([...masks], filesAtOnce, async ([path, picture]) => {
    try {
      const mask = await maskPicture(bundle, picture)
      roads += mask.shares[road]!
      await makeFolder(dirname(path))
      await paint(mask, codes).toFile(`${path}.tmp`)
      await rename(`${path}.tmp`, path)
    } catch (error) {
      faults.push((error as Error).message)
    }
  })
  bundle.dispose()
  const written = masks.size - faults.length
  if (written > 0) {
    console.log(`${written} masks in ${out}; of what the model sees, ${((100 * roads) / written).toFixed(1)} % is road`)
    console.log(`As labels: --class-map '${codes.map(({ code, name }) => `${code}=${name}`).join(',')}'`)
  }
  if (faults.length > 0) throw new Error(faults.join('\n'))
}

/** Where the mask of each picture goes. Throws where two would go to one place. */
async function masksOf(folder: string, out: string): Promise<Map<string, string>> {
  const { train } = await openPictures(`--pictures ${folder}`, folder)
  const masks = new Map<string, string>()
  for (const { picture, name } of train) setOnce(masks, resolve(out, name.replace(/\.[^./]*$/, '.png')), picture)
  return masks
}

interface Code {
  /** As a class map has it: a grey level, or a colour. */
  code: string
  name: string
  pixel: readonly number[]
}

/** How each class is written, by its id, and after them what the model does not look at. */
function codesOf(classes: readonly { name: string; colour: string }[]): Code[] {
  if (classes.length === 2)
    return [...classes.map(({ name }, id) => [name, 255 * id] as const), ['ignore', unseenGrey] as const].map(
      ([name, grey]) => ({
        code: String(grey),
        name,
        pixel: [grey],
      }),
    )
  return [...classes, { name: 'ignore', colour: unseenColour }].map(({ name, colour }) => ({
    code: colour,
    name,
    pixel: [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16)),
  }))
}

function paint({ width, height, ids }: PictureMask, codes: readonly Code[]) {
  const channels = codes[0]!.pixel.length as 1 | 3
  const pixels = Buffer.alloc(width * height * channels)
  for (let i = 0; i < ids.length; i++) {
    const { pixel } = codes[Math.min(ids[i]!, codes.length - 1)]!
    for (let c = 0; c < channels; c++) pixels[channels * i + c] = pixel[c]!
  }
  const picture = sharp(pixels, { raw: { width, height, channels } })
  return (channels === 1 ? picture.toColourspace('b-w') : picture).png()
}
