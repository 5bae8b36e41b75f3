// A broker that ends and comes back, and how its devices do.
import { setTimeout as delay } from 'node:timers/promises'
import type { Counts } from './mosquitto.ts'
import type { PlayedFleet } from './played-fleet.ts'

export interface Storm {
  /** Devices that hold a connection at the end. */
  connected: number
  /** From the broker's start until half, 99 % and all of them are connected again. */
  half: number
  nearly: number
  seconds: number
  mostInASecond: number
}

const lookEveryMs = 50
const patienceMs = 180_000

/** Ends the broker for `downSeconds` and waits until all are back, or not in time. */
export async function storm(fleet: PlayedFleet, devices: number, downSeconds: number): Promise<{ storm: Storm; from: Counts }> {
  await fleet.broker.stop()
  await delay(1000 * downSeconds)
  while (fleet.connected() > 0) await delay(lookEveryMs) // they have noticed
  await fleet.broker.start()
  const beganMs = performance.now()
  const from = fleet.broker.counts()
  const line: { s: number; connected: number }[] = []
  do {
    await delay(lookEveryMs)
    line.push({ s: (performance.now() - beganMs) / 1000, connected: fleet.connected() })
  } while (fleet.connected() < devices && performance.now() - beganMs < patienceMs)
  await delay(1500) // the broker tells of itself each second
  const when = (share: number) => line.find(({ connected }) => connected >= share * devices)?.s ?? Number.POSITIVE_INFINITY
  const inASecond = line.map(({ s, connected }) => connected - (line.findLast((before) => before.s <= s - 1)?.connected ?? 0))
  return {
    storm: {
      connected: line.at(-1)!.connected,
      half: when(0.5),
      nearly: when(0.99),
      seconds: when(1),
      mostInASecond: Math.max(...inASecond),
    },
    from,
  }
}
