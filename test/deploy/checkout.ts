// A checkout that holds nothing but set-up, a TensorFlow wheel small enough to serve in a test, and a server that breaks off.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

export const repository = fileURLToPath(new URL('../..', import.meta.url))

/** A temporary folder that goes with the test; its name has all that trips shells and make up. */
export function temporaryFolder(): string {
  const dir = mkdtempSync(join(tmpdir(), "road mask's $set-up "))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }))
  return dir
}

/** Set-up with its files, and a product without any package, in a folder of its own. */
export function makeCheckout(): string {
  const dir = temporaryFolder()
  mkdirSync(join(dir, 'deploy'))
  for (const name of ['setup.sh', 'setup', 'tensorflow.pins'])
    cpSync(join(repository, 'deploy', name), join(dir, 'deploy', name), { recursive: true })
  const product = { name: 'roadmask', version: '0.0.0' }
  writeFileSync(join(dir, 'package.json'), JSON.stringify(product))
  writeFileSync(join(dir, 'package-lock.json'), JSON.stringify({ ...product, lockfileVersion: 3, packages: { '': product } }))
  return dir
}

export interface SetUp {
  process: ChildProcess
  /** What it has said so far. */
  said(): string
  /** Its exit code, or null where a signal ended it. */
  ended: Promise<number | null>
}

/** Starts set-up as the head of a process group. */
export function startSetUp(checkout: string, env: Record<string, string> = {}, ...args: string[]): SetUp {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(npm_|ROADMASK_|CHROME_BIN$)/.test(name))
  const child = spawn(join(checkout, 'deploy/setup.sh'), args, {
    env: { ...Object.fromEntries(inherited), ROADMASK_SKIP_PACKAGES: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (bytes: Buffer) => {
      text += bytes
    })
  const ended = once(child, 'close').then(([code]) => code as number | null)
  onTestFinished(() => killGroup(child))
  return { process: child, said: () => text, ended }
}

/** Ends a process and all it has started, as losing power would. */
export function killGroup({ pid, exitCode, signalCode }: ChildProcess) {
  if (pid === undefined || exitCode !== null || signalCode !== null) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It was gone before.
  }
}

/** Compiles a library from C source. */
export function compile(source: string, path: string) {
  execFileSync('cc', ['-shared', '-fPIC', '-x', 'c', '-', '-o', path], { input: source })
}

/** C source of a library that says it is a version of TensorFlow and has its C API by name. */
export const tensorflowSource = (version: string) =>
  `const char* TF_Version(void) { return "${version}"; }
   void TF_LoadSessionFromSavedModel(void) {} void TF_SessionRun(void) {} void TFE_NewContext(void) {} void TFE_Execute(void) {}`

/** A folder like the one of TensorFlow's C library. */
export function makeLibrary(version: string): string {
  const dir = temporaryFolder()
  for (const name of ['lib', 'include/tensorflow/c/eager']) mkdirSync(join(dir, name), { recursive: true })
  for (const name of ['c_api.h', 'eager/c_api.h']) writeFileSync(join(dir, 'include/tensorflow/c', name), '')
  for (const name of ['libtensorflow.so', 'libtensorflow_framework.so'])
    compile(tensorflowSource(version), join(dir, 'lib', name))
  return dir
}

/** A wheel built like TensorFlow's, of some 3 MB; gives its path. */
export function makeWheel(): string {
  const dir = temporaryFolder()
  const root = join(dir, 'wheel')
  for (const name of ['tensorflow/include/tensorflow/c/eager', 'tensorflow-2.16.1.dist-info'])
    mkdirSync(join(root, name), { recursive: true })
  compile(tensorflowSource('2.16.1'), join(root, 'tensorflow/libtensorflow_cc.so.2'))
  compile('', join(root, 'tensorflow/libtensorflow_framework.so.2'))
  writeFileSync(join(root, 'tensorflow/include/tensorflow/c/c_api.h'), '')
  writeFileSync(join(root, 'tensorflow/include/tensorflow/c/eager/c_api.h'), '')
  writeFileSync(join(root, 'tensorflow/include/tensorflow/filling.h'), Buffer.alloc(3e6, '/'))
  writeFileSync(
    join(root, 'tensorflow-2.16.1.dist-info/METADATA'),
    'Metadata-Version: 2.1\nName: tensorflow\nVersion: 2.16.1\n',
  )
  writeFileSync(join(root, 'tensorflow-2.16.1.dist-info/WHEEL'), 'Wheel-Version: 1.0\nRoot-Is-Purelib: false\n')
  writeFileSync(join(root, 'tensorflow-2.16.1.dist-info/RECORD'), '')
  const path = join(dir, `tensorflow-2.16.1-cp311-cp311-linux_${process.arch === 'x64' ? 'x86_64' : 'aarch64'}.whl`)
  execFileSync('python3', ['-c', storedZip, root, path])
  return path
}

/** Not compressed, so that half a wheel is half of its bytes. */
const storedZip = `
import os, sys, zipfile
with zipfile.ZipFile(sys.argv[2], "w", zipfile.ZIP_STORED) as archive:
    for folder, _, files in os.walk(sys.argv[1]):
        for file in files:
            path = os.path.join(folder, file)
            archive.write(path, os.path.relpath(path, sys.argv[1]))
`

/** What the server does with a request for the wheel: all of it, half and then nothing more, half and then the end. */
export type Manner = 'whole' | 'half and wait' | 'half and break'

/** Serves a file over HTTP; `manner` may change while it runs. */
export async function serveFile(path: string, manner: Manner) {
  const bytes = readFileSync(path)
  const state = { manner, requests: 0, url: '' }
  const server = createServer((_request, response) => {
    state.requests += 1
    response.writeHead(200, { 'content-length': bytes.length })
    if (state.manner === 'whole') response.end(bytes)
    else
      response.write(bytes.subarray(0, bytes.length / 2), () => {
        if (state.manner === 'half and break') response.destroy()
      })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  state.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/${basename(path)}`
  return state
}
