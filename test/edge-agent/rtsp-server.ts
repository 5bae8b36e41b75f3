// GStreamer's own RTSP server for tests, through its Python binding.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

export interface RtspServer {
  process: ChildProcess
  stop(): Promise<void>
}

/** The system's Python has GStreamer's bindings; another one that comes first on the path may not. */
function findPython(): string {
  for (const python of ['/usr/bin/python3', 'python3'])
    try {
      execFileSync(python, ['-c', 'import gi; gi.require_version("GstRtspServer", "1.0")'], { stdio: 'ignore' })
      return python
    } catch {
      // Perhaps the other one.
    }
  throw new Error('install gir1.2-gst-rtsp-server-1.0 and python3-gi')
}

/** Serves a white picture of a size at rtsp://127.0.0.1:PORT/stream, to everybody or to who has a name and a password. */
export async function startRtsp(
  port: number,
  width: number,
  height: number,
  encoder = h264,
  person: [user: string, password: string] | [] = [],
): Promise<RtspServer> {
  const pipeline = `videotestsrc is-live=true pattern=white ! video/x-raw,format=I420,width=${width},height=${height},framerate=15/1 ! ${encoder}`
  const server = spawn(findPython(), [join(import.meta.dirname, 'rtsp-server.py'), String(port), pipeline, ...person], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(server.stdout!, 'data')
  return {
    process: server,
    async stop() {
      if (server.exitCode !== null || server.signalCode) return
      server.kill('SIGKILL')
      await once(server, 'exit')
    },
  }
}

const h264 = 'x264enc tune=zerolatency key-int-max=5 ! rtph264pay name=pay0 config-interval=1'
export const h265 = 'x265enc tune=zerolatency speed-preset=ultrafast key-int-max=5 ! rtph265pay name=pay0 config-interval=1'
