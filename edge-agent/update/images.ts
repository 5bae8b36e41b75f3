// An image of the agent as a release: the wish goes to image-wanted.json in the state folder, where the host's own unit finds it,
// since a container cannot put another one in its place; image-state.json is the answer.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { Envelope, Release } from '../../deploy/release.ts'
import type { Log } from '../log.ts'
import type { State } from '../state.ts'
import type { ReleaseName } from '../wire.ts'
import type { Progress } from './progress.ts'
import type { Store } from './store.ts'

const Answer = z.object({
  image: z.string(),
  state: z.enum(['downloading', 'trial', 'settled', 'refused', 'failed', 'rolled_back']),
  reason: z.string().default(''),
  /** The one that runs. */
  current: z.string().optional(),
})
type Answer = z.infer<typeof Answer>

/** image-wanted.json. */
interface Wanted extends ReleaseName {
  image: string
  released: string
  /** With its signature: the host's unit does not take the agent's word. */
  release: Envelope
}

const lookEveryMs = 2000
const ended: Answer['state'][] = ['settled', 'refused', 'rolled_back']

export interface Images {
  /** Id of the release that was wanted last. */
  wanted(): string | undefined
  /** Throws where the disk does not take it; then nothing changed. */
  want(id: string, release: Extract<Release, { kind: 'image' }>, envelope: Envelope): void
  /** The image that runs, where the host says so. */
  own(): string | undefined
  stop(): void
}

interface Surroundings {
  store: Pick<Store, 'kept' | 'change'>
  state: State
  log: Log
  report(progress: Progress): void
}

export function makeImages({ store, state, log, report }: Surroundings): Images {
  let wanted = state.read<Wanted>('image-wanted')
  let answered = ''
  let own: string | undefined

  function look() {
    let text = ''
    try {
      text = readFileSync(join(state.folder, 'image-state.json'), 'utf8')
    } catch {}
    if (text === answered || text.length > 64 * 1024) return
    answered = text
    const answer = parsed(text)
    if (!answer) return log.warn('image-state.json in the state folder is not what the host unit writes')
    own = answer.current || own
    if (!wanted || answer.image !== wanted.image) return
    const { id, name, kind } = wanted
    if (ended.includes(answer.state) && !store.kept().done.includes(id)) store.change({ done: [...store.kept().done, id] })
    report({ state: answer.state, release: { id, name, kind }, ...(answer.reason && { reason: answer.reason }) })
  }

  /** Nothing older is taken from now on. Written behind the wish: what the disk did not take of that may be offered again. */
  function accept() {
    const { accepted } = store.kept()
    if (!wanted || wanted.released === accepted.image) return
    try {
      store.change({ accepted: { ...accepted, image: wanted.released } })
    } catch (error) {
      log.warn(`that image ${wanted.name} was accepted is not written, and is at the next start: ${(error as Error).message}`)
    }
  }
  accept()

  const timer = setInterval(look, lookEveryMs)
  setImmediate(look)
  return {
    wanted: () => wanted?.id,
    want(id, { image, name, released }, release) {
      const next: Wanted = { id, name, kind: 'image', image, released, release }
      state.write('image-wanted', next)
      wanted = next
      accept()
      report({
        state: 'verifying',
        release: { id, name, kind: 'image' },
        reason: 'handed to the host, whose unit changes images',
      })
    },
    own: () => own,
    stop: () => clearInterval(timer),
  }
}

function parsed(text: string): Answer | undefined {
  try {
    return Answer.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}
