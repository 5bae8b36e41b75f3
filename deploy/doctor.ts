// Doctor: whether the agent can work on this machine, and how well. Every line is looked up or tried here and now: TensorFlow
// computes, GStreamer plays. `--json` prints one object instead. Exit code 1 where the agent could not work.
import { stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openBundle } from './bundle.ts'
import { examineCompute } from './doctor/compute.ts'
import type { Finding, Part } from './doctor/finding.ts'
import { examineGstreamer } from './doctor/gstreamer.ts'
import { examineCameras, examineMachine } from './doctor/machine.ts'
import { render } from './doctor/report.ts'
import { slowPrecision } from './native-precision.ts'
import { parseOptions } from './options.ts'

const help = `Whether the agent can work on this machine, and how well.

  npm run doctor                     what it found, line by line
  npm run doctor -- --json           the same as one JSON object (npm run --silent for nothing else on the output)
  npm run doctor -- --bundle DIR     looks at that bundle instead of the one that npm start uses
`

const above = dirname(dirname(fileURLToPath(import.meta.url)))
const repository = basename(above) === 'build' ? dirname(above) : above

function readCommand() {
  try {
    const options = { json: { type: 'boolean' }, bundle: { type: 'string' }, help: { type: 'boolean' } } as const
    return parseOptions({ options }).values
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${help}`)
    process.exit(2)
  }
}

async function examineBundle(dir: string): Promise<Part<{ dir: string; name: string; compute: string } | undefined>> {
  const line = { section: 'Model', name: 'bundle' }
  const advice = 'npm run trainer makes one; name it with --bundle, or "bundle:" in the agent\'s config.'
  if (!(await stat(dir).catch(() => undefined)))
    return { facts: undefined, findings: [{ ...line, state: 'problem', text: `there is none in ${dir}`, advice }] }
  try {
    const { name, architecture, input, measures, precision } = (await openBundle(dir)).manifest
    const iou = measures.road_iou === undefined ? '' : `, road IoU ${measures.road_iou.toFixed(3)}`
    const text = `${name}: ${architecture.net} on ${input.width} x ${input.height}${iou}; every file is as its manifest says`
    return { facts: { dir, name, compute: precision?.compute ?? 'float32' }, findings: [{ ...line, state: 'ok', text }] }
  } catch (error) {
    return { facts: undefined, findings: [{ ...line, state: 'problem', text: (error as Error).message, advice }] }
  }
}

/** Keys as in every other JSON of the product: freeBytes becomes free_bytes. */
function snakeCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeCase)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, inner]) => [
    key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    snakeCase(inner),
  ])
  return Object.fromEntries(entries)
}

const command = readCommand()
if (command.help) {
  process.stdout.write(help)
  process.exit(0)
}
const bundleDir = resolve(process.env.INIT_CWD ?? '.', command.bundle ?? join(repository, 'edge-agent/demo/bundle'))
const [machine, cameras, gstreamer, bundle] = await Promise.all([
  examineMachine(repository),
  examineCameras(),
  examineGstreamer(repository),
  examineBundle(bundleDir),
])
const compute = await examineCompute(repository) // alone, so that nothing disturbs what it measures
const findings: Finding[] = [machine, compute, gstreamer, cameras, bundle].flatMap((part) => part.findings)
const slow = bundle.facts && compute.facts.proof && (await slowPrecision(bundle.facts.compute, compute.facts.proof.device))
if (slow) findings.push({ section: 'Model', name: 'precision', state: 'note', text: slow })
const ok = findings.every(({ state }) => state !== 'problem')
if (command.json) {
  const facts = { machine: machine.facts, compute: compute.facts, gstreamer: gstreamer.facts, cameras: cameras.facts }
  console.log(JSON.stringify(snakeCase({ ok, ...facts, bundle: bundle.facts ?? null, findings }), null, 2))
} else {
  const { isTTY, columns = 100 } = process.stdout
  process.stdout.write(render(findings, { colour: isTTY === true && !process.env.NO_COLOR, columns }))
}
process.exitCode = ok ? 0 : 1
