import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import sharp from 'sharp'
import { expect, test } from 'vitest'
import { checkDataset } from '../../../trainer/data/check-dataset.ts'
import { madeFolder, openDataset, paint, writePicture } from './made-sets.ts'

const options = { seed: 7, valFraction: 0.25 }
const green = [0x2c, 0xa0, 0x2c]
const white = [255, 255, 255]
const half = paint(4, 2, (_, y) => (y === 0 ? white : green))

/** A line as the service writes it; the indices of its classes are wrong, as in jobs of mid-2020. */
const line = (picture: string, label: string, attribute = 'road-ref', hex = '#2ca02c') => ({
  'source-ref': picture,
  [attribute]: label,
  [`${attribute}-metadata`]: {
    'internal-color-map': {
      '0': { 'class-name': 'road', 'hex-color': hex, confidence: 0.8 },
      '1': { 'class-name': 'BACKGROUND', 'hex-color': '#ffffff', confidence: 0.8 },
    },
    type: 'groundtruth/semantic-segmentation',
    'human-annotated': 'yes',
    'creation-date': '2020-04-21T13:48:00.562419',
    'job-name': 'labeling-job/job',
  },
})

async function writeManifest(file: string, lines: unknown[]): Promise<string> {
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, `${lines.map((one) => (typeof one === 'string' ? one : JSON.stringify(one))).join('\n')}\n`)
  return `groundtruth:${file}`
}

async function writePair(dir: string, stem: string, label = half): Promise<void> {
  await writePicture(
    join(dir, `${stem}.jpg`),
    4,
    2,
    paint(4, 2, () => [9, 9, 9]),
  )
  await writePicture(join(dir, `out/${stem}.png`), 4, 2, label)
}

/** Four local pairs, and their manifest's lines. */
async function makeSet() {
  const dir = await madeFolder()
  const stems = ['a_1', 'a_2', 'a_3', 'b_1']
  for (const stem of stems) await writePair(dir, stem)
  return { dir, file: join(dir, 'output.manifest'), lines: stems.map((stem) => line(`${stem}.jpg`, `out/${stem}.png`)) }
}

test('a manifest of local paths opens, is decoded by colour and split by drive', async () => {
  const { dir, file, lines } = await makeSet()
  const data = await openDataset(await writeManifest(file, lines), options)
  expect(data.val).toEqual([{ name: 'b_1', drive: 'b', picture: join(dir, 'b_1.jpg'), label: join(dir, 'out/b_1.png') }])
  expect([...(await data.readLabel(data.val[0]!.label!)).ids]).toEqual([0, 0, 0, 0, 1, 1, 1, 1])
  expect(await checkDataset(data)).toMatchObject({ train: 3, val: 1, roadShare: 0.5, skipped: [] })
})

test('labels may have a palette or an alpha channel, and every line its own colours', async () => {
  const { dir, file, lines } = await makeSet()
  const raw = { raw: { width: 4, height: 2, channels: 3 } } as const
  await sharp(half, raw).png({ palette: true }).toFile(join(dir, 'out/a_1.png'))
  await sharp(half, raw).ensureAlpha(0.5).toFile(join(dir, 'out/a_2.png'))
  await writePicture(
    join(dir, 'out/a_3.png'),
    4,
    2,
    paint(4, 2, () => [255, 0, 0]),
  )
  lines[2] = line('a_3.jpg', 'out/a_3.png', 'road-ref', '#FF0000')
  const data = await openDataset(await writeManifest(file, lines), options)
  const ids = await Promise.all(data.train.map(async ({ label }) => (await data.readLabel(label!)).ids.join('')))
  expect(ids).toEqual(['00001111', '00001111', '11111111'])
})

test('white is the background where no class has it', async () => {
  const { file, lines } = await makeSet()
  const kerb = { 'class-name': 'kerb', 'hex-color': '#1f77b4' }
  for (const one of lines)
    (one['road-ref-metadata'] as Record<string, unknown>)['internal-color-map'] = {
      '0': kerb,
      '1': { 'class-name': 'road', 'hex-color': '#2ca02c' },
    }
  const data = await openDataset(await writeManifest(file, lines), { ...options, classes: 'all' })
  expect(data.classes.map(({ name }) => name)).toEqual(['background', 'kerb', 'road'])
  expect([...(await data.readLabel(data.val[0]!.label!)).ids]).toEqual([0, 0, 0, 0, 2, 2, 2, 2])
})

test('lines without a label are skipped and counted, and of adjustments the last one counts', async () => {
  const { dir, file, lines } = await makeSet()
  await writePicture(
    join(dir, 'out/better.png'),
    4,
    2,
    paint(4, 2, () => green),
  )
  const adjusted = { ...lines[3], ...line('b_1.jpg', 'out/better.png', 'adjusted-road-ref') }
  const failed = { 'source-ref': 'c_2.jpg', 'road-ref-metadata': { 'failure-reason': 'no workers' } }
  const spec = await writeManifest(file, [...lines.slice(0, 3), adjusted, { 'source-ref': 'c_1.jpg' }, failed])
  const data = await openDataset(spec, options)
  expect(data.val[0]!.label).toBe(join(dir, 'out/better.png'))
  expect(await checkDataset(data)).toMatchObject({ trainingPictures: 6, train: 3, val: 1, labels: 4 })
  expect(data.skipped).toEqual(['c_1.jpg', 'c_2.jpg'].map((file) => ({ file, reason: 'a picture without a label' })))
})

