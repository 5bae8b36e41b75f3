// Which pictures are put aside to validate on: the layout's own, some of every drive, or whole drives, so that neighbouring
// frames, which look alike, never lie on both sides.
import { readFile } from 'node:fs/promises'
import type { Dataset, Sample } from './dataset.ts'
import { random, shuffled } from './random.ts'

export interface SplitOptions {
  /** Chooses the pictures or drives that are put aside. */
  seed: number
  /** Share of the labelled pictures put aside where the layout's own split is not used, 0 to below 1. */
  valFraction: number
  /** `fraction`: some pictures of every drive. `drive`: whole drives. Left out: as the layout has it. */
  split?: 'fraction' | 'drive' | undefined
  /** Drives or pictures to validate on; all others are trained on. Goes before `split`. */
  leaveOut?: readonly string[] | undefined
  /** The data may be other than was trained on: what it does not have of `leaveOut` is passed over. */
  otherData?: boolean
}

/** A data set as its folder has it. Where it has no split of its own, all labelled pictures are in `train`. */
export interface Layout extends Dataset {
  /** How it is split unless something else is asked for. */
  usualSplit: 'own' | 'fraction' | 'drive'
}

const reasonUnused = 'of the own validation split, which is not used'
const drivesNamed = 30
/** Folders of a listed picture that are kept: enough to tell pictures of one name apart, and no path of the machine. */
const foldersKept = 2

/**
 * Splits each data set's training pictures; its own validation pictures are used only where nothing is asked for. A drive
 * to leave out may be in any of the sets; the others are then trained on whole. Throws where none has it, with those there
 * are, and where nothing would be left to train on.
 */
export function splitDatasets(layouts: readonly Layout[], options: SplitOptions): Dataset[] {
  const all = layouts.flatMap(({ train }) => train).filter(({ label }) => label !== undefined)
  const known = new Set(all.flatMap(({ name, drive }) => [name, drive]))
  const names = layouts.map(({ name }) => name).join(' + ')
  const leaveOut = new Set<string>()
  for (const asked of options.leaveOut ?? []) {
    const found = tails(asked).find((tail) => known.has(tail))
    if (found !== undefined) leaveOut.add(found)
    else if (!options.otherData)
      throw new Error(
        `--leave-out: expected drives or pictures among the training pictures of ${names}, whose drives are ${counted(all)}; found ${asked}`,
      )
  }
  const leftOut = ({ name, drive }: Sample) => leaveOut.has(drive) || leaveOut.has(name)
  if (leaveOut.size > 0 && all.every(leftOut))
    throw new Error(`--leave-out: expected something to train on, found all of ${names} left out: ${counted(all)}`)
  return layouts.map((layout) => {
    if (layout.train.every(({ label }) => label === undefined)) return layout
    if (leaveOut.size > 0) return parted(layout, leftOut)
    const { usualSplit, train } = layout
    const split = options.split ?? usualSplit
    if (split === 'own') return layout
    const aside = new Set((split === 'drive' ? wholeDrives : ofEveryDrive)(train, options))
    return parted(layout, (sample) => aside.has(sample))
  })
}

function parted(layout: Layout, aside: (sample: Sample) => boolean): Dataset {
  const { train, val, skipped } = layout
  return {
    ...layout,
    train: train.filter((sample) => !aside(sample)),
    val: train.filter(aside),
    skipped: [...skipped, ...val.map(({ picture }) => ({ file: picture, reason: reasonUnused }))],
  }
}

/** `a/b/c`, `b/c`, `c`. */
const tails = (path: string) => path.split('/').map((_, at, parts) => parts.slice(at).join('/'))

/**
 * What to leave out, with every `.txt` file replaced by the pictures it lists: one a line, by name or path; what follows
 * after a space, such as the label's path, does not count. Throws where a file cannot be read or lists nothing.
 */
