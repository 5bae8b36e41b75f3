// When a frame left the decoder, and so how old its mask is where it arrives. The agent itself cannot know: it takes the
// least delay that it sees for none. Here the video's frames are evenly spaced and play by the clock, so frame k leaves
// the decoder (and the wait for its time behind it) k periods after the pipeline's zero, which GStreamer tells.
import type { Seen } from './agent.ts'

/** By stage, in milliseconds, a value for each mask. */
export type Stages = Record<string, number[]>

/** By how much the two clocks of a message and its arrival may disagree: Date.now() has whole milliseconds. */
const slackMicros = 2000

/** The values of each stage that any of the masks has. */
export function byStage(masks: readonly object[]): Stages {
  const stages: Stages = {}
  for (const mask of masks)
    for (const [stage, ms] of Object.entries(mask)) {
      stages[stage] ??= []
      stages[stage].push(ms)
    }
  return stages
}

/**
 * Latencies of masks of one camera that plays a video of `fps`. `capture` begins at the decoder; `send` ends at the viewer;
 * `whole` is all of them, and `own` all but inference and the wait for it.
 * @param zeroMicros of the pipeline, on the monotonic clock @param wallOffsetMicros since 1970 minus monotonic
 */
export function stagesOf(masks: readonly Seen[], fps: number, zeroMicros: number, wallOffsetMicros: number): Stages {
  const period = 1e6 / fps
  return byStage(
    masks.map(({ result: { captured_us, timings_ms }, atMicros }) => {
      const taken = captured_us - wallOffsetMicros
      const decoded = zeroMicros + period * Math.floor((taken - zeroMicros + slackMicros) / period)
      const whole = (atMicros - decoded) / 1000
      const timings = { ...timings_ms, capture: timings_ms.capture + (taken - decoded) / 1000 }
      const send = whole - Object.values(timings).reduce((sum, ms) => sum + ms, 0)
      return { ...timings, send, own: whole - timings.infer - timings.wait, whole }
    }),
  )
}
