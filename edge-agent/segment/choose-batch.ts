// Which of the waiting frames go through the model together: as many as a batch size holds that the model was warmed up
// for, those cameras first that have waited longest since they were last served.

/** Batch sizes the model is warmed up for; a new size may cost TensorFlow seconds. */
export const batchSizes = [1, 2, 4] as const

/** The sizes in use with so many frames that can wait at once, and such a limit. */
export const sizesFor = (frames: number, maxBatch: number): number[] =>
  batchSizes.filter((size) => size <= Math.max(1, Math.min(frames, maxBatch)))

/** Keys of the frames to take, at most the largest of `sizes` that is filled. `servedAt` orders: lower waited longer. */
export function chooseBatch<Key>(waiting: readonly Key[], servedAt: (key: Key) => number, sizes: readonly number[]): Key[] {
  const size = sizes.findLast((fits) => fits <= waiting.length) ?? 0
  return [...waiting].sort((a, b) => servedAt(a) - servedAt(b)).slice(0, size)
}
