// What the masks of a camera decide one after the other: which zones are blocked. Changes are events.
import { isDeepStrictEqual } from 'node:util'
import type { CameraConfig } from '../config.ts'
import type { NewEvent } from '../publish/output.ts'
import type { MaskMade } from '../segment/messages.ts'
import { type Result, wireVersion } from '../wire.ts'
import { watchZones } from './zone-states.ts'

/** What stands in a result beside what is known of the frame and the model. */
export type JudgedFacts = Omit<MaskMade['facts'], 'zones'> & Pick<Result, 'zones' | 'blocked'>

export interface Judge {
  /** `fresh`: the first mask of a camera process, before which nothing is known to have held. */
  facts(made: MaskMade, fresh: boolean): JudgedFacts
  /** A camera whose zones stay as they were keeps their states. */
  settings(config: { cameras: readonly ZonedCamera[] }): void
}

type ZonedCamera = Pick<CameraConfig, 'name' | 'zones'>

export function makeJudge(cameras: readonly ZonedCamera[], event: (event: NewEvent) => void): Judge {
  const watch = ({ name, zones }: ZonedCamera) => [name, { zones, judge: watchZones(zones) }] as const
  let watches = new Map(cameras.map(watch))
  return {
    settings(changed) {
      watches = new Map(
        changed.cameras.map((camera) => {
          const before = watches.get(camera.name)
          return isDeepStrictEqual(before?.zones, camera.zones) ? [camera.name, before!] : watch(camera)
        }),
      )
    },
    facts({ frame: { camera, capturedMicros, capturedMonotonicMicros }, facts }, fresh) {
      const { zones: seen, ...others } = facts
      const watched = watches.get(camera)
      // After new settings a mask by the old ones may still come.
      if (!watched?.zones.length || seen.length !== watched.zones.length) return others
      const { zones, changed } = watched.judge(seen, capturedMonotonicMicros / 1000, fresh)
      for (const { name: zone, blocked, road_percent } of changed)
        event({
          version: wireVersion,
          camera,
          at_us: capturedMicros,
          type: blocked ? 'zone_blocked' : 'zone_clear',
          zone,
          detail: `${zone}: ${road_percent} % road`,
        })
      return { ...others, zones, blocked: zones.some(({ blocked }) => blocked) }
    },
  }
}
