// The videos that the benchmark plays, made of the demo drive where they are missing: H.264 as cameras send it, without
// frames that refer to later ones.
import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, mkdirSync, renameSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { demoDrive, repository } from '../paths.ts'

export interface Video {
  width: number
  height: number
  fps: number
}

const demoFps = 20

/** Where what a measurement is made with is kept: in the checkout, or where that cannot be written to, as in an image, among the temporary files. */
export function made(): string {
  const kept = join(repository, '.setup/bench-agent')
  try {
    mkdirSync(kept, { recursive: true })
    accessSync(kept, constants.W_OK)
    return kept
  } catch {
    const folder = join(tmpdir(), `roadmask-bench-${process.getuid!()}`)
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    return folder
  }
}

/** Path of the demo drive in another size, each frame shown for 1 / `fps` seconds. */
export function makeVideo({ width, height, fps }: Video): string {
  const path = join(made(), `drive-${width}x${height}-${fps}.mp4`)
  if (existsSync(path)) return path
  const unfinished = `${path}.${process.pid}`
  const text =
    `filesrc location=${demoDrive} ! decodebin ! videorate rate=${fps / demoFps} ! video/x-raw,framerate=${fps}/1 ` +
    `! videoscale ! video/x-raw,width=${width},height=${height},pixel-aspect-ratio=1/1 ! videoconvert ` +
    // 2 Mbit/s at 720p30 and a key frame every two seconds are what many an IP camera is set to.
    `! x264enc speed-preset=veryfast tune=zerolatency key-int-max=60 bitrate=${Math.round((2000 * width * height * fps) / (1280 * 720 * 30))} ` +
    `! h264parse ! mp4mux ! filesink location=${unfinished}`
  const { status, stderr } = spawnSync('gst-launch-1.0', ['-q', ...text.split(' ')], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`gst-launch-1.0 could not make ${path}: ${stderr.trim()}`)
  renameSync(unfinished, path)
  return path
}
