// Frames that can be had again, through the very capture and segmenting of the agent:  npm run agent -- replay FILE|FOLDER
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { openBundle } from '../../deploy/bundle.ts'
import { parseOptions } from '../../deploy/options.ts'
import { makeJudge } from '../facts/judge.ts'
import { openLog } from '../log.ts'
import { demoBundle } from '../paths.ts'
import { makeResults } from '../results.ts'
import { openClips } from './clips.ts'
import { type Comparison, compareReplays } from './compare.ts'
import { readReplay, writeReplay } from './replayed.ts'
import { runClips } from './run-clips.ts'

const help = `npm run agent -- replay FILE|FOLDER [options]

Runs a video, a folder of pictures (.jpg, .png) or a recording of the agent (.mcap, with its pictures) through a bundle, by
the processes that serve cameras, but every frame and one after the other. Writes masks and facts, the same byte for byte
each time on the same machine; captured_us is the time in the video or recording, or the number of the picture in seconds.

  --bundle DIR      (the one that comes with the agent)
  --out DIR         (replays/<input>-<name of the bundle>)
  --against DIR     a former replay of the same input, or a bundle that is replayed too: says how much the masks agree
  --agreement N     with --against: exit code 1 where a smaller share of the pixels agrees (0.99)
  --iou N           with --against: exit code 1 where the roads' intersection over union is smaller (0.98)
  --compute NAME    auto, gpu or cpu (auto)
`

const text = { type: 'string' } as const
/** Frames listed that agree least. */
const listed = 10
const sayEveryMs = 5000

/** npm starts programs in the repository, not where it was called. */
const here = (path: string) => resolve(process.env.INIT_CWD ?? '.', path)

export async function replay(args: string[]): Promise<void> {
  const { values, positionals } = parseOptions({
    args,
    allowPositionals: true,
    options: {
      bundle: text,
      out: text,
      against: text,
      agreement: text,
      iou: text,
      compute: text,
      help: { type: 'boolean', short: 'h' },
    },
  })
  const [input, ...more] = positionals
  if (values.help) return console.log(help)
  if (input === undefined || more.length > 0)
    throw new Error(`Expected one video, folder or recording to replay, found ${positionals.join(' ') || 'none'}\n\n${help}`)
  const { compute = 'auto' } = values
  if (compute !== 'auto' && compute !== 'gpu' && compute !== 'cpu')
    throw new Error(`--compute: expected auto, gpu or cpu, found ${compute}`)
  const least = { agreement: share('agreement', values.agreement ?? '0.99'), roadIou: share('iou', values.iou ?? '0.98') }
  for (const name of ['agreement', 'iou'] as const)
    if (values[name] !== undefined && values.against === undefined) throw new Error(`--${name} needs --against`)

  const against = values.against && here(values.against)
  const isBundle = against && (await openBundle(against).catch(() => undefined)) !== undefined
  if (against && !isBundle) await readReplay(against)

  const run = (bundle: string, out?: string) => replayThrough(here(input), bundle, compute, out)
  const out = await run(values.bundle ? here(values.bundle) : demoBundle, values.out && here(values.out))
  if (!against) return
  const comparison = await compareReplays(out, isBundle ? await run(against) : against)
  console.log(describe(comparison))
  const { agreement, roadIou, missing } = comparison
  if (agreement < least.agreement || roadIou < least.roadIou || missing.length > 0) process.exitCode = 1
}

function share(option: string, text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !(value >= 0 && value <= 1)) throw new Error(`--${option}: expected 0 to 1, found ${text}`)
  return value
}

async function replayThrough(input: string, bundle: string, compute: 'auto' | 'gpu' | 'cpu', where?: string): Promise<string> {
  const { manifest } = await openBundle(bundle)
  const out = where ?? here(join('replays', `${basename(input).replace(/\.\w+$/, '')}-${manifest.name}`))
  const work = await mkdtemp(join(tmpdir(), 'roadmask-replay-'))
  const began = performance.now()
  try {
    const clips = await openClips(input, work)
    const writer = await writeReplay(out, basename(input), manifest)
    let done = 0
    let saidMs = began
    let nameOf = (_: number): string => ''
    const results = makeResults(
      makeJudge([], () => {}),
      (message) => {
        const { frame } = message.result
        writer.add(nameOf(frame), frame, message)
        done++
        if (performance.now() - saidMs < sayEveryMs) return
        saidMs = performance.now()
        console.log(`  ${done} frames`)
      },
    )
    await runClips({ bundle, manifest, compute, work, log: openLog('warn') }, clips, ({ pictures }, made) => {
      const names = new Map(pictures?.map(({ number, name }) => [number, name]))
      nameOf = (frame) => names.get(frame) ?? String(frame).padStart(6, '0')
      results.mask(made, manifest)
    })
    const frames = await writer.finish()
    const seconds = (performance.now() - began) / 1000
    console.log(`${frames} frames of ${basename(input)} through ${manifest.name} in ${seconds.toFixed(1)} s: ${out}`)
    return out
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

function describe({ agreement, roadIou, frames, missing }: Comparison): string {
  const worst = [...frames].sort((a, b) => a.roadIou - b.roadIou || a.agreement - b.agreement).slice(0, listed)
  const percent = (share: number) => `${(100 * share).toFixed(3)} %`
  return [
    `${frames.length} frames in both: ${percent(agreement)} of the pixels agree, road IoU between them ${roadIou.toFixed(4)}`,
    ...(missing.length ? [`${missing.length} frames are in one of them alone: ${missing.slice(0, listed).join(', ')}`] : []),
    ...worst
      .filter((frame) => frame.agreement < 1)
      .map(({ name, agreement, roadIou }) => `  ${name}  ${percent(agreement)}  road IoU ${roadIou.toFixed(4)}`),
  ].join('\n')
}
