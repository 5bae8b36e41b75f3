// The agent as the page knows it: one line for all views, what was told on it last, and who wants masks of which cameras. Where
// nobody wants any, none are sent.
import type { CameraEvent, CameraStatus, Hello, MaskMessage, SocketMessage, Stats } from '../../edge-agent/wire.ts'
import { type Connection, type Link, openConnection } from '../connection.ts'

export interface Hearing {
  link(link: Link, before: Link): void
  hello(hello: Hello): void
  status(status: CameraStatus): void
  stats(stats: Stats): void
  event(event: CameraEvent): void
  /** A message that could not be read; it was left out. */
  unreadable(error: Error): void
  /** Whoever sees the page next may see nothing of what was told. */
  forgotten(): void
}

export interface Agent {
  /** From now on; what is known already is told at once. Gives back what ends it. */
  hear(hearing: Partial<Hearing>): () => void
  /** Masks of these cameras, or of all. Gives back what ends it. */
  watch(cameras: 'all' | readonly string[], on: (message: MaskMessage) => void): () => void
  link(): Link
  /** As the agent named them, each with its newest state. */
  cameras(): CameraStatus[]
  pause: Connection['pause']
  resume: Connection['resume']
  checkSilence: Connection['checkSilence']
  forget(): void
}

type Watching = { cameras: 'all' | readonly string[]; on: (message: MaskMessage) => void }

export function openAgent(url: URL): Agent {
  const hearings = new Set<Partial<Hearing>>()
  const watchings = new Set<Watching>()
  let link: Link = { state: 'paused' }
  let hello: Hello | undefined
  let stats: Stats | undefined

  const wanted = () => {
    const all = [...watchings].map(({ cameras }) => cameras)
    return all.includes('all') ? 'all' : [...new Set(all.flat())]
  }
  const connection = openConnection(url, {
    link(next) {
      const before = link
      link = next
      if (next.state === 'open') connection.wish({ masks: wanted() })
      for (const hearing of hearings) hearing.link?.(next, before)
    },
    message(message: SocketMessage) {
      if (message.type === 'hello') hello = message
      else if (message.type === 'stats') stats = message
      else if (message.type === 'status' && hello) {
        const { type, ...status } = message
        hello = { ...hello, cameras: hello.cameras.map((known) => (known.camera === status.camera ? status : known)) }
      }
      for (const hearing of hearings) {
        if (message.type === 'hello') hearing.hello?.(message)
        else if (message.type === 'status') hearing.status?.(message)
        else if (message.type === 'stats') hearing.stats?.(message)
        else if (message.type === 'event') hearing.event?.(message.event)
      }
    },
    mask(message) {
      for (const { cameras, on } of watchings) if (cameras === 'all' || cameras.includes(message.result.camera)) on(message)
    },
    unreadable(error) {
      for (const hearing of hearings) hearing.unreadable?.(error)
    },
  })

  return {
    hear(hearing) {
      hearings.add(hearing)
      hearing.link?.(link, link)
      if (hello) hearing.hello?.(hello)
      if (stats) hearing.stats?.(stats)
      return () => hearings.delete(hearing)
    },
    watch(cameras, on) {
      const watching = { cameras, on }
      watchings.add(watching)
      connection.wish({ masks: wanted() })
      return () => {
        watchings.delete(watching)
        connection.wish({ masks: wanted() })
      }
    },
    link: () => link,
    cameras: () => hello?.cameras ?? [],
    pause: connection.pause,
    resume: connection.resume,
    checkSilence: connection.checkSilence,
    forget() {
      hello = stats = undefined
      for (const hearing of hearings) hearing.forgotten?.()
    },
  }
}
