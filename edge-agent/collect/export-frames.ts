// Kept frames on their way to people who label them, with the model's mask as first label:
//   npm run agent -- export-frames --config roadmask.yaml --to s3://…
import { resolve } from 'node:path'
import { attribute, categoriesFile, labelledClasses, labelPicture, maskOnPicture } from '../../deploy/first-label.ts'
import { pictureSize } from '../../deploy/fit-picture.ts'
import { formatLine, readLine } from '../../deploy/groundtruth-line.ts'
import { decodeMask } from '../../deploy/mask-png.ts'
import { parseOptions } from '../../deploy/options.ts'
import { openLog } from '../log.ts'
import type { Config } from '../settings/config.ts'
import { readConfig } from '../settings/read-config.ts'
import { stateFolder } from '../state.ts'
import { makePainter } from '../supervise/painter.ts'
import { type Destination, openDestination } from './destination.ts'
import { type FrameFacts, type FrameStore, hardFramesFolder, type KeptFrame, openFrameStore } from './frame-store.ts'

const help = `npm run agent -- export-frames --to DIR|s3://BUCKET/DIR [options]

Takes the hard frames that this device has kept to a folder or to S3, as the input of a labelling job of SageMaker Ground Truth
in which people adjust masks: pictures, the model's masks as first labels, label categories and the manifest, in a folder of
the device's name. What is there already is left, so an export that broke off goes on, and a later one adds to the manifest.
The manifest is also data to train on: --data groundtruth:FILE.

  --to PLACE        a folder, or s3://BUCKET/DIR (region and credentials as for every AWS tool)
  --config FILE     the agent's settings: whose frames, and collect.blur and collect.upload_kib_per_second
  --blur            all but the road is made unrecognisable, whatever the settings say
  --region NAME     (of the AWS configuration)
`

const text = { type: 'string' } as const
const sayEvery = 50
export const manifest = 'input.manifest'

export async function exportFrames(args: string[]): Promise<void> {
  const { values } = parseOptions({
    args,
    options: {
      to: text,
      config: text,
      blur: { type: 'boolean' },
      region: text,
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help) return console.log(help)
  if (!values.to) throw new Error(`Expected --to DIR or --to s3://BUCKET/DIR\n\n${help}`)
  const config = await readConfig(values.config, process.env, [])
  const folder = hardFramesFolder(stateFolder(config, process.env))
  const store = await openFrameStore(folder)
  if (store.list().length === 0) return console.log(`No frames are kept in ${folder}. ${whyNone(values.config, config)}`)
  const blur = values.blur ?? config.collect.blur
  const to = await openDestination(
    values.to.startsWith('s3://') ? values.to : resolve(process.env.INIT_CWD ?? '.', values.to),
    {
      device: config.device,
      kibPerSecond: config.collect.upload_kib_per_second,
      ...(values.region && { region: values.region }),
    },
  )
  const { sent, gone, lines } = await sendFrames(store, to, blur)
  if (gone > 0) console.log(`${gone} frames were removed meanwhile.`)
  console.log(`${sent} frames sent, ${lines} in the manifest: ${to.ref(manifest)}${to.hint(manifest)}`)
}

/** What to do where there are none: it may have been the wrong device that was looked at. */
const whyNone = (file: string | undefined, { device, collect }: Config) =>
  file === undefined
    ? `Device ${device} would keep them there without a config file; --config FILE names that of the agent that is meant.`
    : collect.enabled
      ? 'The agent keeps some as soon as it sees any.'
      : `"collect: { enabled: true }" in ${file} keeps some.`

/** Sends what is not there yet: pictures, first labels, label categories, and the manifest last. */
export async function sendFrames(store: FrameStore, to: Destination, blur: boolean) {
  const frames = store.list().reverse()
  const before = (await to.read(manifest))?.split('\n').filter(Boolean) ?? []
  const lines = new Map(before.map((line, i) => [readLine(line, `${to.ref(manifest)}:${i + 1}`).picture, line]))
  const there = await to.list()
  const painter = makePainter(openLog('warn'))
  const labels = new Set<string>()
  let [sent, gone] = [0, 0]
  try {
    for (const [done, frame] of frames.entries()) {
      const [picture, mask, json] = await Promise.all(
        (['picture', 'mask', 'facts'] as const).map((file) => store.read(frame.id, file)),
      )
      if (!picture || !mask || !json) {
        gone++ // made room for a newer one meanwhile
        continue
      }
      const { result, classes } = JSON.parse(json.toString()) as FrameFacts
      const bundle = { classes, road: result.road_class }
      const keys = keysOf(frame, blur)
      for (const { name } of labelledClasses(bundle)) labels.add(name)
      if (!there.has(keys.picture)) {
        const shown = blur ? await painter.blurRest({ result, mask, picture }) : picture
        await to.put(keys.picture, shown!)
        sent++
      }
      if (!there.has(keys.label)) {
        const camera = { width: result.camera_width, height: result.camera_height }
        const placed = maskOnPicture(decodeMask(mask), result.region, camera, await pictureSize(picture))
        await to.put(keys.label, labelPicture(placed, bundle))
      }
      const line = {
        picture: to.ref(keys.picture),
        label: to.ref(keys.label),
        attribute,
        classes: labelledClasses(bundle),
        confidence: result.confidence,
        job: `roadmask/${result.model}`,
        created: new Date(frame.captured_us / 1000),
      }
      lines.set(line.picture, formatLine(line))
      if ((done + 1) % sayEvery === 0) console.log(`  ${done + 1} of ${frames.length} frames`)
    }
  } finally {
    await painter.stop()
  }
  await to.put('label-categories.json', categoriesFile([...labels]))
  await to.put(manifest, `${[...lines.values()].join('\n')}\n`)
  return { sent, gone, lines: lines.size }
}

/** A folder for each camera and day, which the trainer takes for a drive. Blurred and clear pictures have names of their own. */
function keysOf({ camera, captured_us, id }: KeptFrame, blur: boolean) {
  const day = new Date(captured_us / 1000).toISOString().slice(0, 10)
  const [micros, , frame, reason] = id.split('.')
  const name = `${encodeURIComponent(camera).replaceAll('%', '=')}/${day}/${micros}-${frame}-${reason}${blur ? '-blurred' : ''}`
  return { picture: `pictures/${name}.jpg`, label: `masks/${name}.png` }
}
