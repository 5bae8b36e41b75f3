// Reads the settings: file < environment < flags. What does not fit is refused with the place it stands at, what was
// expected and the nearest known name.
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename, dirname, isAbsolute, resolve } from 'node:path'
import { type Document, isMap, isNode, isScalar, LineCounter, parseDocument } from 'yaml'
import type { z } from 'zod'
import { nearest } from '../../deploy/nearest.ts'
import { Config } from './config.ts'
import { knownKeys, schemaAt, settings } from './config-keys.ts'
import { withoutSecrets } from './redact.ts'
import { hidden, readSecret } from './secrets.ts'
import { sourceKind } from './source-kind.ts'

/** Refused settings: one line each, for a person. */
export class ConfigError extends Error {}

type Tree = Record<string, unknown>

/** Where a value that did not come out of the file was given: its path, joined by dots, to a variable or a flag. */
type Origins = Map<string, string>

interface File {
  /** Left out, errors tell keys without their places in the text. */
  name?: string
  text: string
}

interface Source {
  name: string | undefined
  document: Document
  lines: LineCounter
}

/**
 * The settings from a YAML text (none: defaults), the environment and flags such as `--http.port 0`.
 * Throws a `ConfigError` with all that is wrong at once.
 */
export const parseConfig = (file: File | undefined, env: NodeJS.ProcessEnv, flags: string[]): Config =>
  parse(file, env, flags).config

function parse(file: File | undefined, env: NodeJS.ProcessEnv, flags: string[]) {
  const source = file && openDocument(file.name, file.text)
  const tree: Tree = (source?.document.toJS() as Tree | null) ?? {}
  const origins: Origins = new Map()
  applyEnvironment(tree, origins, env)
  applyFlags(tree, origins, flags)
  const parsed = Config.safeParse(tree, { reportInput: true })
  if (!parsed.success) throw new ConfigError(parsed.error.issues.flatMap((issue) => explain(issue, source, origins)).join('\n'))
  return { config: parsed.data, where: (path: PropertyKey[]) => locate(path, source, origins, false) }
}

/** Reads `file` (undefined: none) and what it names, as `settle` does. */
export async function readConfig(file: string | undefined, env: NodeJS.ProcessEnv, flags: string[]): Promise<Config> {
  const path = file && configPath(file, env)
  if (!path) return settle(undefined, undefined, env, flags)
  const text = await readFile(path, 'utf8').catch((cause: Error) => {
    throw new ConfigError(`The config file ${file} cannot be read: ${cause.message}`, { cause })
  })
  return settle(path, { name: basename(path), text }, env, flags)
}

/**
 * The settings of a text that stands, or is to stand, at `path`. Reads the passwords in files of their own and resolves the
 * paths: from the file's own folder, or else from the working directory. systemd's credentials come first where a secret is
 * asked for.
 */
export async function settle(
  path: string | undefined,
  file: File | undefined,
  env: NodeJS.ProcessEnv,
  flags: string[],
): Promise<Config> {
  const { config, where } = parse(file, env, flags)
  const folders = [path && dirname(path), process.cwd()]
  config.bundle = find(config.bundle, folders)
  if (config.record.folder) config.record.folder = find(config.record.folder, folders)
  if (config.update.keys) config.update.keys = find(config.update.keys, folders)
  if (config.state_dir) config.state_dir = find(config.state_dir, folders)
  for (const camera of config.cameras)
    if (sourceKind(camera.source) === 'file') camera.source = `file:${find(camera.source.slice('file:'.length), folders)}`
  const secretFolders = [env.CREDENTIALS_DIRECTORY, ...folders]
  for (const key of ['ca', 'cert', 'key', 'password_file'] as const) {
    const named = config.mqtt[key]
    if (named) config.mqtt[key] = find(named, secretFolders)
  }
  for (const key of ['cert', 'key'] as const) {
    const named = config.http[key]
    if (named) config.http[key] = find(named, secretFolders)
  }
  for (const camera of config.cameras)
    if (camera.password_file) camera.password_file = find(camera.password_file, secretFolders)
  takeSecrets(config, where)
  return config
}

