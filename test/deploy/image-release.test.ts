// An image of the agent as a release, from the person who signs it to the device that changes it: the commands of `deploy`, a
// real Mosquitto, the host's unit, and the real agent, which runs in real podman with its programs mounted from this checkout.
import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { UpdateState } from '../../edge-agent/wire.ts'
import { writeBrightBundle } from '../bright-bundle.ts'
import { type Mosquitto, startMosquitto } from '../edge-agent/mosquitto.ts'
import { runProgram } from '../run-program.ts'
import { repository } from './checkout.ts'
import { type PlayedDevice, playDevice, whyNoDevice } from './played-device.ts'

const why = whyNoDevice()
if (why) console.log(`The test of an image's release is skipped: ${why}`)

describe.skipIf(why)('an image of the agent as a release', { timeout: 300_000 }, () => {
  let device: PlayedDevice
  let mosquitto: Mosquitto
  let unit: number
  let state: string
  const image: Record<string, string> = {}

  beforeAll(async () => {
    ;[device, mosquitto] = await Promise.all([playDevice(), startMosquitto()])
    for (const folder of ['settings', 'host', 'state']) mkdirSync(join(device.dir, folder))
    state = join(device.dir, 'state')
    for (const [name, more] of [
      ['first', []],
      ['second', []],
      // A real fault of an image: it wants a GPU where none is.
      ['broken', ['ENV ROADMASK_COMPUTE=gpu']],
    ] as const)
      image[name] = device.makeImage(name, makeRoot(name), [
        'ENV PATH=/opt/bin:/usr/bin:/bin',
        'ENV ROADMASK_STATE_DIR=/var/lib/roadmask/state',
        'ENTRYPOINT ["/opt/roadmask/deploy/images/roadmask"]',
        'USER 65000:65000',
        ...more,
      ])
    await deploy('keys')
    await deploy('trust', 'settings/trusted.json', '--add', 'signing.pub')
    // With a certificate, as on a network that is not trusted: the unit asks by https then.
    const how = '-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=car01 -keyout key.pem -out cert.pem'
    const options = { cwd: join(device.dir, 'settings'), stdio: 'pipe' } as const
    execFileSync('openssl', ['req', '-x509', ...how.split(' ')], options)
    chmodSync(join(device.dir, 'settings/key.pem'), 0o644) // for the container's user, to whom `flash` gives the folder
    await writeBrightBundle(join(device.dir, 'settings/bundle'), { name: 'bright' })
    writeFileSync(
      join(device.dir, 'settings/agent.yaml'),
      `device: car01
bundle: /etc/roadmask/bundle
mqtt: { url: "${mosquitto.url}" }
http: { port: ${device.httpPort}, cert: /etc/roadmask/cert.pem, key: /etc/roadmask/key.pem }
cameras: [{ name: front, source: test, width: 320, height: 240, fps: 5 }]
update: { keys: /etc/roadmask/trusted.json }
`,
    )
    const volumes = [
      '/usr:/usr:ro',
      `${process.execPath}:/opt/bin/node:ro`,
      `${repository}:/opt/roadmask:ro`,
      `${device.dir}/settings:/etc/roadmask:ro`,
      `${state}:/var/lib/roadmask/state`,
    ]
    const args = ['--network', 'host', '--read-only', '--tmpfs', '/tmp', ...volumes.flatMap((each) => ['--volume', each])]
    writeFileSync(join(device.dir, 'run-args'), `${args.join('\n')}\n`)
    writeFileSync(join(device.dir, 'host/current'), `${image.first}\n`)
    device.sh(`chown 65000:65000 ${state}`)
    const env = Object.entries({
      STATE: state,
      HOST: join(device.dir, 'host'),
      ARGS: join(device.dir, 'run-args'),
      READY: `http://127.0.0.1:${device.httpPort}/readyz`,
      READY_SECONDS: 60,
      SETTLE_SECONDS: 2,
      LOOK_SECONDS: 0.5,
    }).map(([name, value]) => `ROADMASK_${name}=${value}`)
    const script = join(repository, 'deploy/flash/roadmask-image')
    unit = Number(device.sh(`env ${env.join(' ')} setsid ${script} serve </dev/null >>${device.dir}/unit.log 2>&1 & echo $!`))
  }, 90_000)
  afterAll(async () => {
    process.kill(-unit, 'SIGKILL')
    await device.stop()
    await mosquitto.stop()
  }, 60_000)

  /** The root of an image that finds everything in what is mounted into it. */
  function makeRoot(name: string): string {
    const root = join(device.dir, 'roots', name)
    for (const folder of ['usr', 'etc/roadmask', 'opt/bin', 'opt/roadmask', 'tmp', 'var/lib/roadmask/state'])
      mkdirSync(join(root, folder), { recursive: true })
    for (const folder of ['bin', 'lib', 'lib64']) symlinkSync(`usr/${folder}`, join(root, folder))
    for (const file of ['passwd', 'group', 'ld.so.cache', 'nsswitch.conf']) cpSync(`/etc/${file}`, join(root, 'etc', file))
    writeFileSync(join(root, 'opt/bin/node'), '')
    writeFileSync(join(root, 'name'), name)
    return root
  }

  const deploy = (...args: string[]) =>
    runProgram('deploy/deploy.js', args, { cwd: device.dir, env: { ...process.env, ROADMASK_MQTT_URL: mosquitto.url } })
  async function status(): Promise<UpdateState & { available: string }> {
    const { out } = await deploy('status', '--json')
    return JSON.parse(out.trim() || '{}')
  }
  const runs = () =>
    device.sh(
      `docker inspect --format '{{.State.Running}} {{index .Config.Labels "roadmask.image"}}' roadmask 2>/dev/null || true`,
    )
  const poll = { timeout: 120_000, interval: 500 }
  async function release(name: string) {
    const signed = await deploy(
      'sign',
      '--image',
      image[name]!,
      '--name',
      name,
      '--key',
      'signing.key',
      '--out',
      `${name}.json`,
    )
    expect(signed.err + signed.code).toBe('0')
    const offered = await deploy('offer', `${name}.json`, '--device', 'car01')
    expect(offered.err + offered.code).toBe('0')
    return /release (\w+) of/.exec(signed.out)![1]!
  }

  test('offered, the device changes to it, and says so', async () => {
    await expect.poll(status, poll).toMatchObject({ device: 'car01', available: 'online', state: 'idle' })
    expect(runs()).toBe(`true ${image.first}`)
    const id = await release('second')
    await expect.poll(status, poll).toMatchObject({
      available: 'online',
      state: 'settled',
      image: image.second,
      release: { id, name: 'second', kind: 'image' },
    })
    expect(runs()).toBe(`true ${image.second}`)
  })

  test('one that does not get well is taken back, and the device says why', async () => {
    const id = await release('broken')
    await expect.poll(status, poll).toMatchObject({
      available: 'online',
      state: 'rolled_back',
      image: image.second,
      release: { id, name: 'broken' },
      reason: expect.stringMatching(/^it ended: The config wants "compute: gpu", but TensorFlow found no GPU/),
    })
    expect(runs()).toBe(`true ${image.second}`)
    expect((await deploy('status')).out).toMatch(
      /^car01 +online .* rolled back .*image broken \(\w+\): it ended: The config wants/m,
    )
  })

  test('an agent that was broken into gets no image that nobody signed, and no old one', async () => {
    const wish = JSON.parse(readFileSync(join(state, 'image-wanted.json'), 'utf8'))
    const old = JSON.parse(readFileSync(join(device.dir, 'second.json'), 'utf8'))
    await deploy('sign', '--image', image.first!, '--key', 'signing.key', '--out', 'other.json')
    const other = JSON.parse(readFileSync(join(device.dir, 'other.json'), 'utf8'))
    const answer = () => JSON.parse(readFileSync(join(state, 'image-state.json'), 'utf8')) as { state: string; reason: string }
    device.sh(`echo ${image.broken} >${device.dir}/host/current`) // which, not being the wanted one, has every wish looked at
    for (const [more, reason] of [
      [{ image: image.first }, `expected an image as it was signed, ${image.broken}`],
      [{ image: image.first, release: undefined }, /It is no release/],
      [
        { image: image.first, release: { ...other, payload: other.payload.replace(/.{8}$/, 'AAAAAAAA') } },
        /is no|not trusted|not JSON/,
      ],
      [{ image: image.second, release: old }, /before the newest that this host took/],
    ] as const) {
      writeFileSync(join(state, 'image-wanted.json'), JSON.stringify({ ...wish, ...more }))
      await expect.poll(answer, poll).toMatchObject({ state: 'refused', reason: expect.stringMatching(reason) })
    }
  })
})
