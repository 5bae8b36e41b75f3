// The keys of the config schema as data, so that errors can name the nearest one and every plain setting has an
// environment variable and a flag without being written down twice.
import { z } from 'zod'
import { Config } from './config.ts'

/** Takes default, optional and prefault off a schema. */
function bare(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional)
    return bare(schema.unwrap() as z.ZodType)
  return schema
}

/** The schema at a path of keys and list indices; undefined where there is none. */
export function schemaAt(path: readonly PropertyKey[]): z.ZodType | undefined {
  let at: z.ZodType = Config
  for (const step of path) {
    const inside: z.ZodType = bare(at)
    const next: unknown =
      inside instanceof z.ZodObject ? inside.shape[String(step)] : inside instanceof z.ZodArray ? inside.element : undefined
    if (!(next instanceof z.ZodType)) return undefined
    at = next
  }
  return bare(at)
}

/** The keys that may stand at a path; empty where it is not a group of keys. */
export function knownKeys(path: readonly PropertyKey[]): string[] {
  const schema = schemaAt(path)
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : []
}

/** Paths of all keys, lists entered once: `http.port`, `cameras[].name`. */
export function allKeys(path: PropertyKey[] = []): string[] {
  const schema = schemaAt(path)
  if (schema instanceof z.ZodArray && bare(schema.element as z.ZodType) instanceof z.ZodObject) return allKeys([...path, '[]'])
  if (!(schema instanceof z.ZodObject)) return [path.join('.').replaceAll('.[]', '[]')]
  return Object.keys(schema.shape).flatMap((key) => allKeys([...path, key]))
}

export interface Setting {
  path: string[]
  /** Environment variable, such as ROADMASK_MQTT_URL. */
  variable: string
  /** Flag, such as --mqtt.url. */
  flag: string
  /** Reads what a person typed; text that does not fit stays text, for the schema to refuse. */
  read(text: string): unknown
}

/** Every setting that is one plain value: all but the list of cameras. */
export const settings: Setting[] = allKeys()
  .filter((key) => !key.includes('[]'))
  .map((key) => {
    const path = key.split('.')
    const schema = schemaAt(path)
    return {
      path,
      variable: `ROADMASK_${path.join('_').toUpperCase()}`,
      flag: `--${key}`,
      read: (text) => {
        if (schema instanceof z.ZodString || schema instanceof z.ZodEnum) return text
        if (schema instanceof z.ZodBoolean && /^(true|false)$/.test(text)) return text === 'true'
        if (schema instanceof z.ZodArray) return text.split(',').filter(Boolean)
        return text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text
      },
    }
  })
