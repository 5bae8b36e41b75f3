// Trains a road model:  npm run trainer -- --epochs 30   (--help for more)
// Reads top to bottom: settings, data, model, loop, report, bundle.
import { basename } from 'node:path'
import * as tf from '@tensorflow/tfjs-node-gpu'
import type { NodeJSKernelBackend } from '@tensorflow/tfjs-node-gpu/dist/nodejs_kernel_backend.js'
import type { ModelInput } from '../deploy/bundle.ts'
import { expectOutputFolder } from '../deploy/make-folder.ts'
import { nearest } from '../deploy/nearest.ts'
import { batches, loadPictures } from './data/batches.ts'
import { checkDataset, expectTrainable } from './data/check-dataset.ts'
import { readClassMap } from './data/class-map.ts'
import { defaultData } from './data/default-data.ts'
import { joinDatasets, openDatasets } from './data/open-dataset.ts'
import { printStatistics } from './data/print-statistics.ts'
import { readLeaveOut } from './data/split.ts'
import { finishRun, summary } from './finish/finish-run.ts'
import { classWeights } from './learn/class-weights.ts'
import { earlyStop } from './learn/early-stop.ts'
import { explainFailure } from './learn/explain-failure.ts'
import { buildNetwork, openLearner } from './learn/learner.ts'
import { learningRateAt } from './learn/schedule.ts'
import { listenForStop } from './learn/stop-signal.ts'
import { openTeacher } from './learn/teacher.ts'
import { validate } from './metrics/validate.ts'
import { finishEvents, openEvents } from './report/events.ts'
import { openLog } from './report/log.ts'
import { measured, readCompared, writeMeasured } from './report/measured.ts'
import { plotHistory } from './report/plots.ts'
import { startProgress } from './report/progress.ts'
import { reportRun } from './report/report-run.ts'
import { showAugmentation } from './report/show-augmentation.ts'
import { keepCheckpoint, readCheckpoint, saveCheckpoint } from './run/checkpoint.ts'
import { help, readCommandLine } from './run/command-line.ts'
import { listRuns } from './run/list-runs.ts'
import {
  commit,
  described,
  expectBegun,
  expectSameData,
  lockRun,
  newRunFolder,
  type RunRecord,
  readRun,
  runPaths,
  saveRecord,
  startRun,
} from './run/run.ts'
import { goOn, inputFor, settle } from './run/settings.ts'
import { slowLayers } from './transfer/adopt.ts'
import { openPrevious } from './transfer/previous.ts'
import { startNetwork } from './transfer/start-network.ts'

/** Whether a weight or a moment is such that no training comes back from it. */
const isRunaway = (value: number) => !(Math.abs(value) < 1e15)

