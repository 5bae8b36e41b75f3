// A frame on a canvas: the mask's PNG becomes a road layer and an outline in mask pixels, laid over the camera's picture
// where `region` says that the model looked. Runs in a worker (paint-worker.ts) and knows no socket and no page.
import type { MaskMessage, Region, Result, ZoneShape } from '../../edge-agent/wire.ts'
import { drawFreeSpace, drawZones } from './overlay.ts'

/** What is shown: the picture with the road tinted, with its outline only, the mask alone, or the picture alone. */
export type Mode = 'tint' | 'outline' | 'mask' | 'picture'
export const modes: readonly Mode[] = ['tint', 'outline', 'mask', 'picture']

/** Colour of the road wherever it is drawn. */
export const roadTint = '#1fe5c3'

/** One frame, decoded: the picture and the mask of the same capture time. `close` it when it is no longer shown. */
export interface Frame {
  result: Result
  /** Undefined where the message brought none. */
  picture: ImageBitmap | undefined
  /** The mask as it came, in the colours of its classes. */
  classes: ImageBitmap
  /** Opaque where there is road; in mask pixels, as `edge` is. */
  road: OffscreenCanvas
  /** Found when it is first wanted: that takes as long as all the rest. */
  edge(): Path2D
  close(): void
}

export interface Look {
  mode: Mode
  /** Of the tint and the outline, 0 to 1. */
  opacity: number
  /** Any CSS colour. */
  tint: string
  /** Canvas pixels per CSS pixel, for widths of lines. */
  scale: number
  /** Zones of the camera, drawn with the state that the frame's facts give them. */
  zones: readonly ZoneShape[]
  /** Whether the end of the free space is drawn. */
  space: boolean
}

type Pixels = { width: number; height: number; data: Uint8ClampedArray }

/** Decodes a message. Throws where the mask is no PNG of the size that its facts state, or the picture is no picture. */
export async function decodeFrame({ result, mask, picture }: MaskMessage): Promise<Frame> {
  const [classes, photo] = await Promise.all([
    decode(mask, 'image/png', 'mask'),
    picture.length ? decode(picture, 'image/jpeg', 'picture') : undefined,
  ])
  const { width, height } = classes
  if (width !== result.width || height !== result.height)
    throw new Error(`Expected a mask of ${result.width} x ${result.height}, found ${width} x ${height}`)
  const road = new OffscreenCanvas(width, height)
  const context = context2d(road.getContext('2d', { willReadFrequently: true }))
  context.drawImage(classes, 0, 0)
  const pixels = context.getImageData(0, 0, width, height)
  const inside = roadPixels(pixels, mask, result)
  for (let i = 0; i < inside.length; i++) pixels.data[4 * i + 3] = inside[i] ? 255 : 0
  context.putImageData(pixels, 0, 0)
  let found: Path2D | undefined
  const edge = () => (found ??= new Path2D(edgePath(inside, width, height)))
  const close = () => {
    classes.close()
    photo?.close()
  }
  return { result, picture: photo, classes, road, edge, close }
}

async function decode(bytes: Uint8Array, type: string, what: string): Promise<ImageBitmap> {
  try {
    // The copy gives the bytes a buffer of their own, which is what a Blob is typed to take. Colours stay as they were
    // written: class ids are found by them.
    return await createImageBitmap(new Blob([new Uint8Array(bytes)], { type }), { colorSpaceConversion: 'none' })
  } catch (cause) {
    throw new Error(`The ${what} of ${bytes.length} bytes could not be decoded as ${type}`, { cause })
  }
}

/**
 * Which pixels are road: 1 or 0 each, row by row. Two classes: white is road. More: `png` is a palette picture whose
 * indices are class ids, and since a browser gives colours, the road's colour is looked up in the palette.
 */
export function roadPixels({ width, height, data }: Pixels, png: Uint8Array, result: Result): Uint8Array {
  const inside = new Uint8Array(width * height)
  if (result.classes.length <= 2) {
    for (let i = 0; i < inside.length; i++) inside[i] = (data[4 * i] ?? 0) >> 7
    return inside
  }
  const [red, green, blue] = paletteColour(png, result.road_class)
  for (let i = 0; i < inside.length; i++)
    inside[i] = data[4 * i] === red && data[4 * i + 1] === green && data[4 * i + 2] === blue ? 1 : 0
  return inside
}

/** Colour number `index` of a palette PNG (PNG specification, 11.2.2 PLTE). Throws where there is none. */
export function paletteColour(png: Uint8Array, index: number): [red: number, green: number, blue: number] {
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength)
  for (let at = 8; at + 8 <= png.length; at += 12 + view.getUint32(at)) {
    if (view.getUint32(at + 4) !== 0x504c5445) continue // 'PLTE'
    const entry = at + 8 + 3 * index
    const [red, green, blue] = png.subarray(entry, Math.min(entry + 3, at + 8 + view.getUint32(at)))
    if (red !== undefined && green !== undefined && blue !== undefined) return [red, green, blue]
  }
  throw new Error(`Expected a PNG with a palette of more than ${index} colours, found none in ${png.length} bytes`)
}

/**
 * SVG path data of the road's edge, in mask pixels. Marching squares over 3 x 3 sums at half height, with linear
 * interpolation: the sums take the stairs off slanting edges, and a straight edge stays where it was. The border of the
 * mask is no edge of the road.
 */
