import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import sharp from 'sharp'
import { beforeAll, expect, test } from 'vitest'
import { checkDataset } from '../../../trainer/data/check-dataset.ts'
import { type Drive, driveFrame, makeDrive } from '../../../trainer/data/synthetic/drive.ts'
import { makeSyntheticSet, type SetOptions } from '../../../trainer/data/synthetic/make-set.ts'
import { makeRenderer } from '../../../trainer/data/synthetic/render.ts'
import { synthesise } from '../../../trainer/data/synthetic/synthesise.ts'
import { madeFolder, openDataset } from './made-sets.ts'

const small: SetOptions = { pictures: 6, testPictures: 1, width: 96, height: 40, seed: 4, workers: 0, onProgress: () => {} }
const root = fileURLToPath(new URL('../../..', import.meta.url))
let set: string

beforeAll(async () => {
  set = join(await madeFolder(), 'set')
  await makeSyntheticSet(set, small)
})

/** Hash of every file, by its path. */
async function hashes(dir: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    found[path.slice(dir.length + 1)] = createHash('sha256')
      .update(await readFile(path))
      .digest('hex')
  }
  return found
}

test('a synthetic set opens as a KITTI set of all three categories, with a fair share of road', async () => {
  const dataset = await openDataset(`kitti:${set}`, { seed: 1, valFraction: 0.5 })
  const statistics = await checkDataset(dataset)
  expect(statistics).toMatchObject({ trainingPictures: 6, train: 3, val: 3, testPictures: 1, labels: 6, skipped: [] })
  expect(statistics.sizes).toEqual([{ width: 96, height: 40, count: 7 }])
  expect(new Set(dataset.train.map(({ drive }) => drive))).toEqual(new Set(['um', 'umm', 'uu']))
  expect(statistics.roadShare).toBeGreaterThan(0.1)
  expect(statistics.roadShare).toBeLessThan(0.6)
  expect(statistics.licence).toContain('free to use')
})

test('the same seed gives the same bytes, in this thread or in others, and another seed others', async () => {
  const [twin, other] = [join(await madeFolder(), 'twin'), join(await madeFolder(), 'other')]
  const module = join(root, 'build/trainer/data/synthetic/make-set.js')
  const made = (dir: string, options: SetOptions) =>
    `await makeSyntheticSet(${JSON.stringify(dir)}, ${JSON.stringify({ ...options, workers: 2 })})`
  const script = `import { makeSyntheticSet } from ${JSON.stringify(module)}; ${made(twin, small)}; ${made(other, { ...small, pictures: 1, testPictures: 0, seed: 5 })}`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script])
  expect(stdout).toContain('rendering synthetic road scenes: 7 of 7')
  expect(await hashes(twin)).toEqual(await hashes(set))
  const name = 'training/image_2/um_000000.png'
  expect((await hashes(other))[name]).not.toBe((await hashes(set))[name])
})

test('pictures of a set differ from each other and are neither black nor white', async () => {
  const files = (await readdir(join(set, 'training/image_2'))).map((file) => join(set, 'training/image_2', file))
  const means = await Promise.all(
    files.map(async (file) => (await sharp(file).stats()).channels.map(({ mean, stdev }) => ({ mean, stdev }))),
  )
  expect(new Set(means.map((one) => JSON.stringify(one))).size).toBe(files.length)
  for (const one of means) {
    expect(one[1]!.mean).toBeGreaterThan(12)
    expect(one[1]!.mean).toBeLessThan(235)
    expect(one[1]!.stdev).toBeGreaterThan(8)
  }
})

