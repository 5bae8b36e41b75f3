// A SavedModel at work through tfjs-node. Each signature is one call of TensorFlow; all signatures of one folder share a
// session and so its variables.
import * as tf from '@tensorflow/tfjs-node-gpu'

export interface Session {
  /**
   * Runs a signature. Inputs by name; a uint8 input takes a tensor of type bool or int32 with values 0 to 255 (bool costs
   * no conversion). The caller disposes what comes back.
   */
  call(signature: string, inputs: Record<string, tf.Tensor>): Record<string, tf.Tensor>
  /** TensorFlow's memory is not garbage-collected: close what is no longer used. */
  close(): void
}

/** Loads the signatures of a SavedModel folder. Throws TensorFlow's reason where it cannot. */
export async function openSavedModel(dir: string, signatures: readonly string[]): Promise<Session> {
  const loaded = new Map<string, Awaited<ReturnType<typeof tf.node.loadSavedModel>>>()
  for (const name of signatures) loaded.set(name, await tf.node.loadSavedModel(dir, ['serve'], name))
  return {
    call(signature, inputs) {
      const model = loaded.get(signature)
      if (!model) throw new Error(`Expected one of the signatures ${signatures.join(', ')}, found ${signature}`)
      return model.predict(inputs) as Record<string, tf.Tensor>
    },
    close() {
      for (const model of loaded.values()) model.dispose()
      loaded.clear()
    },
  }
}
