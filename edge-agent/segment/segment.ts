// The process that segments, one for all cameras: takes the newest frame of each, runs them through the bundle as one batch
// and sends the masks to main as PNG. TensorFlow's calls block this process and no other; nothing runs beside them.
import { rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { performance } from 'node:perf_hooks'
import { encodeMask } from '../../deploy/mask-png.ts'
import { slowPrecision } from '../../deploy/native-precision.ts'
import { loadBundle, type RunningBundle } from '../../deploy/run-bundle.ts'
import { samplePictures } from '../facts/drift.ts'
import { type CameraFacts, lookAtMasks } from '../facts/mask-facts.ts'
import { FactSettings } from '../facts/settings.ts'
import { chooseBatch } from './choose-batch.ts'
import { type FrameSource, listenForFrames, monotonicMicros, type ReceivedFrame } from './frame-socket.ts'
import type { FromSegment, ToSegment } from './messages.ts'

type Start = Extract<ToSegment, { type: 'start' }>

const tell = (message: FromSegment) => process.connected && process.send?.(message)
const toMs = (micros: number) => Math.round(micros / 10) / 100

/** Where the socket lies, in a folder made for it. */
let folder: string | undefined
/** What to say of whose masks, and, by camera, what looks at them. */
let settings: Record<string, CameraFacts> = {}
const plainFacts: CameraFacts = { facts: FactSettings.parse({}), zones: [] }
const looks = new Map<string, { factsOf: ReturnType<typeof lookAtMasks>; sample: ReturnType<typeof samplePictures> }>()

async function start({ bundle: dir, socket, compute, batches }: Start) {
  folder = dirname(socket)
  const began = performance.now()
  const bundle = await loadBundle(dir)
  if (compute === 'gpu' && bundle.compute !== 'gpu') {
    const reason =
      'The config wants "compute: gpu", but TensorFlow found no GPU it can use and would compute on the CPU. ' +
      '"npm run doctor" says what it found; "compute: auto" takes what there is.'
    return tell({ type: 'refused', reason })
  }
  const loaded = performance.now()
  warmUp(bundle, batches)
  const segmenter = makeSegmenter(bundle, batches)
  await listenForFrames(socket, segmenter)
  const slow = await slowPrecision(bundle.manifest.precision?.compute ?? 'float32', bundle.compute)
  const times = { loadMs: loaded - began, warmMs: performance.now() - loaded }
  tell({ type: 'ready', compute: bundle.compute, ...times, ...(slow && { slow }) })
}

/** The first calls of each batch size are slow: TensorFlow plans, and a GPU searches for its fastest convolutions. */
function warmUp({ manifest: { input }, serve }: RunningBundle, batches: number[]) {
  for (const n of batches) for (let i = 0; i < 2; i++) serve(new Uint8Array(n * input.width * input.height * 3), n)
}

function makeSegmenter({ manifest, serve }: RunningBundle, batches: number[]) {
  const { width, height } = manifest.input
  const model = { width, height, road: manifest.road }
  const look = { width, height, colours: manifest.classes.map(({ colour }) => colour), road: manifest.road }
  const pictureBytes = 3 * width * height
  const waiting = new Map<FrameSource, ReceivedFrame>()
  const servedAt = new Map<FrameSource, number>()
  let scheduled = false

  function looksOf(camera: string) {
    const known = looks.get(camera) ?? {
      factsOf: lookAtMasks(settings[camera] ?? plainFacts, model),
      sample: samplePictures(manifest.looks),
    }
    looks.set(camera, known)
    return known
  }

  /** One batch, and then once more round the event loop, where frames come in. */
  function schedule() {
    if (scheduled || waiting.size === 0) return
    scheduled = true
    setImmediate(() => {
      scheduled = false
      run()
      schedule()
    })
  }

  function run() {
    const sources = chooseBatch([...waiting.keys()], (source) => servedAt.get(source) ?? 0, batches)
    const frames = sources.map((source) => waiting.get(source)!)
    const n = frames.length
    const pictures = n === 1 ? frames[0]!.pixels : Buffer.concat(frames.map(({ pixels }) => pixels))
    const began = monotonicMicros()
    const { masks, classShare, confidence } = serve(pictures, n)
    const inferred = monotonicMicros()
    for (const source of sources) {
      waiting.delete(source)
      servedAt.set(source, inferred)
      source.request() // the next frame travels while these masks are encoded
    }
    frames.forEach(({ header, receivedMonotonicMicros }, i) => {
      const { camera, frame, capturedMicros, capturedMonotonicMicros, region } = header
      const mask = masks.subarray(i * width * height, (i + 1) * width * height)
      const classes = manifest.classes.length
      const said = { classShare: classShare.subarray(i * classes, (i + 1) * classes), confidence: confidence[i]! }
      const startedMicros = monotonicMicros()
      const { factsOf, sample } = looksOf(camera)
      const strange = sample(frames[i]!.pixels, { ...header, width, height }, capturedMonotonicMicros / 1000)
      const facts = { ...factsOf(mask, header, said), ...(strange !== undefined && { strange }) }
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
    })
  }

  return {
    frame(frame: ReceivedFrame, source: FrameSource) {
      if (frame.pixels.length !== pictureBytes)
        throw new Error(`Expected ${pictureBytes} bytes of ${width} x ${height} RGB, found ${frame.pixels.length}`)
      waiting.set(source, frame)
      schedule()
    },
    gone(source: FrameSource) {
      waiting.delete(source)
      servedAt.delete(source)
    },
  }
}

/** TensorFlow's words where memory is short, which may pass. Any other reason not to load a model will stay. */
const outOfMemory = /OOM|out of memory|resource exhausted/i

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
  if (message.type === 'ping') tell({ type: 'pong' })
  if (message.type === 'stop') process.exit(0)
})
process.on('disconnect', () => {
  if (folder) rmSync(folder, { recursive: true, force: true }) // main has died and cannot clean up
  process.exit(0)
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {}) // main decides, also on Ctrl-C
