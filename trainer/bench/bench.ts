// Measures ours beside its peers:  npm run bench -- inference   npm run bench -- training   (--help for more)
import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { cpus, loadavg, tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ignore } from '../data/dataset.ts'
import { median } from '../report/quantile.ts'
import { type Contestant, type Reply, startContestant, type Task } from './contestant.ts'
import { type Network, networksOf, writeExamples } from './examples.ts'
import { heats, type Measurement, ours, pairs, peers } from './pairs.ts'
import { help, type Plan, readPlan } from './plan.ts'
import { comparedSteps, type Measured, ratiosOf, renderGrowth, renderTable, type Table } from './table.ts'

const here = dirname(fileURLToPath(import.meta.url))
const above = resolve(here, '../..')
const repository = basename(above) === 'build' ? dirname(above) : above
const note = (text: string) => process.stderr.write(`${text}\n`)

/** Starts a contestant, or `prepare` or `matrix-products`, which have the same protocol. */
function start(name: string, measurement: Measurement, folder: string, threads: number): Contestant {
  const env = {
    ...process.env,
    TF_NUM_INTRAOP_THREADS: String(threads),
    OMP_NUM_THREADS: String(threads),
    TF_CPP_MIN_LOG_LEVEL: '3',
    // On the processor all of them.
    CUDA_VISIBLE_DEVICES: '-1',
    // Our step as `npm run trainer` starts it (package.json): memory that each step takes anew comes in pages of 2 MB.
    ...(measurement === 'training' && name.startsWith('ours-') && { GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1' }),
  }
  const [program, args] =
    peers[measurement][name] === 'python'
      ? [join(repository, '.setup/bench/bin/python'), [join(repository, 'trainer/bench', `${measurement}.py`)]]
      : [process.execPath, ['--enable-source-maps', join(here, 'ours.js')]]
  return startContestant(name, program, [...args, name, measurement, folder], env)
}

/** Asks a process one thing and ends it. */
async function askOnce(...args: Parameters<typeof start>): Promise<[number, number]> {
  const contestant = start(...args)
  const { results } = await contestant.ask({ batch: 1, calls: 1 }).finally(() => contestant.close())
  return results as [number, number]
}

interface Outcome {
  /** By batch, in the order of the plan. */
  byBatch: Measured[][]
  failed: { name: string; reason: string }[]
}

/** One heat: everyone gets ready and answers once, then they take turns. Who cannot is left out. */
async function runHeat(names: string[], { measurement, rounds, burst, threads }: Plan, batches: number[], folder: string) {
  const outcome: Outcome = { byBatch: [], failed: [] }
  const ready: { contestant: Contestant; answer: Reply['results'] }[] = []
  const calls = measurement === 'inference' ? 1 : comparedSteps
  try {
    for (const name of names) {
      const started = performance.now()
      const contestant = start(name, measurement, folder, threads)
      try {
        const { results } = await contestant.ask({ batch: batches[0]!, calls })
        ready.push({ contestant, answer: results })
        note(`  ${name} is ready after ${((performance.now() - started) / 1000).toFixed(0)} s`)
      } catch (error) {
        contestant.close()
        note(`  ${name} is left out`)
        outcome.failed.push({ name, reason: (error as Error).message })
      }
    }
    const reference = ready[0]?.answer
    for (const batch of batches) {
      const measured = ready.map(({ contestant, answer }): Measured & { contestant: Contestant } => ({
        contestant,
        name: contestant.name,
        rounds: [],
        peakBytes: 0,
        answer: measurement === 'inference' ? sameShare(answer, reference) : Number(answer!.at(-1)),
      }))
      for (let round = 0; round < rounds; round++)
        // Each round begins with another one, so that none always follows the same.
        for (const one of [...measured.slice(round % measured.length), ...measured.slice(0, round % measured.length)]) {
          const { ms, peakBytes } = await one.contestant.ask({ batch, seconds: burst })
          one.rounds.push(median(ms!))
          one.peakBytes = peakBytes
        }
      outcome.byBatch.push(measured.map(({ contestant: _, ...rest }) => rest))
    }
  } finally {
    for (const { contestant } of ready) contestant.close()
  }
  return outcome
}

/** Share of equal bytes in two masks. */
function sameShare(answer: Reply['results'], reference: Reply['results']): number {
  const [a, b] = [answer, reference].map((results) => Buffer.from(results![0] as string, 'base64')) as [Buffer, Buffer]
  if (a.length !== b.length) throw new Error(`Expected masks of one size, found ${a.length} and ${b.length} pixels`)
  return a.reduce((same, id, at) => same + (id === b[at] ? 1 : 0), 0) / a.length
}

/** Measures one network; a table for each batch. */
async function measureNetwork(network: Network, plan: Plan, rates: [number, number], folder: string): Promise<Table[]> {
  const { measurement, threads, contestants, batches = [measurement === 'inference' ? 1 : 2] } = plan
  const task: Task = { ...network, threads, learningRate: 1e-4, weightDecay: 0.01, ignore }
  await writeFile(join(folder, 'task.json'), JSON.stringify(task))
  const [parameters, multiplyAdds] = await askOnce('prepare', measurement, folder, threads)
  const met = heats[measurement].map((heat) => heat.filter((name) => contestants.includes(name)))
  const withPeers = met.filter((names) => names.some((name) => name in peers[measurement]))
  const outcomes: Outcome[] = []
  for (const names of withPeers.length > 0 ? withPeers : [ours[measurement]])
    outcomes.push(await runHeat(names, plan, batches, folder))
  return batches.map((batch, i) => {
    const byHeat = outcomes.map(({ byBatch }) => byBatch[i]!)
    return {
      measurement,
      width: network.multiplier,
      fc: network.fc,
      batchNorm: network.batchNorm,
      parameters,
      multiplyAdds: multiplyAdds * batch * (measurement === 'training' ? 3 : 1),
      batch,
      rates,
      heats: byHeat,
      ratios: ratiosOf(pairs[measurement], byHeat, plan.run === undefined ? network.multiplier : undefined),
      failed: outcomes.flatMap(({ failed }) => failed),
    }
  })
}

async function bench(args: string[]): Promise<void> {
  const plan = readPlan(args)
  if (!plan) return void console.log(help)
  if (plan.contestants.some((name) => peers[plan.measurement][name] === 'python')) makePython()
  const machine = { processor: cpus()[0]!.model, threads: plan.threads, loadAverage: loadavg()[0]! }
  const folder = await mkdtemp(join(tmpdir(), 'roadmask-bench-'))
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => {
      rmSync(folder, { recursive: true, force: true }) // gigabytes; contestants end with their standard input
      process.exit(130)
    })
  const say = (text: string) => (plan.json ? undefined : console.log(text))
  try {
    const networks = await networksOf(plan)
    await writeExamples(folder, networks[0]!, plan.data)
    await writeFile(join(folder, 'task.json'), '{}')
    const rates = await askOnce('matrix-products', plan.measurement, folder, plan.threads)
    const [float32, bfloat16] = rates.map((rate) => `${(rate / 1e9).toFixed(0)} GFLOP/s`)
    say(
      `${machine.processor}, ${machine.threads} threads, load average ${machine.loadAverage.toFixed(1)} before.\n` +
        `Matrix products of 4096 x 4096: ${float32} in float32, ${bfloat16} in bfloat16.`,
    )
    const tables: Table[] = []
    for (const network of networks) {
      const own = join(folder, String(network.multiplier))
      await mkdir(own)
      for (const name of ['pictures.raw', 'labels.raw']) await copyFile(join(folder, name), join(own, name))
      note(`width ${network.multiplier}`)
      const made = await measureNetwork(network, plan, rates, own)
      await rm(own, { recursive: true })
      for (const table of made) say(`\n${renderTable(table)}`)
      if (made.length > 1) say(`\n${renderGrowth(made)}`)
      tables.push(...made)
    }
    if (plan.json) console.log(JSON.stringify({ machine, tables }))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The peers' virtual environment, made by set-up where it is missing. */
function makePython(): void {
  const { status } = spawnSync(join(repository, 'deploy/setup.sh'), ['--bench'], { stdio: ['ignore', 'inherit', 'inherit'] })
  if (status !== 0)
    throw new Error('The peers in Python could not be set up (see above); --peers tfjs or none does without them')
}

bench(process.argv.slice(2)).catch((error: Error) => {
  console.error(error.message)
  process.exitCode = 1
})
