// Spans of ten seconds, of which those of a minute and of a quarter of an hour are made: each kind in a ring of its own, so
// that what is fine goes back hours and what is coarse goes back months.
import { type Bounds, openRing, type Ring } from './ring.ts'
import { addSpan, makeTally, type Span, spanOf, type Tally } from './tally.ts'

/** The part of the room that each has. */
const kinds = [
  { name: 'seconds', seconds: 10, share: 1 / 4 },
  { name: 'minutes', seconds: 60, share: 1 / 4 },
  { name: 'quarters', seconds: 900, share: 1 / 2 },
] as const

export const finest = kinds[0].seconds

export interface Levels {
  /** Takes spans of ten seconds, in the order that they happened. */
  add(spans: Span[]): Promise<void>
  /** The coarsest that is as fine as `step` seconds, or a coarser one where that does not go back so far; see `read`. */
  choose(from: number, step: number): Promise<Level>
  /** Removes what is older, file by file. */
  forget(before: number): Promise<void>
}

export interface Level {
  seconds: number
  /** Spans from one time to another; `late`: those that were not added yet. */
  read(from: number, to: number, late: () => Span[]): AsyncGenerator<Span[]>
}

/** The spans of a moment that goes on: of all cameras, for all are written together. */
interface Open {
  t: number
  tallies: Map<string, Tally>
}

const startOf = (t: number, seconds: number) => Math.floor(t / seconds) * seconds
const closed = ({ t, tallies }: Open): Span[] => [...tallies].map(([camera, tally]) => spanOf(tally, t, camera))

/** Opens them; `bounds`: of all together, as they are now. */
export async function openLevels(folder: string, bounds: () => Bounds): Promise<Levels> {
  const levels: { seconds: number; ring: Ring<Span>; open: Open | undefined }[] = []
  for (const { name, seconds, share } of kinds) {
    const ring = await openRing<Span>(folder, name, () => ({ ...bounds(), bytes: share * bounds().bytes }))
    levels.push({ seconds, ring, open: undefined })
  }
  const [fine, ...coarse] = levels as [(typeof levels)[0], ...typeof levels]

  /** Adds to the span that goes on, and returns those that are over. */
  function gather(level: (typeof levels)[0], span: Span): Span[] {
    const t = startOf(span.t, level.seconds)
    const over = level.open && level.open.t !== t ? closed(level.open) : []
    if (level.open?.t !== t) level.open = { t, tallies: new Map() }
    const { tallies } = level.open!
    const tally = tallies.get(span.c) ?? makeTally()
    tallies.set(span.c, tally)
    addSpan(tally, span)
    return over
  }

  // What had not become a longer span when the agent ended does now.
  for (const level of coarse) {
    const newest = await level.ring.newest()
    const since = newest === undefined ? Number.NEGATIVE_INFINITY : newest + level.seconds
    for await (const spans of fine.ring.read(since, Number.POSITIVE_INFINITY))
      await level.ring.append(spans.flatMap((span) => gather(level, span)))
  }

  return {
    async add(spans) {
      await Promise.all([
        fine.ring.append(spans),
        ...coarse.map((level) => level.ring.append(spans.flatMap((span) => gather(level, span)))),
      ])
    },
    async choose(from, step) {
      const reach = await Promise.all(levels.map(async ({ ring }) => (await ring.oldest()) ?? Number.POSITIVE_INFINITY))
      let chosen = Math.max(0, levels.filter(({ seconds }) => seconds <= step).length - 1)
      for (let i = chosen + 1; i < levels.length; i++)
        if (reach[chosen]! > from && reach[i]! + levels[i]!.seconds < reach[chosen]!) chosen = i
      const level = levels[chosen]!
      const { seconds, ring } = level
      return {
        seconds,
        async *read(from, to, late) {
          // Before the first file is awaited, so that nothing is seen in two places or in none.
          const goingOn = [...(level.open ? closed(level.open) : []), ...late()]
          const since = startOf(from, seconds)
          yield* ring.read(since, to)
          yield goingOn.map((span) => ({ ...span, t: startOf(span.t, seconds) })).filter(({ t }) => t >= since && t < to)
        },
      }
    },
    async forget(before) {
      for (const { ring } of levels) await ring.forget(before)
    },
  }
}
