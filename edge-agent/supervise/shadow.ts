// The process of a model that runs beside the one whose masks go out, as main sees it. It is not started again by itself.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Bundle } from '../../deploy/bundle.ts'
import type { Log } from '../log.ts'
import { build } from '../paths.ts'
import type { Compared, FromShadow, ToShadow } from '../segment/messages.ts'
import type { Config } from '../settings/config.ts'
import { batchesOf, loadTimeoutMs, segmentEnvironment } from './inference.ts'
import { residentMib, startChild, stopGraceMs } from './supervise.ts'

export interface Shadow {
  stop(): Promise<void>
}

export interface ShadowListener {
  /** Frames with their masks are taken at this Unix socket. */
  ready(socket: string): void
  /** `memoryMib`: what its process takes now. */
  compared(compared: Compared, memoryMib: number): void
  /** It ended. `refused`: the model cannot be used, and starting it again would not help. */
  broke(reason: string, refused: boolean): void
}

/** Starts `bundle` beside `against`, whose masks go out. */
export async function startShadow(
  config: Pick<Config, 'compute' | 'cameras' | 'segment'>,
  { bundle, against, log }: { bundle: Bundle; against: Bundle; log: Log },
  on: ShadowListener,
): Promise<Shadow> {
  const dir = await mkdtemp(join(tmpdir(), 'roadmask-')) // mode 0700: nobody else sends frames
  const socket = join(dir, 'shadow.sock')
  let refusal: string | undefined
  let stopped = false
  const program = join(build, 'edge-agent/segment/shadow.js')
  const child = startChild<ToShadow, FromShadow>(program, segmentEnvironment(config.compute), log, {
    async message(message) {
      if (message.type === 'refused') {
        refusal = message.reason
        child.kill() // one that found no GPU would stay
      }
      if (message.type === 'ready') {
        clearTimeout(tooLong)
        if (!stopped) on.ready(socket)
      }
      if (message.type !== 'compared') return
      const memory = (child.pid && (await residentMib(child.pid))) || 0
      if (!stopped) on.compared(message, memory)
    },
    ended(reason) {
      clearTimeout(tooLong)
      rm(dir, { recursive: true, force: true }).catch(() => {})
      if (!stopped) on.broke(refusal ?? `its process ${reason}`, refusal !== undefined)
    },
  })
  const tooLong = setTimeout(() => child.kill(), loadTimeoutMs)
  child.send({
    type: 'start',
    bundle: bundle.dir,
    socket,
    compute: config.compute,
    batches: batchesOf(config),
    against: against.manifest,
    timeoutMs: config.segment.timeout_ms,
  })
  return {
    stop() {
      stopped = true
      return child.stop(stopGraceMs)
    },
  }
}
