// A bundle of a network that was never trained, in another width, to measure with:
// node random-bundle.js WIDTH BUNDLE FOLDER takes input, classes and kind of network from BUNDLE.
import { basename } from 'node:path'
import { modelFile, openBundle, writeBundle } from '../../deploy/bundle.ts'
import { savedModel } from '../graph/graph.ts'
import { recordInference } from '../model/export.ts'
import { buildFcn } from '../model/fcn.ts'

const [times = '', like = '', folder = ''] = process.argv.slice(2)
const width = Number(times)
const { manifest } = await openBundle(like)
const { input, classes, road, architecture } = manifest
const { net, batchNorm } = architecture
const fc = Math.round(4096 * width)
const shape = { net, width, fc, batchNorm, dropout: 0, classes: classes.length }
const model = buildFcn(shape, input.height, input.width, 1)
const graph = recordInference(model, shape, { storage: 'float16' })
await writeBundle(
  folder,
  {
    name: basename(folder),
    created: new Date().toISOString(),
    architecture: { net, encoder: 'vgg16', width, fc, batchNorm, parameters: model.countParams() },
    input,
    classes,
    road,
    measures: {},
    data: [],
    commit: 'none',
    settings: {},
  },
  { [modelFile]: Buffer.concat(savedModel(graph)) },
)
