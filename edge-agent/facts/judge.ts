// What the masks of a camera decide one after the other: which zones are blocked, and whether it drifts. Changes are events.
import { isDeepStrictEqual } from 'node:util'
import type { NewEvent } from '../publish/output.ts'
import type { MaskMade } from '../segment/messages.ts'
import type { CameraConfig } from '../settings/config.ts'
import { type CameraEvent, type Result, wireVersion } from '../wire.ts'
import { watchDrift } from './drift.ts'
import { watchZones } from './zone-states.ts'

/** What stands in a result beside what is known of the frame and the model. */
export type JudgedFacts = Omit<MaskMade['facts'], 'zones' | 'strange'> & Pick<Result, 'zones' | 'blocked' | 'drift'>

export interface Judge {
  /** `fresh`: the first mask of a camera process, before which nothing is known to have held. */
  facts(made: MaskMade, fresh: boolean): JudgedFacts
  /** What stays as it was keeps its state. */
  settings(config: { cameras: readonly JudgedCamera[] }): void
}

type JudgedCamera = Pick<CameraConfig, 'name' | 'zones' | 'drift'>

export function makeJudge(cameras: readonly JudgedCamera[], event: (event: NewEvent) => void): Judge {
  const watch = ({ zones, drift }: JudgedCamera, blocked = new Set<string>(), drifts = false) => {
    return { zones, drift, blocked, drifts, ofZones: watchZones(zones, blocked), ofDrift: watchDrift(drift) }
  }
  let watches = new Map(cameras.map((camera) => [camera.name, watch(camera)]))
  return {
    settings(changed) {
      const before = watches
      watches = new Map(
        changed.cameras.map((camera) => {
          const old = before.get(camera.name)
          const next = watch(camera, old?.blocked, old?.drifts) // a zone that was told as blocked will be told as clear
          if (isDeepStrictEqual(old?.zones, camera.zones)) next.ofZones = old!.ofZones
          if (isDeepStrictEqual(old?.drift, camera.drift)) next.ofDrift = old!.ofDrift
          return [camera.name, next]
        }),
      )
    },
    facts({ frame: { camera, capturedMicros, capturedMonotonicMicros }, facts }, fresh) {
      const { zones: seen, strange, ...others } = facts
      const watched = watches.get(camera)
      if (!watched) return others
      const nowMs = capturedMonotonicMicros / 1000
      const tell = (type: CameraEvent['type'], more: Pick<CameraEvent, 'zone' | 'detail'>) =>
        event({ version: wireVersion, camera, at_us: capturedMicros, type, ...more })

      const drift = watched.ofDrift(strange, nowMs)
      if (drift && drift.active !== watched.drifts)
        tell(drift.active ? 'drift_start' : 'drift_end', {
          detail: `${drift.score} times as strange as a training picture may be`,
        })
      watched.drifts = drift?.active ?? watched.drifts
      const judged = { ...others, ...(drift && { drift }) }

      // After new settings a mask by the old ones may still come.
      const same = seen.length === watched.zones.length && seen.every(({ name }, i) => name === watched.zones[i]!.name)
      if (watched.zones.length === 0 || !same) return judged
      const { zones, changed } = watched.ofZones(seen, nowMs, fresh)
      for (const { name: zone, blocked, road_percent } of changed)
        tell(blocked ? 'zone_blocked' : 'zone_clear', { zone, detail: `${zone}: ${road_percent} % road` })
      watched.blocked = new Set(zones.filter(({ blocked }) => blocked).map(({ name }) => name))
      return { ...judged, zones, blocked: watched.blocked.size > 0 }
    },
  }
}
