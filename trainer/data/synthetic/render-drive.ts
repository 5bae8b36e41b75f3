// Renders the demo drive into an H.264 file: node build/trainer/data/synthetic/render-drive.js edge-agent/demo/drive.mp4
// Frames come from the synthetic world and go raw into GStreamer's x264enc; --labels keeps where the road is.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, rename, rm, stat } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Rendered } from './render.ts'
import type { FrameJob } from './render-drive-thread.ts'
import { writeRoadLabel } from './road-label.ts'
import { runInThreads } from './threads.ts'

const usage = `Renders the demo drive: a loop along a country road.

  node build/trainer/data/synthetic/render-drive.js OUT.mp4 [options]

  --seconds N     length of the loop (22)
  --fps N         frames a second (20)
  --width N       pixels (640)
  --height N      pixels (360)
  --seed N        another seed plants other trees (1)
  --quantizer N   x264's constant rate factor, larger is smaller (29)
  --labels DIR    also write where the road is: DIR/000000.png and so on, KITTI's colours, a label a frame
  --threads N     rendering threads (one a core)
`

interface Settings {
  out: string
  seconds: number
  fps: number
  width: number
  height: number
  seed: number
  quantizer: number
  labels: string | undefined
  threads: number
}

function readSettings(args: string[]): Settings | undefined {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      seconds: { type: 'string', default: '22' },
      fps: { type: 'string', default: '20' },
      width: { type: 'string', default: '640' },
      height: { type: 'string', default: '360' },
      seed: { type: 'string', default: '1' },
      quantizer: { type: 'string', default: '29' },
      labels: { type: 'string' },
      threads: { type: 'string', default: String(availableParallelism()) },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return undefined
  const number = (name: 'seconds' | 'fps' | 'width' | 'height' | 'seed' | 'quantizer' | 'threads', least: number) => {
    const value = Number(values[name])
    if (!(value >= least)) throw new Error(`Expected --${name} to be a number of at least ${least}, found "${values[name]}"`)
    return value
  }
  const [out, ...more] = positionals
  if (out === undefined || more.length > 0)
    throw new Error(`Expected one file to write, found ${positionals.length}; see --help`)
  return {
    out,
    seconds: number('seconds', 0.05),
    fps: number('fps', 1),
    width: number('width', 16),
    height: number('height', 16),
    seed: number('seed', 0),
    quantizer: number('quantizer', 0),
    labels: values.labels,
    threads: number('threads', 1),
  }
}

/** GStreamer's encoder: raw RGB in on its standard input, BT.709 as the stream itself says, a key frame every second. */
function startEncoder({ fps, width, height, quantizer }: Settings, file: string): ChildProcess {
  const pipeline = [
    'fdsrc fd=0',
    `rawvideoparse format=rgb width=${width} height=${height} framerate=${fps}/1 colorimetry=sRGB`,
    'videoconvert',
    'video/x-raw,format=I420,colorimetry=bt709',
    `x264enc pass=qual quantizer=${quantizer} key-int-max=${fps} bframes=0 ref=4 speed-preset=veryslow threads=1`,
    'video/x-h264,profile=high',
    'h264parse',
    'mp4mux faststart=true',
    `filesink location="${file}"`,
  ].join(' ! ')
  return spawn('gst-launch-1.0', ['-q', ...pipeline.split(' ')], { stdio: ['pipe', 'ignore', 'inherit'] })
}

async function renderDrive(settings: Settings): Promise<void> {
  const { out, seconds, fps, width, height, seed, labels, threads } = settings
  const count = Math.round(seconds * fps)
  await mkdir(dirname(out), { recursive: true })
  if (labels !== undefined) await mkdir(labels, { recursive: true })
  const partial = `${out}.${process.pid}.tmp`
  const encoder = startEncoder(settings, partial)
  const ended = new Promise<number | null>((resolve, reject) => {
    encoder.on('error', (cause) => reject(new Error('gst-launch-1.0 cannot be started; run npm run setup', { cause })))
    encoder.on('exit', resolve)
  })
  // A broken pipe is told by the encoder's exit code.
  encoder.stdin!.on('error', () => {})
  const jobs = Array.from(
    { length: count },
    (_, index): FrameJob => ({ seed, seconds, width, height, index, time: index / fps }),
  )
  const ready = new Map<number, Uint8Array>()
  let written = 0
  try {
    const rendering = runInThreads<FrameJob, Rendered>(
      new URL('./render-drive-thread.js', import.meta.url),
      jobs,
      threads,
      async ({ picture, road }, { index }) => {
        ready.set(index, picture)
        if (labels !== undefined)
          await writeRoadLabel(join(labels, `${String(index).padStart(6, '0')}.png`), road, width, height)
        for (let next = ready.get(written); next !== undefined; next = ready.get(written)) {
          ready.delete(written++)
          if (!encoder.stdin!.write(next)) await Promise.race([once(encoder.stdin!, 'drain'), ended])
        }
        showProgress(written, count, fps)
      },
    )
    await Promise.race([
      rendering,
      ended.then((code) => Promise.reject(new Error(`The encoder ended early with code ${code}`))),
    ])
    encoder.stdin!.end()
    const code = await ended
    if (code !== 0) throw new Error(`The encoder failed with code ${code}; its message is above`)
    await rename(partial, out)
    console.log(`${process.stdout.isTTY ? '\n' : ''}${out}: ${count} frames, ${((await stat(out)).size / 1e6).toFixed(2)} MB`)
  } finally {
    encoder.kill()
    await rm(partial, { force: true })
  }
}

let shown = 0

/** A line that counts up on a terminal, a line for every five seconds of video elsewhere. */
function showProgress(written: number, count: number, fps: number): void {
  if (process.stdout.isTTY) process.stdout.write(`\rframe ${written} of ${count}`)
  else if (Math.floor(written / fps / 5) > shown) {
    shown = Math.floor(written / fps / 5)
    console.log(`frame ${written} of ${count}`)
  }
}

try {
  const settings = readSettings(process.argv.slice(2))
  if (settings === undefined) console.log(usage)
  else await renderDrive(settings)
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}
