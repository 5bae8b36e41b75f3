// What a replay leaves in its folder: a mask for each frame, their facts as a JSON line each (results.jsonl), and replay.json,
// which says what was played through which bundle. Nothing in them depends on when or how fast it ran.
import { mkdirSync, writeFileSync } from 'node:fs'
import { mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import type { Manifest } from '../../deploy/bundle.ts'
import type { MaskMessage } from '../wire.ts'

const About = z.object({
  format: z.literal('roadmask-replay'),
  version: z.literal(1),
  input: z.string(),
  bundle: z.string(),
  classes: z.array(z.string()),
  road: z.int(),
  frames: z.int(),
})
const Line = z.looseObject({
  name: z.string(),
  /** Path of the mask, from the folder. */
  mask: z.string(),
  region: z.tuple([z.number(), z.number(), z.number(), z.number()]),
})
export type Replayed = z.infer<typeof Line>

export interface Replay {
  bundle: string
  classes: string[]
  /** The id in its masks that is road: 1 where they have one bit a pixel. */
  road: number
  frames: Map<string, Replayed>
}

const files = { about: 'replay.json', lines: 'results.jsonl', masks: 'masks' }

/** Reads what a replay left. Throws where the folder holds none. */
export async function readReplay(dir: string): Promise<Replay> {
  const text = await readFile(join(dir, files.about), 'utf8').catch((cause: unknown) => {
    throw new Error(`Expected a replay in ${dir}, but it has no ${files.about}`, { cause })
  })
  const { bundle, classes, road } = About.parse(JSON.parse(text))
  const lines = (await readFile(join(dir, files.lines), 'utf8')).split('\n').filter(Boolean)
  const frames = lines.map((line) => Line.parse(JSON.parse(line)))
  return { bundle, classes, road, frames: new Map(frames.map((frame) => [frame.name, frame])) }
}

export interface ReplayWriter {
  /** `number`: place among all frames, from 1. */
  add(name: string, number: number, message: MaskMessage): void
  /** The folder appears under its name. */
  finish(): Promise<number>
}

/** Writes beside `dir`, and replaces a replay that is there at the end. Throws where something else is there. */
export async function writeReplay(dir: string, input: string, manifest: Manifest): Promise<ReplayWriter> {
  const there = await readdir(dir).catch((): string[] => [])
  if (there.length > 0 && !there.includes(files.about))
    throw new Error(`Expected a new folder or a former replay for --out, found ${there.slice(0, 3).join(', ')} in ${dir}`)
  const made = `${dir}.partial`
  await rm(made, { recursive: true, force: true })
  await mkdir(made, { recursive: true })
  const lines = await open(join(made, files.lines), 'w')
  const early = new Map<number, string>()
  let next = 1
  return {
    add(name, number, { result, mask }) {
      const path = `${files.masks}/${name}.png`
      mkdirSync(dirname(join(made, path)), { recursive: true })
      writeFileSync(join(made, path), mask)
      const { age_ms: _, timings_ms: __, dropped: ___, ...facts } = result
      early.set(number, JSON.stringify({ name, mask: path, ...facts }))
      for (let line = early.get(next); line !== undefined; line = early.get(++next)) {
        early.delete(next)
        writeFileSync(lines.fd, `${line}\n`)
      }
    },
    async finish() {
      await lines.close()
      const frames = next - 1
      const { name, classes, road } = manifest
      const about = {
        format: 'roadmask-replay',
        version: 1,
        input,
        bundle: name,
        classes: classes.map((one) => one.name),
        road,
        frames,
      }
      await writeFile(join(made, files.about), `${JSON.stringify(about, null, 2)}\n`)
      await rm(dir, { recursive: true, force: true })
      await rename(made, dir)
      return frames
    },
  }
}
