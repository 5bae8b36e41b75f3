// npm run deploy -- status: every device in one view, from retained messages alone.
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { topics, updateTopics } from '../../edge-agent/wire.ts'
import { parseOptions } from '../options.ts'
import { brokerHelp, brokerOptions, openBroker } from './broker.ts'

const help = `npm run deploy -- status [--group NAME] [--watch] [--json] [options]

Each device with what it runs and what becomes of what it was offered, out of what the broker has retained: devices that are
away are shown as they were.

--group NAME           devices of this group alone
--watch                goes on, and tells each change
--json                 a line of JSON for each device
${brokerHelp}`

const Model = z.object({ name: z.string(), release: z.string().optional() })
/** What is shown of an UpdateState; it comes from outside. */
const State = z.object({
  device: z.string(),
  agent_version: z.string(),
  image: z.string().optional(),
  groups: z.array(z.string()).default([]),
  model: Model,
  previous: Model.optional(),
  state: z.string(),
  release: z.object({ id: z.string(), name: z.string(), kind: z.string() }).optional(),
  progress: z.object({ bytes: z.number(), of: z.number() }).optional(),
  comparison: z.looseObject({ agreement: z.number() }).optional(),
  reason: z.string().optional(),
  since_us: z.number(),
})
type Device = z.infer<typeof State> & { available: string }

/** Retained messages come at once; when none came for so long, all are here. */
const quietMs = 1000
const firstMs = 5000

export async function status(args: string[]): Promise<void> {
  const { values } = parseOptions({
    args,
    options: {
      ...brokerOptions,
      group: { type: 'string' },
      watch: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help) return console.log(help)
  const client = await openBroker(values)
  const states = new Map<string, z.infer<typeof State>>()
  const available = new Map<string, string>()
  let heardMs = performance.now()
  let all = false
  const levels = values.prefix.split('/').length
  const device = (name: string): Device | undefined => {
    const state = states.get(name)
    return state && { ...state, available: available.get(name) ?? 'unknown' }
  }
  const shown = ({ groups }: Device) => !values.group || groups.includes(values.group)
  const print = (one: Device) => shown(one) && console.log(values.json ? JSON.stringify(one) : `${now()}  ${lineOf(one)}`)

  client.on('message', (topic, payload) => {
    heardMs = performance.now()
    const [name = '', what] = topic.split('/').slice(levels)
    if (what === 'available') available.set(name, payload.toString())
    else if (payload.length === 0) states.delete(name)
    else {
      const found = stateOf(payload)
      if (!found) return console.error(`${topic}: not the state of a device`)
      states.set(name, found)
    }
    const changed = all && device(name)
    if (changed) print(changed)
  })
  const { state } = updateTopics(values.prefix, '+')
  await client.subscribeAsync([state, topics(values.prefix, '+').available], { qos: 1 })
  const began = performance.now()
  while (performance.now() - heardMs < quietMs || (states.size === 0 && performance.now() - began < firstMs)) await delay(100)
  const devices = [...states.keys()].sort().flatMap((name) => device(name) ?? [])
  if (values.json) for (const one of devices) print(one)
  else table(devices.filter(shown))
  all = true
  if (values.watch) return // until it is broken off
  await client.endAsync()
}

function stateOf(payload: Buffer) {
  try {
    return State.parse(JSON.parse(payload.toString()))
  } catch {
    return undefined
  }
}

const now = () => new Date().toISOString().slice(11, 19)

/** What a device says is shown on a terminal, where control characters would act. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken away
const plain = (text: string) => text.replace(/[\x00-\x1f\x7f-\x9f]/g, ' ')

const cells = ({ device, available, agent_version, model, state, release, progress, comparison, reason, since_us }: Device) => [
  device,
  available,
  agent_version,
  model.release ? `${model.name} (${model.release})` : model.name,
  `${state.replace('_', ' ')}${progress && state === 'downloading' ? ` ${Math.floor((100 * progress.bytes) / progress.of)} %` : ''}`,
  ago(since_us),
  [
    release && release.id !== model.release && `${release.kind === 'image' ? 'image ' : ''}${release.name} (${release.id})`,
    comparison && `agreement ${comparison.agreement.toFixed(3)}`,
    reason,
  ]
    .filter(Boolean)
    .join(': '),
]

const lineOf = (device: Device) => plain(cells(device).filter(Boolean).join('  '))

function table(devices: Device[]) {
  if (devices.length === 0) return console.log('No device has said anything. --prefix and --broker name what they use.')
  const head = ['device', '', 'agent', 'model', 'state', 'since', '']
  const rows = [head, ...devices.map(cells)].map((row) => row.map(plain))
  const widths = head.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)))
  for (const row of rows)
    console.log(
      row
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join('  ')
        .trimEnd(),
    )
  const counts = new Map<string, number>()
  for (const { state } of devices) counts.set(state, (counts.get(state) ?? 0) + 1)
  const away = devices.filter(({ available }) => available !== 'online').length
  console.log(
    `\n${devices.length} devices${away ? `, ${away} away` : ''}: ${[...counts].map(([state, n]) => `${n} ${state.replace('_', ' ')}`).join(', ')}`,
  )
}

function ago(us: number): string {
  const s = Math.max(0, Math.round(Date.now() / 1000 - us / 1e6))
  if (s < 120) return `${s} s`
  if (s < 7200) return `${Math.round(s / 60)} min`
  return s < 172_800 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86_400)} d`
}
