// The network as it will run on a device, before it is written as a bundle: for the final measures and pictures.
import { basename } from 'node:path'
import * as tf from '@tensorflow/tfjs-node-gpu'
import { inBfloat16, type Manifest, type ModelInput, modelFile, writeBundle } from '../../deploy/bundle.ts'
import type { Dataset } from '../data/dataset.ts'
import { type Graph, savedModel } from '../graph/graph.ts'
import { openSession } from '../graph/session.ts'
import type { Network } from '../learn/learner.ts'
import { flatMeasures } from '../metrics/measure.ts'
import type { Validation } from '../metrics/validate.ts'
import { type InferencePrecision, recordInference } from '../model/export.ts'
import { modelCard } from '../report/model-card.ts'
import type { RunRecord } from '../run/run.ts'
import type { Latency } from './time-calls.ts'

export interface FinishedModel {
  /** Probability of road [n, h, w] for two classes, else of all [n, h, w, classes], for uint8 pictures [n, h, w, 3]. */
  score(pictures: Uint8Array, n: number): Float32Array
  /** Writes the bundle with what was measured, and gives its manifest. */
  writeBundle(dir: string, about: About): Promise<Manifest>
  close(): void
}

/** What a bundle's manifest and model card say of a model beside its shape. */
interface About {
  record: RunRecord
  data: Dataset & { threshold?: number | undefined }
  validation: Validation
  latency: Latency
  precision: Manifest['precision']
  looks: Manifest['looks']
}

/** Records a network for inference and loads it; of one that computes in `auto`, what it is in bfloat16. */
export async function finishModel(
  network: Network,
  input: ModelInput,
  precision: InferencePrecision = {},
): Promise<FinishedModel> {
  const graph = recordInference(network.model, network.architecture, precision)
  const session = await openSession(graph)
  const score = precision.compute === 'auto' ? inBfloat16('score') : 'score'
  return {
    score(pictures, n) {
      const tensor = tf.tensor(pictures, [n, input.height, input.width, 3], 'bool')
      const { probability } = session.call(score, { pictures: tensor })
      const values = probability!.dataSync() as Float32Array
      tf.dispose([tensor, probability!])
      return values
    },
    async writeBundle(dir, about) {
      const told = manifest(network, input, about)
      const card = Buffer.from(modelCard({ manifest: told, ...about }))
      return (await writeBundle(dir, told, { [modelFile]: bytesOf(graph), 'README.md': card })).manifest
    },
    close: () => session.close(),
  }
}

const bytesOf = (graph: Graph) => Buffer.concat(savedModel(graph))

function manifest(
  { architecture, parameters }: Network,
  input: ModelInput,
  { record, data: { classes, road, threshold }, validation, precision, looks }: About,
): Omit<Manifest, 'files' | 'format' | 'version'> {
  const { net, width, fc, batchNorm } = architecture
  const { name, started, commit, settings, data, start, teacher: taught } = record
  const { data: _, teacher, ...told } = settings
  return {
    name,
    created: started,
    architecture: { net, encoder: 'vgg16', width, fc, batchNorm, parameters },
    input,
    classes,
    road,
    ...(threshold !== undefined && { threshold }),
    measures: flatMeasures(validation.measures),
    ...(precision && { precision }),
    ...(looks && { looks }),
    data: withoutTwins([...data, ...(start?.data ?? []), ...(taught?.data ?? [])]),
    commit,
    settings: { ...told, ...(teacher && { teacher: basename(teacher) }) },
  }
}

const withoutTwins = (data: Manifest['data']) =>
  data.filter(({ fingerprint }, i) => data.findIndex((other) => other.fingerprint === fingerprint) === i)
