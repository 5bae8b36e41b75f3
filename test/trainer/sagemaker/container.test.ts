// The training image's programs in a folder that stands for /opt/ml.
import { once } from 'node:events'
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import sharp from 'sharp'
import { describe, expect, it, vi } from 'vitest'
import { openBundle } from '../../../deploy/bundle.ts'
import { readLog } from '../../../trainer/report/log.ts'
import { metricDefinitions, metricLine } from '../../../trainer/sagemaker/metrics.ts'
import { serveBundle } from '../../../trainer/sagemaker/serve-bundle.ts'
import { writeBrightBundle } from '../../bright-bundle.ts'
import { type OnOutput, runProgram } from '../../run-program.ts'
import { madeFolder, makeKitti, paint, writePicture } from '../data/made-sets.ts'

const small = { preset: 'jetson', width: '0.1', fc: '16', input: '48x24', batch: '2', augment: 'plain' }

/** Runs the container's program on an /opt/ml. */
function start(root: string, args: string[], onOutput?: OnOutput) {
  const env = { ...process.env, ROADMASK_ML_ROOT: root, SAGEMAKER_BIND_TO_PORT: '0' }
  return runProgram('trainer/sagemaker/container.js', args, { env, onOutput })
}

/** An /opt/ml with these hyper-parameters and, in channel `training`, a set in KITTI's layout. */
async function makeMl(hyperparameters: Record<string, string>): Promise<string> {
  const root = await madeFolder()
  await mkdir(join(root, 'input/config'), { recursive: true })
  await writeFile(join(root, 'input/config/hyperparameters.json'), JSON.stringify(hyperparameters))
  await writeFile(join(root, 'input/config/resourceconfig.json'), '{"current_host":"algo-1","hosts":["algo-1"]}')
  const channels = { training: { TrainingInputMode: 'File', S3DistributionType: 'FullyReplicated', RecordWrapperType: 'None' } }
  await writeFile(join(root, 'input/config/inputdataconfig.json'), JSON.stringify(channels))
  await cp(await makeKitti({ um: 4, uu: 2 }, 48, 24), join(root, 'input/data/training/data_road'), { recursive: true })
  return root
}

/** The measures of a printed line by name, as SageMaker reads them. */
const readMetrics = (line: string) =>
  Object.fromEntries(
    metricDefinitions.flatMap(({ Name, Regex }) => {
      const value = new RegExp(Regex).exec(line)?.[1]
      return value === undefined ? [] : [[Name, Number(value)]]
    }),
  )

const failure = (root: string) => readFile(join(root, 'output/failure'), 'utf8')

describe('IMAGE train', () => {
  it('learns from a channel, prints its measures as the job finds them, and leaves model and report', async () => {
    const root = await makeMl({ ...small, epochs: '2', learning_rate: '"0.01"', sagemaker_region: '"eu-west-1"' })
    vi.stubEnv('TRAINING_JOB_NAME', 'roads-7')
    const { code, out, err } = await start(root, ['train']).finally(() => vi.unstubAllEnvs())
    expect({ code, err }).toMatchObject({ code: 0 })
    const lines = out.split('\n').filter((line) => line.startsWith('epoch='))
    const rows = await readLog(join(root, 'output/data/log.csv'))
    expect(lines.map(readMetrics)).toEqual(
      rows.map((row) => ({
        'validation:mIOU': row.mean_iou,
        'validation:pixel_accuracy': row.pixel_accuracy,
        'validation:road_IOU': row.road_iou,
        'validation:loss': row.val_loss,
        'train:loss': row.train_loss,
      })),
    )
    expect(Object.keys(readMetrics(lines[1]!))).toHaveLength(metricDefinitions.length)
    const { manifest } = await openBundle(join(root, 'model'))
    expect(manifest).toMatchObject({ name: 'roads-7', settings: { epochs: 2, learningRate: 0.01 } })
    expect(await readdir(join(root, 'output/data'))).toEqual(
      expect.arrayContaining(['report.html', 'accuracy.png', 'loss.png', 'measures.json', 'overlays']),
    )
    expect(await readdir(join(root, 'output'))).toEqual(['data'])
  })

  it('stopped by SIGTERM keeps checkpoint and best bundle; started again it goes on; other settings are refused', async () => {
    const wanted = { ...small, epochs: '60', dropout: '0.3' }
    const halved = await makeMl(wanted)
    let asked = false
    const stopped = await start(halved, ['train'], (out, kill) => {
      if (asked || !out.includes('epoch=1;')) return
      asked = true
      kill('SIGTERM')
    })
    expect(stopped).toMatchObject({ code: 130, out: expect.stringContaining('SIGTERM: stopping') })
    await openBundle(join(halved, 'model'))
    expect(await readdir(join(halved, 'output'))).toEqual(['data'])

    const config = join(halved, 'input/config/hyperparameters.json')
    await writeFile(config, JSON.stringify({ ...wanted, dropout: '0.5' }))
    expect(await start(halved, ['train'])).toMatchObject({ code: 1 })
    expect(await failure(halved)).toMatch(/another run: this one is without --dropout 0.3, with --dropout 0.5/)

    const told = stopped.out.match(/^epoch=.*$/gm)!
    const epochs = told.length + 1
    await writeFile(config, JSON.stringify({ ...wanted, epochs: String(epochs) }))
    const resumed = await start(halved, ['train'])
    expect(resumed.code).toBe(0)
    const rows = await readLog(join(halved, 'output/data/log.csv'))
    expect(rows.map(({ epoch }) => epoch)).toEqual(Array.from({ length: epochs }, (_, i) => i + 1))
    expect([...told, ...resumed.out.match(/^epoch=.*$/gm)!]).toEqual(rows.map(metricLine))
  })

  it.each([
    ['an unknown hyper-parameter', { epohs: '3' }, async () => {}, /^unknown hyper-parameter epohs; did you mean epochs\?/],
    ['a wrong value', { epochs: 'many' }, async () => {}, /^--epochs: expected a number, found many$/],
    [
      'a data set with a fault',
      small,
      (root: string) => rm(join(root, 'input/data/training/data_road/training/image_2/um_000001.png')),
      /^kitti:.* has a fault; nothing was trained.*\n.*um_road_000001\.png/,
    ],
    [
      'a channel it does not know',
      {},
      (root: string) => rm(join(root, 'input/data/training/data_road/training'), { recursive: true }),
      /^Channel training: expected a data set: .*found data_road in/,
    ],
    [
      'more instances than one',
      {},
      (root: string) => writeFile(join(root, 'input/config/resourceconfig.json'), '{"hosts":["algo-1","algo-2"]}'),
      /^Expected one instance, found 2/,
    ],
  ])('says %s in output/failure and ends with 1', async (_, hyperparameters, spoil, message) => {
    const root = await makeMl(hyperparameters)
    await spoil(root)
    expect(await start(root, ['train'])).toMatchObject({ code: 1 })
    expect(await failure(root)).toMatch(message)
    expect(await readdir(root)).not.toContain('model')
  })
})

