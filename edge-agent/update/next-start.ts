// The simplest trial there is: the new model runs from the next start of the agent on.
import type { Store } from './store.ts'
import type { Trial, Updates } from './updates.ts'

export function atNextStart(store: Store, { report }: Pick<Updates, 'report'>): Trial {
  return {
    candidate({ slot, release }) {
      store.switchTo(slot)
      report({ state: 'trial', release, reason: 'it runs from the next start of the agent on' })
    },
    switchNow() {},
    drop() {},
    rollBack(reason) {
      const { current } = store.kept()
      const release = { id: current?.release ?? '', name: current?.name ?? '', kind: 'bundle' } as const
      store.goBack({ release, reason })
      report({ state: 'rolled_back', release, reason })
    },
  }
}