test('a folder that exists is left alone, and a set that fails leaves nothing behind', async () => {
  const before = await hashes(set)
  await expect(makeSyntheticSet(set, small)).rejects.toThrow(/Expected no folder .*set yet/)
  expect(await hashes(set)).toEqual(before)
  const lost = join(await madeFolder(), 'lost')
  // Left by a process that is no more: numbers this large are never given.
  await mkdir(`${lost}.99999999.tmp/training`, { recursive: true })
  const onProgress = () => {
    throw new Error('stopped on purpose')
  }
  await expect(makeSyntheticSet(lost, { ...small, pictures: 1, testPictures: 0, onProgress })).rejects.toThrow(
    'stopped on purpose',
  )
  expect(await readdir(dirname(lost))).toEqual([])
})

test('the demo drive is a loop: its last frame is as near to the first as neighbours are', () => {
  const drive: Drive = makeDrive({ seed: 1, seconds: 22, width: 160, height: 90 })
  const buffers = makeRenderer(160, 90)
  const [last, first, second] = [22 - 0.05, 0, 0.05].map((time) => driveFrame(drive, buffers, time))
  const apart = (a: Uint8Array, b: Uint8Array) => a.reduce((sum, level, at) => sum + Math.abs(level - b[at]!), 0) / a.length
  const neighbours = apart(first!.picture, second!.picture)
  expect(neighbours).toBeGreaterThan(0.5)
  expect(apart(last!.picture, first!.picture)).toBeLessThan(1.3 * neighbours)
  expect(driveFrame(drive, buffers, 0).picture).toEqual(first!.picture)
  // The lane ahead is road, the sky is not.
  expect(first!.road[85 * 160 + 80]).toBe(1)
  expect(first!.road.subarray(0, 20 * 160)).not.toContain(1)
  const share = first!.road.reduce((sum, one) => sum + one, 0) / first!.road.length
  expect(share).toBeGreaterThan(0.2)
  expect(share).toBeLessThan(0.6)
})

const file = join(root, 'edge-agent/demo/drive.mp4')

test.skipIf(!existsSync(file))(
  'the demo video is small H.264 with a key frame every second and says what its colours mean',
  async () => {
    expect((await readFile(file)).length).toBeLessThan(2.6e6)
    const pipeline = `-v filesrc location=${file} ! qtdemux ! h264parse ! video/x-h264,alignment=au ! identity silent=false name=au ! avdec_h264 ! fakesink name=end`
    const { stdout } = await promisify(execFile)('gst-launch-1.0', pipeline.split(' '), { maxBuffer: 64e6 })
    expect(stdout).toMatch(/width=\(int\)640, height=\(int\)360/)
    expect(stdout).toMatch(/format=\(string\)I420[^\n]*colorimetry=\(string\)bt709/)
    expect(stdout).toMatch(/framerate=\(fraction\)20\/1/)
    const units = stdout.split('\n').filter((line) => line.includes('last-message = chain'))
    expect(units).toHaveLength(440)
    const keys = units.flatMap((line, index) => (line.includes('delta-unit') ? [] : [index]))
    expect(keys).toEqual(Array.from({ length: 22 }, (_, second) => 20 * second))
  },
)

test('the command makes a set that can be opened, and refuses in one sentence what it cannot read', async () => {
  const dir = join(await madeFolder(), 'roads')
  for (const [args, said] of [
    [['--pictures', '2'], /Expected one folder to make, found none/],
    [[dir, 'more'], /Expected one folder to make, found .* more/],
    [[dir, '--size', '96'], /--size: expected WIDTHxHEIGHT/],
    [[dir, '--pictures', '0'], /--pictures: expected a whole number from 1 on, found 0/],
    [[dir, '--picture', '2'], /did you mean --pictures/],
  ] as const)
    await expect(synthesise([...args])).rejects.toThrow(said)
  expect(await readdir(dirname(dir))).toEqual([])
  await synthesise([dir, '--pictures', '2', '--size', '96x64', '--threads', '0'])
  const opened = await openDataset(`kitti:${dir}`, { seed: 1, valFraction: 0.5 })
  expect(await checkDataset(opened)).toMatchObject({ train: 1, val: 1, sizes: [{ width: 96, height: 64, count: 2 }] })
})
