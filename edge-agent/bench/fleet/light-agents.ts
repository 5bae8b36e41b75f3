// Many agents in one process, without cameras and TensorFlow: settings, state folder, MQTT, outbox, downloads and all of update/
// are the agent's own; what is played is the model itself, so a trial ends as the orders say. A child of fleet.ts, told by IPC.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { openLog } from '../../log.ts'
import { connectMqtt } from '../../publish/mqtt.ts'
import { openOutbox } from '../../publish/outbox.ts'
import { Config } from '../../settings/config.ts'
import { openState } from '../../state.ts'
import { openStore, releaseOf, type Store } from '../../update/store.ts'
import { openUpdates, type Trial, type Updates } from '../../update/updates.ts'
import { type Stats, wireVersion } from '../../wire.ts'

export interface Orders {
  /** Settings that all have: broker, bundle, trusted keys. */
  settings: { mqtt: Record<string, unknown>; bundle: string; update: { keys: string; groups: string[] } }
  /** Each gets a folder below it. */
  folder: string
  devices: string[]
  /** The trial of these ends badly. */
  failing: string[]
  /** Others do not trust the key that signs. */
  untrusting: { devices: string[]; keys: string }
  trialMs: number
}

/** How many hold a connection, each time that it changes. */
export interface Told {
  connected: number
}

/** Most of them start at once otherwise, which no fleet does. */
const startsPerSecond = 100
const lookEveryMs = 100
const log = openLog('fatal', false)

interface LightAgent {
  connected(): boolean
  stop(): Promise<void>
}

async function startAgent(device: string, orders: Orders): Promise<LightAgent> {
  const keys = orders.untrusting.devices.includes(device) ? orders.untrusting.keys : orders.settings.update.keys
  const config = Config.parse({
    ...orders.settings,
    device,
    state_dir: join(orders.folder, device),
    update: { ...orders.settings.update, keys },
    cameras: [{ name: 'front', source: 'test' }],
  })
  const state = await openState(config, {})
  const store = openStore(state, config, log)
  const { bundle, slot } = await store.start()
  const updates = openUpdates(config, { store, state, running: { slot, name: bundle.manifest.name }, log })
  const outbox = openOutbox(state.folder, config.outbox, log)
  const nothing = { overlay: () => Promise.reject(new Error('no picture is painted here')) }
  const mqtt = connectMqtt(config, { own: undefined, outbox, state, painter: nothing, updates, log, setEnabled() {} })
  updates.begin(playedTrial(device, orders, bundle.manifest.name, store, updates), { tensorflow: () => '2.21.0' })
  mqtt.status({ version: wireVersion, camera: 'front', state: 'online', since_us: Date.now() * 1000, reason: '' })
  const began = Date.now()
  const stats = setInterval(() => mqtt.stats(statsOf(device, bundle.manifest.name, began, mqtt.counts())), 10_000)
  return {
    connected: () => mqtt.counts().version !== '',
    async stop() {
      clearInterval(stats)
      updates.stop()
      await mqtt.close()
      await outbox.close()
      state.close()
    },
  }
}

/** The steps that a model goes through on a device, without a model. */
function playedTrial(device: string, { failing, trialMs }: Orders, first: string, store: Store, updates: Updates): Trial {
  let going = new AbortController()
  const rest = () => delay(trialMs / 2, undefined, { signal: going.signal })
  return {
    candidate({ slot, release }) {
      going = new AbortController()
      const steps = async () => {
        updates.report({ state: 'shadow', release })
        await rest()
        store.switchTo(slot, first, {})
        updates.runs(slot)
        updates.report({ state: 'trial', release })
        await rest()
        if (failing.includes(device)) return this.rollBack('agreement 0.41, expected at least 0.9')
        store.settle({ release })
        updates.report({ state: 'settled', release })
      }
      steps().catch((error: Error) => {
        if (error.name !== 'AbortError') throw error
      })
    },
    switchNow() {},
    drop: () => going.abort(),
    async rollBack(reason) {
      going.abort()
      const { current, previous } = store.kept()
      const release = releaseOf(current!)
      store.goBack({ release, reason })
      updates.runs(previous!)
      updates.report({ state: 'rolled_back', release, reason })
    },
  }
}

/** What an agent with one camera says each minute. */
const statsOf = (device: string, model: string, began: number, mqtt: Stats['outputs']['mqtt']): Stats => ({
  version: wireVersion,
  device,
  at_us: Date.now() * 1000,
  uptime_s: Math.round((Date.now() - began) / 1000),
  model,
  compute: 'cpu',
  memory_mib: { agent: 120, segment: 420, 'camera/front': 90 },
  cameras: { front: { state: 'online', camera_fps: 15, mask_fps: 15, dropped: 0, restarts: 0, latency_ms: 41.5 } },
  outputs: {
    mqtt,
    websocket: { clients: 0, dropped: { slow_client: 0 } },
    streams: { clients: 0, dropped: { slow_client: 0 } },
  },
})

async function run(orders: Orders) {
  const agents: LightAgent[] = []
  let told = -1
  setInterval(() => {
    const connected = agents.filter((agent) => agent.connected()).length
    if (connected !== told) process.send?.({ connected } satisfies Told)
    told = connected
  }, lookEveryMs)
  process.on('disconnect', () => process.exit())
  process.on('message', async () => {
    await Promise.all(agents.map((agent) => agent.stop()))
    process.exit()
  })
  for (const device of orders.devices) {
    agents.push(await startAgent(device, orders))
    await delay(1000 / startsPerSecond)
  }
}

await run(JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as Orders)
