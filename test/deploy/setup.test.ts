// Set-up, with real pip, npm, compilers and processes, in checkouts of its own. Their paths have spaces, a quote and a dollar.
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import {
  compile,
  killGroup,
  makeCheckout,
  makeLibrary,
  makeWheel,
  repository,
  serveFile,
  startSetUp,
  temporaryFolder,
} from './checkout.ts'

const isSetUp = existsSync(join(repository, 'node_modules/.set-up'))
const hasNetwork = readFileSync('/proc/net/route', 'utf8').trim().split('\n').length > 1
const has = (program: string, ...args: string[]) => spawnSync(program, args).status === 0

const libraries = (checkout: string) => readdirSync(join(checkout, '.tensorflow')).filter((name) => !name.startsWith('new.'))
const sha256 = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex')

/** Puts programs of ours in front of the machine's. */
function pathWith(programs: Record<string, string>): string {
  const dir = temporaryFolder()
  for (const [name, text] of Object.entries(programs)) {
    writeFileSync(join(dir, name), `#!/bin/sh\n${text}\n`)
    chmodSync(join(dir, name), 0o755)
  }
  chmodSync(dir, 0o755)
  return `${dir}:${process.env.PATH}`
}

test.skipIf(!isSetUp)('says nothing where all is there', async () => {
  await startSetUp(repository, {}, '--tests').ended // a source may have been edited since
  const again = startSetUp(repository, {}, '--tests')
  expect(await again.ended).toBe(0)
  expect(again.said()).toBe('')
})

test.skipIf(!has('shellcheck', '--version'))('its scripts have no faults that shellcheck knows', () => {
  const setUp = [
    'deploy/setup.sh',
    'deploy/setup/compat.sh',
    'deploy/setup/hed.sh',
    '.ci/run',
    'deploy/check.sh',
    'deploy/flash/roadmask-image',
    'deploy/images/lay.sh',
  ]
  const scripts = [...setUp, 'deploy/compose/certs.sh']
  const { status, stdout } = spawnSync('shellcheck', ['-x', ...scripts], { cwd: repository, encoding: 'utf8' })
  expect(stdout).toBe('')
  expect(status).toBe(0)
})

for (const version of ['v18.20.4', 'v20.18.3', 'v22.11.0', 'v23.1.0', 'v24.2.0'])
  test(`refuses Node ${version} and says which it wants`, async () => {
    const setUp = startSetUp(makeCheckout(), { PATH: pathWith({ node: `echo ${version}` }) })
    expect(await setUp.ended).toBe(1)
    expect(setUp.said()).toContain(`Expected Node 20 (from 20.19) or 22 (from 22.12), found ${version}`)
  })

test('without root it prints one command that holds exactly the missing packages', async () => {
  const checkout = makeCheckout()
  for (const dir of [checkout, join(checkout, 'deploy'), join(checkout, 'deploy/setup')]) chmodSync(dir, 0o777)
  const path = pathWith({
    'dpkg-query': 'for p in build-essential python3 python3-pip unzip; do echo "installed $p"; done',
    sudo: 'exit 1',
    'apt-get': 'echo apt-get must not run >&2; exit 1',
  })
  const asNobody = process.getuid?.() === 0 ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : []
  const [program = '', ...args] = [...asNobody, join(checkout, 'deploy/setup.sh')]
  const { status, stderr } = spawnSync(program, args, { env: { PATH: path, HOME: checkout }, encoding: 'utf8' })
  expect(status).toBe(1)
  const command = /^ *(sudo apt-get update && sudo apt-get install -y --no-install-recommends (.*))$/m.exec(stderr)
  expect(command?.[2]?.split(' ')).toEqual(expect.arrayContaining(['libgstreamer1.0-dev', 'gstreamer1.0-libav', 'pkg-config']))
  expect(command?.[2]).not.toContain('python3')
  expect(stderr).toContain('Still missing: system packages; npm packages; TensorFlow')
})

