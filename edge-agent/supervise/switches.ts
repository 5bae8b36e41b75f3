// Cameras that people switched on or off while the agent ran stay so over a restart, until the setting itself is changed.

import type { Log } from '../log.ts'
import type { CameraConfig } from '../settings/config.ts'
import { keep, type State } from '../state.ts'

type Camera = Pick<CameraConfig, 'name' | 'enabled'>

/** By camera: what people want, and the setting that they overruled. */
type Wishes = Record<string, { enabled: boolean; setting: boolean }>

export interface Switches {
  /** Whether a camera that is set so is to run. */
  enabled(camera: Camera): boolean
  set(camera: Camera, enabled: boolean): void
}

export function openSwitches(state: State, log: Log): Switches {
  const wishes = state.read<Wishes>('switches') ?? {}
  const save = () => keep(state, 'switches', wishes, log)

  function enabled({ name, enabled: setting }: Camera): boolean {
    const wish = wishes[name]
    if (!wish || wish.setting === setting) return wish?.enabled ?? setting
    delete wishes[name] // the setting was changed since
    save()
    return setting
  }

  return {
    enabled,
    set(camera, yes) {
      if (enabled(camera) === yes) return
      if (yes === camera.enabled) delete wishes[camera.name]
      else wishes[camera.name] = { enabled: yes, setting: camera.enabled }
      save()
    },
  }
}