/** Puts passwords from their files to where they are used. */
function takeSecrets({ mqtt, cameras }: Config, where: (path: PropertyKey[]) => string) {
  const faults: string[] = []
  const take = (file: string | undefined, path: PropertyKey[], use: (secret: string) => void) => {
    try {
      if (file) use(readSecret(file))
    } catch (cause) {
      const at = [...path, 'password_file']
      faults.push(`${where(at)}"${dotted(at)}": expected a file of one line, the password: ${(cause as Error).message}`)
    }
  }
  take(mqtt.password_file, ['mqtt'], (password) => {
    mqtt.password = password
  })
  cameras.forEach((camera, i) => {
    take(camera.password_file, ['cameras', i], (password) => {
      camera.source = camera.source.replace('@', `:${encodeURIComponent(password)}@`)
    })
  })
  if (faults.length) throw new ConfigError(faults.join('\n'))
}

/** Where the config file is: npm starts programs in the repository, not where it was called. */
export const configPath = (file: string, env: NodeJS.ProcessEnv) => find(file, [process.cwd(), env.INIT_CWD])

/** The first of the folders in which a path exists; else as seen from the first. */
function find(path: string, folders: (string | undefined)[]): string {
  if (isAbsolute(path)) return path
  const places = folders.filter((folder) => folder !== undefined).map((folder) => resolve(folder, path))
  return places.find((place) => existsSync(place)) ?? places[0] ?? path
}

function openDocument(name: string | undefined, text: string): Source {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  if (document.errors.length)
    throw new ConfigError(
      document.errors.map(({ pos, message }) => `${name}:${place(lines, pos[0])}: not YAML: ${message}`).join('\n'),
    )
  if (document.contents !== null && !isMap(document.contents))
    throw new ConfigError(
      `${name}:1:1: expected keys such as "cameras:", found ${describe(document.toJS())}. See deploy/agent.example.yaml.`,
    )
  return { name, document, lines }
}

function applyEnvironment(tree: Tree, origins: Origins, env: NodeJS.ProcessEnv) {
  const known = settings.map(({ variable }) => variable)
  for (const [variable, text] of Object.entries(env)) {
    if (!variable.startsWith('ROADMASK_') || text === undefined || text === '') continue
    const setting = settings.find((candidate) => candidate.variable === variable)
    if (setting) set(tree, setting.path, setting.read(text), origins, variable)
    else if (variable === 'ROADMASK_SOURCE') setSource(tree, text, origins, variable)
    else {
      const meant = nearest(variable, known, 2) // set-up, doctor and tests have variables of their own
      if (meant) throw new ConfigError(`The environment has ${variable}, which is no setting; did you mean ${meant}?`)
    }
  }
}

function applyFlags(tree: Tree, origins: Origins, flags: string[]) {
  for (let i = 0; i < flags.length; i++) {
    const [flag = '', inline] = flags[i]!.split(/=(.*)/s)
    const setting = settings.find((candidate) => candidate.flag === flag)
    if (!setting && flag !== '--source') {
      const meant = nearest(flag, ['--config', '--help', '--source', ...settings.map((known) => known.flag)])
      throw new ConfigError(`Unknown argument ${flag}${meant ? `; did you mean ${meant}?` : ''} --help lists them all.`)
    }
    const text = inline ?? flags[++i]
    if (text === undefined) throw new ConfigError(`${flag} needs a value, such as ${flag}=VALUE`)
    if (setting) set(tree, setting.path, setting.read(text), origins, flag)
    else setSource(tree, text, origins, flag)
  }
}

/** What names the one camera that stands for those of the file; undefined where nothing does. */
export function sourceOrigin(env: NodeJS.ProcessEnv, flags: readonly string[]): string | undefined {
  if (flags.some((flag) => /^--source(=|$)/.test(flag))) return '--source'
  return env.ROADMASK_SOURCE ? 'ROADMASK_SOURCE' : undefined
}

