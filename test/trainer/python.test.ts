// The exported SavedModel in TensorFlow for Python: what a customer would do with it outside this project.
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import * as tf from '@tensorflow/tfjs-node-gpu'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openSession, writeSavedModel } from '../../trainer/graph/session.ts'
import { recordInference } from '../../trainer/model/export.ts'
import { buildFcn } from '../../trainer/model/fcn.ts'
import { hasPython, python } from '../python.ts'

const script = `
import json, sys
import numpy as np
import tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
size = json.loads(sys.argv[2])
pictures = np.fromfile(sys.argv[3], np.uint8).reshape(size)
served = model.signatures["serve"](pictures=tf.constant(pictures))
logits = model.signatures["logits"](pictures=tf.constant(pictures))["logits"].numpy()
logits.astype(np.float32).tofile(sys.argv[4])
print(json.dumps({"version": tf.__version__, "mask": served["mask"].shape.as_list(), "road": served["class_share"].numpy()[:, 1].tolist()}))
`

describe.skipIf(!hasPython)('the SavedModel', () => {
  let dir: string
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'roadmask-python-'))
  })
  afterAll(() => rm(dir, { recursive: true, force: true }))

  it('loads in Python and answers as it does here', async () => {
    const [n, height, width] = [3, 45, 83]
    const architecture = { net: 'fcn8s', width: 0.1, fc: 24, batchNorm: true, dropout: 0, classes: 2 } as const
    const graph = recordInference(buildFcn(architecture, height, width), architecture)
    await writeSavedModel(graph, dir)
    const pictures = Uint8Array.from({ length: n * height * width * 3 }, (_, i) => (i * 7919) % 256)
    await writeFile(join(dir, 'pictures.raw'), pictures)
    await writeFile(join(dir, 'load.py'), script)
    const args = [
      join(dir, 'load.py'),
      dir,
      JSON.stringify([n, height, width, 3]),
      join(dir, 'pictures.raw'),
      join(dir, 'logits.raw'),
    ]
    const { stdout } = await promisify(execFile)(python, args, { env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '3' } })
    const answer = JSON.parse(stdout.trim().split('\n').at(-1)!)

    const session = await openSession(graph)
    const input = { pictures: tf.tensor(pictures, [n, height, width, 3], 'bool') }
    const ours = session.call('logits', input).logits!
    const theirs = new Float32Array(Uint8Array.from(await readFile(join(dir, 'logits.raw'))).buffer)
    expect(theirs).toHaveLength(n * height * width * 2)
    expect(tf.max(tf.abs(tf.sub(ours, tf.tensor(theirs, ours.shape)))).dataSync()[0]).toBeLessThan(1e-4)
    expect(answer.mask).toEqual([n, height, width])
    const share = session.call('serve', input).class_share!.arraySync() as number[][]
    for (const [i, road] of answer.road.entries()) expect(road).toBeCloseTo(share[i]![1]!, 3)
    session.close()
  })
})
