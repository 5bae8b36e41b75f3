// Whether a bundle runs in other versions of TensorFlow, and answers the same:  npm run compat -- --bundle DIR   (--help for more)
import { spawn } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type ModelInput, openBundle } from './bundle.ts'
import { type Answers, compare, type Difference, isSame } from './compat/compare.ts'
import { fitPicture } from './fit-picture.ts'
import { parseOptions } from './options.ts'

const help = `npm run compat -- --bundle DIR [options]

Runs a bundle in other versions of TensorFlow, in Python and in tfjs-node built on each, and compares the answers with those
of the TensorFlow that this checkout is set up with. Exit code 1 where a version cannot run it or answers otherwise.
Each version is fetched with pip and built once, into .setup/compat: some 250 MB to fetch, 3 GB of disk.

  --bundle DIR          the bundle folder of a training run
  --tensorflow V,V      which versions (2.12.1,2.16.2,newest); newest is the newest that pip offers
  --picture FILE        the picture to answer; left out, a painted road
  --json                prints one JSON object instead of the table
`

const build = dirname(dirname(fileURLToPath(import.meta.url)))
const repository = dirname(build)

interface Row {
  tensorflow: string
  in: 'python' | 'tfjs-node'
  /** Nothing where it did not answer. */
  difference?: Difference
  /** Why it did not. */
  reason?: string
}

const ok = ({ difference }: Row) => difference !== undefined && isSame(difference)

/** Runs a program to its end; its errors go on to ours where `loud`. Throws with the last lines of them. */
function run(program: string, args: string[], loud = false): Promise<string> {
  return new Promise((done, fail) => {
    const env = { TF_CPP_MIN_LOG_LEVEL: '2', ...process.env }
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', loud ? 'inherit' : 'pipe'], env })
    const said = { out: '', err: '' }
    child.stdout?.on('data', (text) => {
      said.out += text
    })
    child.stderr?.on('data', (text) => {
      said.err += text
    })
    child.once('error', fail)
    child.once('close', (code, signal) => {
      if (code === 0) return done(said.out.trim())
      const lines = said.err.trim().split('\n').filter(Boolean)
      const error = lines.findLast((line) => /^\w*(Error|Exception)\b/.test(line)) ?? lines.at(-1) ?? ''
      fail(new Error(`${error || `it ended with ${signal ?? `exit code ${code}`}`}`))
    })
  })
}

/** A grey road between green, under a blue sky, with some grain; and its mirror image. */
function paint({ width, height }: ModelInput): Uint8Array {
  const pictures = new Uint8Array(2 * width * height * 3)
  for (let i = 0; i < 2 * width * height; i++) {
    const [x, y] = [(i % width) / width, (Math.floor(i / width) % height) / height]
    const across = Math.abs((i < width * height ? x : 1 - x) - 0.45)
    const colour = y < 0.4 ? [150, 180, 230] : across < 0.05 + 0.7 * (y - 0.4) ? [105, 105, 110] : [60, 115, 50]
    pictures.set(
      colour.map((value) => value + ((i * 7919) % 23)),
      3 * i,
    )
  }
  return pictures
}

async function answers(program: string, args: string[], bundle: string, pictures: string): Promise<Answers> {
  const out = await mkdtemp(join(dirname(pictures), 'answers-'))
  const said = await run(program, [...args, bundle, pictures, out])
  const values = async (name: string) => Uint8Array.from(await readFile(join(out, name))).buffer
  return {
    tensorflow: said.split('\n').at(-1)!,
    masks: new Int32Array(await values('mask')),
    probability: new Float32Array(await values('probability')),
  }
}

/** The rows of one version: makes its environment where it is not there yet, and asks both for their answers. */
async function examine(wanted: string, expected: Answers, bundle: string, pictures: string): Promise<Row[]> {
  let version: string
  try {
    version = (await run(join(repository, 'deploy/setup/compat.sh'), [wanted], true)).split('\n').at(-1)!
  } catch {
    const reason = 'it cannot be had here; see above'
    return [
      { tensorflow: wanted, in: 'python', reason },
      { tensorflow: wanted, in: 'tfjs-node', reason },
    ]
  }
  const home = join(repository, '.setup/compat', version)
  // The same programs, where they find that version's tfjs-node.
  await cp(join(build, 'deploy'), join(home, 'deploy'), { recursive: true })
  const python = join(home, 'python/bin/python')
  const programs = [
    ['python', python, join(repository, 'deploy/compat/answer.py')],
    ['tfjs-node', process.execPath, join(home, 'deploy/compat/answer.js')],
  ] as const
  const rows: Row[] = []
  for (const [where, program, script] of programs) {
    const row = { tensorflow: version, in: where }
    try {
      await stat(program).catch(() => {
        throw new Error('no Python of this machine has a wheel of it')
      })
      const found = await answers(program, [script], bundle, pictures)
      if (found.tensorflow !== version) throw new Error(`Expected TensorFlow ${version}, found ${found.tensorflow}`)
      rows.push({ ...row, difference: compare(expected, found) })
    } catch (error) {
      rows.push({ ...row, reason: (error as Error).message })
    }
  }
  return rows
}

function print(rows: readonly Row[], expected: Answers): void {
  console.log(`Compared with TensorFlow ${expected.tensorflow} in tfjs-node, ${expected.masks.length} pixels:\n`)
  console.log(
    `${'TensorFlow'.padEnd(12)}${'in'.padEnd(11)}${'answers'.padEnd(9)}largest difference of probability, pixels of another class`,
  )
  for (const row of rows) {
    const { tensorflow, in: where, difference, reason } = row
    const found = difference ? `${difference.probability.toExponential(1)}, ${difference.pixels}` : reason
    console.log(
      `${tensorflow.padEnd(12)}${where.padEnd(11)}${(ok(row) ? 'same' : difference ? 'other' : 'none').padEnd(9)}${found}`,
    )
  }
}

async function main(): Promise<void> {
  const { values } = parseOptions({
    options: {
      bundle: { type: 'string' },
      tensorflow: { type: 'string', default: '2.12.1,2.16.2,newest' },
      picture: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return void process.stdout.write(help)
  if (!values.bundle) throw new Error(`Expected --bundle DIR\n\n${help}`)
  const versions = values.tensorflow.split(',')
  for (const version of versions)
    if (!/^(newest|\d+\.\d+\.\d+)$/.test(version))
      throw new Error(`--tensorflow: expected versions like 2.16.2, or newest, with commas between, found ${values.tensorflow}`)
  const here = process.env.INIT_CWD ?? '.'
  const { dir, manifest } = await openBundle(resolve(here, values.bundle))

  const work = await mkdtemp(join(tmpdir(), 'roadmask-compat-'))
  try {
    const pictures = join(work, 'pictures')
    const picture = values.picture && (await fitPicture(resolve(here, values.picture), manifest.input))
    await writeFile(pictures, picture ? Buffer.concat([picture, picture]) : paint(manifest.input))
    const expected = await answers(process.execPath, [join(build, 'deploy/compat/answer.js')], dir, pictures)
    const rows: Row[] = []
    for (const version of versions) rows.push(...(await examine(version, expected, dir, pictures)))
    if (values.json) console.log(JSON.stringify({ bundle: manifest.name, compared_with: expected.tensorflow, rows }))
    else print(rows, expected)
    if (!rows.every(ok)) process.exitCode = 1
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

main().catch((error: Error) => {
  console.error(error.message)
  process.exitCode = 1
})
