// A device without a battery for its clock starts in the past, until NTP sets it. All that is measured here runs on the
// monotonic clock and does not notice; whoever compares times of before and after has to know.
import { type Clocks, systemClocks } from './capture/capture-clock.ts'
import type { Log } from './log.ts'

const lookEveryMs = 500
/** Less is how NTP keeps a clock right. */
const stepMicros = 500_000

/** Says it, and calls back, when the wall clock was set (or the machine slept), with how far it went. Returns how to end that. */
export function watchClock(
  stepped: (micros: number) => void,
  log: Pick<Log, 'warn'>,
  clocks: Clocks = systemClocks,
): () => void {
  const offset = () => clocks.wallMicros() - clocks.monotonicMicros()
  let before = offset()
  const timer = setInterval(() => {
    const now = offset()
    const step = now - before
    before = now
    if (Math.abs(step) < stepMicros) return
    const said = 'the clock was set, or the machine slept: times before this are off by so much'
    log.warn({ step_ms: Math.round(step / 1000) }, said)
    stepped(step)
  }, lookEveryMs)
  return () => clearInterval(timer)
}
