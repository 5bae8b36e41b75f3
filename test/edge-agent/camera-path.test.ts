// A picture gets the same mask through the camera path (GStreamer, the camera process, the frame socket) as through evaluate
// (fitPicture): the promise that what was measured in training is what runs.
import { execFileSync, fork } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ModelInput } from '../../deploy/bundle.ts'
import { fitPicture } from '../../deploy/fit-picture.ts'
import { loadBundle, type RunningBundle } from '../../deploy/run-bundle.ts'
import { demoBundle } from '../../edge-agent/paths.ts'
import { listenForFrames } from '../../edge-agent/segment/frame-socket.ts'
import { CameraConfig } from '../../edge-agent/settings/config.ts'
import { writeBrightBundle } from '../bright-bundle.ts'

const least = 0.99
const camvid = resolve(process.env.ROADMASK_REAL_DATA ?? join(import.meta.dirname, '../../../shared/data'), 'camvid/val')
let dir: string
let count = 0
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roadmask-'))
})
afterAll(() => rm(dir, { recursive: true }))

/** The model's picture of the first frame that a source gives, by a real camera process. */
async function throughCamera(source: string, input: ModelInput, more = {}): Promise<Uint8Array> {
  const socket = join(dir, `${++count}.sock`)
  const camera = fork(join(import.meta.dirname, '../../build/edge-agent/capture/camera.js'), {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    env: { ...process.env, UV_THREADPOOL_SIZE: '12' },
  })
  try {
    return await new Promise((got, failed) => {
      camera.on(
        'message',
        (message: { type: string; reason?: string }) => message.type === 'lost' && failed(new Error(message.reason)),
      )
      listenForFrames(socket, { frame: ({ pixels }) => got(pixels), gone() {} }).then((server) => {
        camera.once('exit', () => server.close())
        const config = CameraConfig.parse({ name: 'a', source, ...more })
        camera.send({ type: 'start', camera: config, input, preview: { fps: 0, max_width: 64, quality: 50 } })
        camera.send({ type: 'segment', socket })
      }, failed)
    })
  } finally {
    camera.kill('SIGKILL')
  }
}

/** Sources that play one picture, without loss of what they can hold: RGB as PNG, 4:2:0 as lossless H.264. */
const still = (png: string) =>
  `gst:multifilesrc location=${png} loop=true caps="image/png,framerate=10/1" ! pngdec ! identity sync=true`
function video(png: string, matrix: 'bt601' | 'bt709'): string {
  const file = join(dir, `${++count}.mp4`)
  const text =
    `multifilesrc location=${png} num-buffers=50 caps=image/png,framerate=10/1 ! pngdec ! videoconvert ! ` +
    `video/x-raw,format=I420,colorimetry=${matrix} ! x264enc pass=quant quantizer=0 ! mp4mux ! filesink location=${file}`
  execFileSync('gst-launch-1.0', ['-q', ...text.split(' ')])
  return `file:${file}`
}

/** A road between fields under a sky, under so much grain that a scaler which skips pixels gives itself away. */
async function paintScene(width: number, height: number): Promise<string> {
  const file = join(dir, `scene-${width}x${height}.png`)
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 60" preserveAspectRatio="none" width="${width}" height="${height}">
    <defs><linearGradient id="sky" x2="0" y2="1"><stop stop-color="#205090"/><stop offset="1" stop-color="#507090"/></linearGradient></defs>
    <rect width="100" height="60" fill="url(#sky)"/><rect y="25" width="100" height="35" fill="#506030"/>
    <path d="M10 60 L46 25 L54 25 L92 60 Z" fill="#b0a8a0"/><path d="M49 60 L49.7 25 L50.3 25 L52 60 Z" fill="#fffff0"/>
    <rect x="20" y="28" width="9" height="7" fill="#c02020"/><circle cx="80" cy="24" r="9" fill="#104010"/></svg>`
  const grain = await sharp({
    create: { width, height, channels: 3, background: '#808080', noise: { type: 'gaussian', mean: 128, sigma: 60 } },
  })
    .greyscale()
    .png()
    .toBuffer()
  const scene = await sharp(Buffer.from(svg)).removeAlpha().toBuffer()
  await sharp(scene)
    .composite([{ input: grain, blend: 'overlay' }])
    .removeAlpha()
    .png()
    .toFile(file)
  return file
}

/** Share of pixels that have the same class. */
const agreement = (a: Int32Array, b: Int32Array) => a.filter((id, i) => id === b[i]).length / a.length

async function agreements(bundle: RunningBundle, png: string, sources: string[], more = {}): Promise<number[]> {
  const { input } = bundle.manifest
  const expected = bundle.serve(await fitPicture(png, input), 1).masks
  expect(new Set(expected).size, 'a mask of one class proves nothing').toBe(2)
  const found: number[] = []
  for (const source of sources) found.push(agreement(bundle.serve(await throughCamera(source, input, more), 1).masks, expected))
  return found
}

describe('by geometry, with a model that looks at every pixel alone', () => {
  test.each([
    ['crop, reduced by a half', 1280, 720, { width: 576, height: 160, fit: 'crop' }],
    ['crop, reduced to odd sizes', 960, 540, { width: 193, height: 97, fit: 'crop' }],
    ['letterbox, odd sizes', 960, 540, { width: 211, height: 151, fit: 'letterbox' }],
    ['enlarged', 480, 360, { width: 576, height: 160, fit: 'crop' }],
  ] as const)('%s', async (name, width, height, size) => {
    const folder = join(dir, name)
    await writeBrightBundle(folder, size)
    const bundle = await loadBundle(folder)
    const png = await paintScene(width, height)
    const found = await agreements(bundle, png, [still(png), video(png, 'bt601'), video(png, 'bt709')])
    bundle.dispose()
    for (const share of found) expect(share).toBeGreaterThanOrEqual(least)
  })
})

test.each([0, 90, 180, 270] as const)('a region of a camera that is mounted turned by %i degrees', async (rotation) => {
  const folder = join(dir, `turned-${rotation}`)
  await writeBrightBundle(folder, { width: 192, height: 96, fit: 'crop' })
  const bundle = await loadBundle(folder)
  const upright = await paintScene(640, 480)
  const [given, part] = [join(dir, 'given.png'), join(dir, 'part.png')]
  await sharp(upright)
    .rotate(360 - rotation)
    .toFile(given)
  await sharp(upright).extract({ left: 100, top: 120, width: 400, height: 360 }).toFile(part)
  const more = { rotation, region: [100, 120, 400, 360] }
  const found = await agreements(bundle, part, [`file:${given}`, video(given, 'bt601')], more)
  bundle.dispose()
  for (const share of found) expect(share).toBeGreaterThanOrEqual(least)
})

// The pictures are not ours to publish, so a checkout alone does not have them.
test.skipIf(!existsSync(camvid) || !existsSync(demoBundle))('on real pictures, with a trained model', async () => {
  const bundle = await loadBundle(demoBundle)
  const names = readdirSync(camvid).sort()
  for (const name of [names[0]!, names[Math.floor(names.length / 2)]!]) {
    const png = join(dir, 'real.png')
    await sharp(join(camvid, name)).png().toFile(png)
    const found = await agreements(bundle, png, [still(png), video(png, 'bt601')])
    for (const share of found) expect(share, name).toBeGreaterThanOrEqual(least)
  }
  bundle.dispose()
})
