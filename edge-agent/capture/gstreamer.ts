// The GStreamer binding, typed. It can be loaded once per process; every pull that waits and every watched bus parks one of
// libuv's threads, so the process needs a larger UV_THREADPOOL_SIZE (the supervisor sets it).
import { createRequire } from 'node:module'

/** An element by its name; properties are set as fields. */
export interface Element {
  [property: string]: unknown
}

export interface AppSink extends Element {
  /** Calls back once: with a buffer, or with null at the end of the stream, after an error, or where nothing plays yet. */
  pull(callback: (buffer: Buffer | null, caps: Record<string, unknown>) => void): void
}

export interface BusMessage {
  /** GStreamer's name of the type: error, warning, eos, segment-done … */
  type: string
  /** Name of the element it comes from. */
  _src_element_name: string
  /** Of an error: what it says. */
  message?: string
  /** Of an error: path of the element. */
  name?: string
}

export interface Pipeline {
  play(): void
  stop(): void
  /** Seeks to a whole second; flags as in GstSeekFlags. */
  seek(seconds: number, flags: number): boolean
  findChild(name: string): Element | AppSink | undefined
  /** Calls back for every message until the pipeline has stopped. */
  pollBus(callback: (message: BusMessage) => void): void
}

interface Binding {
  Pipeline: new (launch: string) => Pipeline
}

const binding = createRequire(import.meta.url)('gstreamer-superficial') as Binding

/** Makes a pipeline from its text. Throws GStreamer's reason where it cannot. */
export const makePipeline = (text: string): Pipeline => new binding.Pipeline(text)

/** Whether GStreamer has an element of that name. Where it has not, the binding also says so on standard error. */
export function hasElement(name: string): boolean {
  try {
    makePipeline(name)
    return true
  } catch {
    return false
  }
}
