// Where this machine is, from gpsd (https://gpsd.gitlab.io/gpsd/gpsd_json.html): asked once for reports as JSON lines over TCP,
// and again whenever it has been away. Without gpsd, a receiver or a fix messages have no position.
import { connect, type Socket } from 'node:net'
import type { Log } from './log.ts'
import type { Config } from './settings/config.ts'
import { retryDelayMs } from './supervise/supervise.ts'
import type { Position } from './wire.ts'

export interface Gps {
  /** The message with the newest position, where that is not too old. */
  locate<Message extends { position?: Position }>(message: Message): Message
  stop(): void
}

const watch = '?WATCH={"enable":true,"json":true};\n'
/** gpsd's lines are below 10 kB (GPS_JSON_RESPONSE_MAX); who sends longer ones is not gpsd. */
const longestLine = 64 * 1024
/** A machine that left the network is noticed by unanswered probes; gpsd without a fix has nothing to say. */
const probeAfterMs = 10_000

/** TPV, "time-position-velocity", and what is used of SKY. */
type Report = { class?: unknown } & Record<string, unknown>

/** Connects, and keeps at it. Never throws for a gpsd that is not there. Without settings there is no position. */
export function openGps(settings: Config['gps'], log: Log, nowMs: () => number = () => performance.now()): Gps {
  let newest: { position: Omit<Position, 'age_ms'>; atMs: number } | undefined
  let satellites: number | undefined
  let socket: Socket | undefined
  let timer: NodeJS.Timeout | undefined
  let failures = 0
  let stopped = false

  function open({ host, port }: NonNullable<Config['gps']>) {
    const mine = connect({ host, port })
    socket = mine
    let rest = ''
    let reason = 'it ended the connection'
    mine.setEncoding('utf8')
    mine.setKeepAlive(true, probeAfterMs)
    mine.on('connect', () => mine.write(watch))
    mine.on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop()!
      try {
        if (rest.length > longestLine) throw new Error(`a line of more than ${longestLine} characters`)
        for (const line of lines) if (line.trim()) take(JSON.parse(line) as Report)
      } catch (error) {
        reason = `it does not speak gpsd's JSON (${(error as Error).message})`
        mine.destroy()
      }
    })
    mine.on('error', (error) => (reason = error.message))
    mine.on('close', () => {
      if (stopped) return
      if (failures === 0) log.warn({ host, port }, `gpsd: ${reason}; it is tried again`)
      timer = setTimeout(() => open({ ...settings!, host, port }), retryDelayMs(failures++))
    })
  }

  function take(report: Report) {
    if (report.class === 'VERSION') {
      failures = 0
      log.info({ gpsd: report.release }, 'gpsd connected')
    }
    if (report.class === 'SKY' && Array.isArray(report.satellites))
      satellites = report.satellites.filter((satellite: { used?: unknown }) => satellite.used === true).length
    if (report.class !== 'TPV') return
    const position = readPosition(report, satellites)
    if (position && !newest) log.info({ fix: position.fix }, 'position known')
    if (!position && newest) log.info('position lost: the receiver has no fix')
    newest = position && { position, atMs: nowMs() }
  }

  if (settings) open(settings)
  return {
    locate(message) {
      const age_ms = newest ? Math.round(nowMs() - newest.atMs) : Number.POSITIVE_INFINITY
      if (!newest || age_ms > 1000 * settings!.max_age_s) return message
      return { ...message, position: { ...newest.position, age_ms } }
    },
    stop() {
      stopped = true
      clearTimeout(timer)
      socket?.destroy()
    },
  }
}

/** The position that a TPV report tells; undefined where there is no fix. */
export function readPosition(report: Record<string, unknown>, satellites?: number): Omit<Position, 'age_ms'> | undefined {
  const number = (key: string) => (typeof report[key] === 'number' ? report[key] : undefined)
  const [latitude, longitude, mode] = [number('lat'), number('lon'), number('mode')]
  if (latitude === undefined || longitude === undefined || (mode !== 2 && mode !== 3)) return undefined
  const told = {
    altitude_m: mode === 3 ? (number('altMSL') ?? number('alt')) : undefined, // `alt` before gpsd 3.20
    speed_mps: number('speed'),
    course_deg: number('track'),
    error_m: number('eph'),
    satellites,
  }
  const known = Object.entries(told).filter(([, value]) => value !== undefined)
  return { latitude, longitude, fix: mode === 3 ? '3d' : '2d', ...Object.fromEntries(known) }
}
