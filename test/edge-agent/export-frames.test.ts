// Frames that a running agent kept, on their way to people who label them and back into the trainer.
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { CreateBucketCommand, DeleteObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { readLine } from '../../deploy/groundtruth-line.ts'
import { decodeMask } from '../../deploy/mask-png.ts'
import { download } from '../../deploy/s3.ts'
import { checkDataset } from '../../trainer/data/check-dataset.ts'
import { writeBrightBundle } from '../bright-bundle.ts'
import { runProgram } from '../run-program.ts'
import { openDataset } from '../trainer/data/made-sets.ts'
import { hasMoto, type Moto, startMoto } from '../trainer/sagemaker/moto.ts'
import { startAgent } from './running-agent.ts'

let dir: string
/** As a camera that looks at half a road: the left half of its picture is bright, which is road to the bundle; of the rest it is not sure. */
const source =
  'gst:videotestsrc is-live=true pattern=white ! video/x-raw,width=320,height=240,framerate=20/1 ! mix.' +
  ' videotestsrc is-live=true pattern=solid-color foreground-color=0xff707070 ! video/x-raw,width=160,height=240,framerate=20/1 ! mix.' +
  ' compositor name=mix sink_1::xpos=160 ! video/x-raw,format=I420,width=320,height=240,framerate=20/1'

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roadmask-'))
  await writeBrightBundle(join(dir, 'bundle'), { width: 96, height: 64 })
  const config = {
    device: 'van',
    bundle: join(dir, 'bundle'),
    state_dir: join(dir, 'state'),
    cameras: [{ name: 'front', source }],
    collect: { enabled: true, confidence_below: 1, min_seconds: 0, random_per_day: 0 },
    broker: { port: 0 },
  }
  await writeFile(join(dir, 'agent.json'), JSON.stringify(config))
  const agent = await startAgent(JSON.stringify(config), ['--state_dir', config.state_dir])
  try {
    await vi.waitUntil(async () => (await kept()).length >= 4, { timeout: 30_000 })
  } finally {
    await agent.stop()
  }
}, 60_000)
afterAll(() => rm(dir, { recursive: true }))

const kept = async () =>
  (await readdir(join(dir, 'state/hard-frames')).catch((): string[] => [])).filter((name) => !name.startsWith('.'))
const run = (args: string[], env: Record<string, string> = {}) =>
  runProgram('edge-agent/main.js', ['export-frames', '--config', join(dir, 'agent.json'), ...args], {
    env: { ...process.env, INIT_CWD: dir, ...env },
  })

test('a frame that the agent kept has the picture, the mask and the facts of one moment', async () => {
  for (const id of await kept()) {
    const of = (file: string) => readFile(join(dir, 'state/hard-frames', id, file))
    expect(await sharp(await of('picture.jpg')).metadata()).toMatchObject({ format: 'jpeg', width: 320, height: 240 })
    const { result, reason } = JSON.parse(String(await of('facts.json')))
    expect(id.startsWith(`${result.captured_us}.front.${result.frame}.`)).toBe(true)
    const { comments } = await sharp(await of('mask.png')).metadata()
    expect(comments).toContainEqual({ keyword: 'frame', text: String(result.frame) })
    expect(reason).toBe('unsure')
  }
})

test('the manifest is read by the trainer, and its labels say what the masks said', async () => {
  const { code, out, err } = await run(['--to', 'exported'])
  expect({ code, err }).toEqual({ code: 0, err: '' })
  const manifest = join(dir, 'exported/van/input.manifest')
  expect(out).toContain(`--data groundtruth:${manifest}`)
  const data = await openDataset(`groundtruth:${manifest}`, { seed: 1, valFraction: 0.3 })
  const count = (await kept()).length
  expect(await checkDataset(data)).toMatchObject({ total: count, labels: count })
  const { ids, width, height } = await data.readLabel(data.train[0]!.label!)
  expect([width, height]).toEqual([320, 240])
  const row = ids.subarray(120 * 320, 121 * 320)
  expect([row[5], row[150], row[170], row[315]]).toEqual([1, 1, 0, 0])
  // The model sees a strip of this picture, 320 x 212; what is above it is no road.
  expect([ids[5], ids[239 * 320 + 5]]).toEqual([0, 0])
  const [line] = (await readFile(manifest, 'utf8')).split('\n')
  expect(JSON.parse(line!)).toMatchObject({
    'source-ref': expect.stringMatching(/^pictures\/front\/\d{4}-\d\d-\d\d\/\d+-\d+-unsure\.jpg$/),
    'road-ref-metadata': {
      'internal-color-map': { 0: { 'class-name': 'BACKGROUND' }, 1: { 'class-name': 'road', 'hex-color': '#00c86e' } },
      type: 'groundtruth/semantic-segmentation',
      'human-annotated': 'no',
      'job-name': 'roadmask/bright',
    },
  })
})

