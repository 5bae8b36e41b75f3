// Which zones of a camera are blocked: less road than one threshold for so long, and until there has been as much as another
// for as long. Begins with all of them clear.
import type { ZoneFact } from '../wire.ts'
import { type Held, hold } from './hold.ts'
import type { Zone } from './settings.ts'

/** Without a threshold of its own a zone is clear again with so many percent more than it was blocked with. */
const gap = 10

/**
 * Makes the function that judges one mask of the camera after the other. `blocked`: names of zones that were told as blocked;
 * `same`: whether this very zone was. Of another one, or of one that was not seen meanwhile, nothing is known: the first
 * threshold alone decides.
 */
export function watchZones(
  zones: readonly Zone[],
  blocked: ReadonlySet<string> = new Set(),
  same: (zone: Zone) => boolean = () => false,
) {
  let held: Held[] = zones.map(({ name }) => ({ on: blocked.has(name) }))
  const unknown = zones.map((zone) => blocked.has(zone.name) && !same(zone))

  /** `seen`: road of each zone, 0 to 100; `fresh`: the first mask after a pause, during which nothing has held. */
  return (seen: readonly Pick<ZoneFact, 'name' | 'road_percent'>[], nowMs: number, fresh: boolean) => {
    const before = held
    held = zones.map(({ blocked_below, clear_above = Math.min(100, blocked_below + gap), hold_s }, i) => {
      const last = fresh ? { on: before[i]!.on } : before[i]!
      const road = seen[i]?.road_percent ?? undefined
      const enough = unknown[i] ? blocked_below : clear_above
      const wish = road === undefined ? undefined : road < blocked_below ? true : road >= enough ? false : undefined
      const now = hold(last, wish, nowMs, 1000 * hold_s)
      if (wish === true || !now.on) unknown[i] = false
      return now
    })
    const states = seen.map((zone, i): ZoneFact => {
      const { on, doubtedMs } = held[i]!
      return { ...zone, blocked: on, ...(doubtedMs !== undefined && { pending: true }) }
    })
    return { zones: states, changed: states.filter(({ blocked }, i) => blocked !== before[i]!.on) }
  }
}