test('s3:// is read from a copy of the bucket beside the manifest or around it', async () => {
  const lines = ['day1/a.jpg', 'day2/a.jpg'].map((key) =>
    line(`s3://roads/in/${key}`, `s3://roads/out/in/${key.replace('jpg', 'png')}`),
  )
  for (const [bucket, manifest] of [
    ['roads', 'output.manifest'],
    ['.', 'job/manifests/output/output.manifest'],
  ] as const) {
    const dir = await madeFolder()
    for (const day of ['day1', 'day2']) {
      await writePair(join(dir, bucket), `in/${day}/a`)
    }
    const data = await openDataset(await writeManifest(join(dir, manifest), lines), options)
    const samples = [...data.train, ...data.val].sort((a, b) => (a.name < b.name ? -1 : 1))
    expect(samples.map(({ name, drive }) => [name, drive])).toEqual([
      ['day1/a', 'day1'],
      ['day2/a', 'day2'],
    ])
    expect(samples[0]!.picture).toBe(join(dir, bucket, 'in/day1/a.jpg'))
    expect(await checkDataset(data)).toMatchObject({ train: 1, val: 1 })
  }
})

test('a bucket without a copy is refused with the command that makes one', async () => {
  const file = join(await madeFolder(), 'output.manifest')
  const spec = await writeManifest(file, [line('s3://no-such-bucket-here/a.jpg', 's3://no-such-bucket-here/a.png')])
  await expect(openDataset(spec, options)).rejects.toThrow(
    `expected a local copy of s3://no-such-bucket-here in its folder or one above, found none of a.jpg, …. Make one: aws s3 sync s3://no-such-bucket-here ${dirname(file)}/no-such-bucket-here`,
  )
})

test('one error names a colour in no map, a missing picture, a missing label and another size', async () => {
  const { dir, file, lines } = await makeSet()
  await rm(join(dir, 'a_1.jpg'))
  await rm(join(dir, 'out/a_2.png'))
  await writePicture(
    join(dir, 'out/a_3.png'),
    4,
    2,
    paint(4, 2, (x) => (x === 3 ? [1, 2, 3] : white)),
  )
  await writePicture(
    join(dir, 'out/b_1.png'),
    2,
    2,
    paint(2, 2, () => green),
  )
  const data = await openDataset(await writeManifest(file, lines), options)
  const { message }: Error = await checkDataset(data).then(
    () => expect.fail('found no fault'),
    (thrown: Error) => thrown,
  )
  expect(message).toContain('has 4 faults')
  expect(message).toContain(`out/a_1.png: a label without a picture, expected ${dir}/a_1.jpg`)
  expect(message).toMatch(/out\/a_2\.png: expected a label picture, which cannot be read: ENOENT/)
  expect(message).toContain('out/a_3.png: expected #2ca02c road, #ffffff BACKGROUND, found #010203 at x 3, y 0')
  expect(message).toMatch(/out\/b_1\.png: expected 4x2 like its picture .*b_1\.jpg, found 2x2/)
})

const good = line('a_1.jpg', 'out/a_1.png')
for (const [what, lines, message] of [
  ['a line that is no JSON', [good, 'road'], /output\.manifest:2: expected a JSON object in a line, found road/],
  ['a line without a picture', [{ source: 'text' }], /output\.manifest:1: expected an object with source-ref/],
  ['no label at all', [{ 'source-ref': 'a.jpg' }], /expected lines with a label.*none of 1 has one/],
  [
    'labels without colours',
    [{ ...good, 'road-ref-metadata': {} }],
    /:1: expected road-ref-metadata to have an internal-color-map/,
  ],
  [
    'a colour that is none',
    [line('a.jpg', 'a.png', 'road-ref', 'green')],
    /internal-color-map\.0\.hex-color: expected #rrggbb/,
  ],
  ['one colour for two classes', [line('a.jpg', 'a.png', 'road-ref', '#ffffff')], /found #ffffff for road and BACKGROUND/],
  [
    'labels of two jobs',
    [good, line('b_1.jpg', 'b.png', 'lane-ref')],
    /labels of one job and its adjustments, found road-ref, lane-ref/,
  ],
  ['another scheme', [line('https://host/a.jpg', 'a.png')], /local paths or s3:\/\/BUCKET\/KEY, found https:\/\/host\/a\.jpg/],
  [
    'no road',
    [JSON.stringify(good).replace('"road"', '"lawn"')],
    /expected a class called road and another one at least, found background, lawn/,
  ],
] as const)
  test(`a manifest with ${what} is refused`, async () => {
    const spec = await writeManifest(join(await madeFolder(), 'output.manifest'), [...lines])
    await expect(openDataset(spec, options)).rejects.toThrow(message)
  })

test('a manifest that is not there is refused', async () => {
  await expect(openDataset('groundtruth:nowhere.manifest', options)).rejects.toThrow(/nowhere\.manifest cannot be read/)
})

test('two pictures of one name in different folders are two samples, one picture twice is a fault', async () => {
  const { dir, file, lines } = await makeSet()
  await mkdir(join(dir, 'north'))
  await rename(join(dir, 'a_2.jpg'), join(dir, 'north/a_1.jpg'))
  lines[1] = line('north/a_1.jpg', 'out/a_2.png')
  expect(await checkDataset(await openDataset(await writeManifest(file, lines), options))).toMatchObject({ labels: 4 })
  const twice = await openDataset(await writeManifest(file, [...lines, lines[0]]), options)
  await expect(checkDataset(twice)).rejects.toThrow(/another sample is called a_1 too/)
})
