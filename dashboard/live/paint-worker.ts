// A worker that decodes frames and draws them, off the thread that answers fingers and keys. It keeps the last frame of each tile,
// so that another look at it costs no decoding; painter.ts is the other end.
import type { MaskMessage } from '../../edge-agent/wire.ts'
import { decodeFrame, drawFrame, type Frame, type Look } from './draw.ts'

/** What a tile wants: a new frame, or with none the last one again. */
export interface Wanted {
  tile: number
  message?: MaskMessage
  look: Look
  width: number
  height: number
}

export interface Painted {
  tile: number
  /** Undefined where `fault` says why. */
  bitmap?: ImageBitmap
  fault?: string
}

// The library of types is the page's, in which a worker's own scope does not occur.
const scope = self as unknown as {
  onmessage: (event: MessageEvent<Wanted | { forget: number }>) => void
  postMessage(message: Painted, transfer: Transferable[]): void
}

interface Tile {
  canvas: OffscreenCanvas
  frame?: Frame
}
const tiles = new Map<number, Tile>()

scope.onmessage = async ({ data }) => {
  if ('forget' in data) {
    tiles.get(data.forget)?.frame?.close()
    tiles.delete(data.forget)
    return
  }
  const { tile } = data
  try {
    const bitmap = await paint(data)
    scope.postMessage({ tile, ...(bitmap && { bitmap }) }, bitmap ? [bitmap] : [])
  } catch (error) {
    scope.postMessage({ tile, fault: error instanceof Error ? error.message : String(error) }, [])
  }
}

async function paint({ tile, message, look, width, height }: Wanted): Promise<ImageBitmap | undefined> {
  const known = tiles.get(tile) ?? { canvas: new OffscreenCanvas(width, height) }
  tiles.set(tile, known)
  if (message) {
    const frame = await decodeFrame(message)
    known.frame?.close()
    known.frame = frame
    if (!tiles.has(tile)) frame.close() // it was forgotten meanwhile
  }
  if (!known.frame || !tiles.has(tile)) return undefined
  const { canvas } = known
  if (canvas.width !== width) canvas.width = width
  if (canvas.height !== height) canvas.height = height
  drawFrame(canvas, known.frame, look)
  return canvas.transferToImageBitmap()
}
