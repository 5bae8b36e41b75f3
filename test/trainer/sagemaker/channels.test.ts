import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { dataOfChannels } from '../../../trainer/sagemaker/channels.ts'
import { optionsOf, readHyperparameters } from '../../../trainer/sagemaker/hyperparameters.ts'
import { madeFolder } from '../data/made-sets.ts'

/** Folders and empty files; inputdataconfig.json names the first folders. */
async function makeInput(...files: string[]): Promise<[data: string, config: string]> {
  const root = await madeFolder()
  const channels: Record<string, { TrainingInputMode: string }> = {}
  for (const file of files) {
    channels[file.split('/')[0]!] = { TrainingInputMode: 'FastFile' }
    await mkdir(dirname(join(root, 'data', file)), { recursive: true })
    await writeFile(join(root, 'data', file), '')
  }
  await writeFile(join(root, 'config.json'), JSON.stringify(channels))
  return [join(root, 'data'), join(root, 'config.json')]
}

test('channels are recognised by what they hold, also one folder further in', async () => {
  const [data, config] = await makeInput(
    'drives/data_road/training/image_2/um_000000.png',
    'more/trainannot/a.png',
    'own/images/a.jpg',
    'own/masks/a.png',
    'truth/output.manifest',
  )
  const found = ['kitti:drives/data_road', 'camvid:more', 'pairs:own', 'groundtruth:truth/output.manifest']
  const specs = found.map((spec) => spec.replace(':', `:${data}/`))
  expect(await dataOfChannels(data, config)).toEqual(specs)
  expect(await dataOfChannels(data, join(data, 'no-config.json'))).toEqual(specs)
})

test('the channels of the built-in algorithm are one data set, beside which others may lie', async () => {
  const channels = [
    'train/a.jpg',
    'train_annotation/a.png',
    'validation/b.jpg',
    'validation_annotation/b.png',
    'label_map/m.json',
  ]
  const [data, config] = await makeInput(...channels, 'night/training/image_2/x.png')
  expect(await dataOfChannels(data, config)).toEqual([`sagemaker:${data}`, `kitti:${data}/night`])
})

test('a channel that an option names is no data set', async () => {
  const [data, config] = await makeInput('weights/vgg16.h5', 'night/training/image_2/x.png')
  expect(await dataOfChannels(data, config, [join(data, 'weights/vgg16.h5'), '30'])).toEqual([`kitti:${data}/night`])
  await expect(dataOfChannels(data, config)).rejects.toThrow(/^Channel weights: expected a data set: .*found vgg16\.h5 in/)
})

test('streamed channels, two manifests in one, and no channel at all are refused', async () => {
  const [data, config] = await makeInput('a/1.manifest', 'a/2.manifest')
  await expect(dataOfChannels(data, config)).rejects.toThrow('Channel a: expected one manifest, found 1.manifest, 2.manifest')
  await writeFile(config, '{"a":{"TrainingInputMode":"Pipe"}}')
  await expect(dataOfChannels(data, config)).rejects.toThrow(/^Channel a: expected input mode File or FastFile, found Pipe/)
  await writeFile(config, '{}')
  await expect(dataOfChannels(data, config)).rejects.toThrow(/^Expected a channel with pictures/)
})

test('hyper-parameters are options, with - or _, in quotes of JSON or without; the toolkit has its own', async () => {
  const dir = await madeFolder()
  const file = join(dir, 'hyperparameters.json')
  expect(await readHyperparameters(file)).toEqual({})
  const given = {
    learning_rate: '1e-3',
    'min-epochs': '"2"',
    sagemaker_program: '"x.py"',
    _tuning_objective_metric: 'train:loss',
  }
  await writeFile(file, JSON.stringify(given))
  expect(optionsOf(await readHyperparameters(file))).toEqual({ 'learning-rate': '1e-3', 'min-epochs': '2' })
  await writeFile(file, '{"epochs":30}')
  await expect(readHyperparameters(file)).rejects.toThrow(/expected names with strings/)
})

test('every hyper-parameter that is no option is named, with the nearest', () => {
  expect(() => optionsOf({ learnin_rate: '1', epochs: '1', xyzzy: '1', resume: 'x' })).toThrow(
    /^unknown hyper-parameter learnin_rate; did you mean learning-rate\?\nunknown hyper-parameter xyzzy\nresume is set by the container.*\nKnown are classes, /,
  )
})
