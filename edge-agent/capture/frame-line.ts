// Frames in a replay: all of them, in order. The source is held up while some wait.
import type { Frame, FrameChoice } from './frame-choice.ts'

/** Frames that may wait before no more are pulled. */
const longest = 2

export interface FrameLine extends FrameChoice {
  /** Calls back when there is room for another frame. */
  whenRoom(pull: () => void): void
  /** No frame comes any more. Calls back when the last one was taken. */
  end(taken: () => void): void
}

export function frameLine(): FrameLine {
  const frames: Frame[] = []
  let pull: (() => void) | undefined
  let ended: (() => void) | undefined
  const look = () => {
    if (frames.length < longest && pull) {
      const now = pull
      pull = undefined
      now()
    }
    if (frames.length === 0) ended?.()
  }
  return {
    add: (frame) => void frames.push(frame),
    addPicture: () => undefined,
    waiting: () => frames.length > 0,
    take() {
      const frame = frames.shift()
      look()
      return frame
    },
    whenRoom(next) {
      pull = next
      look()
    },
    end(taken) {
      ended = taken
      look()
    },
  }
}
