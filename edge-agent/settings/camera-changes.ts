// What the page may change of the cameras in the config file, as pure functions on their list. An operator of the page is not
// the owner of the machine: passwords are never told and never sent to another host than they were given for, files of
// passwords are not named from there, and a pipeline text, which can do what the agent's user can, only where that is allowed.
import { z } from 'zod'
import { CameraConfig } from './config.ts'
import { withoutSecrets } from './redact.ts'
import { Refused } from './refused.ts'
import { hidden } from './secrets.ts'
import { sourceKind } from './source-kind.ts'

/** A camera as it stands in the file. */
export type CameraSettings = z.input<typeof CameraConfig>

const { shape } = CameraConfig
const settings = {
  enabled: shape.enabled.unwrap().nullish(),
  rotation: shape.rotation.unwrap().nullish(),
  region: shape.region.unwrap().nullish(),
  masks_per_second: shape.masks_per_second.unwrap().nullish(),
  timeout_ms: shape.timeout_ms.unwrap().nullish(),
  transport: shape.transport.unwrap().nullish(),
  latency_ms: shape.latency_ms.unwrap().nullish(),
  width: shape.width.unwrap().nullish(),
  height: shape.height.unwrap().nullish(),
  fps: shape.fps.unwrap().nullish(),
  loop: shape.loop.unwrap().nullish(),
  pace: shape.pace.unwrap().nullish(),
}

/** `null` takes a setting out of the file, so that its default holds (JSON Merge Patch, RFC 7396). */
export const CameraPatch = z.strictObject({ source: shape.source.optional(), ...settings })
export const NewCamera = z.strictObject({ name: shape.name, source: shape.source, ...settings })
/** A camera of the name, where there is one, with these changes. */
export const CameraTrial = z.strictObject({ name: shape.name, source: shape.source.optional(), ...settings })
export const Zones = shape.zones.unwrap()

type CameraPatch = z.infer<typeof CameraPatch>

export interface Allowed {
  /** Whether sources may be pipeline texts that were not there before. */
  pipelines: boolean
}

export const addCamera = (added: z.infer<typeof NewCamera>, allowed: Allowed) => (cameras: CameraSettings[]) => {
  if (cameras.some((camera) => camera.name === added.name)) throw new Refused(409, `There is a camera ${added.name} already`)
  return [...cameras, patched({ name: added.name, source: '' }, added, allowed)]
}

export const patchCamera = (name: string, patch: CameraPatch, allowed: Allowed) => (cameras: CameraSettings[]) =>
  replaced(cameras, name, (camera) => patched(camera, patch, allowed))

export const tryCamera = (trial: z.infer<typeof CameraTrial>, allowed: Allowed) => (cameras: CameraSettings[]) => {
  const { name, source, ...patch } = trial
  if (cameras.some((camera) => camera.name === name)) return patchCamera(name, { source, ...patch }, allowed)(cameras)
  if (source === undefined) throw new Refused(404, `There is no camera ${name}, and no "source" to try`)
  return addCamera({ name, source, ...patch }, allowed)(cameras)
}

export const setZones = (name: string, zones: z.input<typeof Zones>) => (cameras: CameraSettings[]) =>
  replaced(cameras, name, ({ zones: _, ...camera }) => (zones.length ? { ...camera, zones } : camera))

export const removeCamera = (name: string) => (cameras: CameraSettings[]) => {
  const rest = replaced(cameras, name, () => undefined)
  if (rest.length) return rest
  throw new Refused(409, `${name} is the only camera, and the agent needs one. Add another one first, or switch this one off`)
}

/** The settings as the page may see them. */
export const shownCamera = (camera: CameraSettings): CameraSettings => ({ ...camera, source: withoutSecrets(camera.source) })

function replaced(cameras: CameraSettings[], name: string, by: (camera: CameraSettings) => CameraSettings | undefined) {
  if (!cameras.some((camera) => camera.name === name)) throw new Refused(404, `There is no camera ${name} in the config file`)
  return cameras.map((camera) => (camera.name === name ? by(camera) : camera)).filter((camera) => camera !== undefined)
}

function patched(camera: CameraSettings, patch: CameraPatch, { pipelines }: Allowed): CameraSettings {
  const source = patch.source === undefined ? camera.source : sourceWith(patch.source, camera)
  if (sourceKind(source) === 'gst' && source !== camera.source && !pipelines)
    throw new Refused(
      403,
      '"gst:" is not taken from the page: a pipeline text can do all that the agent can. Write it into the config file, or set "access.pipelines: true" there',
    )
  const wanted = Object.entries({ ...camera, ...patch, source })
  return Object.fromEntries(wanted.filter(([, value]) => value !== null && value !== undefined)) as CameraSettings
}

const addressOf = (source: string) => /^(\w+:\/\/)([^\s/]*@)?([^\s/?]*)/.exec(source)

/** The source as it was typed over one that was shown without its password. */
function sourceWith(typed: string, { source: before, password_file }: CameraSettings): string {
  if (typed === withoutSecrets(before)) return before
  const [, scheme, user = '', host] = addressOf(typed) ?? []
  const [, oldScheme, oldUser = '', oldHost] = addressOf(before) ?? []
  const sameHost = host !== undefined && scheme === oldScheme && host === oldHost
  const source = sameHost && user === `${hidden}@` ? typed.replace(user, () => oldUser) : typed
  if (source.includes(hidden))
    throw new Refused(
      422,
      `The source has ${hidden} in the place of a password, which is kept for the same host alone: type the password again`,
    )
  if (password_file !== undefined && !sameHost)
    throw new Refused(
      422,
      'The password of this camera stands in "password_file" and is for its host alone: change both in the config file',
    )
  return source
}
