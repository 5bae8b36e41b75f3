// Which frame the model gets next: the newest. Where several came since the last one, a frame with a picture for people is
// taken instead if it is hardly older, so that pictures keep coming with their masks while the model is the slower one.

export interface Frame {
  /** Counts from 1. */
  number: number
  /** Presentation time of the stream, ns: what a frame and its picture share. */
  pts: bigint
  /** Capture time on the monotonic clock. */
  monotonicMicros: number
  /** Capture time since 1970. */
  wallMicros: number
  /** As it came from GStreamer, of the model's size. */
  buffer: Uint8Array
  /** JPEG of the same frame, once it is there. */
  picture?: Uint8Array
}

/** A frame that was taken, without its bytes. */
type Gone = Pick<Frame, 'number' | 'pts'>

/** Frames kept to choose from; a picture arrives within one or two frames of its frame. */
const kept = 4

export interface FrameChoice {
  add(frame: Frame): void
  /** The picture of a frame; tells which frame if that was taken already, so that its picture can follow it. */
  addPicture(pts: bigint, picture: Uint8Array): Gone | undefined
  /** Whether `take` would give one. */
  waiting(): boolean
  /** The frame to segment now; undefined where there is none that is newer than the last one taken. */
  take(): Frame | undefined
}

/** `patienceMicros`: how much older than the newest frame one with a picture may be. */
export function frameChoice(patienceMicros: number): FrameChoice {
  let frames: Frame[] = []
  let taken: Gone[] = []
  const early = new Map<bigint, Uint8Array>() // a picture may overtake its frame

  return {
    add(frame) {
      const picture = early.get(frame.pts)
      if (picture) frame.picture = picture
      early.delete(frame.pts)
      frames = [...frames, frame].slice(-kept)
    },
    addPicture(pts, picture) {
      const waiting = frames.find((frame) => frame.pts === pts)
      if (waiting) waiting.picture = picture
      const gone = taken.find((frame) => frame.pts === pts)
      if (!waiting && !gone) {
        early.set(pts, picture)
        for (const old of [...early.keys()].slice(0, -kept)) early.delete(old)
      }
      return gone
    },
    waiting: () => frames.length > 0,
    take() {
      const newest = frames.at(-1)
      if (!newest) return undefined
      const pictured = frames.findLast(
        (frame) => frame.picture && newest.monotonicMicros - frame.monotonicMicros <= patienceMicros,
      )
      const chosen = pictured ?? newest
      frames = frames.filter(({ number }) => number > chosen.number)
      taken = [...taken, { number: chosen.number, pts: chosen.pts }].slice(-kept)
      return chosen
    },
  }
}
