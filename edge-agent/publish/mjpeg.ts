// MJPEG out: a camera's pictures, plain or with the road painted in, as multipart/x-mixed-replace (RFC 2046, 5.1), which
// browsers, VLC, ffmpeg and Home Assistant show. Each client takes the newest picture whenever it has taken the last; the
// ones between are dropped for it alone and counted. Overlays are painted only while somebody wants them.
import type { Log } from '../log.ts'
import type { Painter } from '../supervise/painter.ts'
import type { MaskMessage, OutputStats } from '../wire.ts'
import type { Output } from './output.ts'

export type View = 'picture' | 'overlay'

export interface StreamOutput extends Output {
  /** The body of an answer without an end; undefined where too many watch already. `abandon` breaks a dead connection off. */
  open(camera: string, view: View, abandon: () => void): ReadableStream<Uint8Array> | undefined
  /** The newest picture of a camera; undefined before the first one. Rejects where it cannot be painted. */
  newest(camera: string, view: View): Promise<Uint8Array | undefined>
  counts(): OutputStats['streams']
}

export interface StreamSettings {
  painter: Painter
  log: Log
  /** The first client came, or the last one went. */
  watched(watched: boolean): void
}

export const mostStreams = 32
/** A client that took nothing for so long is gone, or might as well be. */
const patienceMs = 30_000
const boundary = 'roadmask'
export const streamType = `multipart/x-mixed-replace; boundary=${boundary}`

interface Client {
  camera: string
  view: View
  /** Newest picture that was not taken yet. */
  pending: Uint8Array | undefined
  /** It waits for the next one. */
  wake: (() => void) | undefined
  tookMs: number
  abandon(): void
  end(): void
}

/** Starts with nobody watching. */
export function serveStreams({ painter, log, watched }: StreamSettings): StreamOutput {
  const clients = new Set<Client>()
  const messages = new Map<string, MaskMessage>() // the newest with a picture, by camera
  const last = new Map<string, Uint8Array>() // the newest overlay that was finished
  let dropped = 0

  /** The overlay of a camera's newest message; where it was overtaken in the queue, the one before. */
  async function overlay(camera: string): Promise<Uint8Array | undefined> {
    const message = messages.get(camera)
    if (!message) return undefined
    const jpeg = await painter.overlay(message)
    if (jpeg) last.set(camera, jpeg)
    return jpeg ?? last.get(camera)
  }

  function give(camera: string, view: View, jpeg: Uint8Array) {
    for (const client of clients) {
      if (client.camera !== camera || client.view !== view || client.pending === jpeg) continue
      if (client.pending) dropped++
      client.pending = jpeg
      client.wake?.()
    }
  }

  async function giveOverlay(camera: string) {
    try {
      const jpeg = await overlay(camera)
      if (jpeg) give(camera, 'overlay', jpeg)
    } catch (error) {
      log.debug(error, 'no overlay')
    }
  }

  function remove(client: Client) {
    if (!clients.delete(client)) return
    if (clients.size === 0) watched(false)
  }

  const watch = setInterval(() => {
    for (const client of clients) if (client.pending && performance.now() - client.tookMs > patienceMs) client.abandon()
  }, 1000)

  const newest = async (camera: string, view: View) => (view === 'overlay' ? overlay(camera) : messages.get(camera)?.picture)

  return {
    newest,
    counts: () => ({ clients: clients.size, dropped: { slow_client: dropped } }),
    open(camera, view, abandon) {
      if (clients.size >= mostStreams) return undefined
      let client: Client
      const body = new ReadableStream<Uint8Array>(
        {
          start(controller) {
            const end = () => {
              remove(client)
              client.pending = undefined
              client.wake?.()
              controller.close()
            }
            client = { camera, view, pending: undefined, wake: undefined, tookMs: performance.now(), abandon, end }
            clients.add(client)
            if (clients.size === 1) watched(true)
            controller.enqueue(Buffer.from(`--${boundary}\r\n`))
          },
          async pull(controller) {
            if (!client.pending) await new Promise<void>((wake) => (client.wake = wake))
            client.wake = undefined
            if (!client.pending) return // it has ended
            controller.enqueue(part(client.pending))
            client.pending = undefined
            client.tookMs = performance.now()
          },
          cancel: () => remove(client),
        },
        { highWaterMark: 0 }, // a picture is handed over when the socket takes it, so that it is the newest then
      )
      newest(camera, view).then(
        (jpeg) => jpeg && give(camera, view, jpeg),
        (error) => log.debug(error, 'no overlay'),
      )
      return body
    },
    mask(message) {
      if (!message.picture.length) return
      const { camera } = message.result
      messages.set(camera, message)
      give(camera, 'picture', message.picture)
      for (const client of clients) if (client.camera === camera && client.view === 'overlay') return void giveOverlay(camera)
    },
    status() {},
    event() {},
    stats() {},
    settings({ cameras }) {
      const gone = (camera: string) => !cameras.some(({ name }) => name === camera)
      for (const kept of [messages, last]) for (const camera of kept.keys()) if (gone(camera)) kept.delete(camera)
      for (const client of clients) if (gone(client.camera)) client.end()
    },
    async close() {
      clearInterval(watch)
      for (const client of clients) client.end()
    },
  }
}

/** With the next boundary at once: browsers show a picture when they have seen where it ends. */
const part = (jpeg: Uint8Array) =>
  Buffer.concat([
    Buffer.from(`Content-Type: image/jpeg\r\nContent-Length: ${jpeg.length}\r\n\r\n`),
    jpeg,
    Buffer.from(`\r\n--${boundary}\r\n`),
  ])
