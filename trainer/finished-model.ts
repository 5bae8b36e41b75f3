// The network as it will run on a device, before it is written as a bundle: for the final measures and pictures.
import * as tf from '@tensorflow/tfjs-node-gpu'
import { type Manifest, type ModelInput, modelFile, writeBundle } from '../deploy/bundle.ts'
import type { Dataset } from './data/dataset.ts'
import { type Graph, savedModel } from './graph/graph.ts'
import { openSession } from './graph/session.ts'
import type { Learner } from './learner.ts'
import { recordInference } from './model/export.ts'
import type { RunRecord } from './run.ts'

export interface FinishedModel {
  /** Probability of road [n, h, w] for two classes, else of all [n, h, w, classes], for uint8 pictures [n, h, w, 3]. */
  score(pictures: Uint8Array, n: number): Float32Array
  /** Writes the bundle with what was measured. */
  writeBundle(dir: string, about: { record: RunRecord; data: Dataset; measures: Record<string, number> }): Promise<void>
  close(): void
}

/** Records the network of a learner for inference and loads it. */
export async function finishModel(learner: Learner, input: ModelInput, storage: Graph['storage']): Promise<FinishedModel> {
  const graph = recordInference(learner.model, learner.architecture, storage)
  const session = await openSession(graph)
  return {
    score(pictures, n) {
      const tensor = tf.tensor(pictures, [n, input.height, input.width, 3], 'bool')
      const { probability } = session.call('score', { pictures: tensor })
      const values = probability!.dataSync() as Float32Array
      tf.dispose([tensor, probability!])
      return values
    },
    async writeBundle(dir, { record, data, measures }) {
      await writeBundle(dir, manifest(learner, input, record, data, measures), { [modelFile]: bytesOf(graph) })
    },
    close: () => session.close(),
  }
}

const bytesOf = (graph: Graph) => Buffer.concat(savedModel(graph))

function manifest(
  { architecture, parameters }: Learner,
  input: ModelInput,
  { name, started, commit, settings, data: described }: RunRecord,
  { classes, road }: Dataset,
  measures: Record<string, number>,
): Omit<Manifest, 'files' | 'format' | 'version'> {
  const { net, width, fc, batchNorm } = architecture
  const { data: _, ...told } = settings
  return {
    name,
    created: started,
    architecture: { net, encoder: 'vgg16', width, fc, batchNorm, parameters },
    input,
    classes,
    road,
    measures,
    data: described,
    commit,
    settings: told,
  }
}
