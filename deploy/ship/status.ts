// npm run deploy -- status: every device in one view, from retained messages alone.
import { parseOptions } from '../options.ts'
import { brokerHelp, brokerOptions } from './broker.ts'
import { columns, type Device, openFleet, plain } from './fleet.ts'

const help = `npm run deploy -- status [--group NAME] [--watch] [--json] [options]

Each device with what it runs and what becomes of what it was offered, out of what the broker has retained: devices that are
away are shown as they were.

--group NAME           devices of this group alone
--watch                goes on, and tells each change
--json                 a line of JSON for each device
${brokerHelp}`

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
  const shown = ({ groups }: Device) => !values.group || groups.includes(values.group)
  const print = (one: Device) => shown(one) && console.log(values.json ? jsonOf(one) : `${now()}  ${lineOf(one)}`)
  const fleet = await openFleet(values, values.watch ? { onChange: print } : {})
  const devices = fleet.devices().filter(shown)
  if (values.json) for (const one of devices) print(one)
  else table(devices)
  if (values.watch) return // until it is broken off
  await fleet.close()
}

const jsonOf = ({ heardMs: _, ...device }: Device) => JSON.stringify(device)

const now = () => new Date().toISOString().slice(11, 19)

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
  console.log(columns([head, ...devices.map(cells)]))
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
