// What is in a bundle's graph and what it costs:  npm run graph -- --bundle DIR   (--help for more)
import { readFile } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { modelFile, openBundle } from '../deploy/bundle.ts'
import { parseOptions } from '../deploy/options.ts'
import { timeCalls } from './finish/time-calls.ts'
import { type Cost, costOf } from './graph/cost.ts'
import type { Signature } from './graph/graph.ts'
import { writeGraphView } from './graph/graph-view.ts'
import { readSavedModel } from './graph/read-graph.ts'
import { ancestors, inferShapes } from './graph/saved-shapes.ts'
import { computeTypes, gflops, layerTable, signatureText, timingTable } from './report/graph-table.ts'

const help = `npm run graph -- --bundle DIR [options]

Shows a bundle's TensorFlow graph: nodes, parameters and multiply-adds, layer by layer; how long a call takes here; and
writes it as files for TensorBoard's graph view and for Netron.

  --bundle DIR     the bundle folder of a training run
  --out DIR        where the files go (graph/<name of the model>)
  --seconds N      how long calls are timed (10); 0 for not at all
  --json           prints one JSON object instead

Multiply-adds are those of convolutions and matrix products, for one picture; two operations to each make the GFLOP/s.
`

/** Pictures a call that are timed. */
const batches = [1, 2, 4]

function readCommand() {
  const { values } = parseOptions({
    options: {
      bundle: { type: 'string' },
      out: { type: 'string' },
      seconds: { type: 'string', default: '10' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  const seconds = Number(values.seconds)
  if (!(seconds >= 0) || values.seconds.trim() === '')
    throw new Error(`--seconds: expected a number from 0 on, found ${values.seconds}`)
  return { ...values, seconds }
}

async function showGraph(): Promise<void> {
  const { help: wanted, bundle: folder, out, seconds, json } = readCommand()
  if (wanted) return void process.stdout.write(help)
  if (!folder) throw new Error(`Expected --bundle DIR\n\n${help}`)
  const here = process.env.INIT_CWD ?? '.'
  const { dir, manifest } = await openBundle(resolve(here, folder))
  const { nodes, signatures } = readSavedModel(await readFile(join(dir, modelFile)))
  const shapes = inferShapes(nodes, 1)
  const refs = ({ outputs }: Signature) => Object.values(outputs).map(({ ref }) => ref)
  const costs: Record<string, Cost> = {}
  for (const [name, signature] of Object.entries(signatures)) costs[name] = costOf(nodes, refs(signature), shapes)
  const view = resolve(here, out ?? join('graph', manifest.name))
  if (!relative(dir, view).startsWith('..')) throw new Error(`--out: expected a folder outside the bundle, found ${view}`)
  const files = await writeGraphView(view, ancestors(nodes, Object.values(signatures).flatMap(refs)))

  if (!json) {
    const { net, width } = manifest.architecture
    const { width: wide, height: high } = manifest.input
    console.log(`${manifest.name}: ${net}, width ${width}, on ${wide} x ${high}\n`)
    for (const [name, signature] of Object.entries(signatures)) console.log(`${signatureText(name, signature, costs[name]!)}\n`)
    const [first] = Object.keys(costs)
    console.log(`Layers of ${first}:\n${layerTable(costs[first!]!)}\n`)
  }
  const timings = seconds === 0 ? [] : await timeCalls(join(dir, dirname(modelFile)), signatures, { batches, seconds })
  if (json) {
    const told = Object.entries(costs).map(([name, cost]) => [name, { ...cost, compute: computeTypes(cost) }])
    const timed = timings.map((timing) => ({ ...timing, gflops: gflops(timing, costs[timing.signature]!) }))
    console.log(JSON.stringify({ bundle: manifest.name, signatures: Object.fromEntries(told), timings: timed, files }))
    return
  }
  if (timings.length > 0) console.log(`${timingTable(timings, costs)}\n`)
  console.log(`tensorboard --logdir ${dirname(view)}     shows ${files.events}\nnetron ${files.graph}`)
}

showGraph().catch((error: Error) => {
  console.error(error.message)
  process.exitCode = 1
})
