// The process of one camera: plays its pipeline, numbers and times its frames, and gives the newest one to the process that
// segments whenever that asks. It lives as long as the connection to the camera does: whatever goes wrong, it says why and
// ends, and main starts another. (A stopped pipeline would leave a thread parked and memory behind in the binding.)

import { connect, type Socket } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Rectangle } from '../../deploy/fit-geometry.ts'
import { rateLimit } from '../publish/rate-limit.ts'
import { writeFrame } from '../segment/frame-socket.ts'
import { withoutSecrets } from '../settings/redact.ts'
import type { Region } from '../wire.ts'
import { captureClock } from './capture-clock.ts'
import { yuvMeaning, yuvToRgb } from './colour.ts'
import { chosenElements } from './elements.ts'
import { type Frame, frameChoice } from './frame-choice.ts'
import { frameLine } from './frame-line.ts'
import { readPacket } from './gdp.ts'
import { type AppSink, type BusMessage, hasElement, makePipeline, type Pipeline } from './gstreamer.ts'
import type { FromCamera, Replay, ToCamera } from './messages.ts'
import { modelPicture } from './model-picture.ts'
import { type CameraPicture, cameraPipeline, isYuv, probeText } from './pipeline.ts'
import { firstPatienceMs, silence } from './silence.ts'
import { type Hardware, isHeld, loops, noHardware } from './source.ts'
import { sourceFault } from './source-fault.ts'

type Start = Extract<ToCamera, { type: 'start' }>
type Again = Extract<FromCamera, { type: 'lost' }>['again']

/** GST_SEEK_FLAG_SEGMENT: at the end of the video comes `segment-done` instead of the end of the stream. */
const segmentSeek = 8
/** Without a frame for so long, the end of a stream that is held up has been reached. */
const drainedMs = 100
/** How long the last frame of a video may wait for the model. */
const restWithinMs = 60_000
/** Pictures a second while nobody looks, so that the latest one is never old. */
const unwatchedFps = 1

/** V8 does not see how large the frames are that it holds, and lets 40 MB of old ones lie before it tidies up by itself. */
setFlagsFromString('--expose-gc')
const tidyUp = runInNewContext('gc') as NodeJS.GCFunction

let playing: Pipeline | undefined
let segment: Socket | undefined
/** How many frames the process that segments has asked for. */
let asked = 0
let watched = false
let wanted = false
let giveFrame: (() => void) | undefined
/** Whether the model may be given a frame now. */
let due = rateLimit(Number.POSITIVE_INFINITY)

const tell = (message: FromCamera) => process.connected && process.send?.(message)

/** Ends the process. SIGKILL, because leaving by exit() would wait for the binding's parked threads. */
function end(): never {
  playing?.stop() // gives the camera back
  process.kill(process.pid, 'SIGKILL')
  throw new Error('unreachable')
}

function lost(reason: string, again: Again = 'later') {
  process.send?.({ type: 'lost', reason: withoutSecrets(reason), again } satisfies FromCamera, end)
}

/** What GStreamer has of NVIDIA's. Asked for on arm64 alone: the binding complains aloud of what is missing. */
function findHardware(): Hardware {
  if (process.arch !== 'arm64') return noHardware
  const [nvvidconv, nvjpegenc, nvarguscamerasrc] = ['nvvidconv', 'nvjpegenc', 'nvarguscamerasrc'].map(hasElement)
  return { nvvidconv: nvvidconv!, nvjpegenc: nvjpegenc!, nvarguscamerasrc: nvarguscamerasrc! }
}

/** How GStreamer says that a picture of another size or format came than the pipeline was made for. */
const otherPicture = /data stream|negotiat|could not link/i

/** What an error on the bus says, with the element it comes from. */
const reasonOf = ({ name, message }: BusMessage) =>
  `${message?.replace(/\.$/, '') ?? 'GStreamer failed'} (${name?.split(/[/:]/).at(-1) ?? 'pipeline'})`

/** Plays the source alone until its first frame says what the camera gives. */
function probe({ camera }: Start, hardware: Hardware): Promise<CameraPicture> {
  return new Promise((resolve) => {
    const pipeline = makePipeline(probeText(camera, hardware))
    playing = pipeline
    pipeline.pollBus((message) => {
      if (playing !== pipeline) return
      if (message.type === 'error') lost(reasonOf(message))
      if (message.type === 'eos') lost('The source ended before its first picture')
    })
    pipeline.play()
    const waited = firstPatienceMs(camera.timeout_ms)
    const timer = setTimeout(() => lost(`No picture within ${waited / 1000} s`), waited)
    ;(pipeline.findChild('probe') as AppSink).pull((buffer, caps) => {
      if (!buffer) return
      clearTimeout(timer)
      pipeline.stop()
      playing = undefined
      const { width, height, format, colorimetry } = caps as {
        width: number
        height: number
        format: string
        colorimetry?: string
      }
      resolve({ width, height, format, colorimetry })
    })
  })
}

