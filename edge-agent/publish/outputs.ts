// All ways out of the agent, opened in one place: the outbox and MQTT (with a broker inside where the config names none),
// WebSocket, streams, recordings, hard frames, history.
import { keepHardFrames } from '../collect/hard-frames.ts'
import type { CurrentModel } from '../current-model.ts'
import { keepHistory } from '../history/history.ts'
import type { Log } from '../log.ts'
import { makeRecorder } from '../record/recorder.ts'
import type { Access } from '../serve/access.ts'
import type { Config } from '../settings/config.ts'
import type { State } from '../state.ts'
import type { CameraList } from '../supervise/cameras.ts'
import type { Painter } from '../supervise/painter.ts'
import type { Updates } from '../update/updates.ts'
import type { CameraStatus, OutputStats } from '../wire.ts'
import { openBroker } from './broker.ts'
import { serveStreams } from './mjpeg.ts'
import { connectMqtt } from './mqtt.ts'
import { openOutbox } from './outbox.ts'
import { toAll } from './output.ts'
import { serveSockets } from './websocket.ts'

export interface OutputSurroundings {
  model: CurrentModel
  state: State
  access: Access
  painter: Painter
  cameras: CameraList
  updates: Updates
  statuses(): CameraStatus[]
  log: Log
}

export type Outputs = Awaited<ReturnType<typeof openOutputs>>

/** Opens them. Throws where the agent's own broker cannot listen or the outbox cannot be written. */
export async function openOutputs(config: Config, around: OutputSurroundings) {
  const { model, state, access, painter, cameras, updates, statuses, log } = around
  const { setEnabled, setWatched, wantPicture } = cameras
  const outbox = openOutbox(state.folder, config.outbox, log)
  const broker = config.mqtt.url ? undefined : await openBroker(config.broker, access)
  const own = { ...config, mqtt: { ...config.mqtt, ...broker?.login } }
  const mqtt = connectMqtt(own, { own: broker, outbox, state, painter, updates, log, setEnabled })
  const sockets = serveSockets({ config, model: model.name, statuses, log, watched: setWatched('pages') })
  model.onSwitch(sockets.greet)
  const streams = serveStreams({ painter, log, watched: setWatched('streams') })
  const recorder = makeRecorder(config, state.folder, log)
  const hardFrames = keepHardFrames(config, {
    state: state.folder,
    classes: () => model.bundle().manifest.classes,
    wantPicture,
    log,
  })
  const history = keepHistory(config, { state: state.folder, painter, wantPicture, log })
  const all = toAll([mqtt, sockets, streams, recorder, hardFrames, history], outbox.number)
  return {
    ...all,
    /** Address of the broker in use. */
    broker: mqtt.url,
    sockets,
    streams,
    hardFrames,
    history,
    /** What went out and what was dropped, for stats. */
    counts: (): OutputStats => ({
      mqtt: mqtt.counts(),
      websocket: sockets.counts(),
      streams: streams.counts(),
      ...recorder.counts(),
      ...hardFrames.counts(),
    }),
    /** Closes what lies behind the ways out, the outbox and the agent's own broker, once nothing comes any more. */
    closeBehind: () => Promise.all([outbox.close(), broker?.close()]),
  }
}
