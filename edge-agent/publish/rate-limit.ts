// Lets at most so many messages a second through, evenly. Two limits of the same rate that see the same moments agree.

/** Masks of one batch come together: so long may a quick limit save up. */
const savedMs = 100

/** `allow()` says whether a message may go now. A rate of 0 lets none through. */
export function rateLimit(perSecond: number, nowMs: () => number = () => performance.now()): () => boolean {
  if (perSecond === 0) return () => false
  const everyMs = 1000 / perSecond
  const saved = everyMs < savedMs ? savedMs : 0
  let dueMs = Number.NEGATIVE_INFINITY
  return () => {
    const now = nowMs()
    if (now < dueMs) return false
    // On from when it was due, so that the mean rate is kept although frames come in steps; afresh after a pause.
    dueMs = (now - dueMs < everyMs ? dueMs : Math.max(dueMs, now - saved)) + everyMs
    return true
  }
}
