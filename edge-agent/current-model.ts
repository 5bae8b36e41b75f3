// The bundle whose masks go out now. Whoever tells its name or shows its card asks here, since another one may take its place.
import type { Bundle } from '../deploy/bundle.ts'

export interface CurrentModel {
  bundle(): Bundle
  name(): string
  /** From now on masks are made by this one. */
  switched(bundle: Bundle): void
  /** Called after each switch to another bundle. */
  onSwitch(switched: () => void): void
}

export function makeCurrentModel(bundle: Bundle): CurrentModel {
  let running = bundle
  const listeners: (() => void)[] = []
  return {
    bundle: () => running,
    name: () => running.manifest.name,
    switched(next) {
      if (next.dir === running.dir) return
      running = next
      for (const switched of listeners) switched()
    },
    onSwitch: (switched) => void listeners.push(switched),
  }
}
