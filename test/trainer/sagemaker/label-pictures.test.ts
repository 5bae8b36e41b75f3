// Pictures on their way to Ground Truth with a bundle's masks, and back as data to train on.
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { CreateBucketCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { download } from '../../../deploy/s3.ts'
import { checkDataset } from '../../../trainer/data/check-dataset.ts'
import { dataOfChannels } from '../../../trainer/sagemaker/channels.ts'
import { filesOfData } from '../../../trainer/sagemaker/local-data.ts'
import { writeBrightBundle } from '../../bright-bundle.ts'
import { runProgram } from '../../run-program.ts'
import { madeFolder, openDataset, paint, writePicture } from '../data/made-sets.ts'
import { faultsOf, hasMoto, type Moto, startMoto } from './moto.ts'

const team = [
  '--workteam',
  'arn:aws:sagemaker:eu-west-1:123456789012:workteam/private-crowd/us',
  '--role',
  'arn:aws:iam::123456789012:role/x',
]

describe.skipIf(!hasMoto)('npm run trainer -- label', () => {
  let moto: Moto
  let dir: string

  beforeAll(async () => {
    moto = await startMoto()
    Object.assign(process.env, moto.env)
    dir = await madeFolder()
    await writeBrightBundle(join(dir, 'bundle'), { width: 32, height: 16 })
    // Half of it bright, which is road to this bundle.
    for (const name of ['north/a.png', 'north/b.png', 'south/c.png'])
      await writePicture(
        join(dir, 'pictures', name),
        64,
        32,
        paint(64, 32, (x) => (x < 32 ? [250, 250, 250] : [5, 5, 5])),
      )
    await new S3Client().send(new CreateBucketCommand({ Bucket: 'roads' }))
  })
  afterAll(() => moto.stop())

  const run = (args: string[]) => runProgram('trainer/train.js', ['label', ...args], { cwd: dir })

  const from = ['--pictures', 'pictures', '--bundle', 'bundle', '--output', 's3://roads/truth']

  it('masks come back from S3 as a data set that says what the bundle said', async () => {
    const { code, out, err } = await run([...from, '--job', 'first'])
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toMatch(/The manifest is s3:\/\/roads\/truth\/first\/input\.manifest/)
    const s3 = new S3Client()
    const copy = await madeFolder()
    for (const { Key } of (await s3.send(new ListObjectsV2Command({ Bucket: 'roads' }))).Contents!)
      await download(s3, { bucket: 'roads', key: Key! }, join(copy, 'roads', Key!))
    const data = await openDataset(`groundtruth:${join(copy, 'roads/truth/first/input.manifest')}`, {
      seed: 1,
      valFraction: 0.3,
    })
    expect(await checkDataset(data)).toMatchObject({ total: 3, labels: 3, roadShare: 0.5 })
    expect(new Set([...data.train, ...data.val].map(({ drive }) => drive))).toEqual(new Set(['north', 'south']))
    const { ids } = await data.readLabel(data.train[0]!.label!)
    expect([ids[0], ids[20], ids[44], ids[63]]).toEqual([1, 1, 0, 0])

    // And on into a training job, whose channel holds no bucket.
    const { files } = await filesOfData(data.name)
    const channels = await madeFolder()
    for (const { path, key, content } of files) {
      await mkdir(dirname(join(channels, 'truth', key)), { recursive: true })
      await writeFile(join(channels, 'truth', key), content ?? (await readFile(path)))
    }
    const [spec] = await dataOfChannels(channels, 'none')
    expect(spec).toBe(`groundtruth:${channels}/truth/output.manifest`)
    const there = await openDataset(spec!, { seed: 1, valFraction: 0.3 })
    expect((await checkDataset(there)).fingerprint).toBe((await checkDataset(data)).fingerprint)
  })

  it('a line has what an adjustment job reads: our label, its colours, and that no person has made it', async () => {
    const [line] = (await readFile(join(dir, 'labels/first/input.manifest'), 'utf8')).split('\n')
    expect(JSON.parse(line!)).toEqual({
      'source-ref': 's3://roads/truth/first/pictures/north/a.png',
      'road-ref': 's3://roads/truth/first/masks/north/a.png',
      'road-ref-metadata': {
        'internal-color-map': {
          0: { 'class-name': 'BACKGROUND', 'hex-color': '#ffffff', confidence: 1 },
          1: { 'class-name': 'road', 'hex-color': '#00c86e', confidence: 1 },
        },
        type: 'groundtruth/semantic-segmentation',
        'human-annotated': 'no',
        'creation-date': expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/),
        'job-name': 'roadmask/bright',
      },
    })
    expect(await sharp(join(dir, 'labels/first/masks/north/a.png')).metadata()).toMatchObject({
      isPalette: true,
      width: 64,
      height: 32,
    })
    expect(JSON.parse(await readFile(join(dir, 'labels/first/label-categories.json'), 'utf8'))).toEqual({
      'document-version': '2018-11-28',
      labels: [{ label: 'road' }],
    })
  })

  it('--dry-run prints a request that the service model of AWS accepts, and uploads nothing', async () => {
    const { code, out } = await run([...from, ...team, '--job', 'second', '--dry-run'])
    expect(code).toBe(0)
    const request = JSON.parse(out.slice(out.indexOf('{\n')))
    expect(await faultsOf('CreateLabelingJob', request)).toEqual([])
    expect(request.HumanTaskConfig.PreHumanTaskLambdaArn).toBe(
      'arn:aws:lambda:eu-west-1:568282634449:function:PRE-AdjustmentSemanticSegmentation',
    )
    expect(request.LabelAttributeName).toBe('adjusted-road-ref')
    const { Contents } = await new S3Client().send(new ListObjectsV2Command({ Bucket: 'roads', Prefix: 'truth/second' }))
    expect(Contents).toBeUndefined()
    expect(await readdir(join(dir, 'labels/second'))).toEqual([
      'input.manifest',
      'label-categories.json',
      'masks',
      'task.html.liquid',
    ])
  })

  it.each([
    [
      'a folder without pictures',
      ['--pictures', 'bundle', '--bundle', 'bundle', '--output', 's3://roads'],
      /expected pictures \(\.jpg, \.png\) in bundle/,
    ],
    ['a folder that is there', [...from, '--job', 'first'], /Expected no labels\/first yet/],
    [
      'a region without Ground Truth',
      [...from, ...team, '--region', 'eu-north-1'],
      /--region: expected a region of Ground Truth.*found eu-north-1/,
    ],
    ['a team without a role', [...from, ...team.slice(0, 2)], /--workteam and --role belong together/],
  ])('refuses %s in a sentence', async (_, args, message) => {
    const { code, err } = await run(args)
    expect(code).toBe(1)
    expect(err).toMatch(message)
    expect(err).not.toMatch(/ at .*\.js/)
  })
})