async function train(args: string[]): Promise<void> {
  // Settings
  const line = readCommandLine(args)
  if (!line) return void console.log(help)
  const gpu = (tf.backend() as NodeJSKernelBackend).isUsingGpuDevice
  const resumed = line.resume === undefined ? undefined : await readRun(line.resume)
  const previous = line.from === undefined ? undefined : await openPrevious(line.from)
  const settings = resumed ? goOn(resumed.settings, line) : settle(line, gpu, previous)
  const dir = line.resume ?? line.run ?? newRunFolder(settings.preset)
  const paths = runPaths(dir)
  if (resumed) {
    await expectBegun(dir)
    await lockRun(dir)
  } else await expectOutputFolder(dir)
  const compare = line.compare.length > 0 ? line.compare : (resumed?.compare ?? [])
  const compared = await Promise.all(compare.map(readCompared))

  // Data
  if (line['leave-out']) settings.leaveOut = await readLeaveOut(line['leave-out'])
  if (line['class-map']) settings.classMap = await readClassMap(line['class-map'])
  if (settings.data.length === 0) settings.data = [await defaultData(settings.seed)]
  const opened = await openDatasets(settings.data, settings)
  const checked = await Promise.all(opened.map(checkDataset))
  for (const statistics of checked) printStatistics(statistics)
  const data = joinDatasets(opened)
  expectTrainable(data, settings.teacher !== undefined)
  if (checked.every(({ roadShare }) => roadShare === 0))
    throw new Error(
      `Expected road in the labels of ${data.name}, found no pixel of it: nothing could be learnt. See what the labels hold by inspect, and what --class-map says they mean.`,
    )
  const size = settings.input ?? inputFor(checked[0]!.sizes[0]!, previous?.input)
  const { fit } = settings
  const input: ModelInput = resumed?.input ?? { ...size, fit, resizer: 'bilinear', matrix: 'bt601', range: 'video' }
  const trainPictures = await loadPictures(data, data.train, input)
  const valPictures = await loadPictures(data, data.val, input)
  const record: RunRecord = resumed
    ? { ...resumed, settings, compare }
    : {
        name: basename(dir),
        started: new Date().toISOString(),
        commit: await commit(),
        settings,
        input,
        data: checked.map((statistics, i) => described(settings.data[i]!, statistics)),
        compare,
      }
  expectSameData(dir, record, checked)

  // Model
  const weights = await classWeights(settings.classWeights, data.classes, trainPictures)
  const teacher = settings.teacher ? await openTeacher(settings.teacher, input, data.classes) : undefined
  const network = buildNetwork(settings, input, data.classes.length)
  const start = await startNetwork(network.model, { previous, vgg16: line.vgg16 }, settings, data.classes, trainPictures)
  if (start) record.start = start
  if (teacher) {
    record.teacher = { name: teacher.name, data: teacher.data }
    console.log(`\nTaught by ${teacher.name}, whose part in the loss is ${settings.teacherShare}`)
  }
  const steps = Math.ceil(data.train.length / settings.batch)
  const learner = await openLearner(settings, input, data.classes.length, {
    classWeights: weights,
    teacher,
    loaded: record.start && slowLayers(record.start, settings, steps),
    network,
  })
  teacher?.close()
  const checkpoint = resumed && (await readCheckpoint(paths.last))
  if (checkpoint) {
    learner.restore(checkpoint.state)
    // A power cut can come between the two names of one checkpoint.
    if (checkpoint.best.epoch === checkpoint.epoch && checkpoint.lossSum === undefined)
      await keepCheckpoint(paths.last, paths.best)
    if (checkpoint.epoch >= settings.epochs)
      console.log(
        `\nAll ${checkpoint.epoch} epochs are done; bundle and overlays are written again. A larger --epochs trains on.`,
      )
    await saveRecord(dir, record)
  } else {
    await startRun(dir, record)
    if (settings.augment !== 'none') await showAugmentation(paths.augmentation, trainPictures, settings, data.road)
  }
  console.log(
    `\n${settings.net} on VGG16, width ${settings.width}, fc ${settings.fc}: ${(learner.parameters / 1e6).toFixed(1)} M parameters, ` +
      `${input.width} x ${input.height}, batch ${settings.batch}, on the ${gpu ? 'GPU' : 'CPU'}; run folder ${dir}\n`,
  )
  if (weights)
    console.log(`Class weights: ${data.classes.map(({ name }, i) => `${name} ${weights[i]!.toFixed(3)}`).join(', ')}\n`)
  if (start?.layers.every(({ start }) => start === 'loaded')) {
    const { measures } = await validate(data, valPictures, { input, batch: settings.batch }, learner.score)
    console.log(`Before training, on these validation pictures: road IoU ${measures.road_iou.toFixed(4)}\n`)
  }

  // Loop
  let [step, best] = [checkpoint?.step ?? 0, checkpoint?.best ?? { epoch: 0, road_iou: Number.NEGATIVE_INFINITY }]
  const epochsDone = checkpoint?.epoch ?? 0
  const log = await openLog(paths.log, epochsDone)
  const events = await openEvents(paths.tensorboard, log.rows, new Date(record.started))
  const progress = startProgress({ epochs: settings.epochs, steps, epochsDone })
  const stop = listenForStop((signal, again) => {
    if (again) process.exit(130)
    progress.note(`${signal}: stopping after this step, which is kept.`)
  })
  const keptOf = (epoch: number) =>
    epoch > 1 ? `the epoch before is in ${paths.last}` : 'nothing was kept, since no epoch was done before'
  let ended = earlyStop(log.rows, settings)
  for (let epoch = epochsDone + 1; epoch <= settings.epochs && !stop.asked && !ended; epoch++) {
    const started = performance.now()
    // Steps of this epoch that were done before the run was stopped.
    const done = step - (epoch - 1) * steps
    let lossSum = done > 0 ? (checkpoint?.lossSum ?? 0) : 0
    let [rateSum, waited, pictures] = [0, 0, 0]
    for (let i = step - done + 1; i <= step; i++) rateSum += learningRateAt(i, steps, settings)
    for await (const batch of batches(trainPictures, settings.batch, { seed: settings.seed, epoch, done })) {
      if (stop.asked) break
      const learningRate = learningRateAt(++step, steps, settings)
      const loss = learner.step(batch.pictures, batch.labels, learningRate, step)
      if (!Number.isFinite(loss))
        throw new Error(
          `The loss is ${loss} at step ${step} of epoch ${epoch}. Lower --learning-rate (${settings.learningRate}); ${keptOf(epoch)}.`,
        )
      lossSum += loss
      rateSum += learningRate
      waited += batch.waitedMs
      pictures += settings.batch
      progress.step({ step: done + pictures / settings.batch, loss, pictures })
      // A step holds this thread; signals and the progress of reading files get their turn here.
      await new Promise(setImmediate)
    }
    if (stop.asked) {
      await saveCheckpoint(paths.last, { epoch: epoch - 1, step, best, state: learner.state(), lossSum })
      break
    }
    const trained = performance.now() - started

    const { measures, loss: valLoss } = await validate(
      data,
      valPictures,
      { input, batch: settings.batch, onProgress: progress.validated },
      learner.score,
    )
    // Road IoU is undefined where no validation picture has road; then the latest epoch counts as the best.
    const better = best.epoch === 0 || measures.road_iou > best.road_iou || Number.isNaN(measures.road_iou)
    if (better) best = { epoch, road_iou: measures.road_iou }
    const row = {
      epoch,
      seconds: (performance.now() - started) / 1000,
      learning_rate: rateSum / steps,
      train_loss: lossSum / steps,
      val_loss: valLoss,
      pixel_accuracy: measures.pixel_accuracy,
      road_iou: measures.road_iou,
      mean_iou: measures.mean_iou,
      max_f: measures.max_f,
      waiting_share: waited / trained,
      pictures_per_second: (1000 * pictures) / trained,
    }
    // The log first: rows that are later than the checkpoint are dropped when a run goes on.
    await log.append(row)
    await events.epoch(row)
    const state = learner.state()
    if (state.get('loss_scale')?.values[0] === 1)
      throw new Error(
        `Gradients are too large for float16 even unscaled, so that steps are left out (epoch ${epoch}). Use --compute bfloat16; ${keptOf(epoch)}.`,
      )
    if (!Number.isFinite(valLoss) && [...state.values()].some(({ values }) => values.some(isRunaway)))
      throw new Error(
        `The weights have grown beyond all numbers in epoch ${epoch}. Lower --learning-rate (${settings.learningRate}); ${keptOf(epoch)}.`,
      )
    await saveCheckpoint(paths.last, { epoch, step, best, state })
    if (better) await keepCheckpoint(paths.last, paths.best)
    await plotHistory(log.rows, dir, { run: record.name, bestEpoch: best.epoch, loss: settings.loss })
    progress.epoch(row, better)
    ended = earlyStop(log.rows, settings)
  }
  progress.end()
  await log.close()
  stop.end()
  if (stop.asked) {
    await events.close()
    console.log(`\nStopped. Go on with: npm run trainer -- --resume ${dir}`)
    process.exitCode = 130
    return
  }

  if (ended) console.log(`\n${ended} A --resume with --patience 0 trains on.`)

  // Bundle and report, from the best epoch and of the network as it will run
  learner.close()
  const kept = buildNetwork(settings, input, data.classes.length)
  kept.load((await readCheckpoint(paths.best)).state)
  const finished = await finishRun(kept, record, { ...settings, input, data, valPictures }, paths)
  kept.close()
  const measuredOn = record.data.filter((_, i) => opened[i]!.val.length > 0)
  const about = { data, measuredOn, split: 'val', rows: log.rows, bestEpoch: best.epoch, compared }
  await writeMeasured(
    dir,
    measured({ name: record.name, split: about.split, data: measuredOn, classes: data.classes }, finished.validation),
  )
  await reportRun(paths.report, finished, about)
  await finishEvents(events, log.rows.length, paths)
  const waiting = log.rows.reduce((sum, row) => sum + row.waiting_share, 0) / log.rows.length
  console.log(`\nBest epoch ${best.epoch}: ${summary(finished)}. ${(100 * waiting).toFixed(1)} % of the time waited for data.`)
  console.log(
    `Report ${paths.report}; plots ${dir}/accuracy.png, ${dir}/loss.png; pictures ${paths.overlays}/contact-sheet.jpg; bundle ${paths.bundle}`,
  )
  console.log(`Run it: npm run agent -- --bundle ${paths.bundle}`)
}

