// Pictures for people to label, with the masks of a bundle as first labels:  npm run trainer -- label --pictures DIR …
import { mkdir, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { CreateLabelingJobCommand } from '@aws-sdk/client-sagemaker'
import { attribute, categoriesFile, labelledClasses, labelPicture } from '../../deploy/first-label.ts'
import { formatLine } from '../../deploy/groundtruth-line.ts'
import { parseOptions } from '../../deploy/options.ts'
import { loadBundle } from '../../deploy/run-bundle.ts'
import { below, filesBelow, type LocalFile, parseS3, upload, uriOf } from '../../deploy/s3.ts'
import { maskPicture } from '../masks/mask-picture.ts'
import { openClients } from './clients.ts'
import { jobName } from './job-name.ts'
import { labellingRequest, template } from './labelling-request.ts'

const help = `npm run trainer -- label --pictures DIR --bundle DIR --output S3 [options]

Prepares a labelling job of SageMaker Ground Truth: every picture gets the bundle's mask as its first label, which people then
correct. Pictures, masks, manifest, label categories and the page for the people go to S3; with --workteam and --role the job
is created. Its output.manifest is data to train on: --data groundtruth:FILE.

  --pictures DIR          pictures (.jpg, .png), also in folders below
  --bundle DIR            the model whose masks come first
  --output s3://B/DIR     where all of it goes, in a folder of the job's name
  --workteam ARN          who does the work; left out, no job is created
  --role ARN              the role that SageMaker takes on
  --job NAME              (roadmask-labels-<date>)
  --folder DIR            where masks and manifest are written here (labels/<job>)
  --region NAME           (of the AWS configuration)
  --dry-run               writes the files here and prints the request; uploads and creates nothing
`

const text = { type: 'string' } as const

export async function labelPictures(args: string[]): Promise<void> {
  const { values } = parseOptions({
    args,
    options: {
      pictures: text,
      bundle: text,
      output: text,
      workteam: text,
      role: text,
      job: text,
      folder: text,
      region: text,
      'dry-run': { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help || args.length === 0) return console.log(help)
  for (const name of ['pictures', 'bundle', 'output'] as const)
    if (!values[name]) throw new Error(`Expected --${name}\n\n${help}`)
  if ((values.workteam === undefined) !== (values.role === undefined))
    throw new Error('--workteam and --role belong together: who does the work, and the role that SageMaker takes on')
  const name = jobName(values.job, 'roadmask-labels')
  const place = below(parseS3(values.output!, '--output'), name)
  const folder = values.folder ?? join('labels', name)
  if (await stat(folder).catch(() => undefined))
    throw new Error(`Expected no ${folder} yet; choose another --job or --folder, or remove it`)
  const { s3, sagemaker, region } = await openClients(values.region, { needed: !values['dry-run'] })
  const files = { manifest: 'input.manifest', categories: 'label-categories.json', template: 'task.html.liquid' }
  const request =
    values.workteam &&
    labellingRequest({
      name,
      role: values.role!,
      workteam: values.workteam,
      region,
      manifest: below(place, files.manifest),
      categories: below(place, files.categories),
      template: below(place, files.template),
      output: below(place, 'output'),
    })

  const pictures = await picturesOf(values.pictures!)
  const bundle = await loadBundle(values.bundle!)
  const classes = labelledClasses(bundle.manifest)
  const lines: string[] = []
  for (const [done, picture] of pictures.entries()) {
    const mask = await maskPicture(bundle, picture.path)
    const label = `masks/${picture.key.replace(/\.[^./]*$/, '')}.png`
    const path = join(folder, label)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, labelPicture(mask, bundle.manifest))
    lines.push(
      formatLine({
        picture: uriOf(below(place, 'pictures', picture.key)),
        label: uriOf(below(place, label)),
        attribute,
        classes,
        confidence: mask.confidence,
        job: `roadmask/${bundle.manifest.name}`,
        created: new Date(),
      }),
    )
    if ((done + 1) % 100 === 0) console.log(`  ${done + 1} of ${pictures.length} masks`)
  }
  bundle.dispose()
  await writeFile(join(folder, files.manifest), `${lines.join('\n')}\n`)
  await writeFile(join(folder, files.categories), categoriesFile(classes.map(({ name }) => name)))
  await writeFile(join(folder, files.template), template)
  console.log(`${pictures.length} masks, the manifest and the job's files are in ${folder}`)
  if (values['dry-run']) return console.log(request ? JSON.stringify(request, null, 2) : 'No --workteam: no job is asked for.')

  await upload(s3, pictures, below(place, 'pictures'), console.log)
  await upload(s3, await filesBelow(folder), place, console.log)
  if (!request)
    return console.log(
      `The manifest is ${uriOf(below(place, files.manifest))}: input of an adjustment job for semantic segmentation in the console.`,
    )
  await sagemaker.send(new CreateLabelingJobCommand(request))
  console.log(
    `Labelling job ${name} is created. When it is done:\n  aws s3 sync s3://${place.bucket} data/${place.bucket}\n  npm run trainer -- --data groundtruth:data/${place.bucket}/${place.key}/output/${name}/manifests/output/output.manifest`,
  )
}

async function picturesOf(dir: string): Promise<LocalFile[]> {
  const files = await filesBelow(dir).catch((cause: unknown) => {
    throw new Error(`--pictures: expected a folder of pictures, ${dir} cannot be read`, { cause })
  })
  const pictures = files.filter(({ key }) => /\.(png|jpe?g)$/i.test(key))
  if (pictures.length === 0) throw new Error(`--pictures: expected pictures (.jpg, .png) in ${dir}, found none`)
  const stems = new Set<string>()
  for (const { path, key } of pictures) {
    const stem = key.replace(/\.[^./]*$/, '')
    if (stems.has(stem)) throw new Error(`${path}: expected one picture of its name, found another with another ending`)
    stems.add(stem)
  }
  return pictures
}
