// Run by doctor in a process of its own: plays a moment of H.264 and of JPEG and prints as JSON which decoders GStreamer chose.
// decodebin takes the decoder of the highest rank that works, which only playing shows; the bus then names every element.
import { createRequire } from 'node:module'

export interface DecoderProof {
  /** The element, or an empty text where nothing decoded it. */
  h264: string
  jpeg: string
}

interface Message {
  type: string
  _src_element_name: string
}
interface Binding {
  Pipeline: new (text: string) => { play(): void; stop(): void; pollBus(callback: (message: Message) => void): void }
}

const { Pipeline } = createRequire(import.meta.url)('gstreamer-superficial') as Binding

/** As edge-agent/capture/elements.ts knows them: named by their factory, with a number behind. */
const decoder = /^(?:(avdec_\w+?)|(\w+dec(?:oder|_\w+?)?))-?\d+$/

function decoderOf(source: string): Promise<string> {
  return new Promise((done) => {
    const pipeline = new Pipeline(
      `${source} ! decodebin caps="video/x-raw(ANY)" expose-all-streams=false ! fakesink num-buffers=3`,
    )
    let found = ''
    let over = false
    pipeline.pollBus(({ type, _src_element_name: name }) => {
      if (type === 'state-changed') found ||= decoder.exec(name)?.[0].replace(/-?\d+$/, '') ?? ''
      if (over || !['eos', 'error'].includes(type)) return
      over = true
      pipeline.stop()
      done(type === 'eos' ? found : '')
    })
    pipeline.play()
  })
}

const quoted = `"${process.argv[2]!.replace(/[\\"]/g, '\\$&')}"`
const proof: DecoderProof = {
  h264: await decoderOf(`filesrc location=${quoted}`),
  jpeg: await decoderOf('videotestsrc num-buffers=3 ! jpegenc'),
}
process.stdout.write(JSON.stringify(proof), () => process.exit(0)) // the addon parks threads, which would hold the process
