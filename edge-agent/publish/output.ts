// What every way out has in common. None of them may throw into the pipeline or hold it up: what a receiver cannot take in
// time is dropped there and counted.
import type { Config } from '../config.ts'
import type { CameraEvent, CameraStatus, MaskMessage, Stats } from '../wire.ts'

export interface Output {
  mask(message: MaskMessage): void
  status(status: CameraStatus): void
  event(event: CameraEvent): void
  stats(stats: Stats): void
  /** The settings changed while the agent runs: cameras came or went, a rate is another one. The cameras run so already. */
  settings(config: Config): void
  /** Messages that were not sent because nobody could take them. */
  dropped(): number
  close(): Promise<void>
}

/** All of them as one. */
export function toAll(outputs: readonly Output[]): Output {
  const each = (act: (output: Output) => void) => {
    for (const output of outputs) act(output)
  }
  return {
    mask: (message) => each((output) => output.mask(message)),
    status: (status) => each((output) => output.status(status)),
    event: (event) => each((output) => output.event(event)),
    stats: (stats) => each((output) => output.stats(stats)),
    settings: (config) => each((output) => output.settings(config)),
    dropped: () => outputs.reduce((sum, output) => sum + output.dropped(), 0),
    close: async () => void (await Promise.all(outputs.map((output) => output.close()))),
  }
}