function set(tree: Tree, path: string[], value: unknown, origins: Origins, origin: string) {
  let at = tree
  for (const key of path.slice(0, -1)) {
    if (typeof at[key] !== 'object' || at[key] === null) at[key] = {}
    at = at[key] as Tree
  }
  at[path.at(-1)!] = value
  origins.set(path.join('.'), origin)
}

/** One camera in place of those of the file. */
function setSource(tree: Tree, text: string, origins: Origins, origin: string) {
  tree.cameras = [{ name: 'camera', source: text }]
  origins.set('cameras.0.source', origin)
}

function explain(issue: z.core.$ZodIssue, source: Source | undefined, origins: Origins): string[] {
  const at = issue.path
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => {
      const known = knownKeys(at)
      const meant = nearest(key, known)
      const hint = meant ? `did you mean "${meant}"?` : `known here: ${known.join(', ')}`
      return `${locate([...at, key], source, origins, true)}unknown key "${dotted([...at, key])}"; ${hint}`
    })
  const where = locate(at, source, origins, false)
  if (issue.code === 'custom') return [`${where}${issue.message}`]
  if (issue.input === undefined && issue.code === 'invalid_type') return [`${where}"${dotted(at)}" is missing`]
  return [
    `${where}"${dotted(at)}": expected ${expected(issue)}, found ${schemaAt(at)?.meta()?.writeOnly ? hidden : describe(issue.input)}`,
  ]
}

function expected(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return {
        string: 'text',
        int: 'a whole number',
        number: 'a number',
        boolean: 'true or false',
        array: 'a list',
        tuple: 'a list',
        object: 'keys',
      }[issue.expected as string] as string
    case 'invalid_value': {
      const meant = typeof issue.input === 'string' ? nearest(issue.input, issue.values.map(String)) : undefined
      return `one of ${issue.values.join(', ')}${meant ? ` (did you mean ${meant}?)` : ''}`
    }
    case 'invalid_union':
      return `one of ${issue.errors.flatMap(([first]) => (first?.code === 'invalid_value' ? first.values : [])).join(', ')}`
    case 'too_small':
      return `${issue.inclusive ? 'at least' : 'more than'} ${issue.minimum}${issue.origin === 'array' ? (issue.minimum === 1 ? ' entry' : ' entries') : ''}`
    case 'too_big':
      return `at most ${issue.maximum}`
    default:
      return issue.message
  }
}

/** `file:line:column: ` of a value, or of a key, or the variable or flag it came from; empty where it stands nowhere. */
function locate(path: PropertyKey[], source: Source | undefined, origins: Origins, key: boolean): string {
  const origin = origins.get(path.join('.'))
  if (origin) return `${origin}: `
  if (!source?.name) return ''
  for (let length = path.length; length >= 0; length--) {
    const parent = length ? source.document.getIn(path.slice(0, length - 1), true) : undefined
    const holder = length === 1 ? source.document.contents : parent
    if (isMap(holder)) {
      const pair = holder.items.find((item) => isScalar(item.key) && String(item.key.value) === String(path[length - 1]))
      const node = key || !isNode(pair?.value) ? pair?.key : pair.value
      if (isNode(node) && node.range) return `${source.name}:${place(source.lines, node.range[0])}: `
    }
    const node = length ? source.document.getIn(path.slice(0, length), true) : source.document.contents
    if (isNode(node) && node.range) return `${source.name}:${place(source.lines, node.range[0])}: `
  }
  return `${source.name}: `
}

const place = (lines: LineCounter, offset: number) => {
  const { line, col } = lines.linePos(offset)
  return `${Math.max(1, line)}:${Math.max(1, col)}`
}

const dotted = (path: PropertyKey[]) =>
  path.reduce<string>(
    (text, step) => text + (typeof step === 'number' ? `[${step}]` : text ? `.${String(step)}` : String(step)),
    '',
  )

/** What was found, for an error. */
function describe(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (value && typeof value === 'object') return 'keys'
  if (value === null) return 'nothing'
  return typeof value === 'string' ? JSON.stringify(withoutSecrets(value)) : String(value)
}
