// Loaded into an agent ahead of its program (node --import): ends it with SIGKILL just before one of the steps by which it changes
// what is on disk of models. KILL_AT is its number, from 1 on, or a regular expression that fits its line in KILL_LOG.
import fs from 'node:fs'
import fsp, { type FileHandle } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { relative } from 'node:path'

const { KILL_AT, KILL_LOG, KILL_BELOW } = process.env as Record<string, string>
const pattern = /^\d*$/.test(KILL_AT!) ? undefined : KILL_AT
const models = `${KILL_BELOW}/models`
const notes = `${KILL_BELOW}/update.json`
const append = fs.appendFileSync
const pathsOf = new Map<number, string>()
const handles = new WeakMap<object, string>()
/** Pieces of a file that arrives: how many there are is the network's business. */
const pieces = new Map<string, number>()
const mostPieces = 2
let count = 0
let afterNotes = false

/** What is about to be written into update.json. */
let saying = ''

function step(what: string, path: unknown, more = '') {
  const text = String(path)
  const own = text.startsWith(models) || text.startsWith(notes)
  if (text.startsWith(notes)) afterNotes = true
  // The folder of update.json is synced for other files too.
  else if (text === KILL_BELOW && what === 'fsync' && afterNotes) afterNotes = false
  else if (!own) return
  count++
  const line = JSON.stringify({ step: count, what, path: relative(KILL_BELOW!, text) || '.', more })
  append(KILL_LOG!, `${line}\n`)
  if (count === Number(KILL_AT) || (pattern && new RegExp(pattern).test(line))) process.kill(process.pid, 'SIGKILL')
}

/** What update.json says, in short: which model runs, ran before, waits, and what is known of it. */
function inShort(json: string): string {
  const { current, previous, pending, trial, outcome } = JSON.parse(json)
  return [
    pending && 'it waits',
    current && `${current.name} runs`,
    previous && `${previous.name || 'the first'} before`,
    trial && `on trial${trial.told ? ', told' : ''}`,
    outcome && `${outcome.state.replace('_', ' ')}${outcome.told ? ', told' : ''}`,
  ]
    .filter(Boolean)
    .join(', ')
}

const { writeFileSync, renameSync, openSync, fsyncSync } = fs
fs.writeFileSync = (path, data, options) => {
  if (String(path).startsWith(notes)) saying = inShort(String(data))
  step('write', path, saying)
  return writeFileSync(path, data, options)
}
fs.renameSync = (from, to) => {
  step('rename', from, saying)
  return renameSync(from, to)
}
fs.openSync = (path, ...more) => {
  const fd = openSync(path, ...more)
  pathsOf.set(fd, String(path))
  return fd
}
fs.fsyncSync = (fd) => {
  step('fsync', pathsOf.get(fd), saying)
  return fsyncSync(fd)
}

const { rename, link, mkdir, open, copyFile } = fsp
const removeAsync = fsp.rm
fsp.rename = (from, to) => {
  step('rename', from)
  return rename(from, to)
}
fsp.link = (from, to) => {
  step('link', to)
  return link(from, to)
}
fsp.copyFile = (from, to, mode) => {
  step('copy', to)
  return copyFile(from, to, mode)
}
fsp.mkdir = ((path: string, options: fs.MakeDirectoryOptions) => {
  if (!fs.existsSync(path)) step('mkdir', path)
  return mkdir(path, options)
}) as typeof fsp.mkdir
fsp.rm = (path, options) => {
  if (fs.existsSync(path)) step('remove', path)
  return removeAsync(path, options)
}
fsp.open = async (path, flags, mode) => {
  const handle = await open(path, flags, mode)
  if (flags !== 'r') handles.set(handle, String(path))
  return handle
}

const handle = await open('/dev/null')
const { prototype } = Object.getPrototypeOf(handle).constructor as { prototype: FileHandle }
await handle.close()
const { writeFile, sync } = prototype
prototype.writeFile = function (this: FileHandle, ...given) {
  const path = handles.get(this) ?? ''
  const before = pieces.get(path) ?? 0
  pieces.set(path, before + 1)
  if (before < mostPieces) step('write', path)
  return writeFile.apply(this, given)
}
prototype.sync = function (this: FileHandle) {
  step('fsync', handles.get(this))
  return sync.call(this)
}

syncBuiltinESMExports()
