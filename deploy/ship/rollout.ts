// npm run deploy -- rollout: a release to a fleet by waves, which ends where too much fails.
import { updateTopics } from '../../edge-agent/wire.ts'
import { parseOptions } from '../options.ts'
import { brokerHelp } from './broker.ts'
import { columns, type Device, openFleet } from './fleet.ts'
import { offerOptions, wishOf } from './offer.ts'
import { lengthOf, progressLine } from './progress-line.ts'
import { type Outcome, runWaves, type Work, wavesOf } from './run-waves.ts'
import { takeBack } from './take-back.ts'
import { parseAmount, parseTime, parseWaves, textOf } from './waves.ts'

const help = `npm run deploy -- rollout BUNDLE --url URL WHOM [options]    a signed bundle, fetched from URL
npm run deploy -- rollout IMAGE.json WHOM [options]          a signed image of the agent
npm run deploy -- rollout BUNDLE|IMAGE.json --back WHOM      takes it back: offers are withdrawn, devices go back

Offers a release to the devices of a wave, waits until each of them has settled on it, and goes on to the next; where too many
refuse it, fail, take it back or fall silent it halts and leaves the rest as it is. Ctrl-C ends it, the same command goes on: all that it knows is
retained by the broker. When all waves are through, the group or the fleet is offered it as a whole, for devices yet to come.

WHOM is --device NAME and --group NAME (several times) or --fleet: of the devices that have said what they run.

--waves LIST     how many have it after each wave; default: 1,10%,50%,100%
--halt AMOUNT    more failures than that, in number or as a share of those that were offered it, end it; default: 2%
--soak TIME      a wave that has settled is watched for so long before the next one; default: 0s
--silent TIME    a device that tells nothing new for so long while it is at it has failed; default: 30m
--dry-run        shows the waves and does nothing
--json           one JSON object at the end; progress goes to stderr
--url URL        the folder that "publish" filled: http, https or s3
--unchecked      does not look first whether that is there, as where only devices reach it
${brokerHelp}

Exit code: 0 it is everywhere, but for failures within --halt and devices that are away; 2 halted; 130 broken off; 1 a fault.`

export async function rollout(args: string[]): Promise<void> {
  const { values, positionals } = parseOptions({
    args,
    allowPositionals: true,
    options: {
      ...offerOptions,
      waves: { type: 'string', default: '1,10%,50%,100%' },
      halt: { type: 'string', default: '2%' },
      soak: { type: 'string', default: '0s' },
      silent: { type: 'string', default: '30m' },
      back: { type: 'boolean', default: false },
      'dry-run': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  })
  if (values.help) return console.log(help)
  const [path, more] = positionals
  if (!path || more) throw new Error(`Expected one bundle or image, found ${positionals.length}\n\n${help}`)
  const plan = {
    waves: parseWaves(values.waves),
    halt: parseAmount(values.halt, 'halt'),
    soakMs: parseTime(values.soak, 'soak'),
    silentMs: parseTime(values.silent, 'silent'),
  }
  const { device: names, group: groups, fleet: whole, prefix } = values
  if (whole ? names.length + groups.length > 0 : names.length + groups.length === 0)
    throw new Error('Expected --device NAME, --group NAME or --fleet')
  const isKnownThere = values.back || values.unchecked || values['dry-run']
  const { id, release, wish } = await wishOf(path, values.url ?? (isKnownThere ? 'https://unchecked' : undefined), isKnownThere)
  const topic = updateTopics(prefix, '')
  /** Where those that are meant hear it together. */
  const shared = whole ? [topic.fleet] : groups.map(topic.group)
  const fleet = await openFleet(values, { offers: [updateTopics(prefix, '+').set, ...shared] })
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort())
  try {
    const unknown = names.find((name) => !fleet.device(name))
    if (unknown !== undefined)
      throw new Error(`--device: ${unknown} has not said what it runs; "offer" leaves word for devices that are yet to come`)
    const isMeant = ({ device, groups: its }: Device) =>
      whole || names.includes(device) || its.some((group) => groups.includes(group))
    const work: Work = {
      ...plan,
      fleet,
      id,
      release,
      payload: JSON.stringify(wish),
      shared,
      setTopic: (device) => updateTopics(prefix, device).set,
      isMeant,
      signal: stop.signal,
      line: progressLine(values.json ? process.stderr : process.stdout),
    }
    if (values.back) return await takeBack(work, values.json)
    if (!fleet.devices().some(isMeant))
      throw new Error('No such device has said what it runs; npm run deploy -- status shows those that have')
    expectNewest(work)
    if (values['dry-run']) return showPlan(work)
    const outcome = await runWaves(work)
    if (values.json) console.log(JSON.stringify(outcome))
    else console.log(tableOf(outcome))
    process.exitCode = outcome.end === 'halted' ? 2 : outcome.end === 'broken off' ? 130 : 0
  } finally {
    await fleet.close()
  }
}

/** Devices take what was signed last. */
function expectNewest({ fleet, shared, release }: Work) {
  for (const to of shared) {
    const there = fleet.offers.get(to)
    if (there && there.release.kind === release.kind && Date.parse(there.release.released) > Date.parse(release.released))
      throw new Error(`${to} offers ${there.release.name} (${there.id}), which was signed later; withdraw it, or sign again`)
  }
}

function showPlan(work: Work) {
  const waves = wavesOf(work)
  const few = (wave: Device[]) => {
    const names = wave.slice(0, 8).map(({ device, available }) => (available === 'online' ? device : `${device} (away)`))
    return [...names, ...(wave.length > 8 ? [`and ${wave.length - 8} more`] : [])].join(', ')
  }
  console.log(`${work.release.name} (${work.id}):`)
  console.log(columns([['wave', 'devices', ''], ...waves.map((wave, i) => [String(i + 1), String(wave.length), few(wave)])]))
  console.log(`Halts at more failures than ${textOf(work.halt)} of those that were offered it. Nothing was offered.`)
}

const mostFailuresShown = 20

function tableOf({ end, waves, left, failures, seconds }: Outcome): string {
  const names = ['settled', 'newer', 'failed', 'away', 'working'] as const
  const rows = waves.map((wave, i) => [String(i + 1), String(wave.devices), ...names.map((name) => String(wave[name]))])
  const told = failures.slice(0, mostFailuresShown).map(({ device, why }) => [device, why])
  const rest = failures.length - told.length
  return [
    '',
    columns([['wave', 'devices', ...names], ...rows]),
    ...(told.length ? ['', columns(told)] : []),
    ...(rest > 0 ? [`and ${rest} more; npm run deploy -- status shows them`] : []),
    '',
    `${end}${left ? `, ${left} devices not offered it` : ''}, ${lengthOf(seconds * 1000)}`,
  ].join('\n')
}
