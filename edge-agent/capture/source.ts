// The part of a pipeline that is a camera's own: from the source in the config to raw video. Pure text.
import { demoDrive } from '../paths.ts'
import type { CameraConfig } from '../settings/config.ts'
import { sourceKind } from '../settings/source-kind.ts'

/** GStreamer elements of NVIDIA's that this machine has; decodebin finds nvv4l2decoder by itself. */
export interface Hardware {
  /** Copies and converts between video memory and main memory. */
  nvvidconv: boolean
  nvjpegenc: boolean
  nvarguscamerasrc: boolean
}

export const noHardware: Hardware = { nvvidconv: false, nvjpegenc: false, nvarguscamerasrc: false }

/** A word of a pipeline text, so quoted that GStreamer takes any character in it as it is. */
const quote = (text: string) => `"${text.replace(/[\\"]/g, '\\$&')}"`

const fraction = (fps: number) => (Number.isInteger(fps) ? `${fps}/1` : `${Math.round(fps * 1000)}/1000`)

/** Whether the source plays by the clock as it comes (a camera), or has to be held back to its own speed (a video). */
export const isVideo = (source: string) => ['file', 'demo'].includes(sourceKind(source))

/** Whether the source waits for the model, so that every frame gets its mask. */
export const isHeld = ({ pace }: CameraConfig) => pace === 'model'

/** Whether the source is one picture, which is given again and again like that of a camera that sees nothing move. */
const isStill = ({ source, loop }: CameraConfig) => /^file:.*\.(jpe?g|png)$/is.test(source) && loop !== false
const stillFps = 2

/** Whether a video begins again when it ends. */
export const loops = (camera: CameraConfig) => isVideo(camera.source) && camera.loop !== false && !isStill(camera)

/**
 * The pipeline text that ends in raw video in main memory, without a trailing `!`.
 * Throws where this machine lacks what the source needs.
 */
export function sourceText(camera: CameraConfig, hardware: Hardware): string {
  const { source, width, height, fps } = camera
  const rest = source.slice(source.indexOf(':') + 1)
  const size = width && height ? `,width=${width},height=${height}` : ''
  const rate = fps ? `,framerate=${fraction(fps)}` : ''
  // Decoded pictures may lie in video memory, where nothing of ours can read them.
  const toMain = hardware.nvvidconv ? ' ! nvvidconv ! video/x-raw,format=I420' : ''
  switch (sourceKind(source)) {
    case 'test': {
      const caps = `video/x-raw,format=I420,width=${width ?? 1280},height=${height ?? 720},framerate=${fraction(fps ?? 30)}`
      return `videotestsrc is-live=true pattern=ball ! ${caps}`
    }
    case 'demo':
      return decoded(demoDrive) + toMain
    case 'file':
      return decoded(rest) + toMain + (isStill(camera) ? ` ! imagefreeze ! video/x-raw,framerate=${stillFps}/1` : '')
    case 'rtsp':
      return (
        `rtspsrc location=${quote(source)} latency=${camera.latency_ms ?? 200} protocols=${protocols(camera)}` +
        ` ! application/x-rtp,media=video ! decodebin${toMain}`
      )
    case 'v4l2':
      // Many cameras give their larger pictures as JPEG only.
      return `v4l2src device=${quote(rest)} ! video/x-raw${size}${rate};image/jpeg${size}${rate} ! decodebin${toMain}`
    case 'csi':
      if (!hardware.nvarguscamerasrc || !hardware.nvvidconv)
        throw new Error(
          `The source ${source} needs GStreamer's nvarguscamerasrc and nvvidconv, which come with a Jetson's JetPack and are not there`,
        )
      return (
        `nvarguscamerasrc sensor-id=${rest} ! video/x-raw(memory:NVMM),format=NV12` +
        `,width=${width ?? 1280},height=${height ?? 720},framerate=${fraction(fps ?? 30)} ! nvvidconv ! video/x-raw,format=I420`
      )
    default:
      return rest.trim().replace(/\s*!\s*$/, '')
  }
}

const decoded = (path: string) => `filesrc location=${quote(path)} ! decodebin caps="video/x-raw(ANY)" expose-all-streams=false`

const protocols = ({ transport = 'tcp' }: CameraConfig) => (transport === 'auto' ? 'tcp+udp-mcast+udp' : transport)
