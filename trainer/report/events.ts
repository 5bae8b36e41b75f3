// The run for TensorBoard: its epochs as scalars, its sheets of pictures, its graph. The file is made from log.csv anew whenever
// a run starts or goes on, so that no step is in it twice and none that was dropped.
import { mkdir, open, readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { modelFile } from '../../deploy/bundle.ts'
import { event, eventFile, graphEvent, type Happening, pictureEvent, scalarsEvent, startEvent } from '../graph/event-file.ts'
import { viewNodes } from '../graph/graph-view.ts'
import { readSavedModel } from '../graph/read-graph.ts'
import { ancestors } from '../graph/saved-shapes.ts'
import type { EpochRow } from './log.ts'
import { writeAtomically } from './write-atomically.ts'

export interface Events {
  /** Adds an epoch's numbers; its step is the epoch. */
  epoch(row: EpochRow): Promise<void>
  /** Adds a picture file, a JPEG or PNG. */
  picture(step: number, tag: string, file: string): Promise<void>
  /** Adds the graph of a SavedModel. */
  graph(savedModel: string): Promise<void>
  close(): Promise<void>
}

/** TensorBoard draws those with the same first part beside each other. */
const scalars = (row: EpochRow): Happening =>
  scalarsEvent(row.epoch, {
    'loss/train': row.train_loss,
    'loss/validation': row.val_loss,
    'validation/road_iou': row.road_iou,
    'validation/mean_iou': row.mean_iou,
    'validation/pixel_accuracy': row.pixel_accuracy,
    'validation/max_f': row.max_f,
    'training/learning_rate': row.learning_rate,
    'training/pictures_per_second': row.pictures_per_second,
    'training/waiting_share': row.waiting_share,
    'training/seconds': row.seconds,
  })

/** Makes the folder and in it a file with the epochs so far in place of an earlier one. `started`: when the run began. */
export async function openEvents(dir: string, rows: readonly EpochRow[], started: Date): Promise<Events> {
  await mkdir(dir, { recursive: true })
  const earlier = (await readdir(dir)).filter((name) => name.includes('tfevents'))
  // TensorBoard reads a folder's files in the order of their names.
  const name = `events.out.tfevents.${Math.floor(Date.now() / 1000)}.roadmask`
  let seconds = started.getTime() / 1000
  const epochs = rows.flatMap((row) => {
    seconds += row.seconds
    return event(seconds, scalars(row))
  })
  await writeAtomically(join(dir, name), Buffer.concat([...eventFile(started.getTime() / 1000, [startEvent]), ...epochs]))
  for (const other of earlier) if (other !== name) await rm(join(dir, other))
  const file = await open(join(dir, name), 'a')
  const append = (happening: Happening) => file.appendFile(Buffer.concat(event(Date.now() / 1000, happening)))
  return {
    epoch: (row) => append(scalars(row)),
    async picture(step, tag, path) {
      const bytes = await readFile(path)
      const { width, height } = await sharp(bytes).metadata()
      await append(pictureEvent(step, tag, bytes, width, height))
    },
    async graph(savedModel) {
      const { nodes, signatures } = readSavedModel(await readFile(savedModel))
      const outputs = Object.values(signatures).flatMap(({ outputs }) => Object.values(outputs).map(({ ref }) => ref))
      await append(graphEvent(viewNodes(ancestors(nodes, outputs))))
    },
    close: () => file.close(),
  }
}

/** Adds what a run ends with: its sheets of pictures and the graph of its bundle. Closes the file. */
export async function finishEvents(
  events: Events,
  epoch: number,
  { augmentation, overlays, bundle }: { augmentation: string; overlays: string; bundle: string },
): Promise<void> {
  if (await stat(augmentation).catch(() => undefined)) await events.picture(0, 'augmentation', augmentation)
  await events.picture(epoch, 'overlays', join(overlays, 'contact-sheet.jpg'))
  await events.graph(join(bundle, modelFile))
  await events.close()
}
