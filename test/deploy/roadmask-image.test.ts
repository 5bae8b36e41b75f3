// The host's half of an update of the agent's image, with real podman and a real registry: changes it, goes back by itself,
// and survives SIGKILL at every step.
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { repository } from './checkout.ts'
import { type PlayedDevice, playDevice, whyNoDevice } from './played-device.ts'

const why = whyNoDevice()
if (why) console.log(`The tests of roadmask-image are skipped: ${why}`)

interface Answer {
  image: string
  state: string
  reason: string
  current: string
}

describe.skipIf(why)('roadmask-image', { timeout: 180_000 }, () => {
  let device: PlayedDevice
  let state: string
  let host: string
  let pid: number | undefined

  beforeAll(async () => {
    device = await playDevice()
  }, 60_000)
  afterAll(() => device.stop(), 60_000)
  beforeEach(() => {
    ;[state, host] = [join(device.dir, 'agent-state'), join(device.dir, 'host-state')]
    for (const folder of [state, host]) mkdirSync(folder, { recursive: true })
    writeFileSync(join(host, 'current'), `${device.image('good')}\n`)
    writeFileSync(
      join(device.dir, 'run-args'),
      `# one argument a line\n--network\nhost\n--runtime\nnvidia\n--env\nROADMASK_HTTP_PORT=${device.httpPort}\n`,
    )
  }, 60_000)
  afterEach(() => {
    stop('SIGKILL')
    for (const folder of [state, host]) rmSync(folder, { recursive: true, force: true })
  })

  /** Starts the script in a process group of its own; with `kill`, docker and mv are those that kill it. */
  function serve(kill?: { at: number; when: 'before' | 'after' }): void {
    const script = join(repository, 'deploy/flash/roadmask-image')
    const settings: Record<string, string | number> = {
      ROADMASK_STATE: state,
      ROADMASK_HOST: host,
      ROADMASK_ARGS: join(device.dir, 'run-args'),
      ROADMASK_READY: `http://127.0.0.1:${device.httpPort}/readyz`,
      ROADMASK_READY_SECONDS: 6,
      ROADMASK_SETTLE_SECONDS: 1,
      ROADMASK_LOOK_SECONDS: 0.2,
      ROADMASK_RETRY_SECONDS: 1,
    }
    if (kill) {
      const bin = join(device.dir, 'killing')
      mkdirSync(bin, { recursive: true })
      for (const program of ['docker', 'mv']) cpSync(join(import.meta.dirname, 'device/killing.sh'), join(bin, program))
      device.sh(`mkdir -p ${device.dir}/real && ln -sf /usr/local/bin/docker /bin/mv ${device.dir}/real/`)
      rmSync(join(device.dir, 'count'), { force: true })
      rmSync(join(device.dir, 'count.step'), { force: true })
      Object.assign(settings, {
        KILL_AT: kill.at,
        KILL_WHEN: kill.when,
        KILL_COUNT: join(device.dir, 'count'),
        KILL_REAL: join(device.dir, 'real'),
        PATH: `${bin}:/usr/local/bin:/usr/bin:/bin`,
      })
    }
    const env = Object.entries(settings).map(([name, value]) => `${name}=${value}`)
    const log = join(device.dir, 'roadmask-image.log')
    pid = Number(device.sh(`env ${env.join(' ')} setsid ${script} serve </dev/null >>${log} 2>&1 & echo $!`))
  }

  function stop(signal: NodeJS.Signals): void {
    if (pid === undefined) return
    try {
      process.kill(-pid, signal)
    } catch {
      // It has ended.
    }
    pid = undefined
  }

  const alive = () => existsSync(`/proc/${pid}`)
  const want = (image: string, more = {}) =>
    writeFileSync(
      join(state, 'image-wanted.json'),
      JSON.stringify({ image, released: new Date().toISOString(), signed: true, ...more }),
    )
  const read = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8') : '')
  const answer = () => JSON.parse(read(join(state, 'image-state.json')) || '{}') as Partial<Answer>
  const current = () => read(join(host, 'current')).trim()
  const runs = () =>
    device.sh(
      `docker inspect --format '{{.State.Running}} {{index .Config.Labels "roadmask.image"}}' roadmask 2>/dev/null || true`,
    )
  const poll = { timeout: 40_000, interval: 300 }
  const expectRuns = (image: string) => expect.poll(runs, poll).toBe(`true ${image}`)

  test('runs the image it was given, starts it again when it ends, and takes it down with itself', async () => {
    const good = device.image('good')
    serve()
    await expectRuns(good)
    const first = device.sh("docker inspect --format '{{.Id}}' roadmask")
    device.sh('docker kill roadmask')
    await expect.poll(() => device.sh("docker inspect --format '{{.Id}}' roadmask || true"), poll).not.toBe(first)
    await expectRuns(good)
    process.kill(pid!, 'SIGTERM')
    await expect.poll(alive, poll).toBe(false)
    expect(runs()).toBe('')
  })

  test('a wanted image is pulled by digest, tried and kept; the old one stays to go back to', async () => {
    serve()
    await expectRuns(device.image('good'))
    want(device.image('good-2'))
    await expect.poll(answer, poll).toMatchObject({ image: device.image('good-2'), state: 'settled', reason: '' })
    expect(runs()).toBe(`true ${device.image('good-2')}`)
    expect(current()).toBe(device.image('good-2'))
    expect(read(join(host, 'previous')).trim()).toBe(device.image('good'))
    expect(existsSync(join(host, 'trial'))).toBe(false)
    // Wanted again, it is there already.
    rmSync(join(state, 'image-state.json'))
    want(device.image('good-2'), { again: true })
    await expect.poll(answer, poll).toMatchObject({ image: device.image('good-2'), state: 'settled' })
  })

  test.each([
    ['dies', /it ended: no such camera driver/],
    ['loads', /did not say ready for 1 s on end within 6 s/],
    ['fades', /did not say ready for 1 s on end/],
    ['blind', /did not say ready for 1 s on end within 6 s/],
  ] as const)('an image that %s is left again, with the reason', async (behaviour, reason) => {
    serve()
    await expectRuns(device.image('good'))
    await expect.poll(() => device.sh(`curl -sf http://127.0.0.1:${device.httpPort}/readyz || true`), poll).toContain('true')
    want(device.image(behaviour))
    await expect.poll(answer, poll).toMatchObject({ image: device.image(behaviour), state: 'rolled_back' })
    expect(answer().reason).toMatch(reason)
    await expectRuns(device.image('good'))
    expect(current()).toBe(device.image('good'))
    // It is not tried again, unless somebody releases it anew.
    const { state: said } = answer()
    await new Promise((done) => setTimeout(done, 1000))
    expect([answer().state, runs()]).toEqual([said, `true ${device.image('good')}`])
  })

  test('what is no digest, of another repository or not to be had changes nothing', async () => {
    serve()
    await expectRuns(device.image('good'))
    const before = device.sh("docker inspect --format '{{.Id}}' roadmask")
    want(device.image('good').replace(/@.*/, ':latest'))
    await expect.poll(answer, poll).toMatchObject({ state: 'refused', reason: expect.stringContaining('by its digest') })
    want(`docker.io/other/agent@sha256:${'0'.repeat(64)}`)
    await expect
      .poll(answer, poll)
      .toMatchObject({ state: 'refused', reason: expect.stringContaining('expected an image of 127') })
    want(device.image('good').replace(/@.*/, `@sha256:${'0'.repeat(64)}`))
    await expect.poll(answer, poll).toMatchObject({ state: 'failed', reason: expect.stringContaining('cannot be pulled') })
    expect(device.sh("docker inspect --format '{{.Id}}' roadmask")).toBe(before)
    // What the agent's folder holds is not followed out of it.
    device.sh(
      `rm ${state}/image-wanted.json ${state}/image-state.json && echo secret >${device.dir}/secret && ln -s ${device.dir}/secret ${state}/image-state.json.new`,
    )
    want('nonsense')
    await expect.poll(answer, poll).toMatchObject({ state: 'refused' })
    expect(read(join(device.dir, 'secret'))).toBe('secret\n')
  })

  test('what nobody signed changes nothing', async () => {
    serve()
    await expectRuns(device.image('good'))
    want(device.image('good-2'), { signed: false })
    await expect.poll(answer, poll).toMatchObject({ state: 'refused', reason: 'Its signature is not trusted' })
    expect(runs()).toBe(`true ${device.image('good')}`)
  })

  test('a full disk changes nothing, and once there is room the update is made', async () => {
    const [good, wanted] = [device.image('good'), device.image('good-2')]
    device.sh(`mount -t tmpfs -o size=256k none ${host} && echo ${good} >${host}/current`)
    serve()
    await expectRuns(good)
    device.sh(`head -c 1M /dev/zero >${host}/filler || true`)
    want(wanted)
    await expect.poll(answer, poll).toMatchObject({ image: wanted, state: 'failed' })
    await new Promise((done) => setTimeout(done, 2000))
    expect([answer().state, device.sh(`cat ${host}/current`), runs()]).toEqual(['failed', good, `true ${good}`])
    device.sh(`rm ${host}/filler`)
    await expect.poll(answer, poll).toMatchObject({ image: wanted, state: 'settled' })
    expect([device.sh(`cat ${host}/current`), runs()]).toEqual([wanted, `true ${wanted}`])
    stop('SIGKILL')
    device.sh(`umount ${host}`)
  })

  test('SIGKILL at every step leaves the old image or the new one, and the update is finished afterwards', async () => {
    let [old, wanted] = [device.image('good'), device.image('good-2')]
    serve()
    await expectRuns(old)
    stop('SIGKILL') // The container goes on, and the next one takes it over.
    const rows: string[] = []
    /** One update from the running image to the other one; false where it came to its end before it could be killed. */
    async function round(at: number, fetched: boolean): Promise<boolean> {
      for (const file of ['image-wanted.json', 'image-state.json']) rmSync(join(state, file), { force: true })
      device.sh(fetched ? `docker pull --quiet ${wanted}` : `docker image rm --force ${wanted} || true`)
      want(wanted)
      const when = at % 2 ? 'before' : 'after'
      serve({ at, when })
      await expect.poll(() => !alive() || answer().state === 'settled', poll).toBe(true)
      const step = read(join(device.dir, 'count.step')).trim()
      stop('SIGKILL')
      expect([old, wanted]).toContain(current())
      const left = existsSync(join(host, 'trial')) ? 'a trial' : current() === wanted ? 'the new' : 'the old'
      if (step) serve()
      await expect.poll(() => answer().state === 'settled' || answer(), poll).toBe(true)
      expect([current(), runs()]).toEqual([wanted, `true ${wanted}`])
      stop('SIGKILL')
      if (step)
        rows.push(`${when.padEnd(6)}  ${step.replaceAll(/\s+/g, ' ').padEnd(26)}  left: ${left}; then: the new, settled`)
      ;[old, wanted] = [wanted, old]
      return step !== ''
    }
    await round(2, false)
    for (let at = 1; await round(at, true); at++);
    console.log(rows.join('\n'))
    expect(rows.length).toBeGreaterThan(8)
  })
})
