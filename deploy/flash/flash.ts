// From a stock JetPack device on the network to a running, proven agent:  npm run deploy -- flash HOST   (--help for more)
// Each step looks first and does only what differs, so it may be repeated and be cut off anywhere. All of it is shell over ssh.
import { mkdir, stat, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { optionFaults, parseOptions } from '../options.ts'
import { folderHash, readImage, readPart, runArguments } from './parts.ts'
import { openDevice } from './ssh.ts'
import { type Plan, steps } from './steps.ts'

const help = `npm run deploy -- flash HOST --image IMAGE --settings DIR [options]

Sets a stock JetPack device up by ssh: container runtime, image, settings, power mode, acceptance, and a systemd unit that
runs the agent and changes its image when a release says so. Does only what differs; may be repeated and interrupted.

  HOST               as ssh takes it: user@192.168.1.30, or a name of ~/.ssh/config
  --image IMAGE      registry/repository@sha256:…, which the device pulls, or a file of "docker save", which is sent
  --settings DIR     agent.yaml and what it names: certificates, keys, a bundle. All of it becomes /etc/roadmask
  --power MODE       number of nvpmodel's power mode (left as it is)
  --minutes N        how long the acceptance loads the device; 0 for none (10)
  --out DIR          where the report goes (flash/HOST)
  --generic          any Linux with Docker: no Jetson, no NVIDIA runtime
  --repository NAME  of which updates are taken, where the image is a file (none are)
  --http N           port of the agent's page (8080)
  --dry-run          looks, and prints each step that it would do
  --undo             the way back: stops the agent, takes away what was put there, sets the power mode and Docker as they were.
                     What the agent kept, /var/lib/roadmask, stays
  --port N, --identity FILE, --ssh-option NAME=VALUE     for ssh

A user whose sudo asks for a password is asked for it once (or ROADMASK_SUDO_PASSWORD).
`

const Options = z.object({
  image: z.string().optional(),
  settings: z.string().optional(),
  power: z.string().regex(/^\d+$/, 'expected the number of a mode, as nvpmodel -p --verbose lists them').optional(),
  minutes: z.string().default('10').transform(Number).pipe(z.number().min(0).max(1440)),
  http: z.string().default('8080').transform(Number).pipe(z.int().min(1).max(65535)),
  repository: z
    .string()
    .regex(/^[a-zA-Z0-9][a-zA-Z0-9._:/-]*$/, 'expected registry/repository')
    .optional(),
  out: z.string().optional(),
})

export interface Done {
  step: string
  state: 'same' | 'done' | 'would do' | 'failed'
  text: string
}

export async function flash(args: string[]): Promise<void> {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean', default: false } as const
  const { values, positionals } = parseOptions({
    args,
    allowPositionals: true,
    options: {
      ...{ image: text, settings: text, power: text, minutes: text, http: text, repository: text, out: text },
      ...{ port: text, identity: text, 'ssh-option': { type: 'string', multiple: true } },
      ...{ generic: flag, 'dry-run': flag, undo: flag, help: { ...flag, short: 'h' } },
    },
  })
  if (values.help) return void process.stdout.write(help)
  const parsed = Options.safeParse(values)
  if (!parsed.success) throw new Error(optionFaults(parsed.error, values))
  const [host] = positionals
  if (!host || positionals.length > 1 || host.startsWith('-')) throw new Error(`Expected one HOST\n\n${help}`)
  const {
    image,
    settings,
    power,
    minutes,
    http,
    repository,
    out = join('flash', host.replaceAll(/[^\w@.-]/g, '_')),
  } = parsed.data
  const here = (path: string) => resolve(process.env.INIT_CWD ?? '.', path)
  const dry = values['dry-run'] === true
  const undo = values.undo === true
  if (!undo && (!image || !settings)) throw new Error(`Expected --image and --settings\n\n${help}`)

  let plan: Plan | undefined
  if (!undo) {
    const dir = here(settings!)
    if (!(await stat(join(dir, 'agent.yaml')).catch(() => undefined)))
      throw new Error(`--settings: expected a folder with agent.yaml, found none in ${dir}`)
    plan = {
      image: await readImage(image!.includes('@') ? image! : here(image!)),
      settings: { dir, hash: await folderHash(dir) },
      jetson: values.generic !== true,
      power,
      minutes,
      http,
      repository,
      runArguments: (groups) => runArguments({ nvidia: values.generic !== true, groups, http }),
      script: await readPart('roadmask-image'),
      unit: await readPart('roadmask.service'),
    }
  }
  const options = values['ssh-option'] as string[] | undefined
  const device = await openDevice({ host, port: values.port, identity: values.identity, options })
  const done: Done[] = []
  const note = (step: string, state: Done['state'], text: string) => {
    done.push({ step, state, text })
    console.log(`${step.padEnd(12)} ${state.padEnd(9)} ${text}`)
  }
  let report: { json: string; html: string } | undefined
  try {
    for (const step of undo ? steps.undo() : steps.forth(plan!)) {
      const differs = await step.look(device)
      if (differs === undefined) note(step.name, 'same', step.same ?? '')
      else if (dry) note(step.name, 'would do', `${differs}\n${step.shown.replaceAll(/^/gm, ' '.repeat(24))}`)
      else {
        try {
          note(step.name, 'done', (await step.act(device)) || differs)
        } catch (error) {
          note(step.name, 'failed', (error as Error).message)
          break
        }
      }
    }
    if (plan && !dry && plan.minutes > 0) report = await steps.report(device)
  } finally {
    device.close()
  }
  const failed = done.some(({ state }) => state === 'failed')
  if (!dry && !undo) {
    const folder = here(out)
    await mkdir(folder, { recursive: true })
    await writeFile(
      join(folder, 'flash.json'),
      `${JSON.stringify({ host, ok: !failed, at: new Date().toISOString(), steps: done }, null, 1)}\n`,
    )
    if (report?.json) {
      await writeFile(join(folder, 'accept.json'), report.json)
      await writeFile(join(folder, 'accept.html'), report.html)
    }
    console.log(`What was done, and the acceptance: ${folder}`)
  }
  if (failed) process.exitCode = 1
}
