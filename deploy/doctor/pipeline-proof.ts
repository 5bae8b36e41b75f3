// Run by doctor in a process of its own: a pipeline like a camera's, made and played through the addon. Prints what came out.
import { createRequire } from 'node:module'

interface Sink {
  pull(callback: (buffer: Buffer | null) => void): void
}
interface Binding {
  Pipeline: new (text: string) => { play(): void; stop(): void; findChild(name: string): Sink | undefined }
}

const width = 320
const height = 96
const { Pipeline } = createRequire(import.meta.url)('gstreamer-superficial') as Binding
const pipeline = new Pipeline(
  'videotestsrc num-buffers=5 ! video/x-raw,format=I420,width=640,height=360 ! tee name=frames' +
    ` frames. ! queue ! videocrop top=84 bottom=84 ! videoscale ! videoconvert ! video/x-raw,format=RGB,width=${width},height=${height}` +
    ' ! appsink name=model sync=false frames. ! queue ! videoconvert ! jpegenc ! appsink name=preview sync=false',
)
pipeline.play()
const [frame, picture] = await Promise.all(['model', 'preview'].map(pull))
if (frame?.length !== width * height * 3)
  throw new Error(`Expected ${width * height * 3} bytes of RGB, found ${frame?.length ?? 'nothing'}`)
if (picture?.[0] !== 0xff || picture[1] !== 0xd8) throw new Error('Expected a JPEG, found something else')
pipeline.stop()
console.log(`${width} x ${height} RGB and JPEG out of a test picture`)
process.exit(0) // the addon's pulls park threads, which would hold the process

function pull(name: string): Promise<Buffer | null> {
  return new Promise((done) => pipeline.findChild(name)!.pull(done))
}