test('a later export adds to the manifest, and keeps the lines of frames that are gone', async () => {
  await rm(join(dir, 'state-less'), { recursive: true, force: true })
  await cp(join(dir, 'state'), join(dir, 'state-less'), { recursive: true })
  const [first] = (await kept()).sort()
  await rm(join(dir, 'state-less/hard-frames', first!), { recursive: true })
  const before = await readFile(join(dir, 'exported/van/input.manifest'), 'utf8')
  const { code, out } = await run(['--to', 'exported'], { ROADMASK_STATE_DIR: join(dir, 'state-less') })
  expect(code).toBe(0)
  expect(out).toMatch(/^0 frames sent/m)
  expect(await readFile(join(dir, 'exported/van/input.manifest'), 'utf8')).toBe(before)
})

test('blurred pictures show the road and nothing else, and never stand under the name of clear ones', async () => {
  const { code, out } = await run(['--to', 'blurred', '--blur'])
  expect({ code, out }).toEqual({ code: 0, out: expect.stringMatching(/frames sent/) })
  const text = await readFile(join(dir, 'blurred/van/input.manifest'), 'utf8')
  const pictures = text
    .trimEnd()
    .split('\n')
    .map((line) => readLine(line, 'manifest').picture)
  expect(pictures.length).toBe((await kept()).length)
  for (const picture of pictures) expect(picture).toMatch(/-unsure-blurred\.jpg$/)
  // The edge of the picture's dark half lies outside the road and is no edge any more.
  const bytes = await sharp(join(dir, 'blurred/van', pictures[0]!))
    .greyscale()
    .raw()
    .toBuffer()
  const clear = await sharp(join(dir, 'exported/van', pictures[0]!.replace('-blurred', '')))
    .greyscale()
    .raw()
    .toBuffer()
  const step = (grey: Buffer, y: number) => Math.abs(grey[y * 320 + 158]! - grey[y * 320 + 161]!)
  expect(step(clear, 2)).toBeGreaterThan(100)
  expect(step(bytes, 2)).toBeLessThan(step(clear, 2) / 2)
  expect(Math.abs(bytes[120 * 320 + 20]! - clear[120 * 320 + 20]!)).toBeLessThan(4)
})

test('without frames, without a place and with a wrong one it says so', async () => {
  expect((await run(['--to', 'x'], { ROADMASK_STATE_DIR: join(dir, 'none') })).out).toMatch(
    /No frames are kept in .*none\/hard-frames/,
  )
  const unnamed = await runProgram('edge-agent/main.js', ['export-frames', '--to', 'x'], {
    env: { ...process.env, ROADMASK_DEVICE: 'van', ROADMASK_STATE_DIR: join(dir, 'none') },
  })
  expect(unnamed.out).toContain('Device van would keep them there without a config file; --config FILE names that of')
  const bare = await runProgram('edge-agent/main.js', ['export-frames'])
  expect([bare.code, bare.err]).toEqual([1, expect.stringContaining('--blur')])
  expect((await run([])).err).toMatch(/^Expected --to DIR or --to s3:/)
  expect((await run(['--to', 's3://B'])).err).toMatch(/--to: expected s3:\/\/BUCKET\/PREFIX, found s3:\/\/B/)
})

describe.skipIf(!hasMoto)('to S3', () => {
  let moto: Moto
  beforeAll(async () => {
    moto = await startMoto()
    Object.assign(process.env, moto.env)
    await new S3Client().send(new CreateBucketCommand({ Bucket: 'roads' }))
  })
  afterAll(() => moto.stop())

  const keys = async () =>
    ((await new S3Client().send(new ListObjectsV2Command({ Bucket: 'roads' }))).Contents ?? []).map(({ Key }) => Key!)

  test('an export that broke off goes on, no faster than it may, and the trainer reads a copy of the bucket', async () => {
    const s3 = new S3Client()
    expect(await run(['--to', 's3://roads/hard'])).toMatchObject({ code: 0, err: '' })
    const all = await keys()
    const count = (await kept()).length
    expect(all.length).toBe(2 * count + 2)
    for (const key of all.filter((key) => /\.manifest$/.test(key) || key === all.find((one) => one.endsWith('.jpg'))))
      await s3.send(new DeleteObjectCommand({ Bucket: 'roads', Key: key }))
    const began = performance.now()
    const again = await run(['--to', 's3://roads/hard'], { ROADMASK_COLLECT_UPLOAD_KIB_PER_SECOND: '4' })
    const bytes = (await readFile(join(dir, 'state/hard-frames', (await kept()).sort()[0]!, 'picture.jpg'))).length
    expect(performance.now() - began).toBeGreaterThan((1000 * bytes) / 4096 / 2)
    expect(again.out).toMatch(new RegExp(`^1 frames sent, ${count} in the manifest: s3://roads/hard/van/input\\.manifest`, 'm'))
    expect(await keys()).toEqual(all)

    const copy = join(dir, 'copy')
    for (const key of all) {
      await mkdir(dirname(join(copy, 'roads', key)), { recursive: true })
      await download(s3, { bucket: 'roads', key }, join(copy, 'roads', key))
    }
    const data = await openDataset(`groundtruth:${join(copy, 'roads/hard/van/input.manifest')}`, { seed: 1, valFraction: 0.3 })
    expect(await checkDataset(data)).toMatchObject({ total: count, labels: count })
    const [id] = (await kept()).sort()
    const mask = decodeMask(await readFile(join(dir, 'state/hard-frames', id!, 'mask.png')))
    expect([mask.width, mask.height]).toEqual([96, 64])
  })
})
