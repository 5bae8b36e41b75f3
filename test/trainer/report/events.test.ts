// The run's event file, as TensorFlow for Python reads it.
import { execFile } from 'node:child_process'
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import sharp from 'sharp'
import { expect, it } from 'vitest'
import { finishEvents, openEvents } from '../../../trainer/report/events.ts'
import { columns, type EpochRow } from '../../../trainer/report/log.ts'
import { writeBrightBundle } from '../../bright-bundle.ts'
import { hasPython, python } from '../../python.ts'
import { madeFolder } from '../data/made-sets.ts'

const script = `
import glob, json, sys
import tensorflow as tf
def read(folder):
    out = dict(versions=[], starts=[], scalars=[], pictures=[], nodes=[], times=[])
    for file in sorted(glob.glob(folder + '/*tfevents*')):
        for event in tf.compat.v1.train.summary_iterator(file):
            kind = event.WhichOneof('what')
            out['times'].append(event.wall_time)
            if kind == 'file_version': out['versions'].append(event.file_version)
            if kind == 'session_log': out['starts'].append([event.step, event.session_log.status])
            if kind == 'graph_def':
                graph = tf.compat.v1.GraphDef.FromString(event.graph_def)
                out['nodes'] = [node.name for node in graph.node]
            for value in event.summary.value:
                if value.HasField('image'):
                    picture = tf.io.decode_image(value.image.encoded_image_string)
                    out['pictures'].append([value.tag, event.step, value.image.width, value.image.height, picture.shape.as_list()])
                else: out['scalars'].append([value.tag, event.step, value.simple_value])
    return out
print(json.dumps([read(folder) for folder in sys.argv[1:]]))
`

const row = (epoch: number, value: number): EpochRow =>
  ({ ...Object.fromEntries(columns.map((column, i) => [column, value + i])), epoch, seconds: 60 }) as EpochRow

const started = new Date('2026-01-30T12:00:00Z')

/** A run of which epoch 3 was logged and not kept: it is done again, and gives something else. */
async function goneOn(): Promise<string> {
  const dir = join(await madeFolder(), 'run/tensorboard')
  const first = await openEvents(dir, [], started)
  for (const epoch of [1, 2, 3]) await first.epoch(row(epoch, epoch / 8))
  await first.close()
  const second = await openEvents(dir, [row(1, 1 / 8), row(2, 2 / 8)], started)
  await second.epoch({ ...row(3, 0.5), val_loss: Number.NaN })
  await second.close()
  expect(await readdir(dir)).toHaveLength(1)
  return dir
}

async function finished(): Promise<string> {
  const dir = await madeFolder()
  const paths = { augmentation: join(dir, 'none.jpg'), overlays: join(dir, 'overlays'), bundle: join(dir, 'bundle') }
  await mkdir(paths.overlays)
  await sharp({ create: { width: 40, height: 30, channels: 3, background: '#804080' } })
    .jpeg()
    .toFile(join(paths.overlays, 'contact-sheet.jpg'))
  await writeBrightBundle(paths.bundle)
  await finishEvents(await openEvents(join(dir, 'tensorboard'), [], started), 7, paths)
  return join(dir, 'tensorboard')
}

it.skipIf(!hasPython)('has every epoch once, also where a run went on, and in the end its pictures and its graph', async () => {
  const env = { ...process.env, TF_CPP_MIN_LOG_LEVEL: '3' }
  const { stdout } = await promisify(execFile)(python, ['-c', script, await goneOn(), await finished()], { env })
  const [{ versions, starts, scalars, times }, { pictures, nodes }] = JSON.parse(stdout.trim().split('\n').at(-1)!)

  expect([versions, starts]).toEqual([['brain.Event:2'], [[0, 1]]])
  const of = (wanted: string) => scalars.filter(([tag]: [string]) => tag === wanted)
  const column = columns.indexOf('train_loss')
  expect(of('loss/train')).toEqual([1 / 8, 2 / 8, 0.5].map((value, i) => ['loss/train', i + 1, value + column]))
  expect(scalars).toHaveLength(3 * 10 - 1)
  expect(of('loss/validation')).toHaveLength(2)
  expect(times.slice(2, 4)).toEqual([60, 120].map((seconds) => started.getTime() / 1000 + seconds))

  expect(pictures).toEqual([['overlays', 7, 40, 30, [30, 40, 3]]])
  expect(nodes).toContain('serve/mask')
})
