// Frames of which every one is given, in order: of a replay, and of a video that is played at the model's pace. The source
// is held up while one waits.
import type { FrameChoice } from './frame-choice.ts'

export interface FrameLine extends FrameChoice {
  /** Calls back when there is room for another frame. */
  whenRoom(pull: () => void): void
  /** No frame comes any more. Calls back when the last one was taken. */
  end(taken: () => void): void
}

/** `choice` keeps the frame that waits. */
export function frameLine(choice: FrameChoice): FrameLine {
  let pull: (() => void) | undefined
  let ended: (() => void) | undefined
  const look = () => {
    if (choice.waiting()) return
    const now = pull
    pull = undefined
    now?.()
    ended?.()
  }
  return {
    ...choice,
    take() {
      const frame = choice.take()
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
