// How frames travel from the camera processes to the one that segments: a Unix socket, on which the segmenting side asks and
// the camera answers with its newest frame, so that no frame waits in a buffer while a newer one is there.
// A request is one byte. A frame is u32 length of the JSON, u32 length of the pixels (big-endian), `FrameHeader` as JSON, RGB.
import { createServer, type Server, type Socket } from 'node:net'
import { monotonicMicros } from '../monotonic.ts'
import type { Region } from '../wire.ts'

export interface FrameHeader {
  camera: string
  /** The camera process, which counts its frames. */
  process: number
  /** Number of the frame, from 1. */
  frame: number
  /** Capture time since 1970, microseconds. */
  capturedMicros: number
  /** The same on the monotonic clock, which all processes of a machine share. */
  capturedMonotonicMicros: number
  cameraWidth: number
  cameraHeight: number
  region: Region
  seen: Region
  /** Whether a JPEG of this frame is there or on its way. */
  picture: boolean
  /** The source waits: its next frame is the same whenever it is asked for, and several may be asked for at once. */
  held?: boolean
}

/** RGB of the model's size, with its facts. */
export interface ReceivedFrame {
  header: FrameHeader
  pixels: Uint8Array
  receivedMonotonicMicros: number
}

const request = Buffer.from([1])
/** Neither a header nor a picture is larger; longer means that the other side speaks something else. */
const longestHeader = 64 * 1024
const longestPixels = 256 * 1024 * 1024

/** A frame as it goes over the socket. */
export function writeFrame(socket: Socket, header: FrameHeader, pixels: Uint8Array): void {
  const json = Buffer.from(JSON.stringify(header))
  const lengths = Buffer.alloc(8)
  lengths.writeUInt32BE(json.length, 0)
  lengths.writeUInt32BE(pixels.length, 4)
  socket.cork()
  socket.write(lengths)
  socket.write(json)
  socket.write(pixels)
  socket.uncork()
}

/** Reads frames out of a stream of chunks. Each call gives the frames that a chunk completed. Throws on nonsense. */
export function frameReader(): (chunk: Buffer) => ReceivedFrame[] {
  const lengths = Buffer.alloc(8)
  let have = 0
  let body: Buffer | undefined
  let jsonLength = 0

  return (chunk) => {
    const frames: ReceivedFrame[] = []
    for (let at = 0; at < chunk.length; ) {
      const into = body ?? lengths
      const copied = chunk.copy(into, have, at)
      at += copied
      have += copied
      if (have < into.length) continue
      have = 0
      if (!body) {
        jsonLength = lengths.readUInt32BE(0)
        const pixelLength = lengths.readUInt32BE(4)
        if (jsonLength > longestHeader || pixelLength > longestPixels)
          throw new Error(`Expected a frame, found a header of ${jsonLength} and pixels of ${pixelLength} bytes`)
        body = Buffer.allocUnsafeSlow(jsonLength + pixelLength)
      } else {
        frames.push({
          header: JSON.parse(body.toString('utf8', 0, jsonLength)) as FrameHeader,
          pixels: body.subarray(jsonLength),
          receivedMonotonicMicros: monotonicMicros(),
        })
        body = undefined
      }
    }
    return frames
  }
}

/** A camera's connection, as the segmenting side sees it. */
export interface FrameSource {
  /** Asks for the newest frame; it comes when there is one. */
  request(): void
}

export interface FrameListener {
  frame(frame: ReceivedFrame, source: FrameSource): void
  gone(source: FrameSource): void
}

/** Listens for camera processes on a Unix socket and asks each for its first frame. */
export async function listenForFrames(path: string, on: FrameListener): Promise<Server> {
  const server = createServer((socket) => {
    const source: FrameSource = { request: () => socket.writable && socket.write(request) }
    const read = frameReader()
    socket.on('data', (chunk) => {
      try {
        for (const frame of read(chunk)) on.frame(frame, source)
      } catch (error) {
        console.error((error as Error).message)
        socket.destroy()
      }
    })
    socket.on('error', () => {}) // a camera process that died; `close` follows
    socket.on('close', () => on.gone(source))
    source.request()
  })
  await new Promise<void>((listening, failed) => server.once('error', failed).listen(path, listening))
  return server
}
