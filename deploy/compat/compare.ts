// Two answers to the same pictures, side by side.

export interface Answers {
  /** Version of TensorFlow that gave them. */
  tensorflow: string
  /** Class ids. */
  masks: Int32Array
  probability: Float32Array
}

export interface Difference {
  /** Largest difference of a probability; NaN where one of them is none. */
  probability: number
  /** Pixels whose class is another, and all pixels. */
  pixels: number
  of: number
}

/** Share of pixels that may differ. Other versions add in another order; that moves pixels on the border of the road. */
const tolerance = 0.002

/** Throws where the answers are not of the same size. */
export function compare(expected: Answers, found: Answers): Difference {
  for (const name of ['masks', 'probability'] as const)
    if (found[name].length !== expected[name].length)
      throw new Error(`Expected ${expected[name].length} values of ${name}, found ${found[name].length}`)
  let [probability, pixels] = [0, 0]
  // Math.max keeps NaN.
  for (let i = 0; i < expected.probability.length; i++)
    probability = Math.max(probability, Math.abs(expected.probability[i]! - found.probability[i]!))
  for (let i = 0; i < expected.masks.length; i++) if (expected.masks[i] !== found.masks[i]) pixels++
  return { probability, pixels, of: expected.masks.length }
}

/** Whether the difference is no more than another order of the same additions makes. */
export const isSame = ({ probability, pixels, of }: Difference): boolean =>
  !Number.isNaN(probability) && pixels <= tolerance * of
