// Logs: for a person on a terminal, JSON lines (pino's) elsewhere, always on standard output.
import { pino } from 'pino'
import { build as pretty } from 'pino-pretty'
import type { Config } from './settings/config.ts'

export type Log = pino.Logger

/** Opens the log. Synchronous, so that the last words of a dying process are written. */
export function openLog(level: Config['log'], terminal = process.stdout.isTTY): Log {
  const stream = terminal
    ? pretty({ colorize: true, ignore: 'pid,hostname', singleLine: true, translateTime: 'SYS:HH:MM:ss', sync: true })
    : pino.destination({ fd: 1, sync: true })
  return pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (label) => ({ level: label }) } },
    stream,
  )
}
