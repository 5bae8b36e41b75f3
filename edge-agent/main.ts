// The edge agent, in the order it happens: settings, bundle, ways out, page, cameras, model; then it runs until it is told to
// end. Nothing native is loaded here and no picture is touched: cameras and the model live in processes of their own.
import { openBundle } from '../deploy/bundle.ts'
import { makeCameras } from './camera-list.ts'
import { watchClock } from './clock-watch.ts'
import { keepHardFrames } from './collect/hard-frames.ts'
import { commands, help, readCommand } from './command-line.ts'
import { makeJudge } from './facts/judge.ts'
import { openGps } from './gps.ts'
import { greet } from './greeting.ts'
import { startInference } from './inference.ts'
import { makeMemory } from './known.ts'
import { openLog } from './log.ts'
import { makePainter } from './painter.ts'
import { openBroker } from './publish/broker.ts'
import { serveStreams } from './publish/mjpeg.ts'
import { connectMqtt } from './publish/mqtt.ts'
import { openOutbox } from './publish/outbox.ts'
import { type NewEvent, toAll } from './publish/output.ts'
import { serveSockets } from './publish/websocket.ts'
import { ConfigError, configPath, readConfig } from './read-config.ts'
import { makeRecorder } from './record/recorder.ts'
import { startReloading } from './reload.ts'
import { makeResults } from './results.ts'
import { openAccess } from './serve/access.ts'
import { startMetrics } from './serve/metrics.ts'
import { openSite } from './serve/site.ts'
import { openState } from './state.ts'
import { openSwitches } from './switches.ts'
import { notifySystemd } from './systemd.ts'

const statsEveryMs = 10_000

async function run({ file: named, flags }: ReturnType<typeof readCommand>) {
  const file = named && configPath(named, process.env)
  const read = () => readConfig(file, process.env, flags)
  const config = await read()
  const { manifest } = await openBundle(config.bundle)
  const log = openLog(config.log)
  const state = await openState(config, process.env)
  const outbox = openOutbox(state.folder, config.outbox, log)
  const known = makeMemory(config, manifest, log)
  const cameras = makeCameras({ input: manifest.input, log }, openSwitches(state, log))

  const painter = makePainter(log)
  const access = openAccess(config, state, log)
  const broker = config.mqtt.url ? undefined : await openBroker(config.broker, access)
  const { setEnabled, setWatched } = cameras
  const mqtt = connectMqtt(
    { ...config, mqtt: { ...config.mqtt, ...broker?.login } },
    { own: broker, outbox, state, painter, log, setEnabled },
  )
  const { statuses } = known
  const sockets = serveSockets({ config, model: manifest.name, statuses, log, watched: setWatched('pages') })
  const streams = serveStreams({ painter, log, watched: setWatched('streams') })
  const recorder = makeRecorder(config, state.folder, log)
  const hardFrames = keepHardFrames(config, {
    state: state.folder,
    classes: manifest.classes,
    wantPicture: cameras.wantPicture,
    log,
  })
  const out = toAll([mqtt, sockets, streams, recorder, hardFrames], outbox.number)
  known.ask(() => ({
    mqtt: mqtt.counts(),
    websocket: sockets.counts(),
    streams: streams.counts(),
    ...recorder.counts(),
    ...hardFrames.counts(),
  }))
  const reload = () => reloading.reload()
  const metrics = startMetrics({ known, model: manifest.name })
  const site = await openSite(config, {
    known,
    metrics,
    access,
    sockets,
    streams,
    hardFrames,
    broker: mqtt.url,
    setEnabled,
    reload,
    log,
  })

  const gps = openGps(config.gps, log)
  const event = (happened: NewEvent) => out.event(gps.locate(happened))
  const judge = makeJudge(config.cameras, event)
  const results = makeResults(manifest, judge, (made) => {
    if (!cameras.has(made.result.camera)) return
    const message = { ...made, result: gps.locate(made.result) }
    known.mask(message)
    out.mask(message)
    metrics.mask(message.result)
  })
  const frames = (camera: string, count: number) => [known, metrics].map((part) => part.frames(camera, count))
  const listener = { status: out.status, event, picture: results.picture, frames }
  await cameras.run(config, listener)
  const inference = await startInference(config, log, {
    ready: cameras.setSegment,
    mask: results.mask,
    refused: (reason) => end(2, reason),
  })
  known.watch(cameras, inference, painter)
  const systemd = notifySystemd(process.env, { known, healthy: inference.healthy, log })
  const unwatchClock = watchClock((micros) => {
    log.warn(
      { step_ms: Math.round(micros / 1000) },
      'the clock was set, or the machine slept: times before this are off by so much',
    )
    for (const camera of cameras.all()) camera.clockStepped(micros)
  })
  const stats = setInterval(async () => out.stats(await known.stats()), statsEveryMs)
  const reloading = startReloading(config, {
    file,
    read,
    log,
    systemd,
    hungUp: () => end(0, 'its terminal was closed'),
    async apply(changed) {
      log.level = changed.log
      await cameras.run(changed, listener)
      for (const part of [known, judge, results, inference, access, site, metrics, out]) part.settings(changed)
    },
  })

  let ending = false
  async function end(code: number, why: string | Error) {
    if (ending) return process.exit(1) // asked twice: at once
    ending = true
    if (code) log.fatal(why)
    else log.info(`ending: ${why}`)
    clearInterval(stats)
    unwatchClock()
    reloading.stop()
    gps.stop()
    await Promise.all([systemd.stopping(), out.close(), inference.stop(), cameras.stop(), painter.stop()])
    await Promise.all([site.close(), outbox.close(), broker?.close()])
    state.close()
    process.exit(code)
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => end(0, signal))
  process.on('uncaughtException', (error) => end(1, error))
  systemd.ready()
  greet(log, config, { page: site, broker: mqtt.url, model: manifest.name, access, file })
}

const words = process.argv.slice(2)
const command = readCommand(words)
const other = commands[words[0] ?? '']
if (other)
  other(words.slice(1)).catch((error: Error) => {
    console.error(error.message)
    process.exitCode = 1
  })
else if (command.help) console.log(help)
else
  run(command).catch((error: Error) => {
    console.error(error instanceof ConfigError ? error.message : `The agent cannot start: ${error.message}`)
    process.exit(error instanceof ConfigError ? 2 : 1)
  })
