// What every way out has in common. None of them may throw into the pipeline or hold it up: what a receiver cannot take in
// time is dropped there and counted.
import type { Config } from '../settings/config.ts'
import type { CameraEvent, CameraStatus, MaskMessage, Stats } from '../wire.ts'

/** An event that has no number yet. */
export type NewEvent = Omit<CameraEvent, 'id' | 'sequence'>

export interface Output {
  mask(message: MaskMessage): void
  status(status: CameraStatus): void
  event(event: CameraEvent): void
  stats(stats: Stats): void
  /** The settings changed while the agent runs: cameras came or went, a rate is another one. The cameras run so already. */
  settings(config: Config): void
  close(): Promise<void>
}

/** All of them as one, and the place where an event gets its number. */
export function toAll(outputs: readonly Output[], number: (event: NewEvent) => CameraEvent) {
  const each = (act: (output: Output) => void) => {
    for (const output of outputs) act(output)
  }
  return {
    mask: (message: MaskMessage) => each((output) => output.mask(message)),
    status: (status: CameraStatus) => each((output) => output.status(status)),
    event(event: NewEvent) {
      const numbered = number(event)
      each((output) => output.event(numbered))
    },
    stats: (stats: Stats) => each((output) => output.stats(stats)),
    settings: (config: Config) => each((output) => output.settings(config)),
    close: async () => void (await Promise.all(outputs.map((output) => output.close()))),
  }
}
