// Holds up guessing: after some failures an address has to wait, longer each time.

export interface Attempts {
  /** Seconds that this address has to wait now; 0: it may try. */
  wait(address: string): number
  failed(address: string): void
  succeeded(address: string): void
}

const free = 5
const firstWaitS = 2
const longestWaitS = 900
const forgottenMs = 3_600_000
/** Of whom it is remembered; then the oldest goes. */
const mostAddresses = 1000

export function countAttempts(nowMs: () => number = () => performance.now()): Attempts {
  const known = new Map<string, { failures: number; atMs: number; untilMs: number }>()
  const of = (address: string) => {
    const entry = known.get(keyOf(address))
    return entry && nowMs() - entry.atMs < forgottenMs ? entry : undefined
  }
  return {
    wait: (address) => Math.max(0, Math.ceil(((of(address)?.untilMs ?? 0) - nowMs()) / 1000)),
    failed(address) {
      const failures = (of(address)?.failures ?? 0) + 1
      const waitS = failures < free ? 0 : Math.min(longestWaitS, firstWaitS * 2 ** (failures - free))
      known.delete(keyOf(address)) // to the end, so that the first is the oldest
      known.set(keyOf(address), { failures, atMs: nowMs(), untilMs: nowMs() + 1000 * waitS })
      if (known.size > mostAddresses) known.delete(known.keys().next().value!)
    },
    succeeded: (address) => void known.delete(keyOf(address)),
  }
}

/** One host has a whole /64 of IPv6 to itself. */
function keyOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/, '')
  if (!plain.includes(':')) return plain
  const [head = '', tail] = plain.split('::')
  const groups = head.split(':').filter(Boolean)
  if (tail !== undefined) while (groups.length < 8 - tail.split(':').filter(Boolean).length) groups.push('0')
  return groups.slice(0, 4).join(':')
}