// Others would be asked for sudo.
test.skipIf(process.getuid?.() !== 0)("an image's last stage gets what programs run with, and no compiler", () => {
  const checkout = makeCheckout()
  const path = pathWith({
    'dpkg-query': 'true',
    'apt-get': 'case "$*" in *" install "*) echo "$@" >asked; echo Unable to locate package; exit 1;; esac',
  })
  const asked = join(checkout, 'asked')
  const options = { cwd: checkout, env: { PATH: path, HOME: checkout }, encoding: 'utf8' as const }
  spawnSync(join(checkout, 'deploy/setup.sh'), ['--run'], { ...options, timeout: 20_000 })
  const words = readFileSync(asked, 'utf8').trim().split(' ')
  expect(words).toEqual(expect.arrayContaining(['gstreamer1.0-libav', 'ca-certificates']))
  expect(words.filter((word) => /-dev$|build-essential|pip/.test(word))).toEqual([])
})

test.skipIf(!has('unshare', '-rn', 'true'))('without a network it says so and what is missing, at once', () => {
  const checkout = makeCheckout()
  const lock = { name: 'roadmask', version: '0.0.0', dependencies: { 'no-such-package-here': '1.0.0' } }
  writeFileSync(join(checkout, 'package.json'), JSON.stringify(lock))
  const packages = { '': lock, 'node_modules/no-such-package-here': { version: '1.0.0' } }
  writeFileSync(join(checkout, 'package-lock.json'), JSON.stringify({ ...lock, lockfileVersion: 3, packages }))
  const env = { PATH: process.env.PATH, HOME: checkout, ROADMASK_SKIP_PACKAGES: '1', ROADMASK_TENSORFLOW: 'cpu' }
  const { status, stderr } = spawnSync('unshare', ['-rn', join(checkout, 'deploy/setup.sh')], { env, encoding: 'utf8' })
  expect(status).toBe(1)
  expect(stderr).toContain('This machine has no network.')
  expect(stderr).toMatch(
    /Still missing: npm packages; TensorFlow [\d.]+ for the CPU; TensorFlow addon; GStreamer addon; programs\./,
  )
  expect(stderr).not.toContain('trying again')
})

test('settings that an outer npm hands down do not reach npm ci', async () => {
  const checkout = makeCheckout()
  const outer = {
    npm_config_workspace: 'edge-agent',
    npm_config_dry_run: 'true',
    npm_config_global: 'true',
    NODE_ENV: 'production',
  }
  const setUp = startSetUp(checkout, { ...outer, ROADMASK_TENSORFLOW: makeLibrary('2.9.1') })
  await setUp.ended
  expect(setUp.said()).toMatch(/npm packages\n\s+done/)
  expect(existsSync(join(checkout, 'node_modules/.set-up'))).toBe(true)
})

test('an unknown word in ROADMASK_TENSORFLOW is refused with the words it takes', async () => {
  const setUp = startSetUp(makeCheckout(), { ROADMASK_TENSORFLOW: 'gpu' })
  expect(await setUp.ended).toBe(1)
  expect(setUp.said()).toContain('ROADMASK_TENSORFLOW=gpu: expected cpu, cuda, jetson or a folder')
})

test('for a Jetson it says which setting has to name the wheel', async () => {
  const setUp = startSetUp(makeCheckout(), { ROADMASK_TENSORFLOW: 'jetson' })
  expect(await setUp.ended).toBe(1)
  expect(setUp.said()).toContain('ROADMASK_TENSORFLOW_WHEEL')
})

test.each([
  { what: 'without headers', spoil: 'include', expected: 'there is no include/tensorflow/c/c_api.h' },
  { what: 'of an old version', version: '2.9.1', expected: /Expected TensorFlow 2\.12 to 2\.21 in .*, found 2\.9\.1/ },
  { what: 'of a version to come', version: '2.22.0', expected: /Expected TensorFlow 2\.12 to 2\.21 in .*, found 2\.22\.0/ },
  { what: 'without the C API', source: 'int nothing;', expected: "Expected TensorFlow's C API" },
  { what: 'for another processor', machine: 8, expected: /Expected a libtensorflow for (x86_64|aarch64) in/ },
])('a library $what is refused with what was expected', async ({ spoil, version, source, machine, expected }) => {
  const library = makeLibrary(version ?? '2.16.1')
  const file = join(library, 'lib/libtensorflow.so')
  if (spoil) execFileSync('rm', ['-r', join(library, spoil)])
  if (source) compile(source, file)
  if (machine) {
    const bytes = readFileSync(file)
    bytes[18] = machine // e_machine of the ELF header; 8 is MIPS
    writeFileSync(file, bytes)
  }
  const checkout = makeCheckout()
  const setUp = startSetUp(checkout, { ROADMASK_TENSORFLOW: library })
  expect(await setUp.ended).toBe(1)
  expect(setUp.said()).toMatch(expected)
  expect(existsSync(join(checkout, '.setup/tensorflow-folder'))).toBe(false)
})