export async function readLeaveOut(asked: readonly string[]): Promise<string[]> {
  const lists = asked.map(async (entry) => {
    const one = entry.trim()
    if (!one.endsWith('.txt')) return [one]
    const text = await readFile(one, 'utf8').catch((cause: unknown) => {
      throw new Error(`--leave-out: expected a list of pictures, ${one} cannot be read`, { cause })
    })
    const pictures = text.split('\n').map((line) =>
      line
        .trim()
        .split(/\s/)[0]!
        .replace(/\.[a-z]+$/i, ''),
    )
    const listed = pictures.filter((picture) => picture !== '')
    if (listed.length === 0) throw new Error(`--leave-out: expected a picture a line in ${one}, found none`)
    return listed.map((picture) =>
      picture
        .split('/')
        .slice(-1 - foldersKept)
        .join('/'),
    )
  })
  return (await Promise.all(lists)).flat()
}

/**
 * The drive of a frame by its name without ending: its folder, or else what stands before the frame's number: `0016E5` of
 * `0016E5_01770`, `Seq05VD` of `Seq05VD_f00030`. Names that are numbers alone are one drive.
 */
export function driveOf(name: string): string {
  const folder = name.slice(0, Math.max(0, name.lastIndexOf('/')))
  return folder || name.replace(/[-_. ]*(?:frame|img|f)?\d+$/i, '') || 'frames'
}

/** `0001TP (62), 0006R0 (101)`: the drives and how many pictures each has. */
function counted(samples: readonly Sample[]): string {
  const drives = byDrive(samples)
  const some = drives.slice(0, drivesNamed).map(([drive, members]) => `${drive} (${members.length})`)
  return some.join(', ') + (drives.length > drivesNamed ? ` and ${drives.length - drivesNamed} more` : '')
}

/** Drives with their samples, by name. */
function byDrive(samples: readonly Sample[]): [string, Sample[]][] {
  const drives = new Map<string, Sample[]>()
  for (const { drive } of samples) if (!drives.has(drive)) drives.set(drive, [])
  for (const sample of samples) drives.get(sample.drive)!.push(sample)
  return [...drives].sort(([a], [b]) => (a < b ? -1 : 1))
}

/** How many of so many pictures are put aside: one at least where there are two or more. */
function countAside(pictures: number, { valFraction }: SplitOptions): number {
  if (!(valFraction >= 0 && valFraction < 1))
    throw new Error(`Expected a validation fraction of 0 to below 1, found ${valFraction}; 0.17 is KittiSeg's`)
  return Math.max(valFraction > 0 && pictures > 1 ? 1 : 0, Math.round(pictures * valFraction))
}

/** Drawn from every drive in proportion (largest remainder). */
function ofEveryDrive(samples: Sample[], options: SplitOptions): Sample[] {
  const wanted = countAside(samples.length, options)
  const shares = byDrive(samples).map(([drive, members]) => {
    const exact = (wanted * members.length) / samples.length
    return { drive, members, count: Math.floor(exact), remainder: exact % 1 }
  })
  let missing = wanted - shares.reduce((sum, share) => sum + share.count, 0)
  for (const share of [...shares].sort((a, b) => b.remainder - a.remainder || (a.drive < b.drive ? -1 : 1)))
    if (missing-- > 0) share.count++
  return shares.flatMap(({ members, count }, index) => shuffled(members, random(options.seed, index)).slice(0, count))
}

/**
 * Drives drawn while each brings the number nearer to what is wanted, the smallest where all are too large. A single drive
 * gives its last frames, which touch the others at one place only.
 */
function wholeDrives(samples: Sample[], options: SplitOptions): Sample[] {
  const wanted = countAside(samples.length, options)
  const drives = byDrive(samples).map(([, members]) => members)
  if (wanted === 0) return []
  if (drives.length === 1) return samples.slice(-wanted)
  const aside: Sample[] = []
  for (const members of shuffled(drives, random(options.seed)))
    if (Math.abs(aside.length + members.length - wanted) < Math.abs(aside.length - wanted)) aside.push(...members)
  if (aside.length > 0) return aside
  return drives.reduce((smallest, members) => (members.length < smallest.length ? members : smallest))
}
