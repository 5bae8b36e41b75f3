// A training job in AWS as moto plays it: the program as a person runs it, S3 and requests; no instance trains.
import { execFile } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import {
  CloudWatchLogsClient,
  CreateLogGroupCommand,
  CreateLogStreamCommand,
  PutLogEventsCommand,
} from '@aws-sdk/client-cloudwatch-logs'
import { CreateBucketCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { DescribeTrainingJobCommand, SageMakerClient } from '@aws-sdk/client-sagemaker'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openBundle } from '../../../deploy/bundle.ts'
import { writeBrightBundle } from '../../bright-bundle.ts'
import { type OnOutput, runProgram } from '../../run-program.ts'
import { madeFolder, makeKitti } from '../data/made-sets.ts'
import { faultsOf, hasMoto, type Moto, startMoto } from './moto.ts'

const account = [
  '--image',
  '123456789012.dkr.ecr.eu-west-1.amazonaws.com/roadmask:1',
  '--role',
  'arn:aws:iam::123456789012:role/train',
]
const options = ['--epochs', '3', '--learning-rate', '0.01', '--output', 's3://roads/here/']

describe.skipIf(!hasMoto)('npm run trainer -- sagemaker', () => {
  let moto: Moto
  let dir: string
  let kitti: string
  let s3: S3Client

  beforeAll(async () => {
    moto = await startMoto()
    Object.assign(process.env, moto.env)
    dir = await madeFolder()
    kitti = await makeKitti({ um: 3, uu: 2 })
    s3 = new S3Client()
    await s3.send(new CreateBucketCommand({ Bucket: 'roads' }))
  })
  afterAll(() => moto.stop())

  const run = (args: string[], options: { env?: NodeJS.ProcessEnv; onOutput?: OnOutput } = {}) =>
    runProgram('trainer/train.js', ['sagemaker', ...args], { cwd: dir, ...options })

  const keys = async () => (await s3.send(new ListObjectsV2Command({ Bucket: 'roads' }))).Contents?.map(({ Key }) => Key!) ?? []

  it('uploads the data, creates the job, prints its log, and fetches and checks the bundle', async () => {
    // What the job's container would have left and said.
    await writeBrightBundle(join(dir, 'model'))
    await promisify(execFile)('tar', ['-czf', join(dir, 'model.tar.gz'), '-C', join(dir, 'model'), '.'])
    const [Bucket, Key] = ['roads', 'here/jobs/first/output/model.tar.gz']
    await s3.send(new PutObjectCommand({ Bucket, Key, Body: await readFile(join(dir, 'model.tar.gz')) }))
    const logs = new CloudWatchLogsClient()
    const stream = { logGroupName: '/aws/sagemaker/TrainingJobs', logStreamName: 'first/algo-1-1700000000' }
    await logs.send(new CreateLogGroupCommand(stream))
    await logs.send(new CreateLogStreamCommand(stream))
    const logEvents = [{ timestamp: Date.now(), message: 'epoch=1; validation:mIOU=0.5;' }]
    await logs.send(new PutLogEventsCommand({ ...stream, logEvents }))

    await mkdir(join(dir, 'keras'))
    await writeFile(join(dir, 'keras/model.json'), '{"weightsManifest":[{"paths":["one.bin","two.bin"],"weights":[]}]}')
    for (const shard of ['one.bin', 'two.bin', 'other.bin']) await writeFile(join(dir, 'keras', shard), 'weights')

    const begin = ['--vgg16', 'keras/model.json', '--width', '1']
    const args = [...account, ...options, '--spot', '--max-hours', '2', '--job', 'first', '--data', `kitti:${kitti}`, ...begin]
    const { code, out, err } = await run(args)
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toMatch(/training pictures +5/)
    expect(out).toMatch(/12 files, 0\.0 MB, to s3:\/\/roads\/here\/data\/roadmask-data-/)
    expect(out.match(/epoch=1; validation:mIOU=0\.5;/g)).toHaveLength(1)
    expect(out).toMatch(/Bundle runs\/first\/bundle, checked/)
    expect((await openBundle(join(dir, 'runs/first/bundle'))).manifest.name).toBe('bright')

    const job = await new SageMakerClient().send(new DescribeTrainingJobCommand({ TrainingJobName: 'first' }))
    const channel = job.InputDataConfig!.find(({ ChannelName }) => ChannelName === 'training')!
    const uri = channel.DataSource!.S3DataSource!.S3Uri!
    const uploaded = (await keys()).filter((key) => `s3://roads/${key}`.startsWith(uri))
    expect(uploaded.map((key) => `s3://roads/${key}`.slice(uri.length))).toEqual(
      expect.arrayContaining(['training/image_2/um_000000.png', 'training/gt_image_2/uu_road_000001.png']),
    )
    const ofOption = (await keys()).filter((key) => key.startsWith('here/files/first/'))
    expect(ofOption).toEqual(['model.json', 'one.bin', 'two.bin'].map((name) => `here/files/first/vgg16/${name}`))
    expect(job).toMatchObject({
      HyperParameters: { epochs: '3', 'learning-rate': '0.01', vgg16: '/opt/ml/input/data/vgg16/model.json' },
      EnableManagedSpotTraining: true,
      StoppingCondition: { MaxRuntimeInSeconds: 7200, MaxWaitTimeInSeconds: 14400 },
      CheckpointConfig: { S3Uri: 's3://roads/here/checkpoints/first' },
      ResourceConfig: { InstanceType: 'ml.g5.xlarge', InstanceCount: 1 },
    })
  })

  it('uploads the same data once; Ctrl-C while following leaves the job, and says how to follow and to stop it', async () => {
    let asked = false
    const args = [...account, ...options, '--job', 'second', '--data', `kitti:${kitti}`]
    const { code, out } = await run(args, {
      onOutput(said, kill) {
        if (asked || !said.includes('Starting')) return
        asked = true
        kill('SIGINT')
      },
    })
    expect(out).toMatch(/0 files, 0\.0 MB, to .* \(12 are there\)/)
    expect(out).toMatch(/The job goes on.*--follow second\n.*--stop second/)
    expect(code).toBe(130)
    // It has made nothing: moto's jobs are completed and empty.
    expect(await run(['--follow', 'second'])).toMatchObject({
      code: 1,
      err: expect.stringMatching(
        /Expected the model of second at s3:\/\/roads\/here\/jobs\/second\/output\/model\.tar\.gz, found none/,
      ),
    })
  })

  it('--dry-run prints a request that the service model of AWS accepts, and touches nothing', async () => {
    const before = await keys()
    const data = [
      '--data',
      's3://roads/truth',
      '--data',
      `kitti:${await makeKitti({ um: 4 })}`,
      '--class-map',
      '0=other,1=road',
    ]
    const { code, out } = await run([...account, ...options, '--dry-run', '--spot', ...data])
    expect(code).toBe(0)
    const request = JSON.parse(out.slice(out.indexOf('{\n')))
    expect(await faultsOf('CreateTrainingJob', request)).toEqual([])
    expect(request.InputDataConfig.map((channel: { ChannelName: string }) => channel.ChannelName)).toEqual([
      'training-1',
      'training-2',
    ])
    expect(request.InputDataConfig[0].DataSource.S3DataSource.S3Uri).toBe('s3://roads/truth/')
    expect(await faultsOf('CreateTrainingJob', { ...request, TrainingJobName: 'a b' })).toEqual([
      expect.stringMatching(/TrainingJobName: a b is not/),
    ])
    expect(await keys()).toEqual(before)
  })

  it('names what of AWS is missing', async () => {
    const env = { ...process.env, AWS_EC2_METADATA_DISABLED: 'true', HOME: dir }
    for (const name of ['AWS_REGION', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'] as const)
      delete (env as NodeJS.ProcessEnv)[name]
    expect(await run(['--follow', 'x'], { env })).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^\nExpected a region of AWS/),
    })
    expect(await run(['--follow', 'x', '--region', 'eu-west-1'], { env })).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^\nExpected credentials of AWS/),
    })
  })

  it.each([
    ['an option of none', ['--epoch', '3'], /Unknown option --epoch; did you mean --epochs/],
    [
      'a wrong value of the trainer',
      [...account, ...options, '--data', 's3://roads/x', '--batch', 'two'],
      /--batch: expected a number/,
    ],
    ['no role', ['--image', 'x', '--output', 's3://roads', '--data', 's3://roads/x'], /Expected --role/],
    [
      'an output that is not in S3',
      [...account, '--output', 'here', '--data', 's3://roads/x'],
      /--output: expected s3:\/\/BUCKET/,
    ],
    [
      'a name that jobs cannot have',
      [...account, ...options, '--data', 's3://roads/x', '--job', 'a_b'],
      /--job: expected letters.*found a_b/,
    ],
    [
      'a teacher that is not there',
      [...account, ...options, '--data', 's3://roads/x', '--teacher', 'none'],
      /--teacher: expected files to upload, none cannot be read/,
    ],
    ['data that is not there', [...account, ...options, '--data', 'kitti:nowhere'], /nowhere/],
  ])('refuses %s in a sentence', async (_, args, message) => {
    const { code, err } = await run(args)
    expect(code).toBe(1)
    expect(err).toMatch(message)
    expect(err).not.toMatch(/ at .*\.js/)
  })
})
