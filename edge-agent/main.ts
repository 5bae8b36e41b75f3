// The edge agent, in the order it happens: settings, bundle, ways out, page, cameras, model; then it runs until it is told to
// end. Nothing native is loaded here and no picture is touched: cameras and the model live in processes of their own.
import { openBundle } from '../deploy/bundle.ts'
import { type Camera, startCamera } from './cameras.ts'
import { help, readCommand } from './command-line.ts'
import { greet, sayChecked } from './greeting.ts'
import { startInference } from './inference.ts'
import { makeMemory } from './known.ts'
import { openLog } from './log.ts'
import { openBroker } from './publish/broker.ts'
import { connectMqtt } from './publish/mqtt.ts'
import { toAll } from './publish/output.ts'
import { serveSockets } from './publish/websocket.ts'
import { ConfigError, readConfig } from './read-config.ts'
import { makeResults } from './results.ts'
import { openSite } from './serve/site.ts'

const statsEveryMs = 10_000

async function run({ file, flags, check }: ReturnType<typeof readCommand>) {
  const config = await readConfig(file, process.env, flags)
  const { manifest } = await openBundle(config.bundle)
  if (check) return sayChecked(config)
  const log = openLog(config.log)
  const known = makeMemory(config, manifest, log)
  let cameras: Camera[] = []
  const each = (act: (camera: Camera) => void) => cameras.map(act)

  const broker = config.mqtt.url ? undefined : await openBroker(config.broker)
  const setEnabled = (name: string, yes: boolean) => each((camera) => camera.name === name && camera.setEnabled(yes))
  const mqtt = connectMqtt(config, { own: broker, log, setEnabled })
  const watched = (yes: boolean) => each((camera) => camera.setWatched(yes))
  const sockets = serveSockets({ config, model: manifest.name, statuses: known.statuses, log, watched })
  const out = toAll([mqtt, sockets])
  const site = await openSite(config.http, known, sockets)

  const results = makeResults(manifest, (message) => {
    known.mask(message)
    out.mask(message)
  })
  const surroundings = { input: manifest.input, preview: config.preview, log }
  const listener = { status: out.status, event: out.event, picture: results.picture, frames: known.frames }
  cameras = config.cameras.map((camera) => startCamera(camera, surroundings, listener))
  each((camera) => out.status(camera.status()))
  const inference = await startInference(config, log, {
    ready: (socket) => each((camera) => camera.setSegment(socket)),
    mask: results.mask,
    refused: (reason) => end(2, reason),
  })
  known.watch(cameras, inference)
  const stats = setInterval(async () => out.stats(await known.stats()), statsEveryMs)

  let ending = false
  async function end(code: number, why: string | Error) {
    if (ending) return process.exit(1) // asked twice: at once
    ending = true
    if (code) log.fatal(why)
    else log.info(`ending: ${why}`)
    clearInterval(stats)
    await Promise.all([out.close(), inference.stop(), ...cameras.map((camera) => camera.stop())])
    await Promise.all([site.close(), broker?.close()])
    process.exit(code)
  }
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => end(0, signal))
  process.on('uncaughtException', (error) => end(1, error))
  greet(log, config, { page: site, broker: mqtt.url, model: manifest.name })
}

const command = readCommand(process.argv.slice(2))
if (command.help) console.log(help)
else
  run(command).catch((error: Error) => {
    console.error(error instanceof ConfigError ? error.message : `The agent cannot start: ${error.message}`)
    process.exit(error instanceof ConfigError ? 2 : 1)
  })
