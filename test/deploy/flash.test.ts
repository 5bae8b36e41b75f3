// From a stock device to a running agent and back, over a real ssh to a real podman; see device/start.sh for what is played.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runProgram } from '../run-program.ts'
import { repository } from './checkout.ts'
import { type PlayedDevice, playDevice, whyNoDevice } from './played-device.ts'

const why = whyNoDevice()
if (why) console.log(`The tests of flash are skipped: ${why}`)

describe.skipIf(why)('flash', { timeout: 180_000 }, () => {
  let device: PlayedDevice
  let settings: string

  beforeAll(async () => {
    device = await playDevice()
    settings = join(device.dir, 'vehicle 7')
    mkdirSync(join(settings, 'certificates'), { recursive: true })
    writeFileSync(join(settings, 'agent.yaml'), 'device: vehicle7\n')
    writeFileSync(join(settings, 'certificates/device.key'), 'a secret\n', { mode: 0o600 })
  }, 60_000)
  afterAll(() => device.stop(), 60_000)

  const flash = (...args: string[]) => flashAs('root', {}, ...args)
  const flashAs = (user: string, env: Record<string, string>, ...args: string[]) => {
    const ssh = ['--port', String(device.port), '--identity', device.identity]
    const options = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR']
    const words = [
      ...['flash', `${user}@127.0.0.1`, ...ssh, ...options.flatMap((option) => ['--ssh-option', option])],
      ...['--http', String(device.httpPort), '--minutes', '1', '--out', join(device.dir, 'out'), ...args],
    ]
    return runProgram('deploy/deploy.js', words, { env: { ...process.env, ...env } })
  }
  const all = (...more: string[]) => flash('--image', device.image('good'), '--settings', settings, ...more)
  /** Step and state of each line. */
  const told = (out: string) =>
    Array.from(out.matchAll(/^(\w+) +(same|done|would do|failed) /gm), ([, step, state]) => `${step} ${state}`)
  const there = (...paths: string[]) => device.sh(`for p in ${paths.join(' ')}; do [ -e $p ] && echo $p; done; true`)
  const ours = ['/etc/roadmask', '/etc/roadmask-host', '/usr/local/lib/roadmask', '/etc/systemd/system/roadmask.service']

  test('a dry run says each step and changes nothing', async () => {
    const { code, out, err } = await all('--power', '0', '--dry-run')
    expect(code, err).toBe(0)
    expect(told(out)).toEqual([
      'device same',
      ...['runtime', 'image', 'settings', 'service', 'check', 'power', 'acceptance', 'agent'].map((step) => `${step} would do`),
    ])
    expect(out).toContain('nvidia-ctk runtime configure --runtime=docker')
    expect(out).toContain(`docker pull ${device.image('good')}`)
    expect(there(...ours, '/var/lib/roadmask-host', '/etc/docker/daemon.json')).toBe('')
    expect(device.sh('docker images -q')).toBe('')
  })

  test('one command makes it run; again it changes nothing; what changed alone is done; and there is a way back', async () => {
    const first = await all('--power', '0')
    expect(first.code, first.out + first.err).toBe(0)
    expect(told(first.out).filter((line) => !line.endsWith('done'))).toEqual(['device same'])
    expect(device.sh(`curl -sf http://127.0.0.1:${device.httpPort}/readyz`)).toContain('"ready":true')
    expect(device.sh('docker ps --format "{{.Names}}"')).toBe('roadmask')
    expect(device.sh('nvpmodel -q | tail -n 1')).toBe('0')
    // The user of the container may read the settings, and nobody else.
    expect(device.sh("stat -c '%u %a' /etc/roadmask/certificates/device.key")).toBe('65000 600')
    const report = JSON.parse(readFileSync(join(device.dir, 'out/accept.json'), 'utf8'))
    expect(report.words).toBe('accept --minutes 1 --out /var/lib/roadmask/accept')
    expect(JSON.parse(readFileSync(join(device.dir, 'out/flash.json'), 'utf8'))).toMatchObject({
      host: 'root@127.0.0.1',
      ok: true,
    })

    const container = device.sh("docker inspect --format '{{.Id}}' roadmask")
    const second = await all('--power', '0')
    expect(told(second.out).filter((line) => !line.endsWith('same'))).toEqual([])
    expect(device.sh("docker inspect --format '{{.Id}}' roadmask")).toBe(container)

    writeFileSync(join(settings, 'agent.yaml'), 'device: vehicle8\n')
    const third = await all('--power', '0')
    expect(told(third.out).filter((line) => !line.endsWith('same'))).toEqual(['settings done', 'check done', 'agent done'])
    expect(device.sh('cat /etc/roadmask/agent.yaml /etc/roadmask.old/agent.yaml')).toBe('device: vehicle8\ndevice: vehicle7')

    writeFileSync(join(settings, 'agent.yaml'), 'devise: vehicle9\n')
    const wrong = await all('--power', '0')
    expect(wrong.code).toBe(1)
    expect(told(wrong.out).at(-1)).toBe('check failed')
    expect(wrong.out).toContain('device: expected a name')
    expect(device.sh(`curl -sf http://127.0.0.1:${device.httpPort}/readyz`)).toContain('"ready":true')

    const back = await flash('--undo')
    expect(back.code, back.out + back.err).toBe(0)
    expect(there(...ours, '/var/lib/roadmask-host', '/etc/docker/daemon.json')).toBe('')
    expect(there('/var/lib/roadmask/accept/accept.json')).toBe('/var/lib/roadmask/accept/accept.json')
    expect(device.sh('docker ps -aq; docker images -q; nvpmodel -q | tail -n 1')).toBe('1')
    expect(told((await flash('--undo')).out).filter((line) => !line.endsWith('same'))).toEqual([])
  })

  test('an image goes as a file too, known by its id', async () => {
    writeFileSync(join(settings, 'agent.yaml'), 'device: vehicle7\n')
    const file = join(device.dir, 'agent.tar')
    device.sh(
      `docker pull --quiet ${device.image('good-2')} && docker save --format docker-archive --output ${file} ${device.image('good-2')} && docker image rm ${device.image('good-2')}`,
    )
    const { code, out, err } = await flash('--image', file, '--settings', settings, '--minutes', '0')
    expect(code, out + err).toBe(0)
    expect(out).toMatch(/image +done +sent: sha256:/)
    expect(out).toMatch(/agent +done +runs sha256:[0-9a-f]{64} and is ready/)
    await flash('--undo')
  })

  test('a machine that is no Jetson is refused before anything is changed', async () => {
    device.sh('mv /etc/nv_tegra_release /etc/nv_tegra_release.away')
    const { code, err } = await all()
    device.sh('mv /etc/nv_tegra_release.away /etc/nv_tegra_release')
    expect(code).toBe(1)
    expect(err).toContain('Nothing was changed')
    expect(err).toContain('--generic takes any Linux')
    expect(there(...ours)).toBe('')
  })

  // As a stock Jetson's first user is.
  test.skipIf(spawnSync('sudo', ['-V']).status !== 0)(
    'a user whose sudo asks for a password may do it, and nobody sees it',
    async () => {
      device.sh('useradd --create-home --shell /bin/sh --groups sudo jetson && echo jetson:open-sesame | chpasswd')
      const [image, password] = [device.image('good'), 'open-sesame']
      const run = (word: string, ...args: string[]) =>
        flashAs('jetson', { ROADMASK_SUDO_PASSWORD: word }, '--image', image, '--settings', settings, ...args)
      writeFileSync(join(settings, 'agent.yaml'), 'device: vehicle7\n')
      const wrong = await run('guess', '--minutes', '0')
      expect(wrong.code).toBe(1)
      expect(wrong.err).toMatch(/incorrect password/)
      expect(there(...ours)).toBe('')
      const right = await run(password, '--minutes', '0')
      expect(right.code, right.out + right.err).toBe(0)
      // What went through the same pipe behind the password is whole.
      expect(device.sh('cat /etc/roadmask/agent.yaml')).toBe('device: vehicle7')
      expect(
        device.sh(`cmp ${repository}/deploy/flash/roadmask-image /usr/local/lib/roadmask/roadmask-image && echo same`),
      ).toBe('same')
      expect(right.out + right.err).not.toContain(password)
      await flash('--undo')
    },
  )

  test('what it needs is asked for in a sentence', async () => {
    expect((await flash('--settings', settings)).err).toContain('Expected --image and --settings')
    expect((await flash('--image', 'registry/agent:latest', '--settings', settings)).err).toContain(
      'expected registry/repository@sha256',
    )
    expect((await flash('--image', device.image('good'), '--settings', device.dir)).err).toContain(
      'expected a folder with agent.yaml',
    )
    expect((await flash('--image', device.image('good'), '--settings', settings, '--minutes', 'many')).err).toContain(
      '--minutes: expected',
    )
  })
})
