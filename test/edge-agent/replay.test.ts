// npm run agent -- replay: the same masks each time, of every frame, and what has changed between two bundles.
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { decodeMask } from '../../deploy/mask-png.ts'
import { createMcap } from '../../edge-agent/record/mcap-file.ts'
import { imageMessage } from '../../edge-agent/record/recording.ts'
import { writeBrightBundle } from '../bright-bundle.ts'
import { runProgram } from '../run-program.ts'

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roadmask-'))
  await writeBrightBundle(join(dir, 'bundle'), { width: 32, height: 16 })
  await writeBrightBundle(join(dir, 'larger'), { width: 64, height: 48, name: 'larger' })
})
afterAll(() => rm(dir, { recursive: true }))

const replay = (input: string, out: string, ...more: string[]) =>
  runProgram('edge-agent/main.js', ['replay', input, '--bundle', 'bundle', '--out', out, ...more], {
    cwd: dir,
    env: { ...process.env, INIT_CWD: dir },
  })
const linesOf = async (out: string) =>
  (await readFile(join(dir, out, 'results.jsonl'), 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))

/** All files below a folder, with their bytes. */
async function contents(out: string) {
  const entries = await readdir(join(dir, out), { recursive: true, withFileTypes: true })
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  return Object.fromEntries(
    await Promise.all(paths.sort().map(async (path) => [path.slice(join(dir, out).length), await readFile(path, 'hex')])),
  )
}

describe('a video', () => {
  beforeAll(() => {
    const text =
      'videotestsrc num-buffers=40 pattern=ball ! video/x-raw,format=I420,width=128,height=64,framerate=20/1 ! x264enc ! mp4mux ! filesink location=ball.mp4'
    execFileSync('gst-launch-1.0', ['-q', ...text.split(' ')], { cwd: dir })
  })

  test('gives every frame in order, timed by the video, and the same bytes in the next run', async () => {
    expect(await replay('ball.mp4', 'first')).toMatchObject({ code: 0, err: '' })
    const lines = await linesOf('first')
    expect(lines.map(({ frame }) => frame)).toEqual(Array.from({ length: 40 }, (_, i) => i + 1))
    expect(lines.map(({ captured_us }) => captured_us)).toEqual(Array.from({ length: 40 }, (_, i) => 50_000 * i))
    expect(new Set(lines.map(({ road_percent }) => road_percent)).size).toBeGreaterThan(3)
    const again = await replay('ball.mp4', 'second', '--against', 'first')
    expect(again).toMatchObject({ code: 0, err: '' })
    expect(again.out).toMatch(/40 frames in both: 100\.000 % of the pixels agree, road IoU between them 1\.0000\n$/)
    expect(await contents('second')).toEqual(await contents('first'))
  })

  test('a frame whose mask has changed is named, and past the threshold the exit code is 1', async () => {
    const other = join(dir, 'other')
    await cp(join(dir, 'first'), other, { recursive: true })
    await cp(join(other, 'masks/000001.png'), join(other, 'masks/000030.png'))
    const { code, out } = await replay('ball.mp4', 'second', '--against', 'other', '--agreement', '0.9999')
    expect(code).toBe(1)
    expect(out.trimEnd().split('\n').slice(-1)[0]).toMatch(/^ {2}000030 .* road IoU 0\.\d+$/)
    expect((await replay('ball.mp4', 'second', '--against', 'other', '--agreement', '0.5', '--iou', '0')).code).toBe(0)
  })
})

test('without an input it is an error that teaches', async () => {
  const { code, out, err } = await runProgram('edge-agent/main.js', ['replay'])
  expect([code, out]).toEqual([1, ''])
  expect(err).toMatch(/^Expected one video, folder or recording to replay, found none/)
  expect(err).toContain('--against DIR')
})

