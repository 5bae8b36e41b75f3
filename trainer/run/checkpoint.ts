// Checkpoints of a run in the safetensors format (https://huggingface.co/docs/safetensors): a JSON header with the place of
// every tensor, then the tensors. Weights, moments and the place in the run; what one needs to go on exactly.
import { link, open, readFile, rename, rm } from 'node:fs/promises'

export type State = Map<string, { shape: number[]; values: Float32Array }>

export interface Checkpoint {
  /** Whole epochs done, and training steps done. */
  epoch: number
  step: number
  /** Of an epoch that was stopped within: the sum of its losses so far, for its row in the log. */
  lossSum?: number
  /** Road IoU of the best epoch so far, and which epoch that was. */
  best: { epoch: number; road_iou: number }
  state: State
}

const numbers = ['epoch', 'step', 'best_epoch', 'best_road_iou'] as const

/** Writes a checkpoint as a whole or not at all; the one before stays until then. */
export async function saveCheckpoint(path: string, { epoch, step, best, state, lossSum }: Checkpoint): Promise<void> {
  const metadata = {
    epoch,
    step,
    best_epoch: best.epoch,
    best_road_iou: best.road_iou,
    ...(lossSum !== undefined && { loss_sum: lossSum }),
  }
  const header: Record<string, unknown> = {
    __metadata__: Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key, String(value)])),
  }
  let at = 0
  for (const [name, { shape, values }] of state) {
    header[name] = { dtype: 'F32', shape, data_offsets: [at, at + values.byteLength] }
    at += values.byteLength
  }
  const json = Buffer.from(JSON.stringify(header))
  // Padded with spaces so that the tensors begin at a multiple of 8, as the format advises.
  const padded = Buffer.concat([json, Buffer.alloc((8 - (json.length % 8)) % 8, ' ')])
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(padded.length))

  const file = await open(`${path}.tmp`, 'w')
  let written = false
  try {
    await file.writeFile(length)
    await file.writeFile(padded)
    for (const { values } of state.values())
      await file.writeFile(Buffer.from(values.buffer, values.byteOffset, values.byteLength))
    await file.datasync()
    written = true
  } finally {
    await file.close()
    if (!written) await rm(`${path}.tmp`) // of a full disk, half of it
  }
  await rename(`${path}.tmp`, path)
}

/** Keeps the checkpoint at `path` under another name too, without copying it: what is written later takes another file's place. */
export async function keepCheckpoint(path: string, as: string): Promise<void> {
  await rm(`${as}.tmp`, { force: true })
  await link(path, `${as}.tmp`)
  await rename(`${as}.tmp`, as)
}

/** Reads a checkpoint. Throws, naming the file, where it is none. */
export async function readCheckpoint(path: string): Promise<Checkpoint> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new Error(`Expected a checkpoint, but ${path} cannot be read`, { cause })
  })
  try {
    const start = 8 + Number(bytes.readBigUInt64LE(0))
    const header = JSON.parse(bytes.toString('utf8', 8, start)) as Record<
      string,
      { shape: number[]; data_offsets: [number, number] }
    > & {
      __metadata__: Record<string, string>
    }
    const { __metadata__: metadata, ...tensors } = header
    const [epoch, step, bestEpoch, roadIou] = numbers.map((key) => Number(metadata[key])) as [number, number, number, number]
    const state: State = new Map()
    for (const [name, { shape, data_offsets }] of Object.entries(tensors)) {
      const [from, to] = data_offsets
      if (start + to > bytes.length) throw new Error(`it ends inside ${name}`)
      state.set(name, {
        shape,
        values: new Float32Array(bytes.buffer.slice(bytes.byteOffset + start + from, bytes.byteOffset + start + to)),
      })
    }
    const within = metadata.loss_sum === undefined ? {} : { lossSum: Number(metadata.loss_sum) }
    return { epoch, step, best: { epoch: bestEpoch, road_iou: roadIou }, state, ...within }
  } catch (cause) {
    throw new Error(`${path} is no checkpoint of this trainer: ${(cause as Error).message}`, { cause })
  }
}
