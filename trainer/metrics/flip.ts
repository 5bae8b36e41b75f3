// A model asked twice: of the picture and of its mirror image. What it says of both is averaged, which evens out what it has
// learnt of one side and not of the other.
import type { Size } from '../../deploy/fit-geometry.ts'

type Score = (pictures: Uint8Array, n: number) => Float32Array

/** Mirrors [n, height, width, channels] left to right. */
export function mirrored<T extends Uint8Array | Float32Array>(values: T, width: number, channels: number): T {
  const made = values.slice() as T
  const row = width * channels
  for (let at = 0; at < values.length; at += row)
    for (let x = 0; x < width; x++)
      for (let c = 0; c < channels; c++) made[at + x * channels + c] = values[at + (width - 1 - x) * channels + c]!
  return made
}

/** `score` as the mean of the probabilities of pictures and their mirror images; takes twice the time. */
export function withFlip(score: Score, { width, height }: Size): Score {
  return (pictures, n) => {
    const straight = score(pictures, n)
    const channels = straight.length / (n * width * height)
    const turned = mirrored(score(mirrored(pictures, width, 3), n), width, channels)
    return straight.map((probability, i) => (probability + turned[i]!) / 2)
  }
}
