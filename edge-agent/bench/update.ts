// Kills an agent at every step of an update, and starts it again:  npm run bench -- update   (--help for more)
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseOptions } from '../../deploy/options.ts'
import { demoBundle } from '../paths.ts'
import { prepareKilledUpdates, renamedBundle, type Step } from './killed-update.ts'

const help = `npm run bench -- update [options]

An agent fetches a new model, puts it together, runs it beside the old one, switches to it, keeps it and is told to go back.
Each change of its disk on the way (write, fsync, rename, link, removal of models and update.json) is a step. For every step an
agent is ended by SIGKILL just before it and started again: it must start with the old or the new model, whole, make masks
with the one it says it runs, and end up settled, rolled back or refused with the reason.

  --only A-B    these steps alone
  --bundle DIR  the bundle (the one that comes with the agent), which is offered under another name

SIGKILL leaves what was handed to the system, synced or not; what a power cut takes of that is what the fsync steps are for.`

async function main(args: string[]) {
  const text = { type: 'string' } as const
  const { values } = parseOptions({ args, options: { only: text, bundle: text, help: { type: 'boolean', short: 'h' } } })
  if (values.help) return console.log(help)
  const [, from = '1', to = '9999'] = /^(\d+)-(\d+)$/.exec(values.only ?? '1-9999') ?? []
  if (values.only && !/^\d+-\d+$/.test(values.only))
    throw new Error(`--only: expected steps such as 10-20, found ${values.only}`)
  const bundle = values.bundle ?? demoBundle
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1)) // takes the agent along
  const work = await mkdtemp(join(tmpdir(), 'roadmask-'))
  const updates = await prepareKilledUpdates(bundle, await renamedBundle(bundle, join(work, 'next'), 'next'))
  try {
    const steps = await updates.steps()
    console.log(`${steps.length} steps.\n\n| step | killed before | started with | ended |\n|---|---|---|---|`)
    for (const { step } of steps.filter(({ step }) => step >= Number(from) && step <= Number(to))) {
      const { step: at, started, ended } = await updates.killedAt(step)
      const how = `${ended.state.replace('_', ' ')} with ${ended.model.name}${ended.reason ? `: ${ended.reason}` : ''}`
      console.log(`| ${step} | ${at ? describe(at) : 'the end: it did not come so far'} | ${started} | ${how} |`)
    }
  } finally {
    await updates.close()
    await rm(work, { recursive: true, force: true })
  }
}

/** Names that are hashes say nothing. */
const describe = ({ what, path, more }: Step) =>
  `${what} ${path.replace(/[0-9a-f]{12,}/g, (hash) => `${hash.slice(0, 4)}…`)}${more && `: ${more}`}`

main(process.argv.slice(2)).catch((error: Error) => {
  console.error(error.message)
  process.exitCode = 1
})
