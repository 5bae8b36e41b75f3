// One picture with what the model said about its road: tinted by right, wrong and missed where there is a label, one
// tint where there is none. Everything is drawn by hand into the picture's own pixels, so that nothing is scaled.
import sharp from 'sharp'
import { decodePicture } from '../../deploy/fit-picture.ts'
import { type ClassIds, ignore } from '../data/dataset.ts'

type Rgb = readonly [red: number, green: number, blue: number]

/** Okabe and Ito's bluish green, vermilion and sky blue, made stronger for use as a tint; told apart by colour-blind people. */
export const tints = {
  right: { colour: [0, 200, 110], strength: 0.42 },
  wrong: { colour: [255, 90, 0], strength: 0.62 },
  missed: { colour: [40, 130, 255], strength: 0.62 },
  /** Said to be road in a picture without a label, and where a label says nothing. */
  plain: { colour: [200, 80, 220], strength: 0.45 },
  uncounted: { colour: [170, 175, 185], strength: 0.4 },
} as const satisfies Record<string, { colour: Rgb; strength: number }>

/** What the model did not see (outside its crop) is shown at this share of its brightness. */
export const unseen = 0.45

export interface OverlayCase {
  /** As in the data set: `0016E5_01770`. */
  name: string
  /** Path of the picture. */
  picture: string
  /** Class of every pixel of the picture; `ignore` where the model did not see it. */
  prediction: ClassIds
  /** The label; left out for pictures that have none. */
  truth?: ClassIds | undefined
  /** The class id that is road. */
  road: number
  /** Road IoU of this picture, 0 to 1. */
  roadIou?: number | undefined
}

export interface RawPicture {
  width: number
  height: number
  /** RGB, row by row. */
  pixels: Uint8Array
}

/** As a picture that sharp can work on. */
export const rawPicture = ({ width, height, pixels }: RawPicture) => sharp(pixels, { raw: { width, height, channels: 3 } })

type Tint = keyof typeof tints

function tintOf(predicted: number, truth: number | undefined, road: number): Tint | undefined {
  const said = predicted === road
  if (predicted === ignore) return undefined
  if (truth === undefined) return said ? 'plain' : undefined
  if (truth === ignore) return said ? 'uncounted' : undefined
  if (said) return truth === road ? 'right' : 'wrong'
  return truth === road ? 'missed' : undefined
}

/** Tints pixel `i`. */
export function paintTint(pixels: Uint8Array, i: number, tint: Tint): void {
  const { colour, strength } = tints[tint]
  for (let c = 0; c < 3; c++) pixels[3 * i + c] = pixels[3 * i + c]! * (1 - strength) + colour[c]! * strength
}

/** Draws a white line, `thickness` pixels wide, around the road of the label: inside it, where the neighbours are labelled and not road. */
function outline(picture: RawPicture, truth: ClassIds, road: number, thickness: number) {
  const { width, height, pixels } = picture
  const away = (x: number, y: number) => {
    if (x < 0 || y < 0 || x >= width || y >= height) return false
    const id = truth.ids[y * width + x]!
    return id !== road && id !== ignore
  }
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const i = y * width + x
      if (truth.ids[i] !== road) continue
      let edge = false
      for (let d = 1; d <= thickness && !edge; d++) edge = away(x - d, y) || away(x + d, y) || away(x, y - d) || away(x, y + d)
      if (edge) pixels.fill(255, 3 * i, 3 * i + 3)
    }
}

function expectSize(what: string, found: ClassIds, picture: RawPicture, name: string) {
  if (found.width !== picture.width || found.height !== picture.height || found.ids.length !== picture.width * picture.height)
    throw new Error(
      `${name}: expected a ${what} of the picture's size, ${picture.width} x ${picture.height}, found ${found.width} x ${found.height}`,
    )
}

/** Draws the overlay at the picture's own size. Throws, naming the picture, where it cannot be read or sizes do not fit. */
export async function drawOverlay(shown: OverlayCase): Promise<RawPicture> {
  const { name, prediction, truth, road } = shown
  const picture = await decodePicture(shown.picture).catch((cause: unknown) => {
    throw new Error(`${name}: the picture ${shown.picture} cannot be read`, { cause })
  })
  expectSize('prediction', prediction, picture, name)
  if (truth) expectSize('label', truth, picture, name)
  const { pixels } = picture
  for (let i = 0; i < prediction.ids.length; i++) {
    const predicted = prediction.ids[i]!
    const tint = tintOf(predicted, truth?.ids[i], road)
    if (predicted === ignore) for (let c = 0; c < 3; c++) pixels[3 * i + c]! *= unseen
    if (tint === undefined) continue
    paintTint(pixels, i, tint)
  }
  if (truth) outline(picture, truth, road, Math.max(1, Math.round(picture.width / 800)))
  return picture
}
