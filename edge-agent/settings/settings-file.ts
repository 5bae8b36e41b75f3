// The config file as the page changes it: the text by edit-text.ts, checked as at a start before it is written, written aside
// and renamed, so that whatever happens the old or the new file is there, and then taken over as when somebody edits it.
import { createHash } from 'node:crypto'
import { existsSync, statSync } from 'node:fs'
import { access, constants, open, readFile, realpath, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { stateFolder, syncFolder } from '../state.ts'
import type { CameraSettings } from './camera-changes.ts'
import type { Config } from './config.ts'
import { editText } from './edit-text.ts'
import { ConfigError, configPath, parseConfig, readConfig, settle, sourceOrigin } from './read-config.ts'
import { Refused } from './refused.ts'
import { type Reloaded, stillStarting } from './reload.ts'

export interface SettingsPlace {
  path: string
  /** Else it is the agent's own, which need not be there. */
  named: boolean
}

/** The file that was named, or without one `agent.yaml` in the state folder, which is there once the page has changed something. */
export function settingsPlace(named: string | undefined, env: NodeJS.ProcessEnv, flags: string[]): SettingsPlace {
  if (named) return { path: configPath(named, env), named: true }
  return { path: join(stateFolder(parseConfig(undefined, env, flags), env), 'agent.yaml'), named: false }
}

/** The settings that stand there, with environment and flags. */
export const readSettings = ({ path, named }: SettingsPlace, env: NodeJS.ProcessEnv, flags: string[]): Promise<Config> =>
  readConfig(named || existsSync(path) ? path : undefined, env, flags)

export interface SettingsFile {
  path: string
  /** The cameras as they stand in the file, passwords and all, and a tag that changes with the file. */
  read(): Promise<{ cameras: CameraSettings[]; tag: string }>
  /** Why the file cannot be changed from here, and what to do; undefined where it can. */
  fault(): Promise<string | undefined>
  /** What the settings would be. Throws `Refused` where they do not fit. */
  would(change: CameraChange): Promise<Config>
  /** Writes and takes over. `tag`: what the file is expected to be. Throws `Refused`. */
  change(change: CameraChange, tag?: string): Promise<Reloaded & { tag: string }>
}

/** The cameras that are wanted in the place of those that stand there. */
export type CameraChange = (cameras: CameraSettings[]) => CameraSettings[]

interface Surroundings {
  place: SettingsPlace
  env: NodeJS.ProcessEnv
  flags: string[]
  /** Takes the file over. */
  reload(): Promise<Reloaded>
}

const firstLines = `# Settings of this agent, made from its page. deploy/agent.example.yaml shows every key there is.
`
const demo: CameraSettings[] = [{ name: 'demo', source: 'demo' }]
const remedy = 'Edit it by hand, or let the agent write there: edge-agent/README.md, "Set up from the page", says how'
const startsMs = 200

export function openSettingsFile({ place, env, flags, reload }: Surroundings): SettingsFile {
  let last: Promise<unknown> = Promise.resolve()

  async function load() {
    const bytes = await readFile(place.path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' && !place.named) return undefined
      throw new Refused(409, `The config file ${place.path} cannot be read: ${error.message}`, { cause: error })
    })
    const text = bytes?.toString() ?? firstLines
    try {
      await settle(place.path, { name: basename(place.path), text }, env, flags)
    } catch (cause) {
      if (!(cause instanceof ConfigError)) throw cause
      throw new Refused(409, `The config file has a mistake; correct it by hand first: ${cause.message}`, { cause })
    }
    return { text, tag: tagOf(bytes), isThere: bytes !== undefined }
  }

  async function fault(): Promise<string | undefined> {
    const origin = sourceOrigin(env, flags)
    if (origin)
      return `The camera comes from ${origin}, so the cameras of ${place.path} do not run. Start the agent without it to set cameras up`
    const path = await realpath(place.path).catch(() => place.path)
    const cannot = (why: string) => `${path} ${why}. ${remedy}`
    const old = statSync(path, { throwIfNoEntry: false })
    const own = process.geteuid?.()
    if (old && (old.mode & 0o222) === 0) return cannot('is read-only')
    if (old && own !== 0 && old.uid !== own)
      return cannot(
        `belongs to another user (${old.uid}) than the agent (${own}), whom it would belong to once it is written anew`,
      )
    return access(dirname(path), constants.W_OK).then(
      () => undefined,
      ({ code }: NodeJS.ErrnoException) => cannot(`cannot be replaced: the agent may not write in its folder (${code})`),
    )
  }

  /** The text with other cameras, and the settings that come of it. */
  async function changed(text: string, change: CameraChange) {
    const next = edited(text, change)
    try {
      return { text: next, config: await settle(place.path, { text: next }, env, flags) }
    } catch (cause) {
      if (cause instanceof ConfigError) throw new Refused(422, cause.message, { cause })
      throw cause
    }
  }

  async function write(text: string, tag: string) {
    const path = await realpath(place.path).catch(() => place.path)
    const old = statSync(path, { throwIfNoEntry: false })
    const aside = join(dirname(path), `.${basename(path)}.new`)
    try {
      await rm(aside, { force: true })
      const file = await open(aside, 'wx', 0o600)
      try {
        if (old) await file.chown(old.uid, old.gid)
        if (old) await file.chmod(old.mode & 0o7777)
        await file.writeFile(text)
        await file.sync()
      } finally {
        await file.close()
      }
      if (tagOf(await readFile(path).catch(() => undefined)) !== tag) throw overtaken()
      await rename(aside, path)
      syncFolder(dirname(path))
    } catch (error) {
      await rm(aside, { force: true }).catch(() => {})
      if (error instanceof Refused) throw error
      throw new Refused(409, `${path} cannot be written: ${(error as Error).message}. ${remedy}`, { cause: error })
    }
  }

  async function takeOver(): Promise<Reloaded> {
    for (;;) {
      const outcome = await reload()
      if (outcome !== stillStarting) return outcome
      await delay(startsMs)
    }
  }

  async function work(change: CameraChange, expected: string | undefined) {
    const reason = await fault()
    if (reason) throw new Refused(409, reason)
    const { text, tag, isThere } = await load()
    if (expected !== undefined && expected !== tag) throw overtaken()
    const next = await changed(text, change)
    if (next.text === text) return { applied: [], needsRestart: [], tag }
    await write(next.text, isThere ? tag : tagOf(undefined))
    return { ...(await takeOver()), tag: tagOf(Buffer.from(next.text)) }
  }

  return {
    path: place.path,
    async read() {
      const { text, tag } = await load()
      let found = demo
      edited(text, (cameras) => {
        found = structuredClone(cameras)
        return cameras
      })
      return { cameras: found, tag }
    },
    fault,
    async would(change) {
      const origin = sourceOrigin(env, flags)
      if (origin) throw new Refused(409, (await fault()) ?? origin)
      return (await changed((await load()).text, change)).config
    },
    change(change, tag) {
      const mine = last.then(() => work(change, tag))
      last = mine.catch(() => {})
      return mine
    },
  }
}

function edited(text: string, change: CameraChange): string {
  try {
    return editText(text, (settings) => {
      const before = (settings.cameras as CameraSettings[] | undefined) ?? demo
      const after = change(before)
      if (settings.cameras || after !== before) settings.cameras = after
    })
  } catch (cause) {
    if (cause instanceof Refused) throw cause
    throw new Refused(409, `The config file cannot be changed from here: ${(cause as Error).message}. Edit it by hand`, {
      cause,
    })
  }
}

const overtaken = () =>
  new Refused(412, 'The config file was changed meanwhile by somebody else. Load it again, so that nothing of theirs is lost')

/** As an ETag. */
const tagOf = (bytes: Uint8Array | undefined) =>
  bytes ? `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"` : '"none"'
