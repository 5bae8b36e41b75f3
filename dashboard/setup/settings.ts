// The cameras of the agent's config file as the page changes them, against the file as it was read last. Where somebody else
// changed it meanwhile, what is here is saved all the same if it concerns another camera, and else only when that is wanted.
import { type Api, Refused } from '../ui/api.ts'
import { confirmed } from '../ui/dialog.ts'
import type { ZoneSettings } from './live-mask.ts'
import type { Box } from './shapes.ts'

/** As it stands in the file: what is left out has its default. Passwords are hidden. */
export interface CameraSettings {
  name: string
  source: string
  enabled?: boolean
  rotation?: 0 | 90 | 180 | 270
  region?: Box
  masks_per_second?: number
  timeout_ms?: number
  transport?: 'tcp' | 'udp' | 'auto'
  latency_ms?: number
  width?: number
  height?: number
  fps?: number
  loop?: boolean
  zones?: ZoneSettings[]
}

export interface Setup {
  file: string
  /** Why nothing can be changed, and what to do. */
  fault?: string
  pipelines: boolean
  cameras: CameraSettings[]
}

export interface Settings {
  now(): Setup | undefined
  camera(name: string): CameraSettings | undefined
  load(): Promise<Setup>
  /** Sends a change of a camera. Gives what to tell of it; undefined where it was not wanted after all. Throws `Refused`. */
  save(method: 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, camera: string, body?: unknown): Promise<string | undefined>
}

interface Outcome {
  applied: string[]
  needs_restart: string[]
}

export function openSettings(api: Api): Settings {
  let setup: Setup | undefined
  let tag = ''

  async function load(): Promise<Setup> {
    const response = await api.ask('api/setup')
    tag = response.headers.get('etag') ?? ''
    setup = (await response.json()) as Setup
    return setup
  }
  const camera = (name: string) => setup?.cameras.find((known) => known.name === name)

  return {
    now: () => setup,
    camera,
    load,
    async save(method, path, name, body) {
      const before = JSON.stringify(camera(name))
      const send = () => api.send<Outcome>(method, path, body, { 'if-match': tag })
      const outcome = await send().catch(async (error: unknown) => {
        if (!(error instanceof Refused) || error.status !== 412) throw error
        await load()
        const question = {
          title: `${name} was changed by somebody else`,
          text: 'Since this page was opened its settings were changed in the config file. Saving puts yours in their place.',
          yes: 'Save mine',
        }
        return JSON.stringify(camera(name)) === before || (await confirmed(question)) ? send() : undefined
      })
      if (!outcome) return undefined
      await load()
      const later = outcome.needs_restart.length ? ` After a restart of the agent: ${outcome.needs_restart.join(', ')}.` : ''
      return `Saved in ${setup?.file}.${outcome.applied.length ? ' It holds from now on.' : ''}${later}`
    },
  }
}