test.skipIf(!hasNetwork)('a download that breaks off is tried again', async () => {
  const checkout = makeCheckout()
  const server = await serveFile(makeWheel(), 'half and break')
  const setUp = startSetUp(checkout, { ROADMASK_TENSORFLOW: 'jetson', ROADMASK_TENSORFLOW_WHEEL: `${server.url}?mirror=404` })
  await vi.waitFor(() => expect(setUp.said()).toContain('attempt 1 of 4 failed'), 30_000)
  server.manner = 'whole'
  await setUp.ended // the addon cannot be built here, but the library is there
  const [library = ''] = libraries(checkout)
  expect(library).toMatch(/^jetson-tensorflow-2\.16\.1/)
  expect(readdirSync(join(checkout, '.tensorflow', library)).sort()).toEqual(['.complete', 'include', 'lib'])
  expect(statSync(join(checkout, '.tensorflow', library, 'lib/libtensorflow.so.2')).isFile()).toBe(true)
})

test('a wheel of another hash is refused, and nothing is installed', async () => {
  const checkout = makeCheckout()
  const wheel = makeWheel()
  const { url } = await serveFile(wheel, 'whole')
  const right = sha256(wheel)
  const wrong = right.replace(/.{4}$/, right.endsWith('0000') ? '1111' : '0000')
  const setUp = startSetUp(checkout, { ROADMASK_TENSORFLOW_WHEEL: `${url}#sha256=${wrong}` })
  expect(await setUp.ended).toBe(1)
  expect(setUp.said()).toContain(wrong)
  expect(setUp.said()).toContain(right)
  expect(setUp.said()).not.toContain('trying again')
  expect(libraries(checkout)).toEqual([])
})

test('killed in the middle of a download it leaves no library, and the next one goes on', async () => {
  const checkout = makeCheckout()
  const wheel = makeWheel()
  const server = await serveFile(wheel, 'half and wait')
  const env = { ROADMASK_TENSORFLOW_WHEEL: `${server.url}#sha256=${sha256(wheel)}` }
  const first = startSetUp(checkout, env)
  await vi.waitFor(() => expect(server.requests).toBe(1), 30_000)
  killGroup(first.process)
  expect(await first.ended).toBe(null)
  expect(libraries(checkout)).toEqual([])
  server.manner = 'whole'
  const second = startSetUp(checkout, env)
  await second.ended
  expect(second.said()).not.toContain('npm packages\n')
  expect(libraries(checkout)).toHaveLength(1)
  expect(readdirSync(join(checkout, '.tensorflow'))).toHaveLength(1)
})

test('two at once: the second waits for the first', async () => {
  const checkout = makeCheckout()
  const server = await serveFile(makeWheel(), 'half and wait')
  const first = startSetUp(checkout, { ROADMASK_TENSORFLOW_WHEEL: server.url })
  await vi.waitFor(() => expect(server.requests).toBe(1), 30_000)
  const second = startSetUp(checkout, { ROADMASK_TENSORFLOW_WHEEL: server.url })
  await vi.waitFor(() => expect(second.said()).toContain('Another set-up is running in this checkout; waiting for it.'), 30_000)
  expect(server.requests).toBe(1)
  expect(second.said()).not.toContain('[')
  server.manner = 'whole'
  killGroup(first.process)
  await second.ended
  expect(server.requests).toBe(2)
  expect(libraries(checkout)).toHaveLength(1)
})

test('a GPU that nvidia-smi lists chooses the CUDA library, and a driver without one does not', async () => {
  for (const [answer, chosen] of [
    ['echo "GPU 0: NVIDIA L4 (UUID: GPU-0)"', 'for CUDA'],
    ['echo "No devices were found"', 'for the CPU'],
  ] as const) {
    const checkout = makeCheckout()
    // npm fails, and so what is still missing is listed.
    const setUp = startSetUp(checkout, { PATH: pathWith({ 'nvidia-smi': answer, npm: 'echo EUSAGE; exit 1' }) })
    expect(await setUp.ended).toBe(1)
    if (process.arch === 'x64') expect(setUp.said()).toContain(chosen)
  }
})
