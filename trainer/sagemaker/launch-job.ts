// Training in AWS SageMaker:  npm run trainer -- sagemaker --data s3://… --image … --role …   (--help for more)
import { execFile } from 'node:child_process'
import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { S3Client } from '@aws-sdk/client-s3'
import { CreateTrainingJobCommand, type DescribeTrainingJobResponse, StopTrainingJobCommand } from '@aws-sdk/client-sagemaker'
import { openBundle } from '../../deploy/bundle.ts'
import { parseOptions } from '../../deploy/options.ts'
import { below, download, type LocalFile, type Place, parseS3, upload, uriOf } from '../../deploy/s3.ts'
import { checkDataset } from '../data/check-dataset.ts'
import { readClassMap } from '../data/class-map.ts'
import { openDatasets } from '../data/open-dataset.ts'
import { printStatistics } from '../data/print-statistics.ts'
import { readLeaveOut } from '../data/split.ts'
import { readCommandLine } from '../run/command-line.ts'
import { settle } from '../run/settings.ts'
import { published } from '../transfer/fetch.ts'
import { type Clients, openClients } from './clients.ts'
import { followJob } from './follow-job.ts'
import { jobOptions } from './hyperparameters.ts'
import { jobName } from './job-name.ts'
import { jobRequest } from './job-request.ts'
import { filesOfData, filesOfOption } from './local-data.ts'

const help = `npm run trainer -- sagemaker --data DATA --output S3 --image URI --role ARN [options]

Trains in AWS SageMaker: uploads data that is here, creates the job, prints its log and measures while it runs, and fetches and
checks the bundle. Ctrl-C ends the watching, not the job. The container, the role and the quota: trainer/sagemaker/README.md

  --data LAYOUT:PATH      pictures and labels on this machine, as for npm run trainer; checked, then uploaded below --output
         s3://BUCKET/DIR  or in S3 already, in any of the layouts; repeat it for several
  --output s3://B/DIR     where data, checkpoints and results go
  --image URI             the training image in ECR
  --role ARN              the role that SageMaker takes on
  --instance TYPE         (ml.g5.xlarge)
  --spot                  on spare capacity, which may be interrupted; the job goes on from its checkpoint
  --max-hours N           the job is stopped after so long (24); the best epoch so far is kept
  --volume GB             disk for data and checkpoints (50)
  --job NAME              (roadmask-<date>)
  --region NAME           (of the AWS configuration)
  --dry-run               prints the request, uploads and creates nothing
  --follow JOB            watches a job that was created before, and fetches its bundle
  --stop JOB              stops one; the best epoch so far is kept

Every other option of npm run trainer goes to the job: --epochs 30 --preset jetson --input 480x352 …
`

const text = { type: 'string' } as const
const own = {
  data: { ...text, multiple: true },
  output: text,
  image: text,
  role: text,
  instance: text,
  spot: { type: 'boolean' },
  'max-hours': text,
  volume: text,
  job: text,
  region: text,
  'dry-run': { type: 'boolean' },
  follow: text,
  stop: text,
  help: { type: 'boolean', short: 'h' },
} as const
/** Options that name files; a class map and a list of pictures are handed on as text. */
const fileOptions = ['from', 'teacher', 'vgg16']

/** Data on its way to the job: what lies in S3, and what is uploaded there first. */
interface Channel {
  place: Place
  files: LocalFile[]
}

export async function launchJob(args: string[]): Promise<void> {
  const { values } = parseOptions({ args, options: { ...Object.fromEntries(jobOptions.map((name) => [name, text])), ...own } })
  if (values.help || args.length === 0) return console.log(help)
  const clients = await openClients(values.region, { needed: !values['dry-run'] })
  if (values.stop) {
    await clients.sagemaker.send(new StopTrainingJobCommand({ TrainingJobName: values.stop }))
    return console.log(`${values.stop} is being stopped; within two minutes it writes the bundle of its best epoch.`)
  }
  if (values.follow) return watch(clients, values.follow)

  const { data = [], image, role } = values
  for (const name of ['output', 'image', 'role'] as const) if (!values[name]) throw new Error(`Expected --${name}\n\n${help}`)
  if (data.length === 0) throw new Error(`Expected --data\n\n${help}`)
  const given = values as Record<string, unknown>
  const options = Object.fromEntries(
    jobOptions.flatMap((name) => (typeof given[name] === 'string' ? [[name, given[name] as string]] : [])),
  )
  const output = parseS3(values.output!, '--output')
  const name = jobName(values.job, 'roadmask')
  const prepared = await prepare(options, data, { output, files: below(output, 'files', name) })
  const request = jobRequest({
    name,
    image: image!,
    role: role!,
    instance: values.instance ?? 'ml.g5.xlarge',
    options: prepared.options,
    channels: Object.fromEntries(Object.entries(prepared.channels).map(([name, { place }]) => [name, place])),
    output,
    spot: values.spot ?? false,
    hours: positive(values['max-hours'] ?? '24', '--max-hours'),
    volumeGigabytes: Math.ceil(positive(values.volume ?? '50', '--volume')),
  })
  if (values['dry-run']) return console.log(JSON.stringify(request, null, 2))
  for (const { place, files } of Object.values(prepared.channels))
    if (files.length > 0) await upload(clients.s3, files, place, console.log)
  await clients.sagemaker.send(new CreateTrainingJobCommand(request))
  console.log(`\nJob ${name}, ${values.spot ? 'spot, ' : ''}on ${request.ResourceConfig!.InstanceType}`)
  await watch(clients, name)
}

