// A device to set up: a mount namespace with a real sshd and real podman, and a real registry with images that behave and
// images that do not. See device/start.sh for what is real in it.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../edge-agent/mosquitto.ts'

const parts = join(import.meta.dirname, 'device')

/** What keeps this machine from playing a device, in words; undefined where nothing does. */
export function whyNoDevice(): string | undefined {
  if (process.getuid!() !== 0) return 'only root may mount what plays a device'
  const missing = ['sshd', 'ssh', 'podman', 'crun', 'docker-registry', 'unshare', 'perl'].filter(
    (program) => spawnSync('sh', ['-c', `PATH=$PATH:/usr/sbin command -v ${program}`]).status !== 0,
  )
  if (missing.length) return `there is no ${missing.join(', ')}: apt-get install openssh-server podman crun docker-registry`
  const mount = spawnSync('unshare', [
    '--mount',
    'sh',
    '-c',
    'd=$(mktemp -d) && mount -t tmpfs none $d && umount $d && rmdir $d',
  ])
  return mount.status === 0 ? undefined : 'nothing can be mounted here'
}

async function listens(port: number): Promise<void> {
  for (let i = 0; i < 200; i++) {
    const socket = connect(port, '127.0.0.1')
    const answer = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'error').then(() => false),
    ]).catch(() => false)
    socket.destroy()
    if (answer) return
    await sleep(50)
  }
  throw new Error(`Nothing listens on port ${port}`)
}

export type Behaviour = 'good' | 'good-2' | 'dies' | 'loads' | 'blind' | 'fades'

export interface PlayedDevice {
  dir: string
  port: number
  identity: string
  /** Runs it in the device's shell and gives what it printed; throws where it fails. */
  sh(command: string): string
  /** The reference by digest of an image in the registry that behaves so. */
  image(behaviour: Behaviour): string
  /** Makes an image of the files below `root`, as an image's file says it in `changes`, and gives its reference in the registry. */
  makeImage(name: string, root: string, changes: string[]): string
  /** Where the played agent answers. */
  httpPort: number
  stop(): Promise<void>
}

export async function playDevice(): Promise<PlayedDevice> {
  const dir = mkdtempSync(join(tmpdir(), 'roadmask-device-'))
  const [port, registryPort, httpPort] = [await freePort(), await freePort(), await freePort()]
  const identity = join(dir, 'key')
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', identity])
  cpSync(`${identity}.pub`, join(dir, 'authorized_keys'))
  const log = (data: Buffer) => appendFileSync(join(dir, 'device.log'), data)

  const settings = join(dir, 'registry.yml')
  writeFileSync(
    settings,
    `version: 0.1\nlog: { level: error }\nstorage: { filesystem: { rootdirectory: ${join(dir, 'registry')} } }\nhttp: { addr: 127.0.0.1:${registryPort} }\n`,
  )
  const registry = spawn('docker-registry', ['serve', settings], { stdio: ['ignore', 'pipe', 'pipe'] })
  const device = spawn('unshare', ['--mount', 'bash', join(parts, 'start.sh'), dir, String(port)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  for (const stream of [registry.stdout, registry.stderr, device.stdout, device.stderr]) stream.on('data', log)
  const gone = [once(registry, 'close'), once(device, 'close')]

  const sh = (command: string) => {
    const options = [
      '-o',
      'BatchMode=yes',
      '-o',
      'StrictHostKeyChecking=no',
      '-o',
      'UserKnownHostsFile=/dev/null',
      '-o',
      'LogLevel=ERROR',
    ]
    const { status, stdout, stderr } = spawnSync(
      'ssh',
      [...options, '-i', identity, '-p', String(port), 'root@127.0.0.1', command],
      {
        encoding: 'utf8',
      },
    )
    if (status !== 0) throw new Error(`${command}: exit code ${status}\n${stdout}${stderr}`)
    return stdout.trim()
  }
  try {
    await Promise.all([listens(port), listens(registryPort)])
  } catch (error) {
    registry.kill()
    device.kill()
    throw new Error(readFileSync(join(dir, 'device.log'), 'utf8'), { cause: error })
  }

  function makeImage(name: string, root: string, changes: string[]): string {
    const tag = `127.0.0.1:${registryPort}/roadmask/agent:${name}`
    const how = changes.map((change) => `--change '${change}'`).join(' ')
    sh(
      `tar -C ${root} -c . | podman import --quiet ${how} - ${tag} && ` +
        `podman push --quiet --digestfile ${dir}/digest ${tag} && podman image rm ${tag}`,
    )
    return `127.0.0.1:${registryPort}/roadmask/agent@${readFileSync(join(dir, 'digest'), 'utf8').trim()}`
  }

  const images = new Map<Behaviour, string>()
  function image(behaviour: Behaviour): string {
    const known = images.get(behaviour)
    if (known) return known
    const root = join(dir, 'images', behaviour)
    fillRoot(root)
    writeFileSync(join(root, 'behaviour'), `${behaviour}\n`)
    const found = makeImage(behaviour, root, ['ENTRYPOINT ["/bin/agent"]', 'USER 65000:65000'])
    images.set(behaviour, found)
    return found
  }

  return {
    dir,
    port,
    identity,
    httpPort,
    sh,
    image,
    makeImage,
    async stop() {
      try {
        sh('systemctl stop roadmask.service; podman rm --all --force --time 0')
      } finally {
        registry.kill()
        device.kill()
        await Promise.all(gone)
        rmSync(dir, { recursive: true, force: true })
      }
    },
  }
}

/** The files of a small image: a shell, Perl, and the agent's stand-in. */
function fillRoot(root: string): void {
  const copy = (path: string, to = path) => {
    mkdirSync(dirname(join(root, to)), { recursive: true })
    cpSync(path, join(root, to), { dereference: true, recursive: true })
  }
  for (const program of ['bash', 'id', 'perl', 'cat']) {
    const path = execFileSync('sh', ['-c', `command -v ${program}`], {
      encoding: 'utf8',
      env: { PATH: '/usr/bin:/bin' },
    }).trim()
    copy(path, `bin/${program}`)
    const libraries = execFileSync('ldd', [path], { encoding: 'utf8' }).matchAll(/(\/\S+) \(0x/g)
    for (const [, library] of libraries) copy(library!)
  }
  copy(join(root, 'bin/perl'), 'usr/bin/perl')
  const files = execFileSync('dpkg', ['-L', 'perl-base'], { encoding: 'utf8' }).split('\n')
  copy(files.find((file) => file.endsWith('/perl-base'))!)
  copy(join(parts, 'agent.pl'), 'bin/agent')
  mkdirSync(join(root, 'tmp'), { recursive: true })
}
