// A thread that renders frames of the demo drive.
import { type Drive, driveFrame, makeDrive } from './drive.ts'
import { makeRenderer, type Rendered } from './render.ts'
import { answerJobs } from './threads.ts'

export interface FrameJob {
  seed: number
  seconds: number
  width: number
  height: number
  /** Counts from 0, and when it is, in seconds. */
  index: number
  time: number
}

let made: { drive: Drive; buffers: ReturnType<typeof makeRenderer> } | undefined

answerJobs(async ({ seed, seconds, width, height, time }: FrameJob): Promise<Rendered> => {
  made ??= { drive: makeDrive({ seed, seconds, width, height }), buffers: makeRenderer(width, height) }
  return driveFrame(made.drive, made.buffers, time)
})
