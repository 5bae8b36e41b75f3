// Renders a few pictures of one random world into KITTI's layout.
import { join } from 'node:path'
import sharp from 'sharp'
import { between, random } from '../random.ts'
import { makeRenderer, render } from './render.ts'
import { writeRoadLabel } from './road-label.ts'
import { type Category, drawLens, drawScene, drawTraffic, drawView } from './scenes.ts'

export interface WorldJob {
  /** Root of the set. */
  dir: string
  /** Into training/ with labels, or into testing/ without. */
  labelled: boolean
  category: Category
  /** Numbers in the pictures' names. */
  numbers: number[]
  width: number
  height: number
  seed: number[]
}

let renderer: { width: number; height: number; buffers: ReturnType<typeof makeRenderer> } | undefined

/** Renders the job's pictures and gives their count. */
export async function renderWorld({ dir, labelled, category, numbers, width, height, seed }: WorldJob): Promise<number> {
  if (renderer?.width !== width || renderer.height !== height)
    renderer = { width, height, buffers: makeRenderer(width, height) }
  const { buffers } = renderer
  const scene = drawScene(category, Math.floor(random(...seed)() * 2 ** 31))
  for (const number of numbers) {
    const next = random(...seed, number)
    const { view, u, z, speed } = drawView(scene, width, height, next)
    const { picture, road } = render(buffers, scene.world, view, drawTraffic(scene, u, z, next), speed, drawLens(scene, next))
    const name = String(number).padStart(6, '0')
    const raw = { raw: { width, height, channels: 3 as const } }
    // Half of the cameras hand over JPEG, with its traces.
    const jpegQuality = next() < 0.5 ? Math.round(between(next, 55, 95)) : undefined
    const seen =
      jpegQuality === undefined
        ? sharp(picture, raw)
        : sharp(await sharp(picture, raw).jpeg({ quality: jpegQuality }).toBuffer())
    await seen
      .png({ compressionLevel: 6 })
      .toFile(join(dir, labelled ? 'training' : 'testing', 'image_2', `${category}_${name}.png`))
    if (!labelled) continue
    await writeRoadLabel(join(dir, 'training/gt_image_2', `${category}_road_${name}.png`), road, width, height)
  }
  return numbers.length
}
