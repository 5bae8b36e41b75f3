// A state that changes only when what speaks for it has held for long enough. Pure: the clock is passed in.

export interface Held {
  on: boolean
  /** Since when everything has spoken for the other state. */
  doubtedMs?: number
}

/** The state after one more look. `wish`: whether it speaks for on or off; undefined, in between, for what is. */
export function hold(held: Held, wish: boolean | undefined, nowMs: number, holdMs: number): Held {
  if (wish === undefined || wish === held.on) return { on: held.on }
  const doubtedMs = held.doubtedMs ?? nowMs
  return nowMs - doubtedMs >= holdMs ? { on: wish } : { on: held.on, doubtedMs }
}