export function edgePath(inside: Uint8Array, width: number, height: number): string {
  const sums = blur(inside, width)
  let path = ''
  for (let y = 0; y + 1 < height; y++) {
    for (let x = 0; x + 1 < width; x++) {
      const i = y * width + x
      const [a, b, c, d] = [sums[i]!, sums[i + 1]!, sums[i + width + 1]!, sums[i + width]!]
      const sides = crossings[(a > level ? 8 : 0) | (b > level ? 4 : 0) | (c > level ? 2 : 0) | (d > level ? 1 : 0)]!
      for (let n = 0; n < sides.length; n++) {
        const side = sides[n]
        const across = side === 't' ? between(a, b) : side === 'b' ? between(d, c) : side === 'r' ? 1 : 0
        const down = side === 'l' ? between(a, d) : side === 'r' ? between(b, c) : side === 'b' ? 1 : 0
        path += `${n % 2 ? 'L' : 'M'}${(x + across + 0.5).toFixed(2)} ${(y + down + 0.5).toFixed(2)}`
      }
    }
  }
  return path
}

const level = 4.5
const between = (from: number, to: number) => (level - from) / (to - from)

/**
 * The sides (left, top, right, bottom) between which the edge runs, in pairs, by which corners of a square are road: top
 * left 8, top right 4, bottom right 2, bottom left 1. Two opposite corners are taken as apart.
 */
const crossings = ['', 'lb', 'br', 'lr', 'tr', 'lbtr', 'tb', 'lt', 'lt', 'tb', 'ltbr', 'tr', 'lr', 'br', 'lb', '']

/** Sums over 3 x 3 neighbours, the border repeated: 0 to 9. */
function blur(inside: Uint8Array, width: number): Uint8Array {
  const rows = new Uint8Array(inside.length)
  const sums = new Uint8Array(inside.length)
  for (let i = 0; i < inside.length; i++) {
    const x = i % width
    rows[i] = inside[x > 0 ? i - 1 : i]! + inside[i]! + inside[x + 1 < width ? i + 1 : i]!
  }
  for (let i = 0; i < inside.length; i++)
    sums[i] = rows[i >= width ? i - width : i]! + rows[i]! + rows[i + width < inside.length ? i + width : i]!
  return sums
}

/** Where a part of the camera's picture lies on a canvas that shows the whole of it: [x, y, width, height] in canvas pixels. */
export function placeOf(part: Region, result: Result, canvas: { width: number; height: number }): Region {
  const [x, y, width, height] = part
  const across = canvas.width / result.camera_width
  const down = canvas.height / result.camera_height
  return [x * across, y * down, width * across, height * down]
}

/** Draws a frame over the whole canvas, whose shape is the camera's. */
export function drawFrame(canvas: OffscreenCanvas, frame: Frame, look: Look): void {
  const context = context2d(canvas.getContext('2d', { alpha: false }))
  context.reset()
  drawRoad(context, frame, look)
  context.globalAlpha = 1
  drawZones(context, frame.result, look)
  if (look.space) drawFreeSpace(context, frame.result, look.scale)
}

function drawRoad(context: OffscreenCanvasRenderingContext2D, { result, picture, classes, road, edge }: Frame, look: Look) {
  const { width, height } = context.canvas
  const place = placeOf(result.region, result, context.canvas)
  const mode = picture ? look.mode : 'mask'
  context.fillStyle = '#06080a'
  context.fillRect(0, 0, width, height)
  if (picture && mode !== 'mask') context.drawImage(picture, 0, 0, width, height)
  if (mode === 'picture') return

  if (mode === 'mask') {
    context.fillStyle = '#161b22'
    context.fillRect(...placeOf(result.seen, result, context.canvas))
    context.imageSmoothingEnabled = false
    context.drawImage(result.classes.length > 2 ? classes : tinted(road, look.tint), ...place)
    return
  }

  dimUnseen(context, result)
  if (mode === 'tint') {
    context.globalAlpha = look.opacity
    context.drawImage(tinted(road, look.tint), ...place)
  }
  const [x, y, w, h] = place
  const line = new Path2D()
  line.addPath(edge(), new DOMMatrix([w / result.width, 0, 0, h / result.height, x, y]))
  context.globalAlpha = Math.min(1, (mode === 'tint' ? 1.5 : 2) * look.opacity)
  context.lineCap = 'round'
  if (mode === 'outline') {
    // A dark casing, as on maps: the line is seen on snow and on shadow.
    context.strokeStyle = 'rgb(0 0 0 / 60%)'
    context.lineWidth = 5 * look.scale
    context.stroke(line)
  }
  context.strokeStyle = look.tint
  context.lineWidth = (mode === 'outline' ? 2.5 : 1.25) * look.scale
  context.stroke(line)
}

/** What the model does not see is dimmed: no tint there says nothing about the road. */
export function dimUnseen(context: OffscreenCanvasRenderingContext2D | CanvasRenderingContext2D, result: Result): void {
  const { canvas } = context
  const unseen = new Path2D()
  unseen.rect(0, 0, canvas.width, canvas.height)
  unseen.rect(...placeOf(result.seen, result, canvas))
  context.fillStyle = 'rgb(0 0 0 / 50%)'
  context.fill(unseen, 'evenodd')
}

/** The road layer in the tint's colour. The layer is repainted in place: its opacity is all that it keeps. */
function tinted(road: OffscreenCanvas, tint: string): OffscreenCanvas {
  const context = context2d(road.getContext('2d'))
  context.globalCompositeOperation = 'source-in'
  context.fillStyle = tint
  context.fillRect(0, 0, road.width, road.height)
  context.globalCompositeOperation = 'source-over'
  return road
}

function context2d<Context>(context: Context | null): Context {
  if (!context) throw new Error('This browser gives no 2D canvas')
  return context
}