/** Calls back for every timed buffer of a sink, and when there will be no more. `again` may put the next one off. */
function pullAll(
  pipeline: Pipeline,
  name: string,
  each: (pts: bigint, payload: Buffer) => void,
  again = (pull: () => void) => pull(),
  over = () => {},
) {
  const sink = pipeline.findChild(name) as AppSink
  const pull = () =>
    sink.pull((packet) => {
      if (!packet) return over() // the bus says why
      const buffer = readPacket(packet)
      if (buffer) each(buffer.pts, buffer.payload)
      again(pull)
    })
  pull()
}

/** Capture times of a replay, the same in each, on both clocks: what takes time counts the video's. */
function mediaTimes({ frames }: Replay): ReturnType<typeof captureClock> {
  let count = 0
  return (pts) => {
    const micros = frames?.[count++]?.capturedMicros ?? Number(pts / 1000n)
    return { monotonicMicros: micros, wallMicros: micros }
  }
}

function play(start: Start, picture: CameraPicture, hardware: Hardware) {
  const { camera, input, preview, replay } = start
  const held = replay !== undefined || isHeld(camera)
  const { text, view } = cameraPipeline(camera, picture, input, preview, hardware, held)
  const toRgb = isYuv(picture) ? yuvToRgb(yuvMeaning(picture.colorimetry, input)) : undefined
  const layout = { target: view.target, model: input, yuvToRgb: toRgb }
  const timesOf = replay ? mediaTimes(replay) : captureClock()
  const newest = frameChoice(preview.fps > 0 ? 1e6 / preview.fps : 0)
  const line = held ? frameLine(newest) : undefined
  const choice = line ?? newest
  let frames = 0
  const heard = silence(camera.timeout_ms)
  const elements = new Set<string>()

  const pipeline = makePipeline(text)
  playing = pipeline
  pipeline.pollBus((message) => {
    if (message.type === 'state-changed') elements.add(message._src_element_name)
    if (message.type === 'error') {
      // Where no frame came and the picture was looked at a moment ago, the fault is another one and will stay.
      const changed = otherPicture.test(`${message.message}`) && (frames > 0 || start.picture)
      lost(reasonOf(message), changed ? 'changed' : 'later')
    }
    if (message.type === 'segment-done') (held ? windWhenDrained : wind)()
    if (message.type !== 'eos') return
    over = true
    if (line || camera.loop === false) finished('stream')
    else ended()
  })
  function ended() {
    if (loops(camera) && frames > 0) lost('The video could not be wound back', 'now')
    else if (camera.loop === false) lost('The video has ended', 'never')
    else lost('The stream has ended')
  }
  let over = false
  /** The stream's end and that of the pulls come in any order; none of the two alone is the end. */
  const still = new Set(['stream', 'pulls'])
  function finished(part: string) {
    still.delete(part)
    if (still.size > 0) return
    if (line) line.end(gone)
    else giveRest(performance.now() + restWithinMs)
  }
  /** The last frame may wait for a model that is still loading. */
  function giveRest(untilMs: number) {
    giveFrame?.()
    if (choice.waiting() && performance.now() < untilMs) setTimeout(giveRest, drainedMs / 4, untilMs)
    else gone()
  }
  /** After the frame that was just taken has gone its way. */
  function gone() {
    setImmediate(() => {
      if (replay) tell({ type: 'finished', frames })
      else if (segment) segment.write('', ended)
      else ended()
    })
  }
  pipeline.play()

  let pictureDue = false
  let openedMs = Number.NEGATIVE_INFINITY
  let openedAt = -1n // newest frame at that moment: the picture is of a later one
  const shutter = pipeline.findChild('shutter')
  const openShutter = (yes: boolean) => {
    pictureDue = yes
    if (shutter) shutter['drop-probability'] = yes ? 0 : 1
  }
  /** Lets the next frame through to the JPEG encoder where it is time for a picture. */
  const openWhenDue = (pts: bigint) => {
    const everyMs = 1000 / (watched ? preview.fps : Math.min(preview.fps, unwatchedFps))
    // Frames come in steps: rather one early than each one late.
    if (!wanted && performance.now() - openedMs < everyMs * 0.9) return
    wanted = false
    openedMs = performance.now()
    openedAt = pts
    openShutter(true)
  }

  const sink = pipeline.findChild('model') as AppSink
  /** A seek waits for the frame that flows, which must not wait for this thread meanwhile. */
  function wind() {
    sink.drop = true
    pipeline.seek(0, segmentSeek)
    sink.drop = !held
  }
  /** The last frames of a stream that is held up are still on their way when it tells its end. */
  let cameMs = 0
  function windWhenDrained() {
    if (choice.waiting() || performance.now() - cameMs < drainedMs) setTimeout(windWhenDrained, drainedMs / 4)
    else wind()
  }
  const newFrame = (pts: bigint, buffer: Buffer) => {
    heard.heard()
    cameMs = performance.now()
    frames++
    if (frames === 1) {
      tell({ type: 'online', picture })
      setTimeout(() => tell({ type: 'chosen', chosen: chosenElements(elements) }), 500) // the bus is behind the frames
      if (loops(camera)) wind()
    }
    // Where the stream is held up, its own time says nothing of when a frame came.
    choice.add({ number: frames, pts, ...timesOf(held && !replay ? process.hrtime.bigint() : pts), buffer })
    giveFrame?.()
    if (shutter) openWhenDue(pts)
  }
  pullAll(pipeline, 'model', newFrame, line?.whenRoom, () => finished('pulls'))
  if (shutter)
    pullAll(pipeline, 'preview', (pts, jpeg) => {
      if (pts > openedAt) openShutter(false) // else it was asked for before, and the next one is due already
      const gone = choice.addPicture(pts, jpeg)
      if (gone) tell({ type: 'picture', frame: gone.number, jpeg })
    })

  const { upright } = view
  const region = regionOf(view.region)
  const seen = regionOf(view.seen)
  const give = (frame: Frame, socket: Socket) => {
    if (frame.picture) tell({ type: 'picture', frame: frame.number, jpeg: frame.picture })
    const header = {
      camera: camera.name,
      process: process.pid,
      frame: replay?.frames?.[frame.number - 1]?.number ?? frame.number,
      capturedMicros: frame.wallMicros,
      capturedMonotonicMicros: frame.monotonicMicros,
      cameraWidth: upright.width,
      cameraHeight: upright.height,
      region,
      seen,
      picture: frame.picture !== undefined || pictureDue,
      held,
    }
    writeFrame(socket, header, modelPicture(frame.buffer, layout))
  }
  giveFrame = () => {
    while (asked > 0 && segment && choice.waiting() && due()) {
      asked--
      give(choice.take()!, segment)
    }
  }

  setInterval(() => tell({ type: 'alive', frames }), 500)
  setInterval(() => {
    tidyUp({ type: 'minor' })
    if (over || (line && asked === 0)) heard.heard() // held up by the model, or at its end
    const silentMs = heard.broken()
    if (silentMs)
      lost(frames ? `No picture for ${Math.round(silentMs / 100) / 10} s` : 'The camera answered but sent no picture')
  }, 250)
}