function positive(value: string, option: string): number {
  const number = Number(value)
  if (!(number > 0 && number < 1e6)) throw new Error(`${option}: expected a number above 0, found ${value}`)
  return number
}

/**
 * The job's options and channels. Options and local data are checked as the trainer will, so that no instance starts for
 * nothing; files that options name become text or channels of their own.
 */
async function prepare(
  given: Record<string, string>,
  data: string[],
  { output, files: own }: { output: Place; files: Place },
): Promise<{ options: Record<string, string>; channels: Record<string, Channel> }> {
  const options = { ...given }
  const channels: Record<string, Channel> = {}
  const here = data.filter((spec) => !spec.startsWith('s3://'))
  // What lies in S3 is not known: it may have a layout to which a class map belongs.
  const asked = [...here, ...(here.length < data.length ? ['pairs:s3'] : [])].flatMap((spec) => ['--data', spec])
  const line = readCommandLine([...Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]), ...asked])!
  const settings = settle(line, true)
  if (line['class-map']) settings.classMap = options['class-map'] = await readClassMap(line['class-map'])
  if (line['leave-out']) {
    settings.leaveOut = await readLeaveOut(line['leave-out'])
    options['leave-out'] = settings.leaveOut.join(',')
  }
  for (const name of fileOptions) {
    const value = options[name]
    if (value === undefined || (name === 'vgg16' && published.includes(value))) continue
    const { file, files } = await filesOfOption(value).catch((cause: unknown) => {
      throw new Error(`--${name}: expected files to upload, ${value} cannot be read (${(cause as Error).message})`, { cause })
    })
    options[name] = join('/opt/ml/input/data', name, file ?? '')
    channels[name] = { place: below(own, name), files }
  }
  const opened = await openDatasets(here, { ...settings, otherData: here.length < data.length })
  for (const [at, spec] of data.entries()) {
    const channel = data.length === 1 ? 'training' : `training-${at + 1}`
    const dataset = opened[here.indexOf(spec)]
    if (!dataset) {
      channels[channel] = { place: parseS3(spec, '--data'), files: [] }
      continue
    }
    const statistics = await checkDataset(dataset)
    printStatistics(statistics)
    const { name, files } = await filesOfData(spec)
    // Named by its content: the same data is uploaded once, and never mixed with other data.
    const place = below(output, 'data', `${name}-${statistics.fingerprint.slice(0, 12)}`)
    channels[channel] = { place, files }
  }
  return { options, channels }
}

/** Follows a job to its end and fetches what it made. */
async function watch(clients: Clients, name: string): Promise<void> {
  const stop = new AbortController()
  const onSignal = () => stop.abort()
  process.once('SIGINT', onSignal)
  const job = await followJob(clients, name, stop.signal)
  process.off('SIGINT', onSignal)
  if (!job) {
    console.log(
      `\nThe job goes on. Watch it again:  npm run trainer -- sagemaker --follow ${name}\nStop it:         npm run trainer -- sagemaker --stop ${name}`,
    )
    process.exitCode = 130
    return
  }
  const measures = job.FinalMetricDataList ?? []
  if (measures.length > 0)
    console.log(`Last measures: ${measures.map(({ MetricName, Value }) => `${MetricName} ${Value}`).join(', ')}`)
  await fetchResults(clients.s3, name, job)
  if (job.TrainingJobStatus === 'Failed') throw new Error(`${name} failed: ${job.FailureReason}`)
}

async function fetchResults(s3: S3Client, name: string, job: DescribeTrainingJobResponse): Promise<void> {
  const dir = join('runs', name)
  const model = job.ModelArtifacts?.S3ModelArtifacts
  if (!model || job.TrainingJobStatus === 'Failed') return
  const place = parseS3(model, "the job's model")
  const report = { ...place, key: place.key.replace(/model\.tar\.gz$/, 'output.tar.gz') }
  if (await fetchArchive(s3, report, join(dir, 'output'))) console.log(`Report ${join(dir, 'output/report.html')}`)
  const bundle = join(dir, 'bundle')
  if (!(await fetchArchive(s3, place, bundle))) {
    const why = job.TrainingJobStatus === 'Stopped' ? ' It was stopped before its first epoch was done.' : ''
    throw new Error(`Expected the model of ${name} at ${uriOf(place)}, found none.${why}`)
  }
  const { manifest } = await openBundle(bundle)
  console.log(`Bundle ${bundle}, checked: road IoU ${manifest.measures.road_iou?.toFixed(4) ?? 'not measured'}`)
  console.log(`Run it: npm run agent -- --bundle ${bundle}`)
}

/** Downloads a .tar.gz and unpacks it as `dir`, which is replaced. False where there is none. */
async function fetchArchive(s3: S3Client, from: Place, dir: string): Promise<boolean> {
  const [archive, made] = [`${dir}.tar.gz`, `${dir}.tmp`]
  if (!(await download(s3, from, archive))) return false
  await rm(made, { recursive: true, force: true })
  await mkdir(made, { recursive: true })
  await promisify(execFile)('tar', ['-xzf', archive, '-C', made, '--no-same-owner'])
  await rm(dir, { recursive: true, force: true })
  await rename(made, dir)
  await rm(archive)
  return true
}
