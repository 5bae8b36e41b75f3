// The edge agent, in the order it happens: settings, bundle, ways out, page, cameras, model; then it runs until it is told to
// end. Nothing native is loaded here and no picture is touched: cameras and the model live in processes of their own.
import { watchClock } from './clock-watch.ts'
import { type Command, dispatch } from './command-line.ts'
import { makeCurrentModel } from './current-model.ts'
import { endings } from './ending.ts'
import { makeJudge } from './facts/judge.ts'
import { openTold } from './facts/told.ts'
import { openGps } from './gps.ts'
import { greet } from './greeting.ts'
import { makeMemory } from './known.ts'
import { openLog } from './log.ts'
import type { NewEvent } from './publish/output.ts'
import { openOutputs } from './publish/outputs.ts'
import { makeResults } from './results.ts'
import { openAccess } from './serve/access.ts'
import { startMetrics } from './serve/metrics.ts'
import { openSite } from './serve/site.ts'
import { type Reloading, startReloading, stillStarting } from './settings/reload.ts'
import { openSettingsFile, readSettings, settingsPlace } from './settings/settings-file.ts'
import { openState } from './state.ts'
import { makeCameras } from './supervise/cameras.ts'
import { startInference } from './supervise/inference.ts'
import { makePainter } from './supervise/painter.ts'
import { openSwitches } from './supervise/switches.ts'
import { cameraTests } from './supervise/try-camera.ts'
import { notifySystemd } from './systemd.ts'
import { openStore } from './update/store.ts'
import { openTrial } from './update/trial.ts'
import { openUpdates } from './update/updates.ts'

const statsEveryMs = 10_000

async function run({ file: named, flags }: Command) {
  process.on('SIGHUP', () => {}) // from now on it does not end the agent; `startReloading` answers it
  const place = settingsPlace(named, process.env, flags)
  const read = () => readSettings(place, process.env, flags)
  const config = await read()
  const log = openLog(config.log)
  const state = await openState(config, process.env)
  const store = openStore(state, config, log)
  const { bundle, slot } = await store.start()
  const model = makeCurrentModel(bundle)
  const updates = openUpdates(config, { store, state, running: { slot, name: model.name() }, log })
  const known = makeMemory(config, model, log)
  const cameras = makeCameras({ input: bundle.manifest.input, log }, openSwitches(state, log))

  const painter = makePainter(log)
  const access = openAccess(config, state, log)
  const { statuses } = known
  const out = await openOutputs(config, { model, state, access, painter, cameras, updates, statuses, log })
  known.ask(out.counts)
  const metrics = startMetrics({ known, model: model.name, update: updates.state, folder: state.folder })
  let reloading: Reloading | undefined
  const reload = async () => reloading?.reload() ?? stillStarting
  const setup = {
    file: openSettingsFile({ place, env: process.env, flags, reload }),
    play: cameraTests({ input: () => model.bundle().manifest.input, playing: cameras.playing, log }),
  }
  const { setEnabled } = cameras
  const site = await openSite(config, {
    ...out,
    bundle: model.bundle,
    known,
    metrics,
    access,
    setEnabled,
    reload,
    setup,
    updates,
    log,
  })

  const gps = openGps(config.gps, log)
  const event = (happened: NewEvent) => {
    metrics.event(happened)
    out.event(gps.locate(happened))
  }
  const told = openTold(state, log)
  const judge = makeJudge(config.cameras, event, told)
  model.onSwitch(judge.newModel)
  const results = makeResults(judge, (made) => {
    if (!cameras.has(made.result.camera)) return
    const message = { ...made, result: gps.locate(made.result) }
    known.mask(message)
    out.mask(message)
    metrics.mask(message.result)
    trial.mask(message.result)
  })
  const frames = (camera: string, count: number) => [known, metrics].map((part) => part.frames(camera, count))
  const listener = { status: out.status, event, picture: results.picture, frames }
  await cameras.run(config, listener)
  const inference = await startInference(config, bundle, log, {
    ready(socket, bundle) {
      model.switched(bundle)
      cameras.setSegment(socket, bundle.manifest.input)
      trial.took(bundle)
    },
    mask: results.mask,
    broke: (bundle, reason, hopeless) => void (trial.broke(bundle, reason) || (hopeless && end(2, reason))),
  })
  const trial = openTrial(config, { store, updates, inference, model, event: cameras.tellAll(event), log })
  updates.begin(trial, inference)

  known.watch({ cameras, inference, painter })
  const systemd = notifySystemd(process.env, { known, healthy: inference.healthy, log })
  const unwatchClock = watchClock(cameras.clockStepped, log)
  const stats = setInterval(async () => out.stats(await known.stats()), statsEveryMs)
  const hungUp = () => end(0, 'its terminal was closed')
  reloading = startReloading(config, { file: place.path, read, apply, log, systemd, hungUp })
  async function apply(changed: typeof config) {
    log.level = changed.log
    await cameras.run(changed, listener)
    for (const part of [known, judge, results, inference, access, site, metrics, updates, trial, out]) part.settings(changed)
  }
  const end = endings(log, async () => {
    clearInterval(stats)
    for (const stop of [unwatchClock, reloading.stop, gps.stop, told.stop, updates.stop]) stop()
    await Promise.all([systemd.stopping(), out.close(), trial.stop(), inference.stop(), cameras.stop(), painter.stop()])
    await Promise.all([site.close(), out.closeBehind()])
    state.close()
  })
  await greet(log, config, { page: site, broker: out.broker, model: model.name(), access, file: place.path })
  systemd.ready()
}

dispatch(process.argv.slice(2), run)
