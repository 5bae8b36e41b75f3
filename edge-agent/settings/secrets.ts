// Passwords: read from files of their own, and taken out of whatever people get to see.
import { readFileSync, statSync } from 'node:fs'
import type { Config } from './config.ts'
import { schemaAt } from './config-keys.ts'
import { withoutSecrets } from './redact.ts'

/** What stands for a secret where settings are shown. */
export const hidden = '***'

/** The settings as they may be shown: without passwords, also those within addresses and pipelines. */
export const publicConfig = (config: Config): Config => shown(config, []) as Config

function shown(value: unknown, path: PropertyKey[]): unknown {
  if (value === undefined) return undefined
  if (schemaAt(path)?.meta()?.writeOnly) return hidden
  if (typeof value === 'string') return withoutSecrets(value)
  if (Array.isArray(value)) return value.map((entry, i) => shown(entry, [...path, i]))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, shown(entry, [...path, key])]))
}

/** A password out of its file, without the end of its line. Throws where none is there. */
export function readSecret(path: string): string {
  const text = readFileSync(path, 'utf8').replace(/\r?\n$/, '')
  if (text === '' || text.includes('\n')) throw new Error(`${path} holds ${text ? 'several lines' : 'nothing'}`)
  return text
}

/** Whether everybody on this machine may read a file. */
export const readableByAll = (path: string) => Boolean((statSync(path, { throwIfNoEntry: false })?.mode ?? 0) & 0o004)
