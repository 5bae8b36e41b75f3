// When a camera that says nothing counts as lost: after 2 s, unless the settings say otherwise or its frames come seldom.
// An RTSP camera may take long to answer, and until it sends a picture that stands alone.

export const usualPatienceMs = 2000
const firstMs = 15_000
/** So many times the usual pause between two frames is silence. */
const pauses = 3
/** Whoever looked as late as this was held up itself, say on a busy machine, and had no ears for the camera. */
const lateMs = 1000

/** What to wait for the first picture. */
export const firstPatienceMs = (timeoutMs: number | undefined): number => Math.max(firstMs, 3 * (timeoutMs ?? usualPatienceMs))

export interface Silence {
  /** A frame came. */
  heard(): void
  /** To be called often: how long the camera may be silent, where it has been silent for longer; else undefined. */
  broken(): number | undefined
}

/** Listens from now on. `nowMs` is a clock that never goes back. */
export function silence(timeoutMs: number | undefined, nowMs: () => number = () => performance.now()): Silence {
  let lastMs = nowMs()
  let lookedMs = nowMs()
  let frames = 0
  let pauseMs = 0 // between frames, of late

  return {
    heard() {
      const now = nowMs()
      if (frames > 0) pauseMs += (now - lastMs - pauseMs) / Math.min(frames, 8)
      frames++
      lastMs = now
    },
    broken() {
      const now = nowMs()
      if (now - lookedMs > lateMs) lastMs = Math.min(now, lastMs + now - lookedMs)
      lookedMs = now
      const patience = frames < 2 ? firstPatienceMs(timeoutMs) : (timeoutMs ?? Math.max(usualPatienceMs, pauses * pauseMs))
      return now - lastMs > patience ? patience : undefined
    },
  }
}
