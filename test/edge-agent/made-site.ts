// The agent's HTTP server for real, over made messages.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openBundle } from '../../deploy/bundle.ts'
import { type HardFrames, keepHardFrames } from '../../edge-agent/collect/hard-frames.ts'
import { type History, keepHistory } from '../../edge-agent/history/history.ts'
import type { Known } from '../../edge-agent/known.ts'
import { openLog } from '../../edge-agent/log.ts'
import { demoBundle } from '../../edge-agent/paths.ts'
import { type StreamOutput, serveStreams } from '../../edge-agent/publish/mjpeg.ts'
import { type SocketOutput, serveSockets } from '../../edge-agent/publish/websocket.ts'
import { type Access, openAccess, type Store } from '../../edge-agent/serve/access.ts'
import { type Metrics, startMetrics } from '../../edge-agent/serve/metrics.ts'
import { openSite, type Site } from '../../edge-agent/serve/site.ts'
import type { Config } from '../../edge-agent/settings/config.ts'
import { parseConfig } from '../../edge-agent/settings/read-config.ts'
import type { Reloaded } from '../../edge-agent/settings/reload.ts'
import { openSettingsFile } from '../../edge-agent/settings/settings-file.ts'
import { openState } from '../../edge-agent/state.ts'
import { makePainter, type Painter } from '../../edge-agent/supervise/painter.ts'
import { cameraTests } from '../../edge-agent/supervise/try-camera.ts'
import { openStore } from '../../edge-agent/update/store.ts'
import { openUpdates } from '../../edge-agent/update/updates.ts'
import { type MaskMessage, type Stats, wireVersion } from '../../edge-agent/wire.ts'
import { maskOf, outputStats, statusOf } from './made-messages.ts'

export const stats: Stats = {
  version: wireVersion,
  device: 'd',
  at_us: 1,
  uptime_s: 2,
  model: 'run-1',
  compute: 'cpu',
  memory_mib: { agent: 64 },
  cameras: {},
  outputs: outputStats,
}

/** A state folder that forgets. */
export function memoryStore(): Store {
  const kept = new Map<string, string>()
  return {
    read: (name) => (kept.has(name) ? JSON.parse(kept.get(name)!) : undefined),
    write: (name, value) => void kept.set(name, JSON.stringify(value)),
  }
}

export interface MadeSite {
  site: Site
  config: Config
  access: Access
  metrics: Metrics
  sockets: SocketOutput
  streams: StreamOutput
  painter: Painter
  hardFrames: HardFrames
  history: History
  /** What is known; to be changed by the test. */
  now: { ready: boolean; latest: MaskMessage | undefined; reloaded: Reloaded }
  watched: boolean[]
  switched: [string, boolean][]
  /** The operator token, when it was made. */
  fresh: string | undefined
  ask(path: string, init?: RequestInit): Promise<Response>
  close(): Promise<void>
}

/** Opens it with a camera `front` that has given mask 7 and a camera `rear` that is offline. */
export async function openMadeSite(text = '', store = memoryStore()): Promise<MadeSite> {
  const log = openLog('fatal')
  const env = { ROADMASK_DEVICE: 'jetson01', ROADMASK_HTTP_PORT: '0', ROADMASK_HTTP_NAMES: 'roadcam.example' }
  const config = parseConfig({ name: 'agent.yaml', text }, env, [])
  const now: MadeSite['now'] = { ready: true, latest: maskOf('front', 7, 3), reloaded: { applied: ['log'], needsRestart: [] } }
  const watched: boolean[] = []
  const switched: [string, boolean][] = []
  const known: Known = {
    statuses: () => [statusOf('front'), statusOf('rear', 'offline', 'No picture for 5 s')],
    latest: (camera) => (camera === 'front' ? now.latest : undefined),
    stats: async () => stats,
    modelReady: () => now.ready,
    processes: () => ({ agent: process.pid, segment: undefined }),
  }
  const { statuses } = known
  const sockets = serveSockets({ config, model: () => 'run-1', statuses, log, watched: (yes) => watched.push(yes) })
  const painter = makePainter(log)
  const streams = serveStreams({ painter, log, watched: (yes) => watched.push(yes) })
  const access = openAccess(config, store, log)
  const setEnabled = (camera: string, yes: boolean) => switched.push([camera, yes])
  const state = await mkdtemp(join(tmpdir(), 'roadmask-'))
  const classes = ['other', 'road'].map((name) => ({ name, colour: '#00c86e' }))
  const hardFrames = keepHardFrames(config, { state, classes: () => classes, wantPicture() {}, log })
  const history = keepHistory(config, { state, painter, wantPicture() {}, log })
  const input = { width: 96, height: 64, fit: 'crop', resizer: 'bilinear', matrix: 'bt601', range: 'video' } as const
  const setup = {
    file: openSettingsFile({
      place: { path: join(state, 'agent.yaml'), named: false },
      env,
      flags: [],
      reload: async () => now.reloaded,
    }),
    play: cameraTests({ input: () => input, playing: () => [], log }),
  }
  await writeFile(setup.file.path, text || 'cameras: [{ name: front, source: test }, { name: rear, source: test }]\n')
  const kept = await openState({ ...config, state_dir: state }, env)
  const models = openStore(kept, config, log)
  const updates = openUpdates(config, { store: models, state: kept, running: { slot: undefined, name: 'run-1' }, log })
  const metrics = startMetrics({ known, model: () => 'run-1', update: updates.state, folder: tmpdir() })
  const bundle = await openBundle(demoBundle)
  const site = await openSite(config, {
    bundle: () => bundle,
    known,
    metrics,
    access,
    sockets,
    streams,
    hardFrames,
    history,
    broker: 'mqtt://u:p@10.0.0.2',
    setEnabled,
    reload: async () => now.reloaded,
    setup,
    updates,
    log,
  })
  return {
    site,
    config,
    access,
    metrics,
    sockets,
    streams,
    painter,
    hardFrames,
    history,
    now,
    watched,
    switched,
    fresh: access.fresh,
    ask: (path, init) => fetch(new URL(path, site.url), init),
    async close() {
      await Promise.all([sockets.close(), streams.close(), hardFrames.close(), history.close(), painter.stop()])
      updates.stop()
      kept.close()
      await site.close()
      await rm(state, { recursive: true })
    },
  }
}
