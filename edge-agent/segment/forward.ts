// Single frames with their masks on their way to a model that runs beside this one, whenever it asks for one: nothing waits for it.
import { connect, type Socket } from 'node:net'
import { type FrameHeader, type ReceivedFrame, writeFrame } from './frame-socket.ts'

/** What this model made of a frame. */
export interface Made {
  confidence: number
  /** Frames that were in its batch. */
  batch: number
  /**
   * Time of this model's call for a frame while the other one worked on the frame before: what one of them takes of the machine
   * the other one lacks, so that both are measured alike.
   */
  inferMs?: number | undefined
}

export type MadeHeader = FrameHeader & { made: Made }

export interface Forward {
  /** Where the other model listens; undefined: there is none. */
  to(path: string | undefined): void
  /** A call took so long. */
  took(ms: number, batch: number): void
  /** `mask`: class ids [height, width]. Sent where it was asked for. */
  offer(frame: ReceivedFrame, mask: Int32Array, made: Pick<Made, 'confidence' | 'batch'>): void
}

/** Starts with nobody to send to. */
export function makeForward(): Forward {
  let socket: Socket | undefined
  let asked = false
  let measuring = false
  let inferMs: number | undefined
  return {
    to(path) {
      socket?.destroy()
      socket = undefined
      asked = measuring = false
      inferMs = undefined
      if (path === undefined) return
      const mine = connect(path)
      socket = mine
      mine.on('data', () => {
        if (socket === mine) asked = true
      })
      mine.on('error', () => {}) // that process died; main tells where the next one listens
    },
    took(ms, batch) {
      if (measuring) inferMs = ms / batch
      measuring = false
    },
    offer({ header, pixels }, mask, made) {
      if (!asked || !socket?.writable) return
      asked = false
      measuring = true
      writeFrame(
        socket,
        { ...header, made: { ...made, inferMs } } as MadeHeader,
        Buffer.concat([pixels, Uint8Array.from(mask)]),
      )
    },
  }
}