describe('a recording', () => {
  /** Noise, so that the recording has many chunks. */
  const jpeg = () =>
    sharp(randomBytes(64 * 32 * 3), { raw: { width: 64, height: 32, channels: 3 } })
      .jpeg({ quality: 100 })
      .toBuffer()
  const file = (name: string) => join(dir, name)

  test('that broke off gives the frames that are whole', async () => {
    const recording = await createMcap(file('whole.mcap'))
    for (let i = 0; i < 40; i++)
      await recording.add('picture', 'front', i * 1e6, imageMessage('front', i * 1e6, 'jpeg', await jpeg()))
    await recording.end()
    const bytes = await readFile(file('whole.mcap'))
    await writeFile(file('torn.mcap'), bytes.subarray(0, Math.round(bytes.length / 2)))
    expect(await replay('torn.mcap', 'torn')).toMatchObject({ code: 0, err: '' })
    const lines = await linesOf('torn')
    expect(lines.length).toBeGreaterThan(0)
    expect(lines.length).toBeLessThan(40)
    expect(lines.map(({ captured_us }) => captured_us)).toEqual(lines.map((_, i) => i * 1e6))
  })

  test.each([
    [
      'no recording at all',
      (bytes: Buffer) => Buffer.from(bytes).fill('junk'),
      /bad\.mcap is no recording that can be read: .*MCAP magic/,
    ],
    [
      'damaged in its midst',
      (bytes: Buffer) => Buffer.from(bytes).fill(0xff, 20_000, 21_000),
      /bad\.mcap is no recording that/,
    ],
    ['empty', () => Buffer.alloc(0), /bad\.mcap has no pictures to replay/],
  ])('that is %s is refused by its name', async (_, spoil, message) => {
    await writeFile(file('bad.mcap'), spoil(await readFile(file('whole.mcap'))))
    const { code, err } = await replay('bad.mcap', 'bad')
    expect(code).toBe(1)
    expect(err).toMatch(message)
    expect(err).not.toMatch(/ at .*\.js/)
  })
})

describe('a folder of pictures', () => {
  /** Bright on its left, by so many of 32 columns. */
  const paint = async (name: string, columns: number, scale = 1) => {
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 16" width="${64 * scale}" height="${32 * scale}"><rect width="32" height="16" fill="#101010"/><rect width="${columns}" height="16" fill="#f0f0f0"/></svg>`
    const picture = sharp(Buffer.from(svg)).removeAlpha()
    await writeFile(
      join(dir, 'pictures', name),
      await (name.endsWith('.png') ? picture.png() : picture.jpeg({ quality: 95 })).toBuffer(),
    )
  }
  beforeAll(async () => {
    await mkdir(join(dir, 'pictures/more'), { recursive: true })
    // Forms alternate, so that their order is not that in which they are played.
    await paint('a.png', 4)
    await paint('b.jpg', 8)
    await paint('c.png', 12, 2)
    await paint('d.jpg', 16)
    await paint('more/e.png', 20)
  })

  test('of several forms gives each its mask, in the order of their names, at the size of another bundle too', async () => {
    const ran = await replay('pictures', 'pictured', '--against', 'larger')
    expect(ran).toMatchObject({ code: 0, err: '' })
    const lines = await linesOf('pictured')
    expect(lines.map(({ name, frame }) => [name, frame])).toEqual([
      ['a.png', 1],
      ['b.jpg', 2],
      ['c.png', 3],
      ['d.jpg', 4],
      ['more/e.png', 5],
    ])
    for (const [i, { mask, road_percent }] of lines.entries()) {
      expect(road_percent).toBe((100 * 4 * (i + 1)) / 32)
      const { ids } = decodeMask(await readFile(join(dir, 'pictured', mask)))
      expect([...ids.subarray(0, 32)]).toEqual(Array.from({ length: 32 }, (_, x) => (x < 4 * (i + 1) ? 1 : 0)))
    }
    // The larger one sees another part of the pictures; where both look, they agree.
    expect(ran.out).toMatch(/5 frames in both: 100\.000 %/)
    expect((await linesOf('replays/pictures-larger'))[0].region).not.toEqual(lines[0].region)
  })

  test.each([
    [
      'a file that is no picture',
      async () => writeFile(join(dir, 'pictures/f.jpg'), 'no picture'),
      [],
      /pictures\/f\.jpg cannot be read as a picture/,
    ],
    ['something that is not there', async () => {}, ['nowhere.mp4'], /nowhere\.mp4 cannot be read/],
    [
      "a folder that is somebody's",
      async () => {},
      ['ball.mp4', 'pictures'],
      /Expected a new folder or a former replay for --out, found a\.png/,
    ],
    [
      'another folder to compare with',
      async () => {},
      ['ball.mp4', 'second', '--against', 'pictures'],
      /Expected a replay in .*pictures/,
    ],
    [
      'a share above 1',
      async () => {},
      ['ball.mp4', 'second', '--against', 'first', '--iou', '98'],
      /--iou: expected 0 to 1, found 98/,
    ],
  ])('%s is refused in a sentence', async (_, prepare, [input = 'pictures', out = 'refused', ...more], message) => {
    await prepare()
    const { code, err } = await replay(input, out, ...more)
    expect(code).toBe(1)
    expect(err).toMatch(message)
    expect(err).not.toMatch(/ at .*\.js/)
  })
})
