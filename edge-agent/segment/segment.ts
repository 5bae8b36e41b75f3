// The process that segments, one for all cameras: takes the newest frame of each, runs them through the bundle as one batch
// and sends the masks to main as PNG. TensorFlow has a thread of its own: while it works on a batch, the masks of the one
// before become messages and the frames of the next one arrive.
import { rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { performance } from 'node:perf_hooks'
import { encodeMask } from '../../deploy/mask-png.ts'
import { slowPrecision } from '../../deploy/native-precision.ts'
import type { Masks } from '../../deploy/run-bundle.ts'
import { samplePictures } from '../facts/drift.ts'
import { type CameraFacts, lookAtMasks } from '../facts/mask-facts.ts'
import { FactSettings } from '../facts/settings.ts'
import { monotonicMicros, toMs } from '../monotonic.ts'
import { chooseBatch } from './choose-batch.ts'
import { makeForward } from './forward.ts'
import { type FrameSource, listenForFrames, type ReceivedFrame } from './frame-socket.ts'
import type { FromSegment, ToSegment } from './messages.ts'
import { type Model, noGpu, openModel, outOfMemory, warmUp } from './model.ts'

type Start = Extract<ToSegment, { type: 'start' }>

const tell = (message: FromSegment) => process.connected && process.send?.(message)

/** How long before the model is free its next frame is asked for: it takes so long to be converted and to travel, or less. */
const leadMicros = 5000

/** Of one source several frames go together where each takes no longer, so that masks come as they are made, not in bursts. */
const quickMicros = 60_000

/** Where the socket lies, in a folder made for it. */
let folder: string | undefined
let segmenter: ReturnType<typeof makeSegmenter> | undefined
const forward = makeForward()
/** What to say of whose masks, and, by camera, what looks at them. */
let settings: Record<string, CameraFacts> = {}
const plainFacts: CameraFacts = { facts: FactSettings.parse({}), zones: [] }
const looks = new Map<string, { factsOf: ReturnType<typeof lookAtMasks>; sample: ReturnType<typeof samplePictures> }>()

async function start({ bundle: dir, socket, compute, batches }: Start) {
  folder = dirname(socket)
  const began = performance.now()
  const bundle = await openModel(dir)
  if (compute === 'gpu' && bundle.compute !== 'gpu') return tell({ type: 'refused', reason: noGpu })
  const loaded = performance.now()
  await warmUp(bundle, batches)
  segmenter = makeSegmenter(bundle, batches)
  await listenForFrames(socket, segmenter)
  const { compute: device, tensorflow, precision } = bundle
  const slow = await slowPrecision(precision, device)
  const times = { loadMs: loaded - began, warmMs: performance.now() - loaded }
  tell({ type: 'ready', compute: device, tensorflow, precision, ...times, ...(slow && { slow }) })
}

function makeSegmenter({ manifest, serve }: Model, batches: number[]) {
  const { width, height } = manifest.input
  const model = { width, height, road: manifest.road }
  const look = { width, height, colours: manifest.classes.map(({ colour }) => colour), road: manifest.road }
  const pictureBytes = 3 * width * height
  /** Of a source that waits for the model as many frames as a batch holds, in order; of any other one its newest. */
  const waiting = new Map<FrameSource, ReceivedFrame[]>()
  /** Sources that are gone, but not yet all that came from them. */
  const departed = new Set<FrameSource>()
  const largest = Math.max(...batches)
  const servedAt = new WeakMap<FrameSource, number>()
  /** The batch that runs. */
  let busy: Promise<void> | undefined
  /** How long the last one took, and its frames each. */
  let inferMicros = 0
  let frameMicros = Number.POSITIVE_INFINITY

  function looksOf(camera: string) {
    const known = looks.get(camera) ?? {
      factsOf: lookAtMasks(settings[camera] ?? plainFacts, model),
      sample: samplePictures(manifest.looks),
    }
    looks.set(camera, known)
    return known
  }

  /** Starts a batch, where none runs and a frame waits. */
  function next() {
    if (busy) return
    const began = monotonicMicros()
    const depth = frameMicros < quickMicros ? largest : 1
    const ready = [...waiting].flatMap(([source, frames]) =>
      // A source whose first frame is in the batch has just been served.
      frames
        .slice(0, depth)
        .map((frame, place) => ({ source, frame, servedAt: place ? began + place : (servedAt.get(source) ?? 0) })),
    )
    const batch = chooseBatch(ready, ({ servedAt }) => servedAt, batches)
    if (batch.length === 0) return
    for (const { source } of batch) waiting.get(source)!.shift()
    for (const source of departed) if (!waiting.get(source)?.length && departed.delete(source)) waiting.delete(source)
    const frames = batch.map(({ frame }) => frame)
    // The next frame travels while this one is worked on, and no sooner than it must, since a later one is a newer one.
    const ask = (held: boolean) => {
      for (const { source, frame } of batch) if (Boolean(frame.header.held) === held) source.request()
    }
    const askTheOthers = () => {
      clearTimeout(timer)
      timer = undefined
      ask(false)
    }
    let timer: NodeJS.Timeout | undefined = setTimeout(askTheOthers, (inferMicros - leadMicros) / 1000)
    ask(true)
    busy = serve(frames.map(({ pixels }) => pixels)).then((masks) => {
      const inferred = monotonicMicros()
      inferMicros = inferred - began
      frameMicros = inferMicros / frames.length
      forward.took(toMs(inferMicros), frames.length)
      if (timer) askTheOthers()
      for (const { source } of batch) servedAt.set(source, inferred)
      busy = undefined
      next() // the model goes on before these masks are looked at
      send(frames, masks, began, inferred)
    })
  }

  function send(frames: ReceivedFrame[], { masks, confidence }: Masks, began: number, inferred: number) {
    frames.forEach(({ header, receivedMonotonicMicros }, i) => {
      const { camera, frame, capturedMicros, capturedMonotonicMicros, region } = header
      const mask = masks.subarray(i * width * height, (i + 1) * width * height)
      const startedMicros = monotonicMicros()
      const { factsOf, sample } = looksOf(camera)
      const strange = sample(frames[i]!.pixels, { ...header, width, height }, capturedMonotonicMicros / 1000)
      const facts = { ...factsOf(mask, header, confidence[i]!), ...(strange !== undefined && { strange }) }
      const lookedMicros = monotonicMicros()
      const png = encodeMask(mask, look, {
        Software: 'Roadmask',
        'Creation Time': new Date(capturedMicros / 1000).toISOString(),
        camera,
        frame: String(frame),
        captured_us: String(capturedMicros),
        model: manifest.name,
        region: region.join(','),
      })
      const sentMonotonicMicros = monotonicMicros()
      tell({
        type: 'mask',
        frame: header,
        png,
        facts,
        timings: {
          capture: toMs(receivedMonotonicMicros - capturedMonotonicMicros),
          wait: toMs(began - receivedMonotonicMicros),
          infer: toMs(inferred - began),
          facts: toMs(lookedMicros - startedMicros),
          encode: toMs(sentMonotonicMicros - lookedMicros),
        },
        sentMonotonicMicros,
      })
      forward.offer(frames[i]!, mask, { confidence: confidence[i]!, batch: frames.length })
    })
  }

  return {
    /** When the batch that runs is done. */
    idle: () => busy ?? Promise.resolve(),
    frame(frame: ReceivedFrame, source: FrameSource) {
      if (frame.pixels.length !== pictureBytes)
        throw new Error(`Expected ${pictureBytes} bytes of ${width} x ${height} RGB, found ${frame.pixels.length}`)
      const line = waiting.get(source)
      if (line) line.push(frame)
      else {
        waiting.set(source, [frame])
        if (frame.header.held) for (let i = 1; i < largest; i++) source.request()
      }
      setImmediate(next) // after the frames that came with it
    },
    gone(source: FrameSource) {
      // What has arrived whole is worth its mask: of a video that has ended it is the last one.
      if (waiting.get(source)?.length) departed.add(source)
      else waiting.delete(source)
    },
  }
}

/** The model could not be loaded or does not answer. */
function failed(error: Error) {
  console.error(error.message)
  if (outOfMemory.test(error.message)) process.exit(1)
  const refused: FromSegment = { type: 'refused', reason: `The bundle cannot be used: ${error.message}` }
  process.send?.(refused, () => process.exit(1))
}

process.on('message', (message: ToSegment) => {
  if (message.type === 'start') start(message).catch(failed)
  if (message.type === 'facts') {
    settings = message.cameras
    looks.clear()
  }
  if (message.type === 'beside') forward.to(message.socket)
  // A model that hangs must not look alive.
  if (message.type === 'ping') (segmenter?.idle() ?? Promise.resolve()).then(() => tell({ type: 'pong' }))
  if (message.type === 'stop') process.exit(0)
})
process.on('disconnect', () => {
  if (folder) rmSync(folder, { recursive: true, force: true }) // main has died and cannot clean up
  process.exit(0)
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {}) // main decides, also on Ctrl-C
