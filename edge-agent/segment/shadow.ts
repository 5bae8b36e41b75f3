// The process of a model that runs beside the one whose masks go out: it asks that one's process for a frame with its mask, makes
// its own mask of the same frame and tells main how the two compare. Nobody sees its masks.
import { rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Manifest } from '../../deploy/bundle.ts'
import { lookOf, strangeness } from '../../deploy/picture-look.ts'
import { countAgreement } from '../facts/agreement.ts'
import { seenOf, type View } from '../facts/view.ts'
import type { MadeHeader } from './forward.ts'
import { type FrameSource, listenForFrames, type ReceivedFrame } from './frame-socket.ts'
import type { Compared, FromShadow, ToShadow } from './messages.ts'
import { type Model, noGpu, openModel, outOfMemory, warmUp } from './model.ts'
import { refit } from './refit.ts'

type Start = Extract<ToShadow, { type: 'start' }>

/** It rests so many times as long as it worked: the model whose masks go out has most of the machine. */
const restFactor = 4
/** More frames a second say no more. */
const leastRestMs = 200

let folder: string | undefined
const tell = (message: FromShadow) => process.connected && process.send?.(message)

async function start({ bundle, socket, compute, batches, against, timeoutMs }: Start) {
  folder = dirname(socket)
  const model = await openModel(bundle)
  if (compute === 'gpu' && model.compute !== 'gpu') return tell({ type: 'refused', reason: noGpu })
  await warmUp(model, batches)
  const compare = comparer(model, against)
  const work = async (frame: ReceivedFrame, source: FrameSource) => {
    const began = performance.now()
    const tooLong = setTimeout(() => failed(new Error(`A frame took longer than ${timeoutMs / 1000} s`)), timeoutMs)
    tell(await compare(frame))
    clearTimeout(tooLong)
    await delay(Math.max(leastRestMs, restFactor * (performance.now() - began)))
    source.request()
  }
  await listenForFrames(socket, { frame: (frame, source) => void work(frame, source).catch(failed), gone() {} })
  tell({ type: 'ready' })
}

/** Makes the function that runs a frame through the model and compares its mask with the one that came along. */
function comparer({ manifest, serve }: Model, against: Manifest) {
  const { input } = against
  const pixelBytes = 3 * input.width * input.height
  const sameInput = (['width', 'height', 'fit'] as const).every((key) => input[key] === manifest.input[key])
  const namesOf = ({ classes }: Manifest) => classes.map(({ name }) => name).join('\n')
  const sameClasses = namesOf(against) === namesOf(manifest)

  return async ({ header, pixels: body }: ReceivedFrame): Promise<Compared> => {
    const { made, cameraWidth, cameraHeight, region, seen } = header as MadeHeader
    const old = { pixels: body.subarray(0, pixelBytes), ids: body.subarray(pixelBytes) }
    const view: View = { width: input.width, height: input.height, cameraWidth, cameraHeight, region, seen }
    const mine = sameInput ? { pixels: old.pixels, region, seen } : refit(old.pixels, view, manifest.input)
    const began = performance.now()
    // In a batch as large as the old one's, which takes less for a frame.
    const { masks, confidence } = await serve(Array.from({ length: made.batch }, () => mine.pixels))
    const inferMs = (performance.now() - began) / made.batch
    const myView: View = {
      ...view,
      width: manifest.input.width,
      height: manifest.input.height,
      region: mine.region,
      seen: mine.seen,
    }
    const strange = [strangeTo(manifest, mine.pixels, myView), strangeTo(against, old.pixels, view)] as const
    return {
      type: 'compared',
      counts: countAgreement(
        { ...view, ids: old.ids, road: against.road },
        { ...myView, ids: masks, road: manifest.road },
        sameClasses,
      ),
      inferMs,
      oldInferMs: made.inferMs,
      confidence: confidence[0]!,
      oldConfidence: made.confidence,
      ...(strange[0] !== undefined && strange[1] !== undefined && { strange: [strange[0], strange[1]] }),
    }
  }
}

const strangeTo = ({ looks }: Manifest, pixels: Uint8Array, view: View) =>
  looks && strangeness(looks, lookOf(pixels, view.width, seenOf(view)))

function failed(error: Error) {
  console.error(error.message)
  if (outOfMemory.test(error.message)) process.exit(1)
  process.send?.({ type: 'refused', reason: error.message } satisfies FromShadow, () => process.exit(1))
}

process.on('message', (message: ToShadow) => {
  if (message.type === 'start') start(message).catch(failed)
  if (message.type === 'stop') process.exit(0)
})
process.on('disconnect', () => {
  if (folder) rmSync(folder, { recursive: true, force: true }) // main has died and cannot clean up
  process.exit(0)
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {}) // main decides, also on Ctrl-C