const regionOf = ({ x, y, width, height }: Rectangle): Region => [x, y, width, height]

function connectTo(path: string) {
  segment?.destroy()
  asked = 0
  const socket = connect(path)
  segment = socket
  socket.on('data', (requests) => {
    if (segment !== socket) return
    asked += requests.length
    giveFrame?.()
  })
  socket.on('error', () => {}) // that process died; main tells where the next one listens
  socket.on('close', () => {
    if (segment === socket) segment = undefined
  })
}

function setRate(perSecond = Number.POSITIVE_INFINITY) {
  due = rateLimit(perSecond)
}

async function start(message: Start) {
  setRate(message.camera.masks_per_second)
  const fault = await sourceFault(message.camera.source)
  if (fault) return lost(fault)
  const hardware = findHardware()
  play(message, message.picture ?? (await probe(message, hardware)), hardware)
}

process.on('message', (message: ToCamera) => {
  if (message.type === 'start') start(message).catch((error: Error) => lost(error.message))
  if (message.type === 'segment') connectTo(message.socket)
  if (message.type === 'rate') setRate(message.perSecond)
  if (message.type === 'watched') watched = message.watched
  if (message.type === 'want-picture') wanted = true
  if (message.type === 'stop') end()
})
// Main has died. Stopping may hang in GStreamer, and nobody is there to make it end: the system takes the camera back.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {}) // main decides, also on Ctrl-C