describe('IMAGE serve', () => {
  it('answers /ping when the model is loaded, and pictures with masks of their size', async () => {
    const root = await madeFolder()
    await writeBrightBundle(join(root, 'model'), { width: 32, height: 32 })
    // Wider than the model's square: what lies outside the crop is unseen, 255.
    const picture = join(root, 'picture.png')
    await writePicture(
      picture,
      80,
      40,
      paint(80, 40, (x) => (x < 40 ? [250, 250, 250] : [5, 5, 5])),
    )
    const asked: Promise<void>[] = []
    const ask = async (port: string, kill: (signal: NodeJS.Signals) => void) => {
      const url = `http://127.0.0.1:${port}`
      const post = (body: Uint8Array<ArrayBuffer> | string, headers: Record<string, string>) =>
        fetch(`${url}/invocations`, { method: 'POST', body, headers })
      const png = Uint8Array.from(await readFile(picture))
      try {
        expect((await fetch(`${url}/ping`)).status).toBe(200)
        const jpeg = Uint8Array.from(await sharp(png).jpeg().toBuffer())
        for (const [body, type] of [[png, 'image/png'] as const, [jpeg, 'image/jpeg'] as const]) {
          const answer = await post(body, { 'content-type': type })
          expect(answer.headers.get('content-type')).toBe('image/png')
          const mask = sharp(Buffer.from(await answer.arrayBuffer()))
          expect(await mask.metadata()).toMatchObject({ width: 80, height: 40, channels: 1 })
          const data = await mask.extractChannel(0).raw().toBuffer()
          expect([0, 25, 55, 79].map((x) => data[20 * 80 + x])).toEqual([255, 1, 0, 255])
        }
        const facts = await (await post(png, { 'content-type': 'image/png', accept: 'application/json' })).json()
        expect(facts).toMatchObject({
          model: 'bright',
          width: 80,
          height: 40,
          road_percent: 50,
          classes: { other: 50, road: 50 },
        })
        const refused = async (answer: Promise<Response>) => [(await answer).status, await (await answer).text()]
        expect(await refused(post('none', { 'content-type': 'image/png' }))).toEqual([
          400,
          expect.stringMatching(/4 bytes cannot be read/),
        ])
        expect(await refused(post(png, { 'content-type': 'text/csv' }))).toEqual([
          415,
          expect.stringMatching(/found content type text\/csv/),
        ])
        expect(await refused(post(png, { 'content-type': 'image/png', accept: 'text/csv' }))).toEqual([406, expect.any(String)])
        expect((await post(new Uint8Array(26 * 2 ** 20), { 'content-type': 'image/png' })).status).toBe(413)
        expect((await fetch(`${url}/invocations`)).status).toBe(405)
        expect((await fetch(`${url}/models`)).status).toBe(404)
      } finally {
        kill('SIGTERM')
      }
    }
    const { code } = await start(root, ['serve'], (out, kill) => {
      const port = /bright answers on port (\d+)/.exec(out)?.[1]
      if (port && asked.length === 0) asked.push(ask(port, kill))
    })
    await Promise.all(asked)
    expect(asked).toHaveLength(1)
    expect(code).toBe(0)
  })

  it('answers 503 while the model is being loaded', async () => {
    const server = serveBundle(() => undefined).listen(0)
    await once(server, 'listening')
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    expect((await fetch(`${url}/ping`)).status).toBe(503)
    expect((await fetch(`${url}/invocations`, { method: 'POST' })).status).toBe(503)
    server.close()
  })

  it('ends with a sentence where there is no model', async () => {
    const root = await madeFolder()
    expect(await start(root, ['serve'])).toMatchObject({ code: 1, err: expect.stringMatching(/Expected a bundle in .*model/) })
  })
})
