// What the masks of a camera decide one after the other: which zones are blocked, and whether it drifts. Changes are events.
import { isDeepStrictEqual } from 'node:util'
import type { NewEvent } from '../publish/output.ts'
import type { MaskMade } from '../segment/messages.ts'
import type { CameraConfig } from '../settings/config.ts'
import { type CameraEvent, type Result, wireVersion } from '../wire.ts'
import { watchDrift } from './drift.ts'
import { DriftSettings, type Zone } from './settings.ts'
import type { Memory } from './told.ts'
import { watchZones } from './zone-states.ts'

/** What stands in a result beside what is known of the frame and the model. */
export type JudgedFacts = Omit<MaskMade['facts'], 'zones' | 'strange'> & Pick<Result, 'zones' | 'blocked' | 'drift'>

export interface Judge {
  /** `fresh`: the first mask of a camera process, before which nothing is known to have held. */
  facts(made: MaskMade, fresh: boolean): JudgedFacts
  /** What stays as it was keeps its state. */
  settings(config: { cameras: readonly JudgedCamera[] }): void
  /** Another model makes the masks: what was strange to the one before says nothing of it. */
  newModel(): void
}

type JudgedCamera = Pick<CameraConfig, 'name' | 'zones' | 'drift'>

export function makeJudge(cameras: readonly JudgedCamera[], event: (event: NewEvent) => void, memory?: Memory): Judge {
  const watch = ({ zones, drift }: JudgedCamera, blocked = new Set<string>(), drifts = false, old: readonly Zone[] = []) => {
    const same = (zone: Zone) => old.some((other) => isDeepStrictEqual(zone, other))
    return { zones, drift, blocked, drifts, ofZones: watchZones(zones, blocked, same), ofDrift: watchDrift(drift) }
  }
  type Watched = ReturnType<typeof watch>
  const found = Object.entries(memory?.found ?? {}).map(([name, { blocked, drifts }]): [string, Watched] => {
    return [name, watch({ name, zones: [], drift: DriftSettings.parse({}) }, new Set(blocked), drifts)]
  })
  let watches = new Map(found)

  /** What was told has an end, also where nothing is left to look at. */
  function settings(changed: Parameters<Judge['settings']>[0]) {
    const before = watches
    watches = new Map(
      changed.cameras.map((camera) => {
        const old = before.get(camera.name)
        const blocked = camera.zones.map(({ name }) => name).filter((name) => old?.blocked.has(name))
        const next = watch(camera, new Set(blocked), old?.drifts, old?.zones)
        if (isDeepStrictEqual(old?.zones, camera.zones)) next.ofZones = old!.ofZones
        if (isDeepStrictEqual(old?.drift, camera.drift)) next.ofDrift = old!.ofDrift
        return [camera.name, next]
      }),
    )
    remember()
    for (const [camera, { blocked, drifts }] of before) {
      const now = watches.get(camera)
      const tell = (type: CameraEvent['type'], more: Pick<CameraEvent, 'zone' | 'detail'>) =>
        event({ version: wireVersion, camera, at_us: Date.now() * 1000, type, ...more })
      for (const zone of blocked)
        if (!now?.blocked.has(zone)) tell('zone_clear', { zone, detail: `${zone}: is in the settings no more` })
      if (drifts && !now) tell('drift_end', { detail: 'the camera is in the settings no more' })
    }
  }

  function remember() {
    const told = [...watches].filter(([, { blocked, drifts }]) => blocked.size > 0 || drifts)
    memory?.keep(Object.fromEntries(told.map(([name, { blocked, drifts }]) => [name, { blocked: [...blocked], drifts }])))
  }

  function newModel() {
    const drifted = [...watches].filter(([, { drifts }]) => drifts)
    for (const [, watched] of watches) Object.assign(watched, { ofDrift: watchDrift(watched.drift), drifts: false })
    if (drifted.length) remember()
    for (const [camera] of drifted)
      event({ version: wireVersion, camera, at_us: Date.now() * 1000, type: 'drift_end', detail: 'another model runs' })
  }

  settings({ cameras })
  return {
    settings,
    newModel,
    facts({ frame: { camera, capturedMicros, capturedMonotonicMicros }, facts }, fresh) {
      const { zones: seen, strange, ...others } = facts
      const watched = watches.get(camera)
      if (!watched) return others
      const nowMs = capturedMonotonicMicros / 1000
      const tell = (type: CameraEvent['type'], more: Pick<CameraEvent, 'zone' | 'detail'>) =>
        event({ version: wireVersion, camera, at_us: capturedMicros, type, ...more })

      const drift = watched.ofDrift(strange, nowMs)
      if (drift && drift.active !== watched.drifts) {
        watched.drifts = drift.active
        remember() // first: what is told twice is no harm, what is never ended is
        tell(drift.active ? 'drift_start' : 'drift_end', {
          detail: `${drift.score} times as strange as a training picture may be`,
        })
      }
      const judged = { ...others, ...(drift && { drift }) }

      // After new settings a mask by the old ones may still come.
      const same = seen.length === watched.zones.length && seen.every(({ name }, i) => name === watched.zones[i]!.name)
      if (watched.zones.length === 0 || !same) return judged
      const { zones, changed } = watched.ofZones(seen, nowMs, fresh)
      watched.blocked = new Set(zones.filter(({ blocked }) => blocked).map(({ name }) => name))
      if (changed.length) remember()
      for (const { name: zone, blocked, road_percent } of changed)
        tell(blocked ? 'zone_blocked' : 'zone_clear', { zone, detail: `${zone}: ${road_percent} % road` })
      return { ...judged, zones, blocked: watched.blocked.size > 0 }
    },
  }
}
