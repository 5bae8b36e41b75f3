// rollout --back: offers of a release are withdrawn, and devices that run it or are about to go back to the model before.
import { setTimeout as delay } from 'node:timers/promises'
import type { UpdateWish } from '../../edge-agent/wire.ts'
import { mapBounded } from '../each.ts'
import type { Device } from './fleet.ts'
import { lengthOf } from './progress-line.ts'
import { atOnce, lookEveryMs, type Work } from './run-waves.ts'

const underWay = ['verifying', 'downloading', 'shadow', 'trial']

/** Ends when no device that is there has it any more; those that are away find the word when they come back. */
export async function takeBack(work: Work, json: boolean): Promise<void> {
  const { fleet, id, release, shared, setTopic, isMeant, signal, line, silentMs } = work
  const topics = [
    ...shared,
    ...fleet
      .devices()
      .filter(isMeant)
      .map(({ device }) => setTopic(device)),
  ]
  const offering = topics.filter((topic) => fleet.offers.get(topic)?.id === id)
  await mapBounded(offering, atOnce, (topic) => fleet.publish(topic, '', true))
  line.done(`${release.name} (${id}): ${offering.length} offers withdrawn`)
  const has = (device: Device) =>
    release.kind === 'image'
      ? device.image === release.image
      : device.model.release === id || (device.release?.id === id && underWay.includes(device.state))
  const having = () => fleet.devices().filter((device) => isMeant(device) && has(device))
  const began = having().map(({ device }) => device)
  if (release.kind === 'bundle') {
    // Whatever a device runs by the time it hears this: only this release is gone back from, and once.
    const wish: UpdateWish = { rollback: true, id: `back-${id}`, from: id }
    await mapBounded(began, atOnce, (device) => fleet.publish(setTopic(device), JSON.stringify(wish), true))
    const beganMs = performance.now()
    const isThere = ({ available }: Device) => available === 'online'
    while (!signal.aborted && having().some(isThere) && performance.now() - beganMs < silentMs) {
      line.show(`${having().length} of ${began.length} devices have yet to go back, ${lengthOf(performance.now() - beganMs)}`)
      await delay(lookEveryMs, undefined, { signal }).catch(() => {})
    }
  }
  const left = having()
  const away = left.filter(({ available }) => available !== 'online').length
  const back = began.length - left.length
  if (json)
    console.log(JSON.stringify({ release: id, withdrawn: offering.length, back, left: left.map(({ device }) => device), away }))
  else {
    console.log(`${back} devices went back, ${left.length - away} did not, ${away} are away and will when they come back`)
    for (const { device, state, reason } of left) console.log(`  ${device}: ${state}${reason ? `: ${reason}` : ''}`)
    if (left.length && release.kind === 'image')
      console.log('An image is gone back from by a rollout of the one before, signed again')
  }
  process.exitCode = signal.aborted ? 130 : left.length > away || (release.kind === 'image' && left.length) ? 2 : 0
}