/** What the trainer does beside training, by its first argument. */
const commands: Record<string, (args: string[]) => Promise<void>> = {
  runs: async ([dir = 'runs']) => console.log(await listRuns(dir)),
  inspect: async (args) => (await import('./inspect/inspect.ts')).inspect(args),
  synthetic: async (args) => (await import('./data/synthetic/synthesise.ts')).synthesise(args),
  masks: async (args) => (await import('./masks/write-masks.ts')).writeMasks(args),
  sagemaker: async (args) => (await import('./sagemaker/launch-job.ts')).launchJob(args),
  label: async (args) => (await import('./sagemaker/label-pictures.ts')).labelPictures(args),
}

function unknownCommand(name: string) {
  const meant = nearest(name, Object.keys(commands))
  const known = Object.keys(commands).join(', ')
  return () =>
    Promise.reject(
      new Error(`Unknown command ${name}${meant ? `; did you mean ${meant}?` : `; there are ${known}.`} --help says more.`),
    )
}

const [first = '', ...others] = process.argv.slice(2)
const command = /^[a-z]/.test(first) ? (commands[first] ?? unknownCommand(first)) : undefined
const ran = command ? command(others) : train(process.argv.slice(2))
ran.catch((error: Error) => {
  console.error(`\n${command ? error.message : explainFailure(error)}`)
  process.exitCode = 1
})
