// The whole pipeline of a camera as text: its source, the part and scale that the model takes, and pictures for people.
// Pure, so that tests can read it.
import type { ModelInput } from '../../deploy/bundle.ts'
import type { Rectangle, Size } from '../../deploy/fit-geometry.ts'
import type { CameraConfig, Config } from '../settings/config.ts'
import { type Hardware, isVideo, loops, sourceText } from './source.ts'
import { type Rotation, turned, type View, viewOf } from './view.ts'

/** What a camera gives, as its first raw frame tells. */
export interface CameraPicture extends Size {
  /** GStreamer's name of the pixel format, such as I420. */
  format: string
  /** What the stream says its numbers mean; undefined where it says nothing. */
  colorimetry?: string | undefined
}

export interface CameraPipeline {
  text: string
  /** What the frames of the `model` sink show, and where they lie in the model's picture. */
  view: View
}

/** Pulls hold the newest few: one is taken at a time, and events of the stream come through the same door. */
const sink = (name: string, every = false) =>
  `gdppay ! appsink name=${name} max-buffers=8 drop=${!every} sync=false async=false`
/** Keeps the newest frame and lets the others go, so that nothing behind it can hold a camera up. */
const newest = 'queue max-size-buffers=1 max-size-bytes=0 max-size-time=0 leaky=downstream'

/** A source that can give anything gives one of these; one that can give only something else may. */
const everyday = 'I420,NV12,YV12,NV21,YUY2,UYVY,Y42B,Y444,RGB,BGR,RGBx,BGRx,xRGB,xBGR,RGBA,BGRA,ARGB,ABGR,GRAY8'

/** A pipeline that only tells what the camera gives, from its one sink `probe`. */
export const probeText = (camera: CameraConfig, hardware: Hardware) =>
  `${sourceText(camera, hardware)} ! capsfilter caps="video/x-raw,format=(string){${everyday}};video/x-raw" ! ` +
  'appsink name=probe max-buffers=1 drop=true sync=false async=false'

/**
 * The pipeline of a camera that gives pictures of a known size. Its sinks `model` (Y444 or RGB of the target's size, as
 * `modelPicture` takes it) and `preview` (JPEG) give GDP packets, whose times pair them. The element `shutter` lets a preview through while
 * its drop-probability is 0. A change of the picture's size breaks the pipeline, since nothing in it would fit any more.
 * `every`: the source waits for whoever takes the frames, and none is dropped.
 */
export function cameraPipeline(
  camera: CameraConfig,
  picture: CameraPicture,
  input: ModelInput,
  preview: Config['preview'],
  hardware: Hardware,
  every = false,
): CameraPipeline {
  const view = viewOf(picture, camera, input)
  const [direction] = camera.rotation ? turns[camera.rotation] : []
  // An element, since two caps in a row are no pipeline text.
  const same = `capsfilter caps="video/x-raw,format=${picture.format},width=${picture.width},height=${picture.height}"`
  const video = `${sourceText(camera, hardware)} ! ${same}`
  const branches = [
    [
      every ? '' : newest,
      crop(picture, view.cut),
      ...scale(view.cut, turned(view.target, camera.rotation)),
      `videoconvert dither=none ! video/x-raw,format=${isYuv(picture) ? 'Y444' : 'RGB'}`,
      direction ? `videoflip video-direction=${direction}` : '', // last, where the picture is small
      sink('model', every),
    ],
    preview.fps > 0 ? previewBranch(view.upright, preview, camera.rotation, hardware) : [],
  ]
  const text = [
    loops(camera) ? `${video} ! ${seekable}` : video,
    `! identity single-segment=true${isVideo(camera.source) && !every ? ' sync=true' : ''} ! tee name=frames`,
    ...branches.filter(({ length }) => length).map((branch) => `frames. ! ${branch.filter(Boolean).join(' ! ')}`),
  ].join(' ')
  return { text, view }
}

/**
 * gdppay refuses seeks and swallows flushes. So a seek reaches the source of a looping video through a sink of its own, and
 * goes by segments, without a flush; `single-segment` behind it makes one segment of them that never ends.
 */
const seekable =
  'tee name=seekable seekable. ! queue max-size-buffers=1 ! fakesink sync=false async=false enable-last-sample=false seekable.'

/** Whether the camera gives YUV, so that `model` is Y444; else it is RGB. */
export const isYuv = ({ format }: CameraPicture) => !/RGB|BGR|GBR|GRAY|r210/.test(format)

function crop(picture: Size, part: Rectangle): string {
  const right = picture.width - part.x - part.width
  const bottom = picture.height - part.y - part.height
  return part.x || part.y || right || bottom ? `videocrop left=${part.x} right=${right} top=${part.y} bottom=${bottom}` : ''
}

/** `bilinear2` is a triangle filter as wide as the reduction, the twin of the training's; `bilinear` takes two samples. */
function scale(from: Size, to: Size): string[] {
  if (from.width === to.width && from.height === to.height) return []
  return ['videoscale method=bilinear2 add-borders=false', `video/x-raw,width=${to.width},height=${to.height}`]
}

/** videoflip's directions, and nvvidconv's methods. */
const turns = {
  90: ['90r', 3],
  180: ['180', 2],
  270: ['90l', 1],
} as const

function previewBranch(
  upright: Size,
  { max_width, quality }: Config['preview'],
  rotation: Rotation,
  hardware: Hardware,
): string[] {
  const width = Math.min(upright.width, max_width)
  const even = (size: number) => Math.max(2, 2 * Math.round(size / 2))
  const size = { width: even(width), height: even((upright.height * width) / upright.width) }
  const caps = ({ width, height }: Size) => `width=${width},height=${height},pixel-aspect-ratio=1/1`
  const [direction, method] = rotation ? turns[rotation] : []
  const encode = hardware.nvjpegenc
    ? [
        `nvvidconv${method ? ` flip-method=${method}` : ''}`,
        `video/x-raw(memory:NVMM),format=I420,${caps(size)}`,
        `nvjpegenc quality=${quality}`,
      ]
    : [
        'videoscale add-borders=false',
        `video/x-raw,${caps(turned(size, rotation))}`,
        'videoconvert',
        direction ? `videoflip video-direction=${direction}` : '',
        `jpegenc quality=${quality}`,
      ]
  return [newest, 'identity name=shutter drop-probability=1', ...encode, sink('preview')]
}
