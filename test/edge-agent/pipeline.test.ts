import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { ModelInput } from '../../deploy/bundle.ts'
import { makePipeline } from '../../edge-agent/capture/gstreamer.ts'
import { cameraPipeline, probeText } from '../../edge-agent/capture/pipeline.ts'
import { noHardware, sourceText } from '../../edge-agent/capture/source.ts'
import { CameraConfig } from '../../edge-agent/settings/config.ts'

const camera = (source: string, more = {}) => CameraConfig.parse({ name: 'front', source, ...more })
const input: ModelInput = { width: 576, height: 160, fit: 'crop', resizer: 'bilinear', matrix: 'bt601', range: 'video' }
const picture = { width: 1280, height: 720, format: 'I420', colorimetry: 'bt709' }
const preview = { fps: 10, max_width: 960, quality: 75 }
const jetson = { nvvidconv: true, nvjpegenc: true, nvarguscamerasrc: true }
const textOf = (source: string, { of = picture, to = input, more = {}, hardware = noHardware, show = preview } = {}) =>
  cameraPipeline(camera(source, more), of, to, show, hardware).text

describe('the source', () => {
  test.each([
    ['test', {}, 'videotestsrc is-live=true pattern=ball ! video/x-raw,format=I420,width=1280,height=720,framerate=30/1'],
    ['test', { width: 320, height: 240, fps: 12.5 }, 'width=320,height=240,framerate=12500/1000'],
    ['file:/a b/"c".mp4', {}, 'filesrc location="/a b/\\"c\\".mp4" ! decodebin'],
    [
      'rtsp://u:p@h/1?a=b&c=d',
      {},
      'rtspsrc location="rtsp://u:p@h/1?a=b&c=d" latency=200 protocols=tcp ! application/x-rtp,media=video',
    ],
    ['rtsp://h', { transport: 'udp', latency_ms: 50 }, 'latency=50 protocols=udp !'],
    ['v4l2:/dev/video2', {}, 'v4l2src device="/dev/video2" ! video/x-raw;image/jpeg ! decodebin'],
    [
      'v4l2:/dev/video2',
      { width: 640, height: 480, fps: 30 },
      'video/x-raw,width=640,height=480,framerate=30/1;image/jpeg,width=640',
    ],
    ['file:/a.JPG', {}, ' ! imagefreeze ! video/x-raw,framerate=2/1'],
    ['gst: videotestsrc ! identity ! ', {}, 'videotestsrc ! identity'],
  ])('%s %o', (source, more, text) => expect(sourceText(camera(source, more), noHardware)).toContain(text))

  test('on a Jetson decoded pictures are fetched from video memory, and CSI cameras work', () => {
    expect(sourceText(camera('rtsp://h'), jetson)).toMatch(/decodebin ! nvvidconv ! video\/x-raw,format=I420$/)
    expect(sourceText(camera('csi:1', { width: 1920, height: 1080, fps: 60 }), jetson)).toMatch(
      /^nvarguscamerasrc sensor-id=1 ! video\/x-raw\(memory:NVMM\),format=NV12,width=1920,height=1080,framerate=60\/1 ! nvvidconv/,
    )
    expect(() => sourceText(camera('csi:0'), noHardware)).toThrow(/needs GStreamer's nvarguscamerasrc/)
  })

  test('a camera is asked for its picture by the source alone', () => {
    expect(probeText(camera('test'), noHardware)).toMatch(/^videotestsrc .* ! appsink name=probe /)
  })
})

describe('the part and scale that the model takes', () => {
  test('crops from the middle, in camera pixels, then scales', () => {
    const { text, view } = cameraPipeline(camera('test'), picture, input, preview, noHardware)
    expect(view.region).toEqual({ x: 0, y: 182, width: 1280, height: 356 })
    expect(view.target).toEqual({ x: 0, y: 0, width: 576, height: 160 })
    expect(text).toMatch(/videocrop left=0 right=0 top=182 bottom=182 ! videoscale method=bilinear2 add-borders=false/)
  })

  test('letterboxes by scaling the whole picture into its part; the rest is for us to fill', () => {
    const { text, view } = cameraPipeline(camera('test'), picture, { ...input, fit: 'letterbox' }, preview, noHardware)
    expect(view.region).toEqual({ x: -656, y: 0, width: 2592, height: 720 })
    expect(view.target).toEqual({ x: 146, y: 0, width: 284, height: 160 })
    expect(text).not.toContain('videocrop')
    expect(text).toContain('video/x-raw,width=284,height=160')
  })

  test('of a camera on its side the small picture is turned, not the large one', () => {
    const more = { rotation: 90, region: [0, 0.5, 1, 0.5] }
    const { text, view } = cameraPipeline(camera('test', more), picture, input, preview, noHardware)
    expect(view.upright).toEqual({ width: 720, height: 1280 })
    expect(view.region).toEqual({ x: 0, y: 860, width: 720, height: 200 })
    expect(text).toContain(
      'videocrop left=860 right=220 top=0 bottom=0 ! videoscale method=bilinear2 add-borders=false ! video/x-raw,width=160,height=576 ! ' +
        'videoconvert dither=none ! video/x-raw,format=Y444 ! videoflip video-direction=90r ! gdppay',
    )
    expect(text).toMatch(
      /video\/x-raw,width=1280,height=720,pixel-aspect-ratio=1\/1 ! videoconvert ! videoflip video-direction=90r ! jpegenc/,
    )
    expect(textOf('test', { more, hardware: jetson })).toMatch(/nvvidconv flip-method=3 ! \S+,width=720,height=1280,/)
  })

  test('a picture of the right size is neither cropped nor scaled', () => {
    const text = textOf('test', { of: { ...picture, width: 576, height: 160 }, show: { ...preview, fps: 0 } })
    expect(text).not.toMatch(/videocrop|videoscale/)
  })

  test('a picture of another size than the camera said breaks the pipeline', () => {
    expect(textOf('test')).toContain('capsfilter caps="video/x-raw,format=I420,width=1280,height=720"')
  })
})

test('GStreamer takes every text, whatever is in a name', () => {
  const sources = [
    'test',
    'demo',
    'file:/a "b" \\\\c!.mp4',
    'rtsp://u:p"x@h/1?a=b&c=d;e!f',
    'v4l2:/dev/video0',
    'file:/a.png',
    'gst: videotestsrc ! identity ! ',
  ]
  for (const source of sources) expect(() => makePipeline(textOf(source)), source).not.toThrow()
  for (const rotation of [90, 180, 270]) expect(() => makePipeline(textOf('test', { more: { rotation } }))).not.toThrow()
  const rgb = { ...picture, width: 576, height: 160, format: 'RGB' }
  expect(() => makePipeline(textOf('gst:videotestsrc', { of: rgb }))).not.toThrow()
  expect(() => makePipeline(textOf('test', { of: { ...picture, width: 640 } }))).toThrow("can't handle caps")
  expect(() => makePipeline(textOf('gst:nosuchelement'))).toThrow('no element "nosuchelement"')
  expect(() => makePipeline(probeText(camera('test'), noHardware))).not.toThrow()
})

test('YUV stays YUV for us to convert; anything else is made RGB', () => {
  expect(textOf('test')).toMatch(/video\/x-raw,format=Y444 ! gdppay ! appsink name=model/)
  expect(textOf('test', { of: { ...picture, format: 'YUY2' } })).toContain('format=Y444')
  for (const format of ['RGB', 'BGRx', 'GRAY8', 'GBR'])
    expect(textOf('test', { of: { ...picture, format } })).toContain('format=RGB !')
})

describe('time and pictures for people', () => {
  test('a video is held to its own speed and can be wound back; a camera is neither', () => {
    expect(textOf('file:/a.mp4')).toMatch(/fakesink .* seekable\. ! identity single-segment=true sync=true/)
    expect(textOf('file:/a.mp4', { more: { loop: false } })).not.toContain('seekable')
    expect(textOf('file:/a.png')).not.toContain('seekable')
    expect(textOf('rtsp://h')).not.toMatch(/sync=true|seekable/)
  })

  test('every sink gives packets with exact times and never holds the camera up', () => {
    expect(
      textOf('test').match(/gdppay ! appsink name=(model|preview) max-buffers=8 drop=true sync=false async=false/g),
    ).toHaveLength(2)
    expect(textOf('test').match(/leaky=downstream/g)).toHaveLength(2)
  })

  test('previews keep the shape of the whole picture, no wider than asked, behind a shutter that starts closed', () => {
    expect(textOf('test')).toMatch(/shutter drop-probability=1 .*width=960,height=540,.* jpegenc quality=75/)
    expect(textOf('test', { show: { ...preview, max_width: 4000 } })).toContain('width=1280,height=720,pixel-aspect-ratio=1/1')
    expect(textOf('test', { show: { ...preview, fps: 0 } })).not.toContain('preview')
    expect(textOf('test', { hardware: jetson })).toMatch(
      /nvvidconv ! video\/x-raw\(memory:NVMM\),format=I420,width=960,height=540.* nvjpegenc/,
    )
  })
})

describe('the texts that edge-agent/README.md shows', () => {
  const texts = [...readFileSync('edge-agent/README.md', 'utf8').matchAll(/^source: "(gst:.*)"$/gm)].map(([, text]) => text!)
  /** Come with drivers of their makers or with packages that few have. */
  const rare = /no element "(aravissrc|pylonsrc|srtsrc)"/

  test('are those of HTTP, SRT, Aravis and Basler', () => {
    for (const element of ['souphttpsrc', 'srtsrc', 'aravissrc', 'pylonsrc'])
      expect(texts.filter((text) => text.includes(element))).toHaveLength(1)
  })

  test.each(texts)('can be played where their elements are: %s', (source) => {
    let said = ''
    try {
      makePipeline(probeText(camera(source), noHardware)).stop()
    } catch (error) {
      said = (error as Error).message
    }
    if (said) expect(said).toMatch(rare)
  })

  test.each(texts.filter((text) => /aravissrc|pylonsrc/.test(text)))(
    'are right behind the source that is not here: %s',
    (source) => {
      const here = source.replace(/gst:(aravissrc|pylonsrc) [^!]*/, 'gst:fakesrc ')
      expect(() => makePipeline(probeText(camera(here), noHardware)).stop()).not.toThrow()
    },
  )
})
