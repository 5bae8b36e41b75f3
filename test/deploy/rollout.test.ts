// A rollout to forty light agents (the agent's own MQTT, outbox, downloads and updates) and a real Mosquitto; and what it decides on.
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import { allowedOf, isThrough, parseAmount, parseTime, parseWaves, sizesOf } from '../../deploy/ship/waves.ts'
import { type PlayedFleet, playFleet } from '../../edge-agent/bench/fleet/played-fleet.ts'

describe('waves', () => {
  it('grow, in numbers and shares, and small fleets need fewer of them', () => {
    const waves = parseWaves('1,10%,50%,100%')
    expect(sizesOf(waves, 1000)).toEqual([1, 99, 400, 500])
    expect(sizesOf(waves, 10)).toEqual([1, 4, 5])
    expect(sizesOf(waves, 1)).toEqual([1])
    expect(sizesOf(parseWaves('5,20'), 100)).toEqual([5, 15])
    for (const wrong of ['', '0', '1,1', '50%,10%', '101%', '1.5', 'all'])
      expect(() => parseWaves(wrong), wrong).toThrow('--waves')
  })
  it('a share of failures allows none among few', () => {
    const halt = parseAmount('2%', 'halt')
    expect([1, 49, 50, 1000].map((offered) => allowedOf(halt, offered))).toEqual([0, 0, 1, 20])
    expect(allowedOf(parseAmount('3', 'halt'), 1)).toBe(3)
  })
  it('wait for somebody who answers: of a fleet that is away nobody is offered it unproven', () => {
    expect(isThrough(['away', 'away'], ['away', 'away'])).toBe(false)
    expect(isThrough(['away', 'away'], ['settled', 'away', 'away'])).toBe(true)
    expect(isThrough(['settled', 'working'], ['settled', 'working'])).toBe(false)
  })
  it('times have a unit', () => {
    expect(['30s', '1.5m', '2h', '1d'].map((text) => parseTime(text, 'soak'))).toEqual([30_000, 90_000, 7_200_000, 86_400_000])
    expect(() => parseTime('30', 'soak')).toThrow('--soak: expected a time such as 30s')
  })
})

describe('a rollout', () => {
  let fleet: PlayedFleet
  // Every tenth device fails: it takes the model back, or does not trust who signed it.
  beforeAll(async () => {
    fleet = await playFleet({ devices: 40, processes: 2, modelKib: 64, everyFails: 10, trialMs: 400, tls: false })
  })
  afterAll(() => fleet.close())
  const rollout = (...more: string[]) => fleet.deploy('rollout', 'second', '--url', fleet.url, '--waves', '1,25%,100%', ...more)
  const json = async (...more: string[]) => JSON.parse((await rollout('--json', ...more)).out)

  test('shows its waves, and who cannot be meant', async () => {
    const { out } = await rollout('--group', 'vehicles', '--dry-run')
    expect(out).toMatch(/^1 +1 +car\d+\n2 +9 +(car\d+, ){8}and 1 more\n3 +30 /m)
    expect((await rollout('--device', 'nobody')).err).toContain('nobody has not said what it runs')
    expect((await rollout('--group', 'others')).err).toContain('No such device has said what it runs')
    expect(fleet.served()).toBeLessThan(64 * 1024) // manifests, to see that it is there
  })

  test('halts at more failures than allowed, and the rest stays as it is', async () => {
    const { code, out } = await rollout('--group', 'vehicles')
    expect(code).toBe(2)
    expect(out).toMatch(/wave 1 of 3: 1 settled, \d+ s\nwave 2 of 3: .*1 failed.*\nHalted: more failures than 2% of 10 devices/)
    expect(out).toMatch(/halted, 30 devices not offered it/)
    const states = (await fleet.deploy('status', '--json')).out
    expect(states.match(/"state":"idle"/g)).toHaveLength(30)
  })

  test('goes on where it ended, with those that are away counted apart, over a broker that restarts, to the last wave', async () => {
    await fleet.leave()
    const before = fleet.served()
    const going = json('--group', 'vehicles', '--halt', '10%')
    await expect.poll(() => fleet.served(), { timeout: 60_000, interval: 20 }).toBeGreaterThan(before + 100_000)
    await fleet.broker.stop()
    await fleet.broker.start()
    const { end, waves, failures, standing } = await going
    expect(end).toBe('done')
    expect(waves.map(({ devices }: { devices: number }) => devices)).toEqual([1, 9, 30])
    expect(waves[0]).toMatchObject({ settled: 1, failed: 0 })
    expect(waves[2].away).toBeGreaterThan(0)
    for (const { why } of failures) expect(why).toMatch(/^(rolled back: agreement 0.41|refused: Its signature is not trusted)/)
    expect(standing).toEqual(['roadmask/group/vehicles/update/set'])

    fleet.comeBack() // and what is offered to the group is there for them
    await fleet.until(40)
    await expect
      .poll(async () => (await fleet.deploy('status')).out, { timeout: 60_000, interval: 500 })
      .toMatch(/40 devices: (36 settled, |2 rolled back,? ?|2 refused,? ?){3}/)
  })

  test('and back: whoever runs it goes back, who is away when it returns, and nobody is offered it any more', async () => {
    await fleet.leave()
    const { code, out } = await rollout('--group', 'vehicles', '--back')
    expect([code, out]).toEqual([0, expect.stringContaining('1 offers withdrawn')])
    const [, back, away] = /(\d+) devices went back, 0 did not, (\d+) are away/.exec(out)!
    expect(Number(back)).toBeGreaterThan(0)
    expect(Number(back) + Number(away)).toBe(36)
    fleet.comeBack()
    await expect
      .poll(async () => (await fleet.deploy('status')).out, { timeout: 60_000, interval: 500 })
      .toMatch(/40 devices: .*\b38 rolled back/) // who only refused it has forgotten that by a restart
  })
})
